//! `warp19 embed`.

use super::backend::Backend;
use super::progress;
use super::run::{Source, unlabelled};
use crate::data::atomic;
use crate::error::{Error, Result};
use crate::image;
use crate::train::embed;
use safetensors::tensor::{Dtype, TensorView};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// Pictures, as `predict` takes them.
    #[arg(required = true)]
    images: Vec<PathBuf>,
    /// The layer whose output is written, such as fc2 or pool5; `params` lists a network's layers.
    #[arg(long)]
    layer: String,
    /// File to write: .safetensors, or .npy for NumPy. Pictures are in the order given.
    #[arg(long)]
    out: PathBuf,
    #[command(flatten)]
    backend: Backend,
}

pub fn run(args: &Args) -> Result<()> {
    let format = args.out.extension().and_then(|e| e.to_str()).unwrap_or_default();
    if !matches!(format, "safetensors" | "npy") {
        return Err(Error::Invalid(format!("{}: its name must end in .safetensors or .npy", args.out.display())));
    }
    let checkpoint = args.source.open()?;
    let config = &checkpoint.meta.config;
    let form = args.source.form(config)?;
    let mut pixels = Vec::new();
    for path in &args.images {
        pixels.extend(image::read(path, &form)?.pixels);
    }
    let split = unlabelled(&form, pixels)?;
    let mut device = args.backend.open()?;
    let weights = checkpoint.evaluated()?;
    let (shape, values) = embed(device.as_mut(), config, weights, &split, &args.layer, &mut progress::evaluating())?;
    let bytes = match format {
        "npy" => npy(&shape, &values),
        _ => tensors(&args.layer, &shape, &values, &args.images)?,
    };
    atomic::write(&args.out, &bytes)?;
    eprintln!("{} of {} pictures, {shape:?} float32, written to {}", args.layer, split.len(), args.out.display());
    Ok(())
}

/// One tensor of the layer's name; the pictures' paths as a JSON list in the metadata's `images`.
fn tensors(layer: &str, shape: &[usize], values: &[f32], images: &[PathBuf]) -> Result<Vec<u8>> {
    let failed = |e: String| Error::Invalid(format!("the activations cannot be written: {e}"));
    let view = TensorView::new(Dtype::F32, shape.to_vec(), bytemuck::cast_slice(values));
    let view = view.map_err(|e| failed(e.to_string()))?;
    let names: Vec<String> = images.iter().map(|path: &PathBuf| Path::display(path).to_string()).collect();
    let names = serde_json::to_string(&names).map_err(|e| failed(e.to_string()))?;
    let about = HashMap::from([("images".to_string(), names)]);
    safetensors::serialize([(layer, view)], Some(about)).map_err(|e| failed(e.to_string()))
}

/// NumPy's format, version 1.0: magic, the length of a header that is filled up to 64 bytes, numbers.
fn npy(shape: &[usize], values: &[f32]) -> Vec<u8> {
    let sizes: String = shape.iter().map(|n| format!("{n}, ")).collect();
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({sizes}), }}");
    let length = (10 + header.len() + 1).next_multiple_of(64) - 10;
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((length as u16).to_le_bytes());
    bytes.extend(format!("{header:<width$}\n", width = length - 1).bytes());
    values.iter().for_each(|v| bytes.extend(v.to_le_bytes()));
    bytes
}
