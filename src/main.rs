//! The `warp19` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    warp19::cli::main()
}
