//! Makes tables from text: of `src/driver/symbols.txt` the list of the driver's entry points, the table by which they
//! are looked up, and the functions that are only refused; of `src/driver/errors.txt` the codes with their names and
//! descriptions. Names the shared library `libcuda.so` inside.

use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        // The file stays libsoftgpu.so; only once it is loaded by its path does `dlopen("libcuda.so")` find it.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libcuda.so");
    }
    let [mut listed, mut refused, mut table] = [const { String::new() }; 3];
    for line in lines("src/driver/symbols.txt") {
        let words: Vec<&str> = line.split(' ').collect();
        let (symbol, version, module) = match words[..] {
            [symbol, version] => (symbol, version, ""),
            [symbol, version, "refused"] => (symbol, version, "refused::"),
            _ => panic!("symbols.txt: `{line}` is not `symbol version [refused]`"),
        };
        if !module.is_empty() {
            refused += &format!("refused!({symbol});\n");
        } else {
            listed += &format!("pub const fn {symbol}() {{}}\n");
        }
        let name = base(symbol);
        table += &format!("(\"{name}\", \"{symbol}\", {version}, Entry({module}{symbol} as *const c_void)),\n");
    }
    make("listed.rs", &listed);
    make("refused.rs", &refused);
    make("symbols.rs", &format!("static SYMBOLS: &[(&str, &str, i32, Entry)] = &[{table}];\n"));

    let [mut codes, mut table] = [const { String::new() }; 2];
    for line in lines("src/driver/errors.txt") {
        let mut words = line.splitn(3, ' ');
        let (Some(code), Some(name), Some(text)) = (words.next(), words.next(), words.next()) else {
            panic!("errors.txt: `{line}` is not `code name description`");
        };
        codes += &format!("pub const {name}: CuResult = {code};\n");
        table += &format!("({code}, c\"CUDA_ERROR_{name}\", c\"{text}\"),\n");
    }
    make("errors.rs", &format!("{codes}static TABLE: &[(CuResult, &CStr, &CStr)] = &[{table}];\n"));
}

/// The lines of a table, comments apart.
fn lines(file: &str) -> Vec<String> {
    println!("cargo:rerun-if-changed={file}");
    let text = std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{file}: {e}"));
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_string).collect()
}

fn make(file: &str, text: &str) {
    let out = std::env::var("OUT_DIR").expect("set by cargo");
    std::fs::write(Path::new(&out).join(file), text).expect("OUT_DIR can be written");
}

/// The name that programs ask for: without `_v2` and the like.
fn base(symbol: &str) -> &str {
    match symbol.rsplit_once("_v") {
        Some((base, digits)) if digits.chars().all(|c| c.is_ascii_digit()) => base,
        _ => symbol,
    }
}
