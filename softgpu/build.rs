//! Makes three things from `src/driver/symbols.txt`: the list of the driver's entry points, the table by which they are
//! looked up, and the functions that are only refused. Names the shared library `libcuda.so` inside.

use std::fmt::Write;
use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=src/driver/symbols.txt");
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        // The file stays libsoftgpu.so; only once it is loaded by its path does `dlopen("libcuda.so")` find it.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libcuda.so");
    }
    let text = std::fs::read_to_string("src/driver/symbols.txt").expect("src/driver/symbols.txt");
    let [mut listed, mut refused, mut table] = [const { String::new() }; 3];
    for line in text.lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        let (symbol, version, module) = match words[..] {
            [symbol, version] => (symbol, version, ""),
            [symbol, version, "refused"] => (symbol, version, "refused::"),
            _ => panic!("symbols.txt: `{line}` is not `symbol version [refused]`"),
        };
        if !module.is_empty() {
            writeln!(refused, "refused!({symbol});").expect("a string");
        } else {
            writeln!(listed, "pub const fn {symbol}() {{}}").expect("a string");
        }
        let name = base(symbol);
        writeln!(table, "(\"{name}\", {version}, Entry({module}{symbol} as *const c_void)),").expect("a string");
    }
    let table = format!("static SYMBOLS: &[(&str, i32, Entry)] = &[{table}];\n");
    let out = std::env::var("OUT_DIR").expect("set by cargo");
    for (file, text) in [("listed.rs", listed), ("refused.rs", refused), ("symbols.rs", table)] {
        std::fs::write(Path::new(&out).join(file), text).expect("OUT_DIR can be written");
    }
}

/// The name that programs ask for: without `_v2` and the like.
fn base(symbol: &str) -> &str {
    match symbol.rsplit_once("_v") {
        Some((base, digits)) if digits.chars().all(|c| c.is_ascii_digit()) => base,
        _ => symbol,
    }
}
