//! Makes tables from text: of `src/symbols.txt` the functions that are only refused, of `src/errors.txt` the codes with
//! their names and descriptions. Names the shared library `libcudart.so.13` inside, and gives it NVIDIA's two version
//! nodes.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let mut refused = String::new();
    for line in lines("src/symbols.txt") {
        if let Some(name) = line.strip_suffix(" refused") {
            refused += &format!("refused!({name});\n");
        }
    }
    make("refused.rs", &refused);

    let mut table = String::new();
    for line in lines("src/errors.txt") {
        let mut words = line.splitn(3, ' ');
        let (Some(code), Some(name), Some(text)) = (words.next(), words.next(), words.next()) else {
            panic!("errors.txt: `{line}` is not `code name description`");
        };
        table += &format!("({code}, c\"{name}\", c\"{text}\"),\n");
    }
    make("errors.rs", &format!("static TABLE: &[(Code, &CStr, &CStr)] = &[{table}];\n"));

    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libcudart.so.13");
        version_nodes();
    }
}

/// A program that was linked against NVIDIA's library asks for the version node `libcudart.so.13` or `.12`; the system's
/// loader warns at every start where it is missing. rustc's own list of exports has no node, and GNU ld takes no second
/// list beside that; lld does. So the first linker that takes both is used: rustc's, the toolchain's lld, the system's.
fn version_nodes() {
    let out = PathBuf::from(std::env::var("OUT_DIR").expect("set by cargo"));
    let nodes = "-Wl,--version-script=".to_string() + make("nodes.map", "libcudart.so.12 {};\nlibcudart.so.13 {};\n");
    let rustc = std::env::var("RUSTC").expect("set by cargo");
    let root = Command::new(&rustc).args(["--print", "sysroot"]).output().expect("rustc runs").stdout;
    let host = std::env::var("HOST").expect("set by cargo");
    let own = format!("-B{}/lib/rustlib/{host}/bin/gcc-ld", String::from_utf8_lossy(&root).trim());
    let linkers: [&[&str]; 3] = [&[], &[&own, "-fuse-ld=lld"], &["-fuse-ld=lld"]];
    make("probe.rs", "#[unsafe(no_mangle)] pub extern \"C\" fn probe() {}\n");
    for linker in linkers {
        let mut probe = Command::new(&rustc);
        probe.args(["--crate-type", "cdylib", "--edition", "2024", "--target"]);
        probe.arg(std::env::var("TARGET").expect("set by cargo")).current_dir(&out).arg("probe.rs");
        for argument in linker.iter().copied().chain([nodes.as_str()]) {
            probe.arg(format!("-Clink-arg={argument}"));
        }
        if let Ok(linker) = std::env::var("RUSTC_LINKER") {
            probe.arg(format!("-Clinker={linker}"));
        }
        if probe.output().is_ok_and(|done| done.status.success()) {
            for argument in linker.iter().copied().chain([nodes.as_str()]) {
                println!("cargo:rustc-cdylib-link-arg={argument}");
            }
            return;
        }
    }
    println!(
        "cargo:warning=no linker takes version nodes (lld does): programs will start with a warning of the system's \
         loader, \"no version information available\""
    );
}

/// The lines of a table, comments apart.
fn lines(file: &str) -> Vec<String> {
    println!("cargo:rerun-if-changed={file}");
    let text = std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{file}: {e}"));
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_string).collect()
}

/// Writes a file into cargo's folder for it and gives its path.
fn make(file: &str, text: &str) -> &'static str {
    let path = Path::new(&std::env::var("OUT_DIR").expect("set by cargo")).join(file);
    std::fs::write(&path, text).expect("OUT_DIR can be written");
    path.into_os_string().into_string().expect("a path in UTF-8").leak()
}
