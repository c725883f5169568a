//! Products and layers as they are defined (`kernels/naive.cu`), and how two results differ (`kernels/compare.cu`):
//! what the fast kernels are compared with on the device.

use super::product::{Gemm, Sizes};
use crate::cuda::device::CudaDevice;
use crate::cuda::launch::{Arg, Grid};
use crate::cuda::units::{COMPARE_THREADS, NAIVE_THREADS, UnitKind};
use crate::device::{DType, Device, Owner, Precision, View};
use crate::error::{Error, Result};
use crate::ops::description::{Operand, check};
use crate::ops::layer::{LayerPass, Pass};
use crate::ops::operation::{Kind, Operation};

/// How a result differs from its reference, over all elements; `Difference` of `kernels/compare.cu`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// Largest share of the bound; infinite where a number is NaN.
    pub share: f64,
    /// Largest `|a - b|`.
    pub most: f64,
    /// `sum (a - b)^2` and `sum b^2`.
    pub error: f64,
    pub power: f64,
    /// The first element with the largest share.
    pub worst: usize,
}

/// How far a result may be from its reference: `max(absolute, relative max(|a|, |b|))`, and a share of the sum of the
/// magnitudes that the reference is the sum of, with where those lie.
#[derive(Clone, Copy, Debug)]
pub struct Within {
    pub absolute: f64,
    pub relative: f64,
    pub sums: Option<(f64, View)>,
}

/// Numbers of a `Difference`.
const NUMBERS: usize = 5;

/// Blocks of the comparison at most.
const BLOCKS: usize = 1024;

impl CudaDevice {
    /// `c = a b` by `gemm_naive`, which computes each element as it is defined: what the others are compared with.
    ///
    /// # Errors
    /// As [`CudaDevice::gemm`].
    pub fn gemm_naive(&mut self, kind: Gemm, s: Sizes, a: View, b: View, c: View) -> Result<()> {
        let mut args = self.factors("gemm_naive", s, [DType::F32; 3], [a, b, c])?.map(Arg::Address).to_vec();
        // Elements between rows and inner steps of A, between inner steps and columns of B.
        let strides = match kind {
            Gemm::Nn => [s.k, 1, s.n, 1],
            Gemm::Nt => [s.k, 1, 1, s.k],
            Gemm::Tn => [1, s.m, s.n, 1],
        };
        args.extend([s.m, s.n, s.k].map(Arg::from));
        args.extend(strides.map(Arg::from));
        let blocks = (s.m * s.n).div_ceil(NAIVE_THREADS);
        self.launch(UnitKind::Naive.at(Precision::F32), "gemm_naive", Grid::of(blocks), &args)
    }

    /// Runs a pass of a layer by the kernels that compute each element as it is defined, sums in double. The sum of the
    /// magnitudes for each element of the result goes to `magnitudes`, the bias's behind the weights', if it is asked
    /// for.
    ///
    /// # Errors
    /// An operation that is no layer's; magnitudes that are not as many as results; those of the driver.
    pub fn run_naive(&mut self, operation: &Operation, magnitudes: Option<View>) -> Result<()> {
        let Kind::Layer(LayerPass { shape, pass }) = operation.kind() else {
            return Err(Error::Device(format!("{operation}: there is no naive kernel for it")));
        };
        let s = shape.as_conv();
        let addresses = self.memory.addresses(operation.operands().map(|(_, view)| view))?;
        let (kernel, results, addresses) = match (*pass, addresses) {
            (Pass::Forward { .. }, [x, w, b, y, ..]) => ("conv_forward_naive", s.y_len(), [x, w, b, y]),
            (Pass::BackwardData { .. }, [dy, w, dx, mask, ..]) => {
                ("conv_backward_data_naive", s.x_len(), [dy, w, mask, dx])
            }
            (Pass::BackwardWeight, [x, dy, dw, db, ..]) => {
                ("conv_backward_weight_naive", s.w_len() + s.k, [x, dy, dw, db])
            }
        };
        if let Some(view) = magnitudes {
            check("magnitudes", &[Operand::write("magnitudes", DType::F32, results)], &[view])?;
        }
        let magnitudes = magnitudes.map_or(Ok(0), |view| self.memory.address(view))?;
        let mut args = addresses.map(Arg::Address).to_vec();
        args.push(Arg::Address(magnitudes));
        if let Pass::Forward { relu } = *pass {
            args.push(relu.into());
        }
        args.extend([s.n, s.h, s.w, s.c, s.k, s.kernel].map(Arg::from));
        let unit = UnitKind::Naive.at(operation.precision());
        self.launch(unit, kernel, Grid::of(results.div_ceil(NAIVE_THREADS)), &args)
    }

    /// How two results differ, computed on the device.
    ///
    /// # Errors
    /// Views that are not of one length and type, float32 or one of 16 bits; those of the driver.
    pub fn difference(&mut self, result: View, reference: View, within: Within) -> Result<Difference> {
        let (len, dtype) = (result.len, result.dtype);
        let precision = Precision::ALL.into_iter().find(|p| p.storage() == dtype);
        let precision = precision.ok_or_else(|| Error::Device(format!("compare: numbers of {dtype:?}")))?;
        let operands = [Operand::read("result", dtype, len), Operand::read("reference", dtype, len)];
        check("compare", &operands, &[result, reference])?;
        let (share, magnitudes) = within.sums.unzip();
        if let Some(view) = magnitudes {
            check("compare", &[Operand::read("magnitudes", DType::F32, len)], &[view])?;
        }
        let magnitudes = magnitudes.map_or(Ok(0), |view| self.memory.address(view))?;
        let blocks = len.div_ceil(COMPARE_THREADS).clamp(1, BLOCKS);
        let owner = Owner::new();
        let parts = self.alloc_for(&owner, DType::F64, NUMBERS * blocks)?;
        let [result, reference, to, ..] = self.memory.addresses([result, reference, parts].into_iter())?;
        let mut args = [result, reference, magnitudes, to].map(Arg::Address).to_vec();
        args.push(Arg::U64(len as u64));
        args.extend([within.absolute, within.relative, share.unwrap_or(0.0)].map(Arg::F64));
        self.launch(UnitKind::Compare.at(precision), "compare", Grid::of(blocks), &args)?;
        let mut numbers = vec![0.0; parts.len];
        self.download(parts, bytemuck::cast_slice_mut(&mut numbers))?;
        let one = |n: &[f64]| Difference { share: n[0], most: n[1], error: n[2], power: n[3], worst: n[4] as usize };
        Ok(numbers.chunks_exact(NUMBERS).map(one).reduce(Difference::with).expect("at least one block"))
    }
}

impl Difference {
    /// Of both.
    fn with(self, other: Difference) -> Difference {
        let worse = other.share > self.share || (other.share == self.share && other.worst < self.worst);
        let of = if worse { other } else { self };
        Difference {
            most: self.most.max(other.most),
            error: self.error + other.error,
            power: self.power + other.power,
            ..of
        }
    }
}
