//! Numbers in registers of AVX-512.
//!
//! The products are of bfloat16. An IEEE half, of 11 bits of significand, is the sum of two bfloat16, of 8 bits each,
//! exactly: the nearest one, and what is left. So a product of halves is that of all pairs of their parts, and the same
//! instructions serve both formats. An infinity leaves a NaN.

use crate::cpu::element::Element;
use crate::device::DType;
use std::arch::x86_64::*;

/// How many bfloat16 a number is the sum of.
pub const fn parts<T: Element>() -> usize {
    match T::DTYPE {
        DType::Bf16 => 1,
        DType::F16 => 2,
        _ => panic!("products of 16-bit numbers alone"),
    }
}

/// The mask of the first lanes, all if there are more.
#[inline(always)]
fn first(lanes: usize) -> u32 {
    ((1u64 << lanes.min(32)) - 1) as u32
}

/// The first 32 numbers of 16 bits as they are, zeros where the slice has fewer.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn load32<T: Element>(from: &[T]) -> __m512i {
    assert!(size_of::<T>() == 2);
    // SAFETY: lanes that are masked out, beyond the slice, are not read.
    unsafe { _mm512_maskz_loadu_epi16(first(from.len()), from.as_ptr().cast()) }
}

/// bfloat16 as float32, whose upper halves they are.
#[inline]
#[target_feature(enable = "avx512f")]
fn widen_bf16(v: __m256i) -> __m512 {
    _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(v)))
}

/// Rounded to the nearest even; float32 below the smallest normal number as zero.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn to_bf16(v: __m512) -> __m256i {
    // SAFETY: 256 bits both.
    unsafe { std::mem::transmute(_mm512_cvtneps_pbh(v)) }
}

/// One of the parts of the first 32 numbers of a slice, as bfloat16; zeros where it has fewer.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub fn load_part<T: Element>(from: &[T], part: usize) -> __m512i {
    let v = load32(from);
    if T::DTYPE == DType::Bf16 {
        return v;
    }
    let nearest_or_rest = |v: __m256i| {
        let wide = _mm512_cvtph_ps(v);
        let nearest = to_bf16(wide);
        if part == 0 { nearest } else { to_bf16(_mm512_sub_ps(wide, widen_bf16(nearest))) }
    };
    let (low, high) = (_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64::<1>(v));
    _mm512_inserti64x4::<1>(_mm512_castsi256_si512(nearest_or_rest(low)), nearest_or_rest(high))
}

/// The first 16 numbers of a slice as float32; zeros where it has fewer.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
pub fn load16<T: Element>(from: &[T]) -> __m512 {
    match T::DTYPE {
        DType::Bf16 => widen_bf16(_mm512_castsi512_si256(load32(from))),
        DType::F16 => _mm512_cvtph_ps(_mm512_castsi512_si256(load32(from))),
        // SAFETY: lanes that are masked out, beyond the slice, are not read.
        _ => unsafe { _mm512_maskz_loadu_ps(first(from.len()) as u16, from.as_ptr().cast()) },
    }
}

/// Rounds to nearest even and writes the first 16 numbers of a slice, or as many as it has.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
pub fn store16<T: Element>(v: __m512, to: &mut [T]) {
    let (mask, at) = (first(to.len()) as u16, to.as_mut_ptr());
    // SAFETY: lanes that are masked out, beyond the slice, are not written; the numbers are of `T`'s type.
    unsafe {
        match T::DTYPE {
            DType::Bf16 => _mm256_mask_storeu_epi16(at.cast(), mask, to_bf16(v)),
            DType::F16 => _mm256_mask_storeu_epi16(at.cast(), mask, _mm512_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(v)),
            _ => _mm512_mask_storeu_ps(at.cast(), mask, v),
        }
    }
}

/// 16 rows of 16 elements of 32 bits, with rows and columns exchanged: pairs of rows are interleaved four times, one
/// element at a time, then two, then whole quarters of registers.
#[inline]
#[target_feature(enable = "avx512f")]
pub fn transpose(rows: [__m512i; 16]) -> [__m512i; 16] {
    let mut a = rows;
    for i in 0..8 {
        a[2 * i] = _mm512_unpacklo_epi32(rows[2 * i], rows[2 * i + 1]);
        a[2 * i + 1] = _mm512_unpackhi_epi32(rows[2 * i], rows[2 * i + 1]);
    }
    // Quarter q of `b[4 g + c]` has column 4 q + c of rows 4 g to 4 g + 3.
    let mut b = a;
    for g in 0..4 {
        let [w, x, y, z] = [a[4 * g], a[4 * g + 1], a[4 * g + 2], a[4 * g + 3]];
        b[4 * g] = _mm512_unpacklo_epi64(w, y);
        b[4 * g + 1] = _mm512_unpackhi_epi64(w, y);
        b[4 * g + 2] = _mm512_unpacklo_epi64(x, z);
        b[4 * g + 3] = _mm512_unpackhi_epi64(x, z);
    }
    let mut out = b;
    for c in 0..4 {
        let [low, high] = [0, 8].map(|g| {
            let even = _mm512_shuffle_i32x4::<0b10_00_10_00>(b[g + c], b[g + 4 + c]);
            let odd = _mm512_shuffle_i32x4::<0b11_01_11_01>(b[g + c], b[g + 4 + c]);
            [even, odd]
        });
        // `even` has quarters 0 and 2 of two groups of rows, `odd` 1 and 3.
        out[c] = _mm512_shuffle_i32x4::<0b10_00_10_00>(low[0], high[0]);
        out[8 + c] = _mm512_shuffle_i32x4::<0b11_01_11_01>(low[0], high[0]);
        out[4 + c] = _mm512_shuffle_i32x4::<0b10_00_10_00>(low[1], high[1]);
        out[12 + c] = _mm512_shuffle_i32x4::<0b11_01_11_01>(low[1], high[1]);
    }
    out
}
