//! `warp19 report`.

use super::backend::Backend;
use super::{output, progress};
use crate::error::Result;
use crate::report::{self, Run};
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Args {
    /// Run folders. Curves show all of them; the sheets of digits are of the first one with a checkpoint.
    #[arg(required = true)]
    runs: Vec<PathBuf>,
    /// Folder to write to [default: the first run's].
    #[arg(long)]
    out: Option<PathBuf>,
    /// Folder with the IDX files, where the runs' data have moved [default: where they were].
    #[arg(long)]
    data: Option<PathBuf>,
    #[command(flatten)]
    backend: Backend,
}

pub fn run(args: &Args) -> Result<()> {
    let out = args.out.as_ref().unwrap_or(&args.runs[0]);
    let files = write(&args.runs, out, args.data.as_deref(), &args.backend)?;
    let names: String = files.iter().map(|f| format!("{}\n", f.display())).collect();
    output::print(&names)
}

/// Reads the runs and writes their pictures to `out`.
pub fn write(runs: &[PathBuf], out: &Path, data: Option<&Path>, backend: &Backend) -> Result<Vec<PathBuf>> {
    let mut read = Vec::new();
    for dir in runs {
        let run = Run::read(dir, data, &mut || backend.open(), &mut progress::evaluating())?;
        if run.tested.is_none() {
            eprintln!("warning: {} has no checkpoint: its curves are drawn, its digits cannot be", dir.display());
        }
        read.push(run);
    }
    let _drawing = progress::waiting("drawing the pictures");
    report::write(&mut read, out)
}
