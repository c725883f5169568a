//! Runs one kernel of a .cu or .ptx file on softgpu, with arguments from files.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = softgpu::command::command_line::Arguments::parse();
    ExitCode::from(softgpu::command::main(&arguments))
}
