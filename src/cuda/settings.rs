//! What the variables `WARP19_...` ask for. One that is set to something else than it can be, or that does not exist,
//! is an error: nobody sets a variable in order to be ignored.

use super::units::TILES;
use crate::error::{Error, Result};
use std::ffi::OsString;
use std::path::PathBuf;

/// All variables of the program, its tests and its benches; `docs/profiling.md` says what they mean.
const NAMES: [&str; 13] = [
    "WARP19_BENCH",
    "WARP19_BENCH_BATCH",
    "WARP19_BENCH_THREADS",
    "WARP19_CACHE",
    "WARP19_GRAPH",
    "WARP19_HELD_MIB",
    "WARP19_ISA",
    "WARP19_MNIST",
    "WARP19_NVDISASM",
    "WARP19_NVRTC",
    "WARP19_NVRTC_DIR",
    "WARP19_TILE",
    "WARP19_WINOGRAD",
];

/// How the device is to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    pub choices: Choices,
    /// Whether sequences are recorded as graphs; off with `WARP19_GRAPH=0`, for profilers.
    pub graphs: bool,
}

/// Which kernels are taken where there is a choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choices {
    /// A tile to take wherever it can be, by `WARP19_TILE` (an index into [`super::units::tiles`]), to test and to
    /// measure each.
    pub tile: Option<usize>,
    /// Winograd's convolution wherever it can be (`WARP19_WINOGRAD=1`) or never (`0`); `None`: where it wins.
    pub winograd: Option<bool>,
}

impl Settings {
    /// Those of the environment.
    ///
    /// # Errors
    /// A variable that does not exist or has a value that means nothing, with those that do.
    pub fn read() -> Result<Settings> {
        check_names()?;
        let tiles: Vec<String> = (0..TILES).map(|t| t.to_string()).collect();
        let tiles: Vec<&str> = tiles.iter().map(String::as_str).collect();
        Ok(Settings {
            choices: Choices {
                tile: one_of("WARP19_TILE", &tiles)?,
                winograd: one_of("WARP19_WINOGRAD", &["0", "1"])?.map(|v| v == 1),
            },
            graphs: one_of("WARP19_GRAPH", &["0", "1"])? != Some(0),
        })
    }
}

/// An error if there is a variable `WARP19_...` that nothing reads, such as one with a spelling mistake.
pub fn check_names() -> Result<()> {
    let names = std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned());
    match names.filter(|n| n.starts_with("WARP19_")).find(|n| !NAMES.contains(&n.as_str())) {
        Some(unknown) => Err(Error::Invalid(format!("there is no variable {unknown}; there are {}", NAMES.join(", ")))),
        None => Ok(()),
    }
}

/// The value of a variable, if it is set to something.
pub fn value(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|v| !v.is_empty())
}

/// The path that a variable names, which must be there.
///
/// # Errors
/// It is not.
pub fn path(name: &str, is_there: impl Fn(&PathBuf) -> bool) -> Result<Option<PathBuf>> {
    match value(name).map(PathBuf::from) {
        Some(path) if !is_there(&path) => Err(Error::Invalid(format!(
            "{name}={}: there is nothing of that kind; correct it or unset it",
            path.display()
        ))),
        path => Ok(path),
    }
}

/// Which of these a variable is set to.
fn one_of(name: &str, values: &[&str]) -> Result<Option<usize>> {
    let Some(found) = value(name) else { return Ok(None) };
    let at = values.iter().position(|v| found == *v);
    let wrong =
        || format!("{name}={}: it can be {}; correct it or unset it", found.to_string_lossy(), values.join(", "));
    at.map(Some).ok_or_else(|| Error::Invalid(wrong()))
}

#[cfg(test)]
mod tests {
    use super::NAMES;
    use crate::cuda::units::Unit;

    const PROFILING: &str = include_str!("../../docs/profiling.md");

    #[test]
    fn every_variable_is_explained() {
        for name in NAMES {
            assert!(PROFILING.contains(&format!("| `{name}` |")), "{name} is not in docs/profiling.md");
        }
    }

    #[test]
    fn the_patterns_of_the_documentation_match_every_kernel() {
        let patterns: Vec<&str> = PROFILING.split('`').filter_map(|p| p.strip_prefix('^')).collect();
        let kernels: Vec<_> = Unit::all(u32::MAX).into_iter().flat_map(Unit::kernels).collect();
        for k in &kernels {
            let matching = patterns.iter().filter(|p| k.symbol.starts_with(*p)).count();
            assert_eq!(matching, 1, "{}", k.symbol);
        }
        for p in patterns {
            assert!(kernels.iter().any(|k| k.symbol.starts_with(p)), "no kernel is named ^{p}");
        }
        let mut names: Vec<&str> = kernels.iter().map(|k| k.symbol.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), kernels.len(), "two kernels of one name");
    }
}
