//! `warp19 export`.

use super::run::Source;
use crate::error::{Error, Result};
use crate::export::{onnx, pytorch};
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// [default: by the suffix of --out]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// File to write.
    #[arg(long)]
    out: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// PyTorch's layouts, torchvision's VGG names.
    Safetensors,
    /// The network with its weights; the input's pixels are in [0, 1].
    Onnx,
}

/// The format that a file's name asks for.
fn of_suffix(path: &Path) -> Result<Format> {
    let suffix = path.extension().map(|s| s.to_string_lossy().to_lowercase());
    match suffix.as_deref() {
        None | Some("safetensors") => Ok(Format::Safetensors),
        Some("onnx") => Ok(Format::Onnx),
        _ => Err(Error::Invalid(format!(
            "{} does not end in .safetensors or .onnx; say which by --format",
            path.display()
        ))),
    }
}

pub fn run(args: &Args) -> Result<()> {
    let format = args.format.map_or_else(|| of_suffix(&args.out), Ok)?;
    let checkpoint = args.source.open()?;
    let (config, weights) = (&checkpoint.meta.config, checkpoint.evaluated()?);
    match format {
        Format::Safetensors => {
            let tensors = pytorch::tensors(&config.model()?, weights);
            pytorch::write(&args.out, &tensors)?;
        }
        Format::Onnx => onnx::write(&args.out, config, weights)?,
    }
    eprintln!("{} written to {}", config.model, args.out.display());
    Ok(())
}
