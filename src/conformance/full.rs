//! The kernels of a CUDA device at full batches, against the naive ones on the device itself: the references of
//! [`crate::ops`] would take hours there, and gigabytes would travel.

use super::cases::{sizes, title};
use super::compare::{ABSOLUTE, Comparison, NMSE, RELATIVE, smallest};
use super::memory::{download, upload};
use super::run::{additions, input};
use crate::cuda::CudaDevice;
use crate::cuda::operations::naive::Within;
use crate::device::{DType, Device, Owner, Precision, View};
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
/// sums are double. Nothing for other operations. The bound is the contract's where float32's holds; else, with
/// the same factors on both sides, that of a sum in float32, `additions 2^-23 S`, and each side's own rounding when it
/// is stored.
///
/// # Errors
/// Those of the device.
pub fn against_naive(d: &mut CudaDevice, kind: &Kind, precision: Precision) -> Result<Vec<Comparison>> {
    if !matches!(kind, Kind::Layer(_)) {
        return Ok(Vec::new());
    }
    let (owner, operands) = (Owner::new(), kind.describe(precision).operands);
    let mut place = |operand: &Operand| -> Result<View> {
        let view = d.alloc_for(&owner, operand.dtype, operand.len)?;
        upload(d, view, &input(kind, operand))?;
        Ok(view)
    };
    let fast: Vec<View> = operands.iter().map(&mut place).collect::<Result<_>>()?;
    // The same inputs, results of their own.
    let own = |(operand, &view): (&Operand, &View)| if operand.is_written() { place(operand) } else { Ok(view) };
    let naive: Vec<View> = operands.iter().zip(&fast).map(own).collect::<Result<_>>()?;
    let as_float32 = matches!(precision, Precision::F32 | Precision::Tf32x3);
    let results = operands.iter().filter(|o| o.is_written()).map(|o| o.len).sum();
    let magnitudes = if as_float32 { None } else { Some(d.alloc_for(&owner, DType::F32, results)?) };
    d.run(&Operation::new(kind.clone(), precision, &fast)?)?;
    d.run_naive(&Operation::new(kind.clone(), precision, &naive)?, magnitudes)?;
    let (mut out, mut first) = (Vec::new(), 0);
    for (i, operand) in operands.iter().enumerate().filter(|(_, o)| o.is_written()) {
        let unit = operand.dtype.unit();
        let within = match magnitudes {
            None => Within { absolute: ABSOLUTE, relative: RELATIVE, sums: None },
            Some(all) => {
                let share = additions(kind, precision) * f64::from(f32::EPSILON);
                let sums = Some((share, all.slice(first, operand.len)));
                Within { absolute: smallest(operand.dtype), relative: 2.0 * unit, sums }
            }
        };
        first += operand.len;
        let found = d.difference(fast[i], naive[i], within)?;
        let nmse = if found.error == 0.0 { 0.0 } else { found.error / found.power };
        let failure = if found.share > 1.0 {
            let [a, b] = [fast[i], naive[i]].map(|v| download(d, v.slice(found.worst, 1)));
            Some(format!("element {} is {}, not {}", found.worst, a?[0], b?[0]))
        } else {
            (nmse > NMSE.max(unit.powi(2)) || nmse.is_nan()).then(|| format!("NMSE {nmse:.1e}"))
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
