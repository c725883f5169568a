//! The operations that ask for more than views of the right lengths: indices and labels that exist, arenas that are
//! there.

use super::{CpuDevice, pointwise};
use crate::device::DType::{F32, F64, U8, U32};
use crate::device::{Arenas, View};
use crate::error::{Error, Result};
use crate::ops::batch::Gather;
use crate::ops::loss::LossKind;
use crate::ops::optimizer::{AdamParams, SgdParams};

/// The batch gather: no index may lie beyond the dataset, and the elastic field must suit the images.
#[allow(clippy::too_many_arguments)]
pub fn gather(
    d: &mut CpuDevice,
    g: &Gather,
    pixels: View,
    labels: View,
    indices: View,
    x: View,
    labels_out: View,
) -> Result<()> {
    let reads = [
        ("pixels", pixels, U8, labels.len * g.h * g.w * g.c),
        ("labels", labels, U8, labels.len),
        ("indices", indices, U32, g.n),
    ];
    let writes = [("x", x, F32, g.n * g.h * g.w * g.c), ("batch labels", labels_out, U8, g.n)];
    d.memory.check("gather", &reads, &writes)?;
    if !pointwise::supports(g) {
        return Err(Error::Invalid(format!(
            "gather: the elastic field's control points are too close for {}x{} images",
            g.h, g.w
        )));
    }
    let (mut m, step) = (d.memory.access(), d.state.step);
    let (pixels, labels) = (m.read::<u8>(pixels)?, m.read::<u8>(labels)?);
    let indices = m.read::<u32>(indices)?;
    if let Some(&bad) = indices.iter().find(|&&i| i as usize >= labels.len()) {
        return Err(Error::Invalid(format!("gather: image {bad} of a dataset of {}", labels.len())));
    }
    let (x, out) = (m.write(x)?, m.write::<u8>(labels_out)?);
    for (o, &i) in out.iter_mut().zip(indices) {
        *o = labels[i as usize];
    }
    d.pool.install(|| pointwise::gather(g, step, pixels, indices, x));
    Ok(())
}

/// The loss: every label must be one of the classes. Without a place for the gradient it is written and forgotten.
pub fn loss(
    d: &mut CpuDevice,
    kind: LossKind,
    classes: usize,
    logits: View,
    labels: View,
    dlogits: Option<View>,
    stats: View,
) -> Result<()> {
    let len = labels.len * classes;
    let reads = [("logits", logits, F32, len), ("labels", labels, U8, labels.len)];
    let mut writes = vec![("stats", stats, F64, 4)];
    writes.extend(dlogits.map(|v| ("dlogits", v, F32, len)));
    d.memory.check("loss", &reads, &writes)?;
    let mut m = d.memory.access();
    let labels = m.read::<u8>(labels)?;
    if let Some(&bad) = labels.iter().find(|&&l| usize::from(l) >= classes) {
        return Err(Error::Invalid(format!(
            "loss: label {bad} with {classes} classes; the dataset and the network do not fit each other"
        )));
    }
    let (logits, stats) = (m.read(logits)?, m.write(stats)?);
    match dlogits {
        Some(v) => pointwise::loss(kind, classes, logits, labels, m.write(v)?, stats),
        None => {
            d.vector.resize(d.vector.len().max(len), 0.0);
            let unused = &mut d.vector[..len];
            pointwise::loss(kind, classes, logits, labels, unused, stats);
        }
    }
    Ok(())
}

/// One Adam step over the arenas, the second moment's among them.
pub fn adam(d: &mut CpuDevice, p: &AdamParams, a: &Arenas) -> Result<()> {
    let moment2 = a.second_moment()?;
    let len = a.weights.len;
    let mut writes = vec![
        ("weights", a.weights, F32, len),
        ("first moment", a.moment1, F32, len),
        ("second moment", moment2, F32, len),
    ];
    writes.extend(a.ema.map(|v| ("moving average", v, F32, len)));
    d.memory.check("adam", &[("gradients", a.gradients, F32, len)], &writes)?;
    let (mut m, s) = (d.memory.access(), d.state);
    let (w, g) = (m.write(a.weights)?, m.read(a.gradients)?);
    let (m1, m2) = (m.write(a.moment1)?, m.write(moment2)?);
    let ema = a.ema.map(|v| m.write(v)).transpose()?;
    d.pool.install(|| pointwise::adam(p, s.step, s.lr, s.ema_decay, w, g, m1, m2, ema));
    Ok(())
}

/// One momentum SGD step over the arenas.
pub fn sgd(d: &mut CpuDevice, p: &SgdParams, decayed: &[(usize, usize)], a: &Arenas) -> Result<()> {
    let len = a.weights.len;
    let mut writes = vec![("weights", a.weights, F32, len), ("velocity", a.moment1, F32, len)];
    writes.extend(a.ema.map(|v| ("moving average", v, F32, len)));
    d.memory.check("sgd", &[("gradients", a.gradients, F32, len)], &writes)?;
    let (mut m, s) = (d.memory.access(), d.state);
    let (w, g, u) = (m.write(a.weights)?, m.read(a.gradients)?, m.write(a.moment1)?);
    let ema = a.ema.map(|v| m.write(v)).transpose()?;
    d.pool.install(|| pointwise::sgd(p, decayed, s.lr, s.ema_decay, w, g, u, ema));
    Ok(())
}
