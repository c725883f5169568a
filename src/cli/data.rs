//! `warp19 data`.

use super::output;
use crate::data::{self, DEFAULT_DIR, Split};
use crate::error::Result;
use std::fmt::Write;
use std::path::{Path, PathBuf};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Download, verify and unpack a dataset.
    Fetch(Args),
    /// Say what a dataset's files hold.
    Info(Args),
}

#[derive(clap::Args)]
pub struct Args {
    /// mnist, fashion-mnist or kmnist; for `info` any name.
    #[arg(long, default_value = "mnist")]
    dataset: String,
    /// Folder the datasets lie in.
    #[arg(long, default_value = DEFAULT_DIR)]
    data: PathBuf,
}

pub fn run(command: &Command) -> Result<()> {
    match command {
        Command::Fetch(args) => {
            data::fetch(&args.dataset, &args.data)?;
            info(&args.data, &args.dataset)
        }
        Command::Info(args) => info(&args.data, &args.dataset),
    }
}

fn info(dir: &Path, name: &str) -> Result<()> {
    let set = data::load(dir, name)?;
    let mut out = format!("{}: {} classes\n", set.name, set.classes);
    for (part, split) in [("training", &set.train), ("test", &set.test)] {
        describe(&mut out, part, split, set.classes);
    }
    output::print(&out)
}

fn describe(out: &mut String, part: &str, split: &Split, classes: usize) {
    let images = &split.images;
    let _ = writeln!(
        out,
        "{part}: {} images of {}x{}, by class {:?}",
        split.len(),
        images.height,
        images.width,
        split.class_counts(classes)
    );
}
