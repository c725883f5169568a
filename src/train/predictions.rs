//! `predictions.safetensors`: what the best epoch's weights answered to every test image.
//!
//! Two tensors: `probabilities`, float32 `[images, classes]`, and `labels`, U32 `[images]`. One metadata entry,
//! `warp19`, holds [`About`] as JSON, by which `eval` and `report` know whether the answers are those of the weights
//! and the images at hand, and need not be computed again.

use super::Evaluation;
use super::checkpoint;
use crate::data::{Split, atomic};
use crate::error::{Error, Result};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::Path;

/// The file's name in a run folder.
pub const FILE: &str = "predictions.safetensors";
const KEY: &str = "warp19";

/// The images that were answered to.
pub struct Asked {
    labels: Vec<u32>,
    /// SHA-256 of their size, pixels and labels.
    sum: String,
}

impl Asked {
    /// Those of a split.
    ///
    /// # Errors
    /// A picture on disk that cannot be read.
    pub fn new(split: &Split) -> Result<Asked> {
        let i = &split.images;
        let size = [i.height as u64, i.width as u64, i.channels as u64].map(u64::to_le_bytes);
        let mut hash = Sha256::new_with_prefix(size.as_flattened());
        for pixels in i.pieces() {
            hash.update(pixels?);
        }
        hash.update(bytemuck::cast_slice::<_, u8>(&split.labels));
        Ok(Asked { labels: split.labels.clone(), sum: format!("{:x}", hash.finalize()) })
    }
}

/// What the answers are of.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// SHA-256 of the checkpoint's contents, its own last tensor.
    pub checkpoint: String,
    /// SHA-256 of the images' size, pixels and labels.
    pub images: String,
    /// Mean cross-entropy.
    pub loss: f64,
    pub correct: usize,
}

/// Writes the answers of a checkpoint that was just written.
///
/// # Errors
/// Those of the file system.
pub fn write(dir: &Path, checkpoint: &str, asked: &Asked, answers: &Evaluation) -> Result<()> {
    let path = dir.join(FILE);
    let about = About {
        checkpoint: checkpoint::sum(&dir.join(checkpoint))?,
        images: asked.sum.clone(),
        loss: answers.loss,
        correct: answers.correct,
    };
    let failed = |e: String| Error::Invalid(format!("{} cannot be written: {e}", path.display()));
    let text = serde_json::to_string(&about).map_err(|e| failed(e.to_string()))?;
    let (images, bytes) = (answers.count(), bytemuck::cast_slice(&answers.probabilities));
    let tensor = |dtype, shape, data| TensorView::new(dtype, shape, data).map_err(|e| failed(e.to_string()));
    let tensors = [
        ("probabilities", tensor(Dtype::F32, vec![images, answers.classes], bytes)?),
        ("labels", tensor(Dtype::U32, vec![images], bytemuck::cast_slice(&asked.labels))?),
    ];
    let bytes = safetensors::serialize(tensors, Some(HashMap::from([(KEY.to_string(), text)])));
    atomic::write(&path, &bytes.map_err(|e| failed(e.to_string()))?)
}

/// The answers in a run folder, if they are those of this checkpoint to this split.
///
/// # Errors
/// A file that is there and cannot be read, or is none of this program.
pub fn read(dir: &Path, checkpoint: &str, split: &Split) -> Result<Option<Evaluation>> {
    let path = dir.join(FILE);
    if !path.exists() || !dir.join(checkpoint).exists() {
        return Ok(None);
    }
    let bytes = std::fs::read(&path).map_err(|e| Error::io("read", &path, e))?;
    let (about, probabilities, classes) = parse(&bytes)
        .ok_or_else(|| Error::Invalid(format!("{} is damaged or of another program; remove it", path.display())))?;
    let is_of_these = about.checkpoint == checkpoint::sum(&dir.join(checkpoint))?
        && about.images == Asked::new(split)?.sum
        && probabilities.len() == split.len() * classes;
    let (loss, correct) = (about.loss, about.correct);
    Ok(is_of_these.then_some(Evaluation { loss, correct, probabilities, classes }))
}

/// What a file says of itself, the probabilities, and the number of classes.
fn parse(bytes: &[u8]) -> Option<(About, Vec<f32>, usize)> {
    let (_, header) = SafeTensors::read_metadata(bytes).ok()?;
    let about = serde_json::from_str(header.metadata().as_ref()?.get(KEY)?).ok()?;
    let tensors = SafeTensors::deserialize(bytes).ok()?;
    let probabilities = tensors.tensor("probabilities").ok()?;
    let &[_, classes] = probabilities.shape() else {
        return None;
    };
    let values = probabilities.data().chunks_exact(4).map(bytemuck::pod_read_unaligned).collect();
    (probabilities.dtype() == Dtype::F32 && classes > 0).then_some((about, values, classes))
}
