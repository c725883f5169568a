//! Matrix products and linear layers: `kernels/gemm.cu`.

use super::{After, address_or_null, addresses, aligned, tiled};
use crate::cuda::CudaDevice;
use crate::cuda::launch::{Arg, Grid};
use crate::cuda::nvtx;
use crate::cuda::plan::Product;
use crate::cuda::units::{NAIVE_THREADS, Unit};
use crate::device::DType::F32;
use crate::device::View;
use crate::error::Result;
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
    /// `c = a b`, or `c += a b` with `accumulate`: the tiled kernels on their own, for tests and timings.
    ///
    /// # Errors
    /// Views that do not fit the sizes; those of the driver.
    pub fn gemm(&mut self, kind: Gemm, s: Sizes, a: View, b: View, c: View, accumulate: bool) -> Result<()> {
        self.check_product("gemm", s, a, b, c)?;
        let [a, b, c] = addresses(self, [a, b, c])?;
        let after = After { accumulate, ..After::default() };
        match kind {
            Gemm::Nn => rows_first(self, "gemm_nn", s, a, b, c, after),
            Gemm::Nt => rows_first(self, "gemm_nt", s, a, b, c, after),
            Gemm::Tn => transposed(self, s, a, b, c, None, accumulate),
        }
    }

    /// `c = a b` by `gemm_naive`, which computes each element as it is defined: what the others are compared with.
    ///
    /// # Errors
    /// As [`CudaDevice::gemm`].
    pub fn gemm_naive(&mut self, kind: Gemm, s: Sizes, a: View, b: View, c: View) -> Result<()> {
        self.check_product("gemm_naive", s, a, b, c)?;
        let mut args = addresses(self, [a, b, c])?.map(Arg::Address).to_vec();
        // Elements between rows and inner steps of A, between inner steps and columns of B.
        let strides = match kind {
            Gemm::Nn => [s.k, 1, s.n, 1],
            Gemm::Nt => [s.k, 1, 1, s.k],
            Gemm::Tn => [1, s.m, s.n, 1],
        };
        args.extend([s.m, s.n, s.k].map(Arg::from));
        args.extend(strides.map(Arg::from));
        let blocks = (s.m * s.n).div_ceil(NAIVE_THREADS);
        self.launch(Unit::Gemm(0), "gemm_naive", Grid::of(blocks), &args)
    }

    fn check_product(&self, operation: &str, s: Sizes, a: View, b: View, c: View) -> Result<()> {
        let reads = [("a", a, F32, s.m * s.k), ("b", b, F32, s.k * s.n)];
        self.memory.check(operation, &reads, &[("c", c, F32, s.m * s.n)])
    }
}

/// `c = after(a b)` with a `[m, k]`, and b `[k, n]` (`gemm_nn`) or `[n, k]` (`gemm_nt`).
fn rows_first(d: &mut CudaDevice, kernel: &'static str, s: Sizes, a: u64, b: u64, c: u64, after: After) -> Result<()> {
    let product = Product {
        count: 1,
        rows: s.m,
        columns: s.n,
        inner: s.k,
        sums: false,
        vector: s.k.is_multiple_of(4) && s.n.is_multiple_of(4) && aligned(&[a, b, c, after.bias, after.mask]),
    };
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
        s.m.into(),
        s.n.into(),
        s.k.into(),
    ];
    d.launch(Unit::Gemm(tile), kernel, grid, &args)
}

/// `c = a^T b` with a `[k, m]` and b `[k, n]` (`gemm_tn`), and the sums of b's columns where an address is given.
fn transposed(d: &mut CudaDevice, s: Sizes, a: u64, b: u64, c: u64, sums: Option<u64>, accumulate: bool) -> Result<()> {
    let product = Product {
        count: 1,
        rows: s.m,
        columns: s.n,
        inner: s.k,
        sums: sums.is_some(),
        vector: s.m.is_multiple_of(4) && s.n.is_multiple_of(4) && aligned(&[a, b, c, sums.unwrap_or(0)]),
    };
    let (tile, grid, sum_args) = tiled(d, &product)?;
    let mut args = [a, b, c].map(Arg::Address).to_vec();
    args.extend(sum_args);
    args.push(Arg::Address(sums.unwrap_or(0)));
    args.push(accumulate.into());
    args.extend([s.m, s.n, s.k].map(Arg::from));
    d.launch(Unit::Gemm(tile), "gemm_tn", grid, &args)
}

pub fn linear_forward(
    d: &mut CudaDevice,
    s: &LinearShape,
    x: View,
    w: View,
    b: View,
    y: View,
    relu: bool,
) -> Result<()> {
    let _range = nvtx::range(|| format!("linear_forward {s:?}"));
    let reads = [("x", x, F32, s.n * s.inputs), ("w", w, F32, s.inputs * s.outputs), ("b", b, F32, s.outputs)];
    d.memory.check("linear_forward", &reads, &[("y", y, F32, s.n * s.outputs)])?;
    let [x, w, b, y] = addresses(d, [x, w, b, y])?;
    let after = After { bias: b, relu, ..After::default() };
    let sizes = Sizes { m: s.n, n: s.outputs, k: s.inputs };
    rows_first(d, "gemm_nn", sizes, x, w, y, after)
}

pub fn linear_backward_data(
    d: &mut CudaDevice,
    s: &LinearShape,
    dy: View,
    w: View,
    dx: View,
    mask: Option<View>,
) -> Result<()> {
    let _range = nvtx::range(|| format!("linear_backward_data {s:?}"));
    let mut reads = vec![("dy", dy, F32, s.n * s.outputs), ("w", w, F32, s.inputs * s.outputs)];
    reads.extend(mask.map(|v| ("mask", v, F32, s.n * s.inputs)));
    d.memory.check("linear_backward_data", &reads, &[("dx", dx, F32, s.n * s.inputs)])?;
    let mask = address_or_null(d, mask)?;
    let [dy, w, dx] = addresses(d, [dy, w, dx])?;
    let after = After { mask, ..After::default() };
    let sizes = Sizes { m: s.n, n: s.inputs, k: s.outputs };
    rows_first(d, "gemm_nt", sizes, dy, w, dx, after)
}

pub fn linear_backward_weight(
    d: &mut CudaDevice,
    s: &LinearShape,
    x: View,
    dy: View,
    dw: View,
    db: View,
) -> Result<()> {
    let _range = nvtx::range(|| format!("linear_backward_weight {s:?}"));
    let reads = [("x", x, F32, s.n * s.inputs), ("dy", dy, F32, s.n * s.outputs)];
    let writes = [("dw", dw, F32, s.inputs * s.outputs), ("db", db, F32, s.outputs)];
    d.memory.check("linear_backward_weight", &reads, &writes)?;
    let [x, dy, dw, db] = addresses(d, [x, dy, dw, db])?;
    let sizes = Sizes { m: s.inputs, n: s.outputs, k: s.n };
    transposed(d, sizes, x, dy, dw, Some(db), false)
}
