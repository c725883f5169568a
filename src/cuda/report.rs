//! What the kernels need of a device, as the compiler says it: registers, shared memory, spills.

use super::find;
use super::nvrtc::{self, Output, Target};
use super::units::Unit;
use crate::error::{Error, Result};
use softgpu::nvrtc::Nvrtc;
use softgpu::ptxas::{self, Usage};

/// A unit compiled for one architecture.
pub struct Compiled {
    pub unit: Unit,
    pub options: Vec<String>,
    pub cubin: Vec<u8>,
    pub usage: Vec<Usage>,
}

/// An NVRTC that compiles machine code for an architecture (compute capability times ten).
///
/// # Errors
/// See [`find::find`].
pub fn nvrtc_for(sm: u32) -> Result<Nvrtc> {
    let nvrtc = find::find(sm, None).map_err(Error::Device)?;
    match Target::of(&nvrtc, sm) {
        Some(Target::Cubin(_)) => Ok(nvrtc),
        _ => Err(Error::Device(format!(
            "no NVRTC that was found compiles for sm_{sm}; {} knows {:?}. {}",
            nvrtc.path.display(),
            nvrtc.architectures,
            find::remedy(sm)
        ))),
    }
}

/// Compiles a unit and reads the compiler's account of it.
///
/// # Errors
/// NVRTC's log.
pub fn compile(nvrtc: &Nvrtc, sm: u32, unit: Unit) -> Result<Compiled> {
    let target = Target::Cubin(sm);
    let mut verbose = unit.options();
    verbose.push("--ptxas-options=-v".into());
    let Output { code, log } = nvrtc::compile(nvrtc, unit.file(), target, &verbose).map_err(Error::Device)?;
    Ok(Compiled { unit, options: unit.options_for(target), cubin: code, usage: ptxas::usage(&log) })
}
