//! Units to machine code, with a cache on disk.
//!
//! A cache file is named by the SHA-256 of everything its contents depend on (all kernel sources, the unit's options,
//! the target, NVRTC's version) and begins with the SHA-256 of its own contents: a damaged file is compiled anew.
//! Files are written beside their place and renamed, so that two processes at once are safe. A cache that cannot be
//! written is no error: the kernels are compiled at each start then.

use super::nvrtc::{self, Target};
use super::settings;
use super::source;
use super::units::Unit;
use crate::error::{Error, Result};
use sha2::{Digest, Sha256};
use softgpu::nvrtc::Nvrtc;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Compiles units for one device.
pub struct Compiler {
    pub nvrtc: Nvrtc,
    pub target: Target,
    /// Where compiled kernels are kept; `None`: nowhere.
    pub cache: Option<PathBuf>,
    /// Why the cache could not be used, once it was found out.
    pub cache_trouble: Option<String>,
    telling: Telling,
}

/// A compiled unit.
pub struct Code {
    /// A cubin, or PTX text.
    pub bytes: Vec<u8>,
    /// Whether it came from the cache.
    pub cached: bool,
    pub log: String,
}

/// The folder for compiled kernels: `WARP19_CACHE`, else `$XDG_CACHE_HOME/warp19`, else `~/.cache/warp19`.
pub fn cache_folder() -> Option<PathBuf> {
    let variable = |name: &str| settings::value(name).map(PathBuf::from);
    variable("WARP19_CACHE")
        .or_else(|| variable("XDG_CACHE_HOME").map(|p| p.join("warp19")))
        .or_else(|| variable("HOME").map(|p| p.join(".cache/warp19")))
}

impl Compiler {
    /// A compiler with the user's cache folder.
    pub fn new(nvrtc: Nvrtc, target: Target) -> Compiler {
        Compiler { nvrtc, target, cache: cache_folder(), cache_trouble: None, telling: Telling::default() }
    }

    /// NVRTC's options for a unit, the target's included.
    pub fn options(&self, unit: Unit) -> Vec<String> {
        unit.options_for(self.target)
    }

    /// The cache file of a unit.
    pub fn cache_file(&self, unit: Unit) -> Option<PathBuf> {
        let mut hash = Sha256::new();
        let mut add = |text: &str| {
            hash.update(text.as_bytes());
            hash.update([0]);
        };
        for (name, text) in source::FILES {
            add(name);
            add(text);
        }
        add(unit.file());
        for option in self.options(unit) {
            add(&option);
        }
        add(&format!("{:?}", self.nvrtc.version));
        let key: String = hash.finalize()[..16].iter().map(|b| format!("{b:02x}")).collect();
        let kind = match self.target {
            Target::Cubin(sm) => format!("sm_{sm}.cubin"),
            Target::Ptx(sm) => format!("compute_{sm}.ptx"),
        };
        let folder = self.cache.as_ref()?;
        Some(folder.join(format!("{}-{key}.{kind}", unit.name())))
    }

    /// A unit's code, from the cache or compiled now.
    ///
    /// # Errors
    /// NVRTC's log.
    pub fn compile(&mut self, unit: Unit) -> Result<Code> {
        let file = self.cache_file(unit);
        if let Some(bytes) = file.as_ref().and_then(read) {
            return Ok(Code { bytes, cached: true, log: String::new() });
        }
        self.telling.begin(unit, self.target, self.cache.as_deref());
        let output = nvrtc::compile(&self.nvrtc, unit.file(), self.target, &unit.options()).map_err(Error::Device);
        self.telling.end();
        let output = output?;
        if let Some(file) = file
            && let Err(e) = write(&file, &output.code)
            && self.cache_trouble.is_none()
        {
            let trouble = format!(
                "compiled kernels cannot be kept in {} ({e}); they are compiled again at each start. Make room there, \
                 or name another folder in WARP19_CACHE",
                file.parent().unwrap_or(&file).display()
            );
            eprintln!("warning: {trouble}");
            self.cache_trouble = Some(trouble);
        }
        Ok(Code { bytes: output.code, cached: false, log: output.log })
    }

    /// Forgets a unit's cached code, because the driver refused it.
    pub fn forget(&self, unit: Unit) {
        if let Some(file) = self.cache_file(unit) {
            let _ = std::fs::remove_file(file);
        }
    }
}

/// Says on standard error that kernels are compiled, a second or more each: on a terminal a line that goes away,
/// elsewhere a line at the first unit and then one every ten seconds.
#[derive(Default)]
struct Telling {
    units: usize,
    told: Option<Instant>,
}

impl Telling {
    fn begin(&mut self, unit: Unit, target: Target, cache: Option<&Path>) {
        self.units += 1;
        let due = self.told.is_none_or(|told| told.elapsed() >= Duration::from_secs(10));
        let terminal = std::io::stderr().is_terminal();
        if !due && !terminal {
            return;
        }
        let (Target::Cubin(sm) | Target::Ptx(sm)) = target;
        let kept = cache.map_or(String::new(), |folder| format!(", kept in {}", folder.display()));
        let text = format!("compiling the CUDA kernels for sm_{sm} (once{kept}): {}, {}", self.units, unit.name());
        match terminal {
            true => eprint!("\r\x1b[K{text}"),
            false => eprintln!("{text}"),
        }
        self.told = Some(Instant::now());
    }

    fn end(&self) {
        if std::io::stderr().is_terminal() {
            eprint!("\r\x1b[K");
        }
    }
}

const CHECKSUM: usize = 32;

fn read(file: &PathBuf) -> Option<Vec<u8>> {
    let mut bytes = std::fs::read(file).ok()?;
    if bytes.len() <= CHECKSUM {
        return None;
    }
    let code = bytes.split_off(CHECKSUM);
    (bytes[..] == Sha256::digest(&code)[..]).then_some(code)
}

fn write(file: &PathBuf, code: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    let folder = file.parent().expect("a file in the cache folder");
    std::fs::create_dir_all(folder)?;
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    temporary.write_all(&Sha256::digest(code))?;
    temporary.write_all(code)?;
    temporary.as_file().sync_all()?;
    temporary.persist(file).map_err(|e| e.error)?;
    Ok(())
}
