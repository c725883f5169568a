//! The command line: one file a command. Results go to standard output, progress and messages to standard error.
//! Exit codes: 0 success, 1 failure, 2 wrong usage.

mod backend;
mod data;
mod devices;
mod embed;
mod eval;
mod export;
mod kernels;
mod ladder;
mod output;
mod params;
mod predict;
mod profile;
mod progress;
mod report;
mod run;
mod screen;
mod timing;
mod train;
mod verify;

use crate::cuda::settings;
use crate::error::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// VGG19 trained from scratch: hand-written kernels, hand-derived backpropagation.
#[derive(Parser)]
#[command(version, about, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train a network; with no flags: fetch MNIST, pick the device, train VGG19.
    Train(Box<train::Args>),
    /// Accuracy, loss, confusion matrix and per-class figures of a run on the test images.
    Eval(eval::Args),
    /// Pictures of runs: misread and surest digits, curves, and a page with all of it.
    Report(report::Args),
    /// The five most likely classes of pictures.
    Predict(predict::Args),
    /// What a layer makes of pictures: its activations, as safetensors or for NumPy.
    Embed(embed::Args),
    /// The layer table of a network: shapes, parameters, work.
    Params(params::Args),
    /// Write a run's weights for other programs.
    Export(export::Args),
    /// Fetch datasets, or say what is there.
    #[command(subcommand)]
    Data(data::Command),
    /// What this machine has to compute with, and why anything is missing.
    Devices(devices::Args),
    /// What the CUDA kernels need of a GPU, and their machine code.
    #[command(subcommand)]
    Kernels(kernels::Command),
    /// The product from its definition to tensor cores, step by step, and what each step costs.
    Ladder(ladder::Args),
    /// Where a training step's time goes, operation by operation.
    Profile(profile::Args),
    /// Check every operation of a device against the reference mathematics.
    Verify(verify::Args),
}

/// Parses the arguments, runs the command, prints an error and returns the exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match dispatch(&cli.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: &Command) -> Result<ExitCode> {
    settings::check_names()?;
    match command {
        Command::Train(args) => return train::run(args),
        Command::Eval(args) => eval::run(args)?,
        Command::Report(args) => report::run(args)?,
        Command::Predict(args) => return predict::run(args),
        Command::Embed(args) => embed::run(args)?,
        Command::Params(args) => params::run(args)?,
        Command::Export(args) => export::run(args)?,
        Command::Data(command) => data::run(command)?,
        Command::Devices(args) => devices::run(args)?,
        Command::Kernels(command) => kernels::run(command)?,
        Command::Ladder(args) => ladder::run(args)?,
        Command::Profile(args) => profile::run(args)?,
        Command::Verify(args) => verify::run(args)?,
    }
    Ok(ExitCode::SUCCESS)
}
