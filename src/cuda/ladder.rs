//! The ladder: the product from its definition to tensor cores, one idea a step (`kernels/ladder/`, docs/ladder.md).

use super::device::CudaDevice;
use super::launch::{Arg, Grid};
use super::operations::product::Sizes;
use super::units::{LADDER, UnitKind};
use crate::device::{DType, Device, Precision, View};
use crate::error::{Error, Result};
use crate::ops::description::{Operand, check};

/// Steps that a device of this compute capability (times ten) has instructions for.
pub fn steps(sm: u32) -> impl Iterator<Item = usize> {
    (0..LADDER.len()).filter(move |&step| sm >= 80 || !LADDER[step].is_bf16())
}

/// Operands of the ladder's product on a device: float32 and, for the steps that want them, bfloat16.
pub struct Operands {
    pub sizes: Sizes,
    wide: [View; 2],
    half: [View; 2],
    pub c: View,
}

impl Operands {
    /// Uploads `a` `[m, k]` and `b` `[k, n]`.
    ///
    /// # Errors
    /// An empty or too large matrix; too little memory.
    pub fn new(d: &mut CudaDevice, s: Sizes, a: &[f32], b: &[f32]) -> Result<Operands> {
        let lengths = [s.m.checked_mul(s.k), s.k.checked_mul(s.n), s.m.checked_mul(s.n)];
        if lengths.iter().any(|&l| l.is_none_or(|l| l == 0 || l > i32::MAX as usize)) {
            return Err(Error::Invalid(format!("a product of {s:?}: matrices must have 1 to 2^31 - 1 elements")));
        }
        let mut put = |dtype, values: &[f32]| -> Result<View> {
            let view = d.alloc(dtype, values.len())?;
            let halves = |v: &[f32]| v.iter().map(|&v| half::bf16::from_f32(v)).collect::<Vec<_>>();
            match dtype {
                DType::Bf16 => d.upload(view, bytemuck::cast_slice(&halves(values)))?,
                _ => d.upload(view, bytemuck::cast_slice(values))?,
            }
            Ok(view)
        };
        let wide = [put(DType::F32, a)?, put(DType::F32, b)?];
        let half = [put(DType::Bf16, a)?, put(DType::Bf16, b)?];
        Ok(Operands { sizes: s, wide, half, c: d.alloc(DType::F32, s.m * s.n)? })
    }
}

impl CudaDevice {
    /// `c = a b` by a step of the ladder.
    ///
    /// # Errors
    /// A device without the step's instructions; those of the driver.
    pub fn climb(&mut self, step: usize, on: &Operands) -> Result<()> {
        let (rung, s) = (&LADDER[step], on.sizes);
        if !steps(self.properties.sm).any(|s| s == step) {
            return Err(Error::Device(format!("{} needs sm_80, this is sm_{}", rung.kernel, self.properties.sm)));
        }
        let (dtype, [a, b]) = if rung.is_bf16() { (DType::Bf16, on.half) } else { (DType::F32, on.wide) };
        let operands = [
            Operand::read("a", dtype, s.m * s.k),
            Operand::read("b", dtype, s.k * s.n),
            Operand::write("c", DType::F32, s.m * s.n),
        ];
        let views = [a, b, on.c];
        check(rung.kernel, &operands, &views)?;
        let addresses = self.memory.addresses(views.into_iter())?;
        let blocks = match rung.tile {
            Some(tile) => s.m.div_ceil(tile) * s.n.div_ceil(tile),
            None => (s.m * s.n).div_ceil(rung.threads),
        };
        let mut args: Vec<Arg> = addresses[..views.len()].iter().map(|&a| Arg::Address(a)).collect();
        args.extend([s.m, s.n, s.k].map(Arg::from));
        self.launch(UnitKind::Ladder(step).at(Precision::F32), rung.kernel, Grid::of(blocks), &args)
    }
}
