//! Checkpoints: one safetensors file with everything a run needs to go on, or to be evaluated.
//!
//! Tensors are named `<arena>/<parameter>`: `weights/conv1_1.weight`, `moment1/...`, `moment2/...`, `ema/...`, in the
//! engine's own layouts. One metadata entry, `warp19`, holds [`Meta`] as JSON. The last tensor, `sha256`, is the
//! SHA-256 of that JSON and of every tensor's name and bytes, so that a damaged file is noticed and not trained on.
//! No clock reading is stored: equal runs give equal bytes.
//!
//! Files are written piece by piece and read arena by arena: beside the device's own memory, writing needs little.

use super::config::Config;
use super::metrics::Epoch;
use crate::data::atomic;
use crate::error::{Error, Result};
use crate::model::{ARENA_ALIGN, Model, Parameter};
use crate::ops::scaling::STATE;
use safetensors::Dtype;
use safetensors::tensor::Metadata;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// File of the newest state in a run folder.
pub const LAST: &str = "checkpoint.safetensors";
/// File of the best epoch's evaluated weights in a run folder.
pub const BEST: &str = "best.safetensors";
const KEY: &str = "warp19";
const CHECKSUM: &str = "sha256";
const FORMAT: u32 = 1;
/// A header of this program is a few tens of kilobytes; a larger one is not read.
const LARGEST_HEADER: u64 = 1 << 20;

/// The best epoch so far, on the validation images where there are some, else on the test images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Best {
    pub epoch: u64,
    pub accuracy: f64,
    pub loss: f64,
}

impl Best {
    /// An epoch as it is judged: on the validation images where there are some.
    pub fn of(e: &Epoch) -> Best {
        let (accuracy, loss) = e.val_accuracy.zip(e.val_loss).unwrap_or((e.test_accuracy, e.test_loss));
        Best { epoch: e.epoch, accuracy, loss }
    }

    /// Whether its weights are worth keeping: a mean loss beyond ten times that of guessing, `ln(classes)`, or one that
    /// is no number, is that of a training that diverged.
    pub fn is_sane(&self, classes: usize) -> bool {
        self.loss <= 10.0 * (classes.max(2) as f64).ln()
    }

    /// Whether it is better than another: by accuracy, then by loss.
    pub fn beats(&self, other: &Best) -> bool {
        (self.accuracy, -self.loss) > (other.accuracy, -other.loss)
    }

    /// The best of the sane epochs in their order, the first of equally good ones.
    pub fn among(epochs: &[Epoch], classes: usize) -> Option<Best> {
        let sane = epochs.iter().map(Best::of).filter(|best| best.is_sane(classes));
        sane.reduce(|best, next| if next.beats(&best) { next } else { best })
    }
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
    /// The device's sums of the epoch under way; see [`crate::ops::loss::Loss`].
    pub stats: [f64; 4],
    /// The state of the gradients' scale, where there is one; see [`crate::ops::scaling`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<[f32; STATE]>,
}

impl Meta {
    /// For a checkpoint about to be written.
    pub fn new(step: u64, config: Config, best: Option<Best>, stats: [f64; 4]) -> Meta {
        Meta { format: FORMAT, step, config, best, stats, scaling: None }
    }

    fn check(&self) -> Result<()> {
        if self.format != FORMAT {
            return Err(Error::Invalid(format!("its format is {}, this program reads {FORMAT}", self.format)));
        }
        self.config.check()?;
        let total = self.config.total_steps();
        if self.step > total {
            return Err(Error::Invalid(format!("it is {} steps into a run of {total}", self.step)));
        }
        Ok(())
    }
}

