//! Matrix products and linear layers: `kernels/gemm.cu`.

use super::launching::{Addresses, After, tiled, vector};
use crate::cuda::device::CudaDevice;
use crate::cuda::launch::Arg;
use crate::cuda::limits;
use crate::cuda::plan::Product;
use crate::cuda::units::UnitKind;
use crate::device::{DType, Precision, View};
use crate::error::Result;
use crate::ops::description::{Operand, check};
use crate::ops::layer::Pass;
use crate::ops::linear::LinearShape;

/// Which operand of a product is stored transposed; all are dense and row-major.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gemm {
    /// `C[m,n] = A[m,k] B[k,n]`
    Nn,
    /// `C[m,n] = A[m,k] B[n,k]^T`
    Nt,
    /// `C[m,n] = A[k,m]^T B[k,n]`
    Tn,
}

/// Sizes of a product: rows and columns of C, and the inner dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    pub m: usize,
    pub n: usize,
    pub k: usize,
}

impl CudaDevice {
    /// `c = a b`, or `c += a b` with `accumulate`: the tiled kernels on their own, for tests and timings. Factors are
    /// as the precision stores them; c is float32 for `Tn`, as the factors for `Nt`, either for `Nn`.
    ///
    /// # Errors
    /// Views that do not fit the sizes; those of the driver.
    pub fn gemm(
        &mut self,
        precision: Precision,
        kind: Gemm,
        s: Sizes,
        [a, b, c]: [View; 3],
        accumulate: bool,
    ) -> Result<()> {
        let stored = precision.storage();
        let result = match kind {
            Gemm::Nn if c.dtype == DType::F32 => DType::F32,
            Gemm::Nn | Gemm::Nt => stored,
            Gemm::Tn => DType::F32,
        };
        let at = self.factors("gemm", s, [stored, stored, result], [a, b, c])?;
        let after = After { accumulate, wide: result == DType::F32, ..After::default() };
        match kind {
            Gemm::Nn => rows_first(self, precision, "gemm_nn", s, at, after),
            Gemm::Nt => rows_first(self, precision, "gemm_nt", s, at, after),
            Gemm::Tn => transposed(self, precision, s, at, 0, accumulate),
        }
    }

    /// Addresses of a product's operands, which fit its sizes.
    pub(super) fn factors(&self, operation: &str, s: Sizes, types: [DType; 3], views: [View; 3]) -> Result<[u64; 3]> {
        let operands = [
            Operand::read("a", types[0], s.m * s.k),
            Operand::read("b", types[1], s.k * s.n),
            Operand::write("c", types[2], s.m * s.n),
        ];
        check(operation, &operands, &views)?;
        limits::operands(operation, &operands)?;
        let [a, b, c, ..] = self.memory.addresses(views.into_iter())?;
        Ok([a, b, c])
    }
}

/// `c = after(a b)` with a `[m, k]`, and b `[k, n]` (`gemm_nn`) or `[n, k]` (`gemm_nt`).
fn rows_first(
    d: &mut CudaDevice,
    precision: Precision,
    kernel: &'static str,
    s: Sizes,
    [a, b, c]: [u64; 3],
    after: After,
) -> Result<()> {
    let vector = vector(precision, &[s.k, s.n], &[a, b, c, after.bias, after.mask]);
    let product = Product::matrix(kernel, precision, [s.m, s.n, s.k], vector);
    let (tile, grid, [workspace, counters]) = tiled(d, &product)?;
    let args = [
        Arg::Address(a),
        Arg::Address(b),
        Arg::Address(c),
        workspace,
        counters,
        Arg::Address(after.bias),
        Arg::Address(after.mask),
        after.relu.into(),
        after.accumulate.into(),
        after.wide.into(),
        s.m.into(),
        s.n.into(),
        s.k.into(),
    ];
    d.launch(UnitKind::Gemm(tile).at(precision), kernel, grid, &args)
}

/// `c = a^T b` with a `[k, m]` and b `[k, n]` (`gemm_tn`), and the sums of b's columns where there is an address.
fn transposed(
    d: &mut CudaDevice,
    precision: Precision,
    s: Sizes,
    [a, b, c]: [u64; 3],
    sums: u64,
    accumulate: bool,
) -> Result<()> {
    let vector = vector(precision, &[s.m, s.n], &[a, b, c, sums]);
    let product = Product { sums: sums != 0, ..Product::matrix("gemm_tn", precision, [s.m, s.n, s.k], vector) };
    let (tile, grid, sum_args) = tiled(d, &product)?;
    let mut args = [a, b, c].map(Arg::Address).to_vec();
    args.extend(sum_args);
    args.push(Arg::Address(sums));
    args.push(accumulate.into());
    args.extend([s.m, s.n, s.k].map(Arg::from));
    d.launch(UnitKind::Gemm(tile).at(precision), "gemm_tn", grid, &args)
}

/// A pass through a fully connected layer.
pub fn linear(d: &mut CudaDevice, precision: Precision, s: &LinearShape, pass: Pass, at: Addresses) -> Result<()> {
    let LinearShape { n, inputs, outputs } = *s;
    match (pass, at) {
        (Pass::Forward { relu }, [x, w, bias, y, ..]) => {
            let after = After { bias, relu, wide: !relu, ..After::default() };
            rows_first(d, precision, "gemm_nn", Sizes { m: n, n: outputs, k: inputs }, [x, w, y], after)
        }
        (Pass::BackwardData { .. }, [dy, w, dx, mask, ..]) => {
            let after = After { mask, ..After::default() };
            rows_first(d, precision, "gemm_nt", Sizes { m: n, n: inputs, k: outputs }, [dy, w, dx], after)
        }
        (Pass::BackwardWeight, [x, dy, dw, db, ..]) => {
            transposed(d, precision, Sizes { m: inputs, n: outputs, k: n }, [x, dy, dw], db, false)
        }
    }
}
