//! `metrics.jsonl`: one JSON object an epoch.

use crate::data::atomic;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// One epoch. Losses are mean cross-entropies; `train_*` are with dropout and deformed images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// From 1.
    pub epoch: u64,
    /// Steps done.
    pub step: u64,
    pub train_loss: f64,
    pub train_accuracy: f64,
    /// Of the averaged weights where the recipe has an average.
    pub test_loss: f64,
    pub test_accuracy: f64,
    /// Of the plain weights, where there is an average too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_loss_raw: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_accuracy_raw: Option<f64>,
    /// Of the held-out training images, with `--validation`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub val_loss: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub val_accuracy: Option<f64>,
    /// Learning rate of the epoch's last step.
    pub lr: f32,
    /// Training time since the run began, evaluations included.
    pub seconds: f64,
    /// Training speed of this epoch, without evaluation.
    pub images_per_second: f64,
}

/// Reads the complete lines of a metrics file; a last line cut off in the middle is left out. No file: no epochs.
pub fn read(path: &Path) -> Result<Vec<Epoch>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::io("read", path, e)),
    };
    let mut epochs = Vec::new();
    let lines: Vec<&str> = text.lines().collect();
    for (i, line) in lines.iter().enumerate() {
        match serde_json::from_str(line) {
            Ok(epoch) => epochs.push(epoch),
            Err(_) if i + 1 == lines.len() && !text.ends_with('\n') => {}
            Err(e) => {
                return Err(Error::Invalid(format!("{} line {}: {e}", path.display(), i + 1)));
            }
        }
    }
    Ok(epochs)
}

/// Writes all epochs, replacing the file in one step.
pub fn write(path: &Path, epochs: &[Epoch]) -> Result<()> {
    let mut text = String::new();
    for epoch in epochs {
        text += &serde_json::to_string(epoch).map_err(|e| Error::Invalid(e.to_string()))?;
        text.push('\n');
    }
    atomic::write(path, text.as_bytes())
}
