//! The embedded kernel sources: `FILES`, name and text of each, and `HASH` of them all.

include!(concat!(env!("OUT_DIR"), "/kernels.rs"));

/// The text of a file.
pub fn text(name: &str) -> Option<&'static str> {
    FILES.iter().find(|(n, _)| *n == name).map(|(_, t)| *t)
}
