//! Makes the table of the driver's entry points and those that are only refused, from
//! `src/driver/symbols.txt`, and names the shared library `libcuda.so` inside.

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
    let (mut refused, mut table) = (String::new(), String::new());
    let mut declared = String::new();
    for line in text.lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let mut words = line.split(' ');
        let (Some(symbol), Some(version)) = (words.next(), words.next()) else {
            panic!("symbols.txt: `{line}` is not `symbol version [refused]`");
        };
        if words.next() == Some("refused") {
            writeln!(
                refused,
                "#[unsafe(no_mangle)] extern \"C\" fn {symbol}() -> i32 {{ super::entry::unsupported(\"{symbol}\") }}"
            )
            .expect("a string");
        }
        writeln!(declared, "pub fn {symbol}();").expect("a string");
        writeln!(table, "(\"{}\", {version}, Entry(entries::{symbol} as *const c_void)),", base(symbol))
            .expect("a string");
    }
    let out = std::env::var("OUT_DIR").expect("set by cargo");
    let symbols = format!(
        "#[allow(clashing_extern_declarations)] mod entries {{ unsafe extern \"C\" {{ {declared} }} }}\nstatic SYMBOLS: &[(&str, i32, Entry)] = &[{table}];\n"
    );
    std::fs::write(Path::new(&out).join("refused.rs"), refused).expect("OUT_DIR can be written");
    std::fs::write(Path::new(&out).join("symbols.rs"), symbols).expect("OUT_DIR can be written");
}

/// The name that programs ask for: without `_v2` and the like.
fn base(symbol: &str) -> &str {
    match symbol.rsplit_once("_v") {
        Some((base, digits)) if digits.chars().all(|c| c.is_ascii_digit()) => base,
        _ => symbol,
    }
}
