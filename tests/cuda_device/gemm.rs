//! The tiled products against the naive kernel, on softgpu: plain and added to what is there.

use crate::{no_findings, softgpu};
use warp19::conformance::{compare, values};
use warp19::cuda::CudaDevice;
use warp19::cuda::operations::product::{Gemm, Sizes};
use warp19::device::{DType, Device, Precision, View, download_f32, upload_f32};

fn put(d: &mut CudaDevice, v: &[f32]) -> View {
    let view = d.alloc(DType::F32, v.len()).unwrap();
    upload_f32(d, view, v).unwrap();
    view
}

/// The product in f64.
fn product(kind: Gemm, s: Sizes, a: &[f32], b: &[f32]) -> Vec<f64> {
    let mut c = vec![0.0; s.m * s.n];
    for i in 0..s.m {
        for j in 0..s.n {
            let term = |l: usize| {
                let left = if kind == Gemm::Tn { a[l * s.m + i] } else { a[i * s.k + l] };
                let right = if kind == Gemm::Nt { b[j * s.k + l] } else { b[l * s.n + j] };
                f64::from(left) * f64::from(right)
            };
            c[i * s.n + j] = (0..s.k).map(term).sum();
        }
    }
    c
}

#[test]
fn products_equal_the_naive_kernel_and_are_added_where_asked() {
    let (_alone, d) = &mut softgpu("all", "0");
    // A tile and one row more or less, a long inner dimension in parts, rows that are no multiple of 16 bytes.
    for (m, n, k) in [(128, 128, 64), (129, 68, 44), (4, 132, 2052), (31, 17, 5), (1, 1, 700)] {
        let s = Sizes { m, n, k };
        for kind in [Gemm::Nn, Gemm::Nt, Gemm::Tn] {
            let (a, b) = (values(1, m * k, 1.0), values(2, k * n, (3.0 / k as f32).sqrt()));
            let old = values(3, m * n, 1.0);
            let want = product(kind, s, &a, &b);
            let (va, vb) = (put(d, &a), put(d, &b));
            let shape = format!("{kind:?} {s:?}");
            for tile in [None, Some(0), Some(1), Some(2), Some(3)] {
                d.set_tile(tile);
                for accumulate in [false, true] {
                    // Without accumulation what is there must not matter.
                    let c = put(d, &if accumulate { old.clone() } else { vec![f32::NAN; m * n] });
                    d.gemm(Precision::F32, kind, s, [va, vb, c], accumulate).unwrap();
                    let want: Vec<f64> =
                        want.iter().zip(&old).map(|(w, o)| if accumulate { w + f64::from(*o) } else { *w }).collect();
                    let got = compare("gemm", &shape, &download_f32(d, c).unwrap(), &want);
                    assert!(got.failure.is_none(), "tile {tile:?}, accumulate {accumulate}: {got:?}");
                }
            }
            let c = put(d, &vec![f32::NAN; m * n]);
            d.gemm_naive(kind, s, va, vb, c).unwrap();
            let got = compare("gemm_naive", &shape, &download_f32(d, c).unwrap(), &want);
            assert!(got.failure.is_none(), "{got:?}");
        }
    }
    no_findings(d);
}
