//! Checkpoints: one safetensors file with everything a run needs to go on, or to be evaluated.
//!
//! Tensors are named `<arena>/<parameter>`: `weights/conv1_1.weight`, `moment1/...`, `moment2/...`, `ema/...`, in the
//! engine's own layouts. One metadata entry, `warp19`, holds [`Meta`] as JSON; it has a SHA-256 of
//! itself and the tensors, so that a damaged file is noticed and not trained on. No clock reading is stored: equal runs give equal bytes.

use super::trainer::Config;
use crate::data::atomic;
use crate::error::{Error, Result};
use crate::model::Parameter;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::Path;

/// File of the newest state in a run folder.
pub const LAST: &str = "checkpoint.safetensors";
/// File of the best epoch's evaluated weights in a run folder.
pub const BEST: &str = "best.safetensors";
const KEY: &str = "warp19";
const FORMAT: u32 = 1;

/// The best epoch so far, on the validation images where there are some, else on the test images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Best {
    pub epoch: u64,
    pub accuracy: f64,
    pub loss: f64,
}

/// What a checkpoint holds beside tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meta {
    pub format: u32,
    /// Optimiser steps done.
    pub step: u64,
    pub config: Config,
    pub best: Option<Best>,
    /// The device's sums of the epoch under way; see [`crate::device::Device::loss`].
    pub stats: [f64; 4],
    sha256: String,
}

impl Meta {
    /// For a checkpoint about to be written.
    pub fn new(step: u64, config: Config, best: Option<Best>, stats: [f64; 4]) -> Meta {
        Meta {
            format: FORMAT,
            step,
            config,
            best,
            stats,
            sha256: String::new(),
        }
    }

    fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|e| Error::Invalid(e.to_string()))
    }

    /// A hash that has taken in everything but the checksum itself.
    fn start_hash(&self) -> Result<Sha256> {
        let bare = Meta {
            sha256: String::new(),
            ..self.clone()
        };
        Ok(Sha256::new().chain_update(bare.to_json()?))
    }
}

/// A checkpoint in memory: arenas by name, each of the model's arena length, gaps zero.
pub struct Checkpoint {
    pub meta: Meta,
    pub arenas: Vec<(&'static str, Vec<f32>)>,
}

/// Arenas a checkpoint may have, in the order they are written.
pub const ARENAS: [&str; 4] = ["weights", "moment1", "moment2", "ema"];

impl Checkpoint {
    /// The arena of that name.
    pub fn arena(&self, name: &str) -> Option<&[f32]> {
        let found = self.arenas.iter().find(|(n, _)| *n == name);
        found.map(|(_, values)| values.as_slice())
    }

    /// The weights a run is judged by: their average where there is one.
    pub fn evaluated(&self) -> Result<&[f32]> {
        let found = self.arena("ema").or_else(|| self.arena("weights"));
        found.ok_or_else(|| Error::Invalid("the checkpoint has no weights".into()))
    }

    /// Writes the file, replacing the old one in one step.
    pub fn write(&mut self, path: &Path) -> Result<()> {
        let model = self.meta.config.model()?;
        let parameters = model.parameters();
        let mut tensors = Vec::new();
        for (arena, values) in &self.arenas {
            for p in &parameters {
                let bytes = bytemuck::cast_slice(&values[p.offset..p.offset + p.len]);
                let view = TensorView::new(Dtype::F32, p.shape.clone(), bytes)
                    .map_err(|e| Error::Invalid(format!("{}: {e}", p.name)))?;
                tensors.push((format!("{arena}/{}", p.name), view));
            }
        }
        let mut hash = self.meta.start_hash()?;
        for (name, view) in &tensors {
            hash.update(name.as_bytes());
            hash.update(view.data());
        }
        self.meta.sha256 = hex(&hash.finalize());
        let meta = self.meta.to_json()?;
        let metadata = HashMap::from([(KEY.to_string(), meta)]);
        let bytes = safetensors::serialize(tensors, Some(metadata))
            .map_err(|e| Error::Invalid(format!("{}: {e}", path.display())))?;
        atomic::write(path, &bytes)
    }

    /// Reads and checks a file.
    ///
    /// # Errors
    /// Not a safetensors file, one of another program, of another format version, damaged, or with tensors that do not
    /// fit its own configuration.
    pub fn read(path: &Path) -> Result<Checkpoint> {
        let bytes = std::fs::read(path).map_err(|e| Error::io("read", path, e))?;
        Checkpoint::parse(&bytes).map_err(|problem| {
            Error::Invalid(format!(
                "{} cannot be used: {problem}; take another checkpoint of the run, or train again",
                path.display()
            ))
        })
    }

    /// As [`Checkpoint::read`], from bytes.
    pub fn parse(bytes: &[u8]) -> Result<Checkpoint> {
        let bad = |what: String| Error::Invalid(what);
        let not_safetensors = |e| bad(format!("it is no intact safetensors file ({e})"));
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(not_safetensors)?;
        let tensors = SafeTensors::deserialize(bytes).map_err(not_safetensors)?;
        let text = header.metadata().as_ref().and_then(|m| m.get(KEY));
        let text = text.ok_or_else(|| bad("it is not a warp19 checkpoint".into()))?;
        let meta: Meta = serde_json::from_str(text)
            .map_err(|e| bad(format!("its description is damaged ({e})")))?;
        if meta.format != FORMAT {
            return Err(bad(format!(
                "its format is {}, this program reads {FORMAT}",
                meta.format
            )));
        }
        let parameters = meta.config.model()?.parameters();
        let mut hash = meta.start_hash()?;
        let mut arenas = Vec::new();
        let mut used = 0;
        for arena in ARENAS {
            if tensors
                .tensor(&format!("{arena}/{}", parameters[0].name))
                .is_err()
            {
                continue;
            }
            arenas.push((arena, read_arena(arena, &tensors, &parameters, &mut hash)?));
            used += parameters.len();
        }
        if used != tensors.len() {
            return Err(bad(format!(
                "it has {} tensors, its network has {used}",
                tensors.len()
            )));
        }
        if hex(&hash.finalize()) != meta.sha256 {
            return Err(bad("it is damaged (the checksum differs)".into()));
        }
        Ok(Checkpoint { meta, arenas })
    }
}

fn read_arena(
    arena: &str,
    tensors: &SafeTensors,
    parameters: &[Parameter],
    hash: &mut Sha256,
) -> Result<Vec<f32>> {
    let mut names = Vec::new();
    for p in parameters {
        let name = format!("{arena}/{}", p.name);
        let view = tensors.tensor(&name);
        let view = view.map_err(|_| Error::Invalid(format!("tensor {name} is missing")))?;
        if view.dtype() != Dtype::F32 || view.shape() != p.shape {
            return Err(Error::Invalid(format!(
                "tensor {name} is {:?} {:?}, its network needs F32 {:?}",
                view.dtype(),
                view.shape(),
                p.shape
            )));
        }
        names.push((name, view, p));
    }
    // Every tensor is there with its size, so the arena is no larger than the file by more than the gaps.
    let end = parameters.last().map_or(0, |p| p.offset + p.len);
    let mut out = vec![0.0; end.next_multiple_of(crate::model::ARENA_ALIGN)];
    for (name, view, p) in names {
        hash.update(name.as_bytes());
        hash.update(view.data());
        for (v, b) in out[p.offset..].iter_mut().zip(view.data().chunks_exact(4)) {
            *v = f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
        }
    }
    Ok(out)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
