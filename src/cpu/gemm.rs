//! Matrix multiplication: one register-tiled inner kernel on matrices as they lie in memory, nothing packed.
//!
//! `C[m,n] (+)= sum over k of A[m,k] B[k,n]`. A may have any row and column stride (so that a transposed A, or the
//! pixels of an NHWC image, need no copy); the rows of B and C are contiguous. The inner kernel keeps a tile of 6 rows
//! by 4 vectors of C in registers: each step of k loads 4 vectors of B and broadcasts 6 numbers of A for 24 fused
//! multiply-adds. Blocks of [`KC`] rows of B (32 KiB with AVX-512) stay in the first-level cache while the rows of A
//! pass, and each block is summed from zero before it is added to C, which keeps the rounding error of a long sum half as
//! large as adding its terms one by one. The order of every sum depends on the sizes alone, never on the number of threads.

use std::sync::OnceLock;

/// Rows of C in a register tile.
const MR: usize = 6;
/// Vectors of C in a register tile.
const NV: usize = 4;
/// Steps of k in a block.
const KC: usize = 128;

/// The instruction set the inner kernel uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    Avx512,
    Avx2,
    Plain,
}

impl Isa {
    /// The best this processor has.
    pub fn detect() -> Isa {
        static ISA: OnceLock<Isa> = OnceLock::new();
        *ISA.get_or_init(|| {
            #[cfg(target_arch = "x86_64")]
            {
                if is_x86_feature_detected!("avx512f") {
                    return Isa::Avx512;
                }
                if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                    return Isa::Avx2;
                }
            }
            Isa::Plain
        })
    }

    /// Columns of C in a register tile: panels of B are this wide.
    pub fn panel(self) -> usize {
        NV * match self {
            Isa::Avx512 => 16,
            Isa::Avx2 | Isa::Plain => 4,
        }
    }

    /// For messages.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Avx512 => "AVX-512",
            Isa::Avx2 => "AVX2",
            Isa::Plain => "no vector extension",
        }
    }
}

/// A matrix of `rows` stride and `columns` stride, in elements.
#[derive(Clone, Copy)]
pub struct Strided {
    pub at: *const f32,
    pub row: usize,
    pub column: usize,
}

impl Strided {
    /// The matrix that starts `rows` and `columns` further on.
    ///
    /// # Safety
    /// The start must lie inside the same allocation.
    pub unsafe fn offset(self, rows: usize, columns: usize) -> Strided {
        Strided { at: unsafe { self.at.add(rows * self.row + columns * self.column) }, ..self }
    }
}

/// `C (+)= A B`, on the calling thread. `b_stride` and `c_stride` are the distances of rows.
///
/// # Safety
/// A must be readable as `m x k`, B as `k x n`, C writable as `m x n` and overlap neither.
#[allow(clippy::too_many_arguments)]
pub unsafe fn gemm(
    (m, n, k): (usize, usize, usize),
    a: Strided,
    b: *const f32,
    b_stride: usize,
    c: *mut f32,
    c_stride: usize,
    accumulate: bool,
) {
    let isa = Isa::detect();
    let panel = isa.panel();
    if k == 0 && !accumulate {
        for i in 0..m {
            unsafe { std::slice::from_raw_parts_mut(c.add(i * c_stride), n) }.fill(0.0);
        }
    }
    for j in (0..n).step_by(panel) {
        let columns = panel.min(n - j);
        for p in (0..k).step_by(KC) {
            let steps = KC.min(k - p);
            let add = accumulate || p > 0;
            let mut i = 0;
            while i < m {
                let rows = MR.min(m - i);
                unsafe {
                    let tile = Tile {
                        k: steps,
                        a: a.offset(i, p),
                        b: b.add(p * b_stride + j),
                        b_stride,
                        c: c.add(i * c_stride + j),
                        c_stride,
                        columns,
                        accumulate: add,
                    };
                    tile.run(isa, rows);
                }
                i += rows;
            }
        }
    }
}

/// One call of the inner kernel.
struct Tile {
    k: usize,
    a: Strided,
    b: *const f32,
    b_stride: usize,
    c: *mut f32,
    c_stride: usize,
    columns: usize,
    accumulate: bool,
}

impl Tile {
    unsafe fn run(&self, isa: Isa, rows: usize) {
        unsafe {
            match (isa, rows) {
                #[cfg(target_arch = "x86_64")]
                (Isa::Avx512, 6) => self.avx512_columns::<6>(),
                #[cfg(target_arch = "x86_64")]
                (Isa::Avx512, 5) => self.avx512_columns::<5>(),
                #[cfg(target_arch = "x86_64")]
                (Isa::Avx512, 4) => self.avx512_columns::<4>(),
                #[cfg(target_arch = "x86_64")]
                (Isa::Avx512, 3) => self.avx512_columns::<3>(),
                #[cfg(target_arch = "x86_64")]
                (Isa::Avx512, 2) => self.avx512_columns::<2>(),
                #[cfg(target_arch = "x86_64")]
                (Isa::Avx512, _) => self.avx512_columns::<1>(),
                #[cfg(target_arch = "x86_64")]
                (Isa::Avx2, _) => self.avx2(rows),
                _ => self.plain(rows),
            }
        }
    }

