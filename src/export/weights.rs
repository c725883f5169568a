//! Weights of torchvision's names and PyTorch's layouts, read into a network: the way back of [`super::pytorch`].

use super::pytorch::{Layout, names};
use crate::error::{Error, Result};
use crate::model::{Layer, Model};
use crate::train::checkpoint::read_header;
use safetensors::Dtype;
use safetensors::tensor::Metadata;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Outputs of a layer that are read at once: the file is never in memory as a whole.
const ROWS: usize = 64;

/// A safetensors file of weights.
pub struct Weights<'a> {
    path: &'a Path,
    file: File,
    header: Metadata,
    start: u64,
}

impl Weights<'_> {
    /// Opens a file and reads its head.
    ///
    /// # Errors
    /// Those of the file system; a file of another kind, with what to do of PyTorch's own.
    pub fn open(path: &Path) -> Result<Weights<'_>> {
        let failed = |e| Error::io("read", path, e);
        let mut file = File::open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let mut magic = Vec::new();
        file.by_ref().take(4).read_to_end(&mut magic).and_then(|_| file.rewind()).map_err(failed)?;
        // A zip archive, or a pickle: what torch.save writes.
        if magic.starts_with(b"PK\x03\x04") || magic.starts_with(&[0x80, 0x02]) {
            return Err(Error::file(
                path,
                "is a file of torch.save, which runs code when it is read; make a safetensors file of it once, in \
                 Python: from safetensors.torch import save_file; import torch; \
                 save_file(torch.load(\"weights.pth\", weights_only=True), \"weights.safetensors\")",
            ));
        }
        let head = read_header(&mut file, length);
        let (header, start) = head.map_err(|problem| Error::file(path, format!("cannot be used: {problem}")))?;
        Ok(Weights { path, file, header, start })
    }

    /// The network of this project that the file is of, by its number of convolutions.
    pub fn network(&self) -> Option<&'static str> {
        let is_conv = |name: &&String| name.starts_with("features.") && name.ends_with(".weight");
        match self.header.tensors().keys().filter(is_conv).count() {
            16 => Some("vgg19-torchvision"),
            13 => Some("vgg16-torchvision"),
            _ => None,
        }
    }

    /// Puts its weights into a network's arena. Fully connected layers from the first one on that is not in the file,
    /// or has another size there, stay as they are; these are returned, by name.
    ///
    /// # Errors
    /// Convolutions that are not there or have another size; numbers that are not float32, or not finite.
    pub fn fill(&mut self, model: &Model, arena: &mut [f32]) -> Result<Vec<String>> {
        let (parameters, shapes) = (model.parameters(), model.shapes());
        let mut fresh = Vec::new();
        for (index, name) in names(model) {
            let (own, layer) = &model.layers[index];
            let Some(layout) = Layout::of(layer, shapes[index].0) else { continue };
            let wanted = [("weight", layout.shape.clone()), ("bias", vec![layout.shape[0]])];
            let misfit = wanted.iter().find_map(|(kind, shape)| self.misfit(&format!("{name}.{kind}"), shape));
            match (layer, misfit) {
                (Layer::Conv { .. }, Some(problem)) => {
                    let size = model.input;
                    return Err(Error::file(
                        self.path,
                        format!("does not fit {} for {size} images: {problem}", model.name),
                    ));
                }
                (_, misfit) if misfit.is_some() || !fresh.is_empty() => {
                    fresh.push(own.clone());
                    continue;
                }
                _ => {}
            }
            let places = parameters.iter().filter(|p| p.layer == index);
            for ((kind, _), p) in wanted.iter().zip(places) {
                let out = &mut arena[p.offset..p.offset + p.len];
                self.read(&format!("{name}.{kind}"), (*kind == "weight").then_some(&layout), out)?;
            }
        }
        Ok(fresh)
    }

    /// Why a tensor cannot be taken, if so.
    fn misfit(&self, name: &str, shape: &[usize]) -> Option<String> {
        match self.header.info(name) {
            None => Some(format!("it has no tensor {name}")),
            Some(info) if info.dtype != Dtype::F32 => Some(format!("{name} is {:?}; float32 is read", info.dtype)),
            Some(info) if info.shape != shape => Some(format!("{name} is {:?}, and {shape:?} is needed", info.shape)),
            Some(_) => None,
        }
    }

    /// Reads a tensor that fits, a part at a time; without a layout it lies as in the file.
    fn read(&mut self, name: &str, layout: Option<&Layout>, out: &mut [f32]) -> Result<()> {
        let failed = |e| Error::io("read", self.path, e);
        let begin = self.start + self.header.info(name).map_or(0, |info| info.data_offsets.0) as u64;
        self.file.seek(SeekFrom::Start(begin)).map_err(failed)?;
        let part = ROWS * layout.map_or(ROWS, Layout::row);
        let (mut values, mut done) = (vec![0.0f32; part.min(out.len())], 0);
        while done < out.len() {
            let count = part.min(out.len() - done);
            let values = &mut values[..count];
            self.file.read_exact(bytemuck::cast_slice_mut(values)).map_err(failed)?;
            if let Some(bad) = values.iter().position(|v| !v.is_finite()) {
                let problem = format!("has a number that is not finite in {name}, at {}", done + bad);
                return Err(Error::file(self.path, problem));
            }
            match layout {
                None => out[done..done + count].copy_from_slice(values),
                Some(layout) => {
                    // Column by column: the outputs that were read lie beside each other in the engine's layout.
                    let (row, rows) = (layout.row(), count / layout.row());
                    for inner in 0..row {
                        let at = layout.place(done + inner);
                        out[at..at + rows].iter_mut().enumerate().for_each(|(o, v)| *v = values[o * row + inner]);
                    }
                }
            }
            done += count;
        }
        Ok(())
    }
}
