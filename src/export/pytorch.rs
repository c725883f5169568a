//! Weights as PyTorch lays them out and torchvision names them, and the safetensors file of them.

use crate::data::atomic;
use crate::error::{Error, Result};
use crate::model::{Layer, Model, Shape};
use safetensors::{Dtype, tensor::TensorView};
use std::path::Path;

/// A tensor on its way out.
pub struct Tensor {
    /// Such as `features.0.weight`.
    pub name: String,
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

/// Writes the tensors to a safetensors file that `load_state_dict(strict=True)` takes.
///
/// # Errors
/// Those of the file system.
pub fn write(path: &Path, tensors: &[Tensor]) -> Result<()> {
    let bad = |e| Error::Invalid(format!("{}: {e}", path.display()));
    let mut views = Vec::new();
    for t in tensors {
        let bytes = bytemuck::cast_slice(&t.values);
        let view = TensorView::new(Dtype::F32, t.shape.clone(), bytes).map_err(bad)?;
        views.push((t.name.clone(), view));
    }
    let bytes = safetensors::serialize(views, None).map_err(bad)?;
    atomic::write(path, &bytes)
}

/// The layers with weights, each with its index and torchvision's name.
///
/// `features` counts each convolution, its ReLU, and each pool; `classifier` counts Linear, ReLU and Dropout.
pub fn names(model: &Model) -> Vec<(usize, String)> {
    let (mut features, mut classifier, mut out) = (0, 0, Vec::new());
    for (index, (_, layer)) in model.layers.iter().enumerate() {
        match layer {
            Layer::Conv { .. } => {
                out.push((index, format!("features.{features}")));
                features += 2;
            }
            Layer::Pool => features += 1,
            Layer::Linear { .. } => {
                out.push((index, format!("classifier.{classifier}")));
                classifier += 2;
            }
            Layer::Dropout { .. } => classifier += 1,
        }
    }
    out
}

/// A weight in PyTorch's layout: outputs first.
pub struct Layout {
    /// OIHW, or `[out, in]`.
    pub shape: Vec<usize>,
    outputs: usize,
    /// Channels of the input, and its positions: taps of a convolution, or pixels of what a linear layer flattens.
    channels: usize,
    positions: usize,
}

impl Layout {
    /// That of a layer that has weights.
    pub fn of(layer: &Layer, from: Shape) -> Option<Layout> {
        match *layer {
            Layer::Conv { kernel, out } => Some(Layout {
                shape: vec![out, from.c, kernel, kernel],
                outputs: out,
                channels: from.c,
                positions: kernel * kernel,
            }),
            // The inputs of the first linear layer are permuted from the engine's HWC order to PyTorch's CHW.
            Layer::Linear { out, .. } => Some(Layout {
                shape: vec![out, from.len()],
                outputs: out,
                channels: from.c,
                positions: from.h * from.w,
            }),
            Layer::Pool | Layer::Dropout { .. } => None,
        }
    }

    /// Numbers of an output.
    pub fn row(&self) -> usize {
        self.channels * self.positions
    }

    /// Where number `i` of PyTorch's layout, all outputs counted, lies in the engine's.
    pub fn place(&self, i: usize) -> usize {
        let (output, inner) = (i / self.row(), i % self.row());
        (inner % self.positions * self.channels + inner / self.positions) * self.outputs + output
    }
}

/// Every parameter under torchvision's name and in PyTorch's layout.
pub fn tensors(model: &Model, arena: &[f32]) -> Vec<Tensor> {
    let (parameters, shapes) = (model.parameters(), model.shapes());
    let mut out = Vec::new();
    for (index, layer) in names(model) {
        let own = parameters.iter().filter(|p| p.layer == index).map(|p| &arena[p.offset..p.offset + p.len]);
        let Some(layout) = Layout::of(&model.layers[index].1, shapes[index].0) else { continue };
        for (kind, values) in ["weight", "bias"].into_iter().zip(own) {
            let (shape, values) = match kind {
                "weight" => (layout.shape.clone(), (0..values.len()).map(|i| values[layout.place(i)]).collect()),
                _ => (vec![layout.outputs], values.to_vec()),
            };
            out.push(Tensor { name: format!("{layer}.{kind}"), shape, values });
        }
    }
    out
}
