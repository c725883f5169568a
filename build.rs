//! Embeds `kernels/` into the binary, with a hash of its contents. Uses std only and looks for no GPU or toolkit.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-changed=kernels");
    println!("cargo:rerun-if-changed=build.rs");
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let folder = Path::new(&root).join("kernels");
    let mut names = files(&folder, "");
    names.extend(files(&folder.join("ladder"), "ladder/"));
    names.sort();
    let mut list =
        String::from("/// Name and text of every file of `kernels/`.\npub const FILES: &[(&str, &str)] = &[\n");
    let mut hash = Fnv::new();
    for name in &names {
        let path = folder.join(name);
        let text = fs::read(&path).expect("a kernel file that can be read");
        hash.add(name.as_bytes());
        hash.add(&text);
        writeln!(list, "    ({name:?}, include_str!({path:?})),").expect("a string takes all");
    }
    writeln!(list, "];\n/// Hash of their names and contents.\npub const HASH: &str = \"{:016x}\";", hash.0)
        .expect("a string takes all");
    let out = env::var("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&out).join("kernels.rs"), list).expect("write to OUT_DIR");
}

/// The kernels and headers of a folder, with `prefix` in front of each name.
fn files(folder: &Path, prefix: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folders of kernels/ in the repository");
    let names = entries.filter_map(|e| e.expect("a folder that can be read").file_name().into_string().ok());
    let sources = names.filter(|n| n.ends_with(".cu") || n.ends_with(".cuh"));
    sources.map(|n| format!("{prefix}{n}")).collect()
}

/// FNV-1a, 64 bits: tells builds apart, defends against nobody.
struct Fnv(u64);

impl Fnv {
    fn new() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
    fn add(&mut self, bytes: &[u8]) {
        for &b in bytes.iter().chain(&[0]) {
            self.0 = (self.0 ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
