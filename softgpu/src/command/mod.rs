//! The commands `softgpu kernel` (also `softgpu-run`): one kernel, one launch, arguments from the command line; and
//! `softgpu run`, `softgpu nvcc`: whole programs (`program`).
//!
//! `command_line` has the options and `argument` reads the ARG words; `source` gets the PTX (NVRTC
//! compiles .cu files), `buffers` places the arguments in memory (`npy` reads and writes NumPy files),
//! `report` tells what was found. This module ties them together and decides the exit code.

pub mod argument;
mod buffers;
pub mod command_line;
mod failure;
pub mod npy;
pub mod program;
mod report;
mod source;

use crate::engine::launch;
use crate::kernel::{LaunchConfig, Options};
use crate::load::Module;
use crate::memory::Memory;
use buffers::place;
use command_line::Arguments;
use failure::{CLEAN, FAILED, FINDINGS, Failure};
use report::{tell, write_json};
use source::{find_kernel, ptx_text};
use std::io::Write;

/// Runs one kernel and returns the exit code; what went wrong is on standard error.
pub fn main(arguments: &Arguments) -> u8 {
    told("softgpu-run", run(arguments))
}

/// The exit code of a command; what went wrong is on standard error.
pub fn told(command: &str, result: Result<u8, Failure>) -> u8 {
    result.unwrap_or_else(|failure| {
        eprintln!("{command}: {}", failure.message);
        failure.code
    })
}

fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let profile = &arguments.profile;
    let (ptx, needs) = ptx_text(arguments)?;
    let memory = Memory::new(profile.memory_bytes);
    let mut module = Module::load_what_runs(&ptx, profile, &memory)
        .map_err(|e| format!("{} is refused: {e}", arguments.file.display()))?;
    module.know_registers(&needs);
    let kernel = find_kernel(&module, &arguments.kernel)?;
    let info =
        module.kernel(&kernel).ok_or_else(|| format!("{kernel} has no description; this is a mistake of softgpu"))?;
    let (params, buffers) = place(&arguments.arguments, &info, &memory)?;

    let mut options =
        Options { counters: arguments.counters.is_some(), seed: arguments.seed, ..arguments.check.clone() };
    options.set_muted(&arguments.mute)?;
    let config = LaunchConfig { grid: arguments.grid, block: arguments.block, dynamic_shared: arguments.smem, params };
    let mut output = std::io::stdout().lock();
    // A closed pipe ends what is printed, not the kernel.
    let mut print = |text: &str| drop(output.write_all(text.as_bytes()));
    let report = launch(&module, &kernel, &config, &memory, profile, &options, &mut print);
    output.flush().ok();

    tell(&report, &kernel);
    if let Some(path) = &arguments.findings {
        // The same form as the driver's SOFTGPU_FINDINGS.
        let found = serde_json::json!({ "findings": report.findings, "beyond": report.findings_beyond });
        write_json(path, &found)?;
    }
    if let (Some(path), Some(counters)) = (&arguments.counters, &report.counters) {
        write_json(path, counters)?;
    }
    if report.fault.is_none() {
        for buffer in buffers {
            buffer.write_back(&memory)?;
        }
    }
    Ok(if report.has(arguments.fail_on) {
        FINDINGS
    } else if report.fault.is_some() {
        FAILED
    } else {
        CLEAN
    })
}
