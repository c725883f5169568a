//! The kernel's PTX, from the file or its compiler, and its name there.

use super::command_line::Arguments;
use super::failure::{Failure, usage};
use crate::load::Module;
use crate::nvrtc::{self, NvrtcError, Source};
use crate::ptxas::{self, Usage};

/// The PTX of the file, as it is or from NVRTC, and what its kernels need where a compiler tells it.
pub(super) fn ptx_text(arguments: &Arguments) -> Result<(String, Vec<Usage>), Failure> {
    let (path, sm) = (&arguments.file, arguments.profile.sm);
    let text = std::fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    if path.extension().is_some_and(|e| e == "ptx") {
        if !arguments.nvrtc_option.is_empty() {
            return Err(usage("--nvrtc-option is for .cu files; a .ptx file is not compiled".into()));
        }
        let needs = match std::env::var_os(ptxas::VARIABLE) {
            Some(file) => ptxas::assemble(file.as_ref(), &text, sm)?,
            None => Vec::new(),
        };
        return Ok((text, needs));
    }
    let nvrtc = nvrtc::find(sm)?;
    let mut options = vec![
        // for the machine code's account of registers; the PTX is the same as for compute_N
        format!("--gpu-architecture=sm_{sm}"),
        "--ptxas-options=-v".into(),
        "-lineinfo".into(),
    ];
    if let Some(folder) = path.parent() {
        let folder = if folder.as_os_str().is_empty() { ".".into() } else { folder.display().to_string() };
        options.push(format!("--include-path={folder}"));
    }
    options.extend(arguments.nvrtc_option.iter().cloned());
    let name = path.display().to_string();
    let program =
        nvrtc.compile(&Source { name: &name, text: &text, headers: &[] }, &options).map_err(|error| match error {
            NvrtcError::Refused(log) => {
                let ((major, minor), options) = (nvrtc.version, options.join(" "));
                format!("NVRTC {major}.{minor} does not compile {name} ({options}):\n{log}")
            }
            other => other.to_string(),
        })?;
    Ok((program.ptx().map_err(|e| e.to_string())?, ptxas::usage(&program.log())))
}

/// The PTX name of the kernel meant: its own, or the only mangled form of it.
pub(super) fn find_kernel(module: &Module, name: &str) -> Result<String, Failure> {
    let names = module.kernel_names();
    if names.contains(&name) {
        return Ok(name.into());
    }
    let mangled = format!("_Z{}{name}", name.len());
    if let Some((kernel, error)) = module.refused().iter().find(|(n, _)| n == name || n.starts_with(&mangled)) {
        return Err(Failure::from(format!("{kernel} is refused: {error}")));
    }
    let matching: Vec<&&str> = names.iter().filter(|n| n.starts_with(&mangled)).collect();
    match matching[..] {
        [only] => Ok(only.to_string()),
        [] if names.is_empty() => {
            Err(Failure::from(format!("there is no kernel {name}: the file has no kernels at all")))
        }
        [] => Err(Failure::from(format!("there is no kernel {name}; the file has {}", names.join(", ")))),
        _ => Err(Failure::from(format!("{name} could be any of {}; give the whole name", names.join(", ")))),
    }
}
