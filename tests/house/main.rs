//! Holds the house in order: no file imports another in a circle, no room imports a higher one, no line is longer than
//! [`WIDTH`], no file longer than [`LENGTH`]. Read are the sources of all crates of the workspace, their tests apart.

mod map;
mod source;

use map::{Map, circles};
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// Longest line, in characters.
const WIDTH: usize = 120;
/// Longest source file, in lines.
const LENGTH: usize = 450;

/// The crates: name, folder of the sources, and the rooms from the top down. A room is a file or a folder of `src/`. It
/// imports rooms of lower rows only: neither a higher one nor a neighbour.
const HOUSES: &[(&str, &str, &[&str])] = &[
    (
        "warp19",
        "src",
        &[
            "main lib",
            "cli",
            "report",
            "export",
            "train",
            "network conformance",
            "cpu cuda",
            "device data",
            "model image",
            "ops",
            "error",
        ],
    ),
    ("softcudart", "softcudart/src", &["lib", "calls", "program", "context", "driver", "abi"]),
    (
        "softgpu",
        "softgpu/src",
        &[
            "bin",
            "lib",
            "command",
            "driver library",
            "engine",
            "load",
            "isa",
            "watch",
            "machine",
            "shadow limits",
            "kernel",
            "check counters fatbin memory numerics nvrtc ptx ptxas",
            "profile host",
        ],
    ),
];

/// The checkout that is read: this one, or the one that `HOUSE` names (`scripts/figures.py` looks at older ones).
fn repository() -> PathBuf {
    std::env::var_os("HOUSE").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
}

