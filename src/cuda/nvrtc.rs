//! Compiling a file of `kernels/` with NVRTC, which softgpu binds.

use super::source;
use softgpu::nvrtc::{Nvrtc, NvrtcError, Source};

/// What a compilation gives.
#[derive(Debug)]
pub struct Output {
    /// A cubin, or PTX text without a closing zero.
    pub code: Vec<u8>,
    /// The compiler's own words, warnings included.
    pub log: String,
}

/// For what is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// Machine code of exactly this compute capability (times ten), which other minor versions after it also run.
    Cubin(u32),
    /// PTX that this compute capability and every newer one can run, after the driver has compiled it.
    Ptx(u32),
}

impl Target {
    /// What to compile for a device: its machine code where this NVRTC knows it; else, for a device newer than NVRTC,
    /// PTX for the newest it knows; `None` for a device it has dropped.
    pub fn of(nvrtc: &Nvrtc, sm: u32) -> Option<Target> {
        if nvrtc.architectures.contains(&sm) {
            return Some(Target::Cubin(sm));
        }
        let older = nvrtc.architectures.iter().rev().find(|&&a| a < sm)?;
        Some(Target::Ptx(*older))
    }

    /// NVRTC's option.
    pub fn option(self) -> String {
        match self {
            Target::Cubin(sm) => format!("--gpu-architecture=sm_{sm}"),
            Target::Ptx(sm) => format!("--gpu-architecture=compute_{sm}"),
        }
    }
}

/// Compiles a file of `kernels/`.
///
/// # Errors
/// NVRTC's log as it is, with file and line.
pub fn compile(nvrtc: &Nvrtc, file: &str, target: Target, options: &[String]) -> Result<Output, String> {
    let text = source::text(file).ok_or_else(|| format!("kernels/{file} is not embedded"))?;
    let name = format!("kernels/{file}");
    let headers: Vec<(&str, &str)> = source::FILES.iter().filter(|f| f.0.ends_with(".cuh")).copied().collect();
    let words: Vec<String> = std::iter::once(target.option()).chain(options.iter().cloned()).collect();
    let program =
        nvrtc.compile(&Source { name: &name, text, headers: &headers }, &words).map_err(|error| match error {
            NvrtcError::Refused(log) => {
                let ((major, minor), path) = (nvrtc.version, nvrtc.path.display());
                format!("NVRTC {major}.{minor} ({path}) does not compile {name} with {}:\n{log}", words.join(" "))
            }
            other => other.to_string(),
        })?;
    let code = match target {
        Target::Cubin(_) => program.cubin(),
        Target::Ptx(_) => program.ptx().map(String::into_bytes),
    };
    Ok(Output { code: code.map_err(|e| e.to_string())?, log: program.log() })
}
