//! The kernels of a CUDA device at full batches, against the naive ones on the device itself: the references of
//! [`crate::ops`] would take hours there, and gigabytes would travel.

use super::cases::{sizes, title};
use super::compare::{ABSOLUTE, Comparison, NMSE, RELATIVE};
use super::run::input;
use crate::cuda::CudaDevice;
use crate::device::{Device, Owner, Precision, View, download_f32, upload_f32};
use crate::error::Result;
use crate::ops::conv::ConvShape;
use crate::ops::description::Operand;
use crate::ops::dropout::Dropout;
use crate::ops::layer::{LayerPass, LayerShape, Pass};
use crate::ops::linear::LinearShape;
use crate::ops::operation::{Kind, Operation};
use crate::ops::optimizer::{Adam, AdamParams, Epsilon};
use crate::ops::pool::{Pool, PoolShape};

/// One operation of each kind, at VGG19's shapes with so many images: what `verify` times.
pub fn kinds(batch: usize) -> Vec<Kind> {
    let passes = [Pass::Forward { relu: true }, Pass::BackwardData { masked: true }, Pass::BackwardWeight];
    let mut kinds = Vec::new();
    for (size, c, k) in [(28, 1, 64), (28, 64, 64), (14, 128, 128), (7, 256, 256), (4, 512, 512), (2, 512, 512)] {
        let shape = LayerShape::Conv(ConvShape { n: batch, h: size, w: size, c, k, kernel: 3 });
        // The first layer of a network needs no gradient of its input.
        let passes = passes.into_iter().filter(|p| c > 1 || !matches!(p, Pass::BackwardData { .. }));
        kinds.extend(passes.map(|pass| Kind::Layer(LayerPass { shape, pass })));
    }
    let shape = LayerShape::Linear(LinearShape { n: batch, inputs: 4096, outputs: 4096 });
    kinds.extend(passes.map(|pass| Kind::Layer(LayerPass { shape, pass })));
    let shape = PoolShape { n: batch, h: 28, w: 28, c: 64 };
    kinds.extend([false, true].map(|backward| Kind::Pool(Pool { shape, backward })));
    kinds.push(Kind::Dropout(Dropout { seed: 1, layer: 0, p: 0.5, len: shape.x_len() }));
    // As many parameters as VGG19 has, at batch 64; fewer at small batches, where softgpu is what runs.
    let len = (672_075 * batch.clamp(1, 64)).next_multiple_of(64);
    let params = AdamParams { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, epsilon_kind: Epsilon::Outer };
    kinds.push(Kind::Adam(Adam { params, len, average: true }));
    kinds
}

/// A pass of a layer by the kernels that a network takes, compared on the device with the same by the naive ones, whose
/// sums are double; by the contract's bound. Nothing for other operations.
///
/// # Errors
/// Those of the device.
pub fn against_naive(d: &mut CudaDevice, kind: &Kind) -> Result<Vec<Comparison>> {
    if !matches!(kind, Kind::Layer(_)) {
        return Ok(Vec::new());
    }
    let (owner, operands) = (Owner::new(), kind.describe(Precision::F32).operands);
    let mut place = |operand: &Operand| -> Result<View> {
        let view = d.alloc_for(&owner, operand.dtype, operand.len)?;
        let values: Vec<f32> = input(kind, operand).into_iter().map(|v| v as f32).collect();
        upload_f32(d, view, &values)?;
        Ok(view)
    };
    let fast: Vec<View> = operands.iter().map(&mut place).collect::<Result<_>>()?;
    // The same inputs, results of their own.
    let own = |(operand, &view): (&Operand, &View)| if operand.is_written() { place(operand) } else { Ok(view) };
    let naive: Vec<View> = operands.iter().zip(&fast).map(own).collect::<Result<_>>()?;
    d.run(&Operation::new(kind.clone(), Precision::F32, &fast)?)?;
    d.run_naive(&Operation::new(kind.clone(), Precision::F32, &naive)?)?;
    let mut out = Vec::new();
    for (i, operand) in operands.iter().enumerate().filter(|(_, o)| o.is_written()) {
        let found = d.difference(fast[i], naive[i], ABSOLUTE, RELATIVE)?;
        let nmse = if found.error == 0.0 { 0.0 } else { found.error / found.power };
        let failure = if found.share > 1.0 {
            let [a, b] = [fast[i], naive[i]].map(|v| download_f32(d, v.slice(found.worst, 1)));
            Some(format!("element {} is {}, not {}", found.worst, a?[0], b?[0]))
        } else {
            (nmse > NMSE || nmse.is_nan()).then(|| format!("NMSE {nmse:.1e}"))
        };
        out.push(Comparison {
            operation: format!("{} {} against naive", title(kind), operand.name),
            shape: sizes(kind),
            max_error: found.most,
            share_of_bound: found.share,
            nmse,
            failure,
        });
    }
    Ok(out)
}
