//! What the kernels need of a device, as the compiler says it: registers, shared memory, spills.

use super::find;
use super::nvrtc::{Nvrtc, Output, Target};
use super::units::Unit;
use crate::error::{Error, Result};
use serde::Serialize;

/// A kernel's needs, by `ptxas`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Usage {
    pub kernel: String,
    /// Registers of a thread.
    pub registers: u32,
    /// Static shared memory of a block, bytes.
    pub shared: u32,
    /// Local memory of a thread, bytes.
    pub stack: u32,
    /// Bytes stored and loaded because registers ran out.
    pub spill_stores: u32,
    pub spill_loads: u32,
}

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
    match nvrtc.target(sm) {
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
    let Output { code, log } = nvrtc
        .compile(unit.file(), target, &verbose)
        .map_err(Error::Device)?;
    Ok(Compiled {
        unit,
        options: unit.options_for(target),
        cubin: code,
        usage: parse(&log),
    })
}

/// The kernels in `ptxas -v`'s words:
/// `Compiling entry function 'NAME' for ...`, `N bytes stack frame, N bytes spill stores, N bytes spill loads`,
/// `Used N registers, ..., N bytes smem, ...`.
fn parse(log: &str) -> Vec<Usage> {
    let mut found: Vec<Usage> = Vec::new();
    for line in log.lines() {
        if let Some((_, rest)) = line.split_once("Compiling entry function '") {
            let kernel = rest.split('\'').next().unwrap_or("").to_string();
            found.push(Usage {
                kernel,
                ..Usage::default()
            });
        }
        let Some(last) = found.last_mut() else {
            continue;
        };
        let number = |what: &str| -> Option<u32> {
            let before = line.split_once(what)?.0.trim_end();
            before.rsplit([' ', ',']).next()?.parse().ok()
        };
        last.registers = number("registers").unwrap_or(last.registers);
        last.shared = number("bytes smem").unwrap_or(last.shared);
        last.stack = number("bytes stack frame").unwrap_or(last.stack);
        last.spill_stores = number("bytes spill stores").unwrap_or(last.spill_stores);
        last.spill_loads = number("bytes spill loads").unwrap_or(last.spill_loads);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_ptxas() {
        let log = "ptxas info    : 140 bytes gmem, 280 bytes cmem[4]\n\
                   ptxas info    : Compiling entry function 'gemm_tn' for 'sm_86'\n\
                   ptxas info    : Function properties for gemm_tn\n\
                   ptxas         .     8 bytes stack frame, 16 bytes spill stores, 24 bytes spill loads\n\
                   ptxas info    : Used 107 registers, used 1 barriers, 18433 bytes smem, 416 bytes cmem[0]\n";
        let want = Usage {
            kernel: "gemm_tn".into(),
            registers: 107,
            shared: 18433,
            stack: 8,
            spill_stores: 16,
            spill_loads: 24,
        };
        assert_eq!(parse(log), [want]);
    }
}
