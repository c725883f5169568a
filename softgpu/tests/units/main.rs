//! Parts of softgpu on their own.

mod argument;
mod chains;
mod meets;
mod memory;
mod npy;
mod ptxas;

// Two of the crate's own files, which nobody outside needs and which need nothing of the rest.
#[path = "../../src/load/flowgraph.rs"]
#[allow(dead_code)] // what only the crate asks for
mod flowgraph;
#[path = "../../src/shadow/history.rs"]
mod history;

/// The library is not compiled for tests of its own (`test = false` in Cargo.toml): one inside it would never run.
#[test]
fn no_tests_inside_the_library() {
    let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                assert!(!text.contains("cfg(test)"), "{}: move the tests to softgpu/tests", path.display());
            }
        }
    }
}
