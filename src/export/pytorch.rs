//! Weights as PyTorch lays them out and torchvision names them, and the safetensors file of them.

use crate::data::atomic;
use crate::error::{Error, Result};
use crate::model::{Layer, Model};
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

/// Every parameter under torchvision's name and in PyTorch's layout: convolutions OIHW, linear layers `[out, in]`.
///
/// `features` counts each convolution, its ReLU, and each pool; `classifier` counts Linear, ReLU and Dropout. The
/// inputs of the first linear layer are permuted from the engine's HWC order to PyTorch's CHW.
pub fn tensors(model: &Model, arena: &[f32]) -> Vec<Tensor> {
    let (mut features, mut classifier) = (0, 0);
    let (parameters, shapes) = (model.parameters(), model.shapes());
    let mut out = Vec::new();
    let mut add = |layer: &str, shape: Vec<usize>, weight: Vec<f32>, bias: &[f32]| {
        let outputs = shape[0];
        for (kind, shape, values) in [("weight", shape, weight), ("bias", vec![outputs], bias.to_vec())] {
            out.push(Tensor { name: format!("{layer}.{kind}"), shape, values });
        }
    };
    for (index, (_, layer)) in model.layers.iter().enumerate() {
        let own: Vec<&[f32]> =
            parameters.iter().filter(|p| p.layer == index).map(|p| &arena[p.offset..p.offset + p.len]).collect();
        let from = shapes[index].0;
        match *layer {
            Layer::Conv { kernel, out: k } => {
                let (taps, c) = (kernel * kernel, from.c);
                let mut w = vec![0.0; own[0].len()];
                for (i, v) in w.iter_mut().enumerate() {
                    let (o, c_in, tap) = (i / (c * taps), i / taps % c, i % taps);
                    *v = own[0][(tap * c + c_in) * k + o];
                }
                let name = format!("features.{features}");
                let shape = vec![k, c, kernel, kernel];
                add(&name, shape, w, own[1]);
                features += 2;
            }
            Layer::Pool => features += 1,
            Layer::Linear { out: outputs, .. } => {
                let (inputs, positions) = (from.len(), from.h * from.w);
                let mut w = vec![0.0; own[0].len()];
                for (i, v) in w.iter_mut().enumerate() {
                    let (o, chw) = (i / inputs, i % inputs);
                    let hwc = chw % positions * from.c + chw / positions;
                    *v = own[0][hwc * outputs + o];
                }
                let name = format!("classifier.{classifier}");
                let shape = vec![outputs, inputs];
                add(&name, shape, w, own[1]);
                classifier += 2;
            }
            Layer::Dropout { .. } => classifier += 1,
        }
    }
    out
}