    /// Chooses the number of vectors, so that narrow matrices (a class count of 10) do not pay for a full panel.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f")]
    unsafe fn avx512_columns<const R: usize>(&self) {
        unsafe {
            match self.columns.div_ceil(16) {
                4 => self.avx512::<R, 4>(),
                3 => self.avx512::<R, 3>(),
                2 => self.avx512::<R, 2>(),
                _ => self.avx512::<R, 1>(),
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f")]
    unsafe fn avx512<const R: usize, const V: usize>(&self) {
        use std::arch::x86_64::*;
        let last = (((1u32 << (self.columns - 16 * (V - 1))) - 1) & 0xffff) as __mmask16;
        let mask = |v: usize| if v + 1 == V { last } else { 0xffff };
        let full = self.columns == 16 * V;
        let mut acc = [[_mm512_setzero_ps(); V]; R];
        let (row, step) = (self.a.row, self.a.column);
        let (mut a, mut b) = (self.a.at, self.b);
        unsafe {
            for _ in 0..self.k {
                let mut bv = [_mm512_setzero_ps(); V];
                for (v, x) in bv.iter_mut().enumerate() {
                    *x = if full {
                        _mm512_loadu_ps(b.add(16 * v))
                    } else {
                        _mm512_maskz_loadu_ps(mask(v), b.add(16 * v))
                    };
                }
                for (r, line) in acc.iter_mut().enumerate() {
                    let ar = _mm512_set1_ps(*a.add(r * row));
                    for (x, bv) in line.iter_mut().zip(bv) {
                        *x = _mm512_fmadd_ps(ar, bv, *x);
                    }
                }
                a = a.wrapping_add(step);
                b = b.wrapping_add(self.b_stride);
            }
            for (r, line) in acc.iter().enumerate() {
                for (v, x) in line.iter().enumerate() {
                    let at = self.c.add(r * self.c_stride + 16 * v);
                    let sum = if self.accumulate { _mm512_add_ps(*x, _mm512_maskz_loadu_ps(mask(v), at)) } else { *x };
                    _mm512_mask_storeu_ps(at, mask(v), sum);
                }
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn avx2(&self, rows: usize) {
        unsafe { self.lanes(rows, |a, b, c| a.mul_add(b, c)) }
    }

    unsafe fn plain(&self, rows: usize) {
        unsafe { self.lanes(rows, |a, b, c| a * b + c) }
    }

    /// The tile on plain arrays, which the compiler turns into vectors of whatever set the caller enables.
    #[inline(always)]
    unsafe fn lanes(&self, rows: usize, fma: impl Fn(f32, f32, f32) -> f32) {
        const N: usize = 16;
        unsafe {
            let mut acc = [[0.0f32; N]; MR];
            for p in 0..self.k {
                let at = self.b.add(p * self.b_stride);
                let mut b = [0.0f32; N];
                if self.columns == N {
                    b = *at.cast::<[f32; N]>();
                } else {
                    b[..self.columns].copy_from_slice(std::slice::from_raw_parts(at, self.columns));
                }
                for (r, line) in acc.iter_mut().take(rows).enumerate() {
                    let a = *self.a.at.add(r * self.a.row + p * self.a.column);
                    for (x, b) in line.iter_mut().zip(b) {
                        *x = fma(a, b, *x);
                    }
                }
            }
            for (r, line) in acc.iter().take(rows).enumerate() {
                let c = std::slice::from_raw_parts_mut(self.c.add(r * self.c_stride), self.columns);
                for (c, v) in c.iter_mut().zip(line) {
                    *c = if self.accumulate { *c + v } else { *v };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every tail of rows, columns and k, both orders of A, overwriting and accumulating, against f64.
    #[test]
    fn agrees_with_f64() {
        for m in [1, 2, 5, 6, 7, 13] {
            for n in [1, 10, 16, 17, 63, 64, 65, 100] {
                for k in [0, 1, 3, 127, 128, 129, 300] {
                    for transposed in [false, true] {
                        for accumulate in [false, true] {
                            check(m, n, k, transposed, accumulate);
                        }
                    }
                }
            }
        }
    }

    fn check(m: usize, n: usize, k: usize, transposed: bool, accumulate: bool) {
        let value = |i: usize| ((i * 7919 + 13) % 1009) as f32 / 1009.0 - 0.5;
        let a: Vec<f32> = (0..m * k + 1).map(value).collect();
        let b: Vec<f32> = (0..k * n + 1).map(|i| value(i + 5)).collect();
        let start: Vec<f32> = (0..m * n).map(|i| value(i + 9)).collect();
        let mut c = if accumulate { start.clone() } else { vec![f32::NAN; m * n] };
        let (row, column) = if transposed { (1, m) } else { (k, 1) };
        let at = a.as_ptr();
        unsafe {
            gemm((m, n, k), Strided { at, row, column }, b.as_ptr(), n, c.as_mut_ptr(), n, accumulate);
        }
        for i in 0..m {
            for j in 0..n {
                let mut sum = if accumulate { f64::from(start[i * n + j]) } else { 0.0 };
                for p in 0..k {
                    sum += f64::from(a[i * row + p * column]) * f64::from(b[p * n + j]);
                }
                let got = f64::from(c[i * n + j]);
                assert!((got - sum).abs() <= 1e-5, "{m}x{n}x{k} at {i},{j}: {got} {sum}");
            }
        }
    }
}