/// The Rust files of a folder and of those inside it, as paths from the repository's root.
fn files(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    let entries = fs::read_dir(repository().join(folder)).unwrap_or_else(|e| panic!("{folder}: {e}"));
    for entry in entries {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let path = format!("{folder}/{name}");
        if repository().join(&path).is_dir() {
            found.extend(files(&path));
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn text(file: &str) -> String {
    fs::read_to_string(repository().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
}

fn workspace() -> Map {
    let mut map = Map::default();
    for (name, folder, _) in HOUSES {
        for file in files(folder) {
            map.add(name, folder, &file, &text(&file));
        }
    }
    map
}

#[test]
fn no_circle_of_imports() {
    let map = workspace();
    let imports = map.imports();
    let mut wrong = String::new();
    for circle in circles(&imports) {
        wrong += &format!("\n{} files import each other in a circle:\n", circle.len());
        for file in &circle {
            let own = imports[file.as_str()].iter().copied();
            let inside: Vec<&str> = own.filter(|f| circle.iter().any(|c| c == f)).collect();
            wrong += &format!("  {file} imports {}\n", inside.join(", "));
        }
    }
    assert!(wrong.is_empty(), "{wrong}What to do: move what both need into a file that imports neither.");
}

#[test]
fn no_import_of_a_higher_room() {
    let map = workspace();
    let mut wrong = BTreeSet::new();
    for (name, folder, rows) in HOUSES {
        let room = |file: &str| {
            let inner = file.strip_prefix(folder)?.strip_prefix('/')?;
            Some(inner.split('/').next()?.trim_end_matches(".rs").to_string())
        };
        let row = |room: &str| rows.iter().position(|row| row.split(' ').any(|r| r == room));
        for (from, to) in map.imports() {
            let Some(above) = room(from) else { continue };
            if row(&above).is_none() {
                wrong.insert(format!("{from}: the room {above} of {name} has no row in HOUSES of tests/house/main.rs"));
            }
            for below in to.into_iter().filter(|file| room(file).is_some_and(|r| r != above)) {
                if row(&above) >= room(below).and_then(|r| row(&r)) {
                    wrong.insert(format!("{from} imports {below}, which is not in a lower room"));
                }
            }
        }
    }
    let wrong: Vec<String> = wrong.into_iter().collect();
    assert!(
        wrong.is_empty(),
        "\n{}\nWhat to do: move what is needed down, or hand it in from above as an argument.",
        wrong.join("\n")
    );
}

#[test]
fn lines_and_files_are_short() {
    let mut wrong = Vec::new();
    for folder in ["src", "tests", "benches", "softcudart/src", "softgpu/src", "softgpu/examples", "softgpu/benches"] {
        for file in files(folder) {
            let text = text(&file);
            for (index, line) in text.lines().enumerate().filter(|(_, line)| line.chars().count() > WIDTH) {
                wrong.push(format!("{file}:{}: {} characters", index + 1, line.chars().count()));
            }
            if text.lines().count() > LENGTH {
                wrong.push(format!("{file}: {} lines", text.lines().count()));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "\n{}\nWhat to do: wrap lines at {WIDTH} characters; make a folder of a file of more than {LENGTH} lines.",
        wrong.join("\n")
    );
}

/// A small workspace: imports as `from -> to`, sorted.
fn arrows(files: &[(&str, &str)]) -> (Vec<String>, Vec<Vec<String>>) {
    let mut map = Map::default();
    for (file, text) in files {
        map.add("house", "src", file, text);
    }
    let imports = map.imports();
    let arrows = imports.iter().flat_map(|(from, to)| to.iter().map(move |to| format!("{from} -> {to}"))).collect();
    (arrows, circles(&imports))
}

#[test]
fn a_planted_circle_is_found() {
    let (_, found) = arrows(&[
        ("src/lib.rs", "mod a; mod b; mod c;"),
        ("src/a.rs", "use crate::b::B;"),
        ("src/b.rs", "pub struct B; fn f() { super::c::g(); }"),
        ("src/c.rs", "pub fn g() { let _ = crate::a::A; }"),
    ]);
    assert_eq!(found, [["src/a.rs", "src/b.rs", "src/c.rs"]]);
    // A parent that uses its child, and the child that uses the parent's own item.
    let (_, found) = arrows(&[
        ("src/a/mod.rs", "mod child; pub struct Data; pub use child::run;"),
        ("src/a/child.rs", "use super::Data; pub fn run(_: Data) {}"),
    ]);
    assert_eq!(found, [["src/a/child.rs", "src/a/mod.rs"]]);
}

#[test]
fn names_are_followed_to_where_they_are_defined() {
    let (arrows, circles) = arrows(&[
        ("src/lib.rs", "pub mod a; mod b; pub use b::B; pub use house_of_others::X;"),
        ("src/a/mod.rs", "mod deep; pub use deep::*; use std::io;"),
        ("src/a/deep.rs", "use crate::{B as Other, a::other::{self, Z}}; pub struct Deep; mod m { use super::Deep; }"),
        ("src/a/other.rs", "pub struct Z; // use crate::main::Never;\nconst T: &str = \"use crate::b\";"),
        ("src/b.rs", "pub struct B; fn f<'a>(_: &'a u8) { 'x'; } #[cfg(test)] mod tests { use crate::a::Deep; }"),
        ("src/main.rs", "fn main() { house::a::Deep; r#\"crate::b::B\"#; }"),
    ]);
    let expected = [
        "src/a/deep.rs -> src/a/other.rs",
        "src/a/deep.rs -> src/b.rs",
        "src/a/mod.rs -> src/a/deep.rs",
        "src/lib.rs -> src/b.rs",
        "src/main.rs -> src/a/deep.rs",
    ];
    assert_eq!((arrows, circles), (expected.map(String::from).to_vec(), Vec::new()));
}

/// A page of the repository, or a path beside it, in each link of every page.
#[test]
fn links_lead_somewhere() {
    let mut wrong = Vec::new();
    for folder in ["", "docs", "docs/results", "kernels", "tests/report", "softgpu", "softgpu/docs"] {
        let folder = repository().join(folder);
        let pages = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        for page in pages.filter(|path| path.extension().is_some_and(|e| e == "md")) {
            let text = fs::read_to_string(&page).unwrap();
            let links = text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
            let local = links.filter(|link| !link.starts_with("http") && !link.starts_with('#'));
            let paths = local.map(|link| link.split('#').next().unwrap_or_default());
            wrong.extend(paths.filter(|p| !folder.join(p).exists()).map(|p| format!("{}: {p}", page.display())));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The guided reading names files that exist, no more than can be read in an evening.
#[test]
fn the_tour_is_an_evening() {
    let tour = text("docs/tour.md");
    let stops = tour.lines().filter(|line| line.starts_with("| [")).filter_map(|line| {
        let (_, rest) = line.split_once("](../")?;
        Some(rest.split_once(')')?.0.to_string())
    });
    let lengths: Vec<(String, usize)> = stops.map(|stop| (stop.clone(), text(&stop).lines().count())).collect();
    let total: usize = lengths.iter().map(|(_, lines)| lines).sum();
    assert!(lengths.len() > 15 && total <= 3000, "{total} lines, at most 3000: {lengths:#?}");
}