/// A checkpoint in memory: arenas by name, each of the model's arena length, gaps zero.
#[derive(Debug)]
pub struct Checkpoint {
    pub meta: Meta,
    pub arenas: Vec<(&'static str, Vec<f32>)>,
}

/// Arenas a checkpoint may have, in the order they are written.
pub const ARENAS: [&str; 4] = ["weights", "moment1", "moment2", "ema"];

/// Reads the first of these files that a run folder has.
///
/// # Errors
/// No such folder; those of [`Checkpoint::read`].
pub fn of_run(run: &Path, names: &[&str]) -> Result<Option<Checkpoint>> {
    if !run.is_dir() {
        return Err(Error::Invalid(format!(
            "there is no run folder {}; `warp19 train` makes one under runs/ and says its name at the end",
            run.display()
        )));
    }
    let path = names.iter().map(|name| run.join(name)).find(|path| path.exists());
    path.map(|path| Checkpoint::read(&path)).transpose()
}

/// SHA-256 of a checkpoint's contents, as the file itself gives it: its last 32 bytes.
///
/// # Errors
/// Those of the file system; a file of fewer bytes.
pub fn sum(path: &Path) -> Result<String> {
    let failed = |e| Error::io("read", path, e);
    let mut file = File::open(path).map_err(failed)?;
    let mut sum = [0; 32];
    file.seek(SeekFrom::End(-32)).and_then(|_| file.read_exact(&mut sum)).map_err(failed)?;
    Ok(sum.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Numbers of an arena that are written at once.
const PIECE: usize = 4 << 20;

/// Gives a piece of an arena by its first element and its length.
type Pieces<'a> = dyn FnMut(&str, usize, usize) -> Result<Vec<f32>> + 'a;

/// Writes a checkpoint of these arenas, replacing the old file in one step. `values` is asked for a piece when its turn
/// comes.
///
/// # Errors
/// Those of `values` and of the file system; the old file stays then.
pub fn write(path: &Path, meta: &Meta, arenas: &[&str], values: &mut Pieces) -> Result<()> {
    let model = meta.config.model()?;
    let parameters = |arena: &str| in_arena(arena, &meta.config, &model);
    let text = serde_json::to_string(meta).map_err(|e| Error::Invalid(e.to_string()))?;
    let header = header(&text, arenas, &parameters);
    let failed = |e| Error::io("write", path, e);
    atomic::write_with(path, &mut |file| {
        let mut hash = Sha256::new_with_prefix(&text);
        file.write_all(&(header.len() as u64).to_le_bytes())
            .and_then(|()| file.write_all(header.as_bytes()))
            .map_err(failed)?;
        for arena in arenas {
            for p in &parameters(arena) {
                hash.update(tensor_name(arena, p));
                for at in (0..p.len).step_by(PIECE) {
                    let values = values(arena, p.offset + at, PIECE.min(p.len - at))?;
                    let bytes = bytemuck::cast_slice(&values);
                    hash.update(bytes);
                    file.write_all(bytes).map_err(failed)?;
                }
            }
        }
        file.write_all(&hash.finalize()).map_err(failed)
    })
}

/// The parameters of an arena with their places in it: moments are of what is trained only.
fn in_arena(arena: &str, config: &Config, model: &Model) -> Vec<Parameter> {
    let from = if matches!(arena, "moment1" | "moment2") { config.trained(model) } else { 0 };
    let trained = model.parameters().into_iter().filter(|p| p.offset >= from);
    trained.map(|p| Parameter { offset: p.offset - from, ..p }).collect()
}

fn tensor_name(arena: &str, p: &Parameter) -> String {
    format!("{arena}/{}", p.name)
}

/// The safetensors header, filled up with spaces so that the tensors start on 8 bytes.
fn header(meta: &str, arenas: &[&str], parameters: &dyn Fn(&str) -> Vec<Parameter>) -> String {
    let mut entries = serde_json::Map::new();
    let mut offset = 0;
    let mut add = |name: String, dtype: &str, shape: &[usize], bytes: usize| {
        let offsets = [offset, offset + bytes];
        offset += bytes;
        let entry = serde_json::json!({"dtype": dtype, "shape": shape, "data_offsets": offsets});
        entries.insert(name, entry);
    };
    for arena in arenas {
        for p in &parameters(arena) {
            add(tensor_name(arena, p), "F32", &p.shape, 4 * p.len);
        }
    }
    add(CHECKSUM.into(), "U8", &[32], 32);
    entries.insert("__metadata__".into(), serde_json::json!({KEY: meta}));
    let text = serde_json::Value::Object(entries).to_string();
    let width = text.len().next_multiple_of(8);
    format!("{text:width$}")
}

impl Checkpoint {
    /// The arena of that name.
    pub fn arena(&self, name: &str) -> Option<&[f32]> {
        let found = self.arenas.iter().find(|(n, _)| *n == name);
        found.map(|(_, values)| values.as_slice())
    }

    /// The arena of that name, which the checkpoint has no longer.
    pub fn take(&mut self, name: &str) -> Option<Vec<f32>> {
        let at = self.arenas.iter().position(|(n, _)| *n == name)?;
        Some(self.arenas.swap_remove(at).1)
    }

    /// The weights a run is judged by: their average where there is one.
    pub fn evaluated(&self) -> Result<&[f32]> {
        let found = self.arena("ema").or_else(|| self.arena("weights"));
        found.ok_or_else(|| Error::Invalid("the checkpoint has no weights".into()))
    }

    /// Writes the file, replacing the old one in one step.
    ///
    /// # Errors
    /// Those of the file system; the old file stays then.
    pub fn write(&self, path: &Path) -> Result<()> {
        let names: Vec<&str> = self.arenas.iter().map(|(name, _)| *name).collect();
        let own = |name: &str, at, len| self.arena(name).and_then(|values| values.get(at..at + len));
        write(path, &self.meta, &names, &mut |name, at, len| Ok(own(name, at, len).unwrap_or_default().to_vec()))
    }

    /// Reads and checks a file.
    ///
    /// # Errors
    /// Not a safetensors file, one of another program, of another format version, damaged, or with tensors that do not
    /// fit its own configuration.
    pub fn read(path: &Path) -> Result<Checkpoint> {
        let failed = |e| Error::io("read", path, e);
        let file = File::open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        Checkpoint::read_from(&mut &file, length).map_err(|problem| {
            Error::Invalid(format!(
                "{} cannot be used: {problem}; take another checkpoint of the run, or train again",
                path.display()
            ))
        })
    }

    /// As [`Checkpoint::read`], from bytes.
    pub fn parse(bytes: &[u8]) -> Result<Checkpoint> {
        Checkpoint::read_from(&mut &bytes[..], bytes.len() as u64)
    }

    /// As [`Checkpoint::read`], from a source of `length` bytes. No memory beyond `length` (and the arenas' gaps) is
    /// asked for, whatever the header says.
    fn read_from(source: &mut dyn Read, length: u64) -> Result<Checkpoint> {
        let (header, _) = read_header(source, length)?;
        let bad = |what: &str| Error::Invalid(what.into());
        let text = header.metadata().as_ref().and_then(|m| m.get(KEY));
        let text = text.ok_or_else(|| bad("it is not a warp19 checkpoint"))?;
        let meta: Meta =
            serde_json::from_str(text).map_err(|e| Error::Invalid(format!("its description is damaged ({e})")))?;
        meta.check()?;
        let model = meta.config.model()?;
        let parameters = |arena: &str| in_arena(arena, &meta.config, &model);
        let arenas = arenas_of(&header, &parameters)?;
        let mut hash = Sha256::new_with_prefix(text);
        let mut out = Vec::new();
        for arena in arenas {
            out.push((arena, read_arena(arena, &parameters(arena), source, &mut hash)?));
        }
        let mut expected = [0; 32];
        source.read_exact(&mut expected).map_err(cut_off)?;
        if hash.finalize()[..] != expected {
            return Err(bad("it is damaged (its checksum differs)"));
        }
        Ok(Checkpoint { meta, arenas: out })
    }
}

fn cut_off(e: std::io::Error) -> Error {
    Error::Invalid(format!("it cannot be read to its end ({e})"))
}

/// Reads the head of a safetensors file of `length` bytes; and where its tensors begin.
///
/// # Errors
/// A file that is none of this kind, or not as long as it says.
pub fn read_header(source: &mut dyn Read, length: u64) -> Result<(Metadata, u64)> {
    let bad = |why: String| Error::Invalid(format!("it is no intact safetensors file ({why})"));
    let mut size = [0; 8];
    source.read_exact(&mut size).map_err(|_| bad("it is too short".into()))?;
    let size = u64::from_le_bytes(size);
    if size > LARGEST_HEADER || size > length.saturating_sub(8) {
        return Err(bad(format!("it declares a header of {size} bytes in a file of {length}")));
    }
    let mut bytes = vec![0; size as usize];
    source.read_exact(&mut bytes).map_err(cut_off)?;
    let header: Metadata = serde_json::from_slice(&bytes).map_err(|e| bad(e.to_string()))?;
    let end = (8 + size).checked_add(header.data_len() as u64);
    if end != Some(length) {
        return Err(bad(format!(
            "its header asks for {} bytes of tensors, it has {}",
            header.data_len(),
            length - 8 - size
        )));
    }
    Ok((header, 8 + size))
}

/// Which arenas a file has; an error unless its tensors are exactly theirs, in order, and the checksum.
fn arenas_of(header: &Metadata, parameters: &dyn Fn(&str) -> Vec<Parameter>) -> Result<Vec<&'static str>> {
    let mut arenas = Vec::new();
    let mut names = header.offset_keys().into_iter();
    let mut expect = |name: &str, dtype: Dtype, shape: &[usize]| {
        let found = names.next().unwrap_or_default();
        let info = header.info(&found).filter(|_| found == name);
        let info =
            info.ok_or_else(|| Error::Invalid(format!("its network needs the tensor {name} where it has '{found}'")))?;
        if info.dtype != dtype || info.shape != shape {
            return Err(Error::Invalid(format!(
                "tensor {name} is {:?} {:?}, its network needs {dtype:?} {shape:?}",
                info.dtype, info.shape
            )));
        }
        Ok(())
    };
    for arena in ARENAS {
        let parameters = parameters(arena);
        let Some(first) = parameters.first() else {
            continue;
        };
        if header.info(&tensor_name(arena, first)).is_some() {
            for p in &parameters {
                expect(&tensor_name(arena, p), Dtype::F32, &p.shape)?;
            }
            arenas.push(arena);
        }
    }
    expect(CHECKSUM, Dtype::U8, &[32])?;
    match names.next() {
        None => Ok(arenas),
        Some(name) => Err(Error::Invalid(format!("its network has no tensor {name}"))),
    }
}

/// One arena from the source, whose header has been checked: the file is at least as long as the arena without gaps.
fn read_arena(arena: &str, parameters: &[Parameter], source: &mut dyn Read, hash: &mut Sha256) -> Result<Vec<f32>> {
    let end = parameters.last().map_or(0, |p| p.offset + p.len);
    let mut out = vec![0.0f32; end.next_multiple_of(ARENA_ALIGN)];
    for p in parameters {
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut out[p.offset..p.offset + p.len]);
        source.read_exact(bytes).map_err(cut_off)?;
        hash.update(tensor_name(arena, p));
        hash.update(&*bytes);
    }
    Ok(out)
}
