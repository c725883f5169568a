//! `metrics.jsonl`, one JSON object an epoch, and `steps.jsonl`, a few hundred points of the training loss on the way.

use crate::data::atomic;
use crate::error::{Error, Result};
use serde::de::DeserializeOwned;
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

/// The file with the epochs in a run folder.
pub const EPOCHS: &str = "metrics.jsonl";
/// The file with the points inside the epochs in a run folder.
pub const STEPS: &str = "steps.jsonl";
/// Points of a whole run, about.
const POINTS: u64 = 400;

/// The training loss at a step, as the sum since the epoch began: so a run that was killed goes on with the same.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    pub epoch: u64,
    /// Steps done.
    pub step: u64,
    /// Sum of the cross-entropies of the epoch's images so far, and how many they are.
    pub sum: f64,
    pub images: f64,
    /// Learning rate of the step.
    pub lr: f32,
}

impl Point {
    /// How many steps of a run of so many are between two points.
    pub fn every(total_steps: u64) -> u64 {
        total_steps.div_ceil(POINTS).max(1)
    }
}

/// Mean losses between each point and the one before it in the same epoch, with the point.
pub fn losses(points: &[Point]) -> Vec<(Point, f64)> {
    let mut out = Vec::new();
    for (i, point) in points.iter().enumerate() {
        let before = i.checked_sub(1).map(|i| &points[i]).filter(|before| before.epoch == point.epoch);
        let (sum, images) = before.map_or((0.0, 0.0), |before| (before.sum, before.images));
        out.push((*point, (point.sum - sum) / (point.images - images).max(1.0)));
    }
    out
}

/// Reads the complete lines of such a file; a last line cut off in the middle is left out. No file: no lines.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::io("read", path, e)),
    };
    let mut out = Vec::new();
    let lines: Vec<&str> = text.lines().collect();
    for (i, line) in lines.iter().enumerate() {
        match serde_json::from_str(line) {
            Ok(line) => out.push(line),
            Err(_) if i + 1 == lines.len() && !text.ends_with('\n') => {}
            Err(e) => {
                return Err(Error::Invalid(format!("{} line {}: {e}", path.display(), i + 1)));
            }
        }
    }
    Ok(out)
}

/// Writes all lines, replacing the file in one step.
pub fn write<T: Serialize>(path: &Path, lines: &[T]) -> Result<()> {
    let mut text = String::new();
    for line in lines {
        text += &serde_json::to_string(line).map_err(|e| Error::Invalid(e.to_string()))?;
        text.push('\n');
    }
    atomic::write(path, text.as_bytes())
}
