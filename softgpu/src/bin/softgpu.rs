//! softgpu from a shell: CUDA programs, their compilation, single kernels.

use clap::Parser;
use softgpu::command::{command_line, main as kernel, program, told};
use std::process::ExitCode;

/// A CUDA device in software.
#[derive(Parser)]
#[command(name = "softgpu", version)]
enum Command {
    Run(program::run::Arguments),
    Nvcc(program::nvcc::Arguments),
    /// Runs one kernel of a .cu or .ptx file, with arguments from files; `softgpu-run` is the same
    Kernel(command_line::Arguments),
}

fn main() -> ExitCode {
    ExitCode::from(match Command::parse() {
        Command::Run(arguments) => told("softgpu run", program::run::main(&arguments)),
        Command::Nvcc(arguments) => told("softgpu nvcc", program::nvcc::main(&arguments)),
        Command::Kernel(arguments) => kernel(&arguments),
    })
}
