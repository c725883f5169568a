//! The fast path with AVX-512: a register holds the 16 rows of one column.
//!
//! Same arithmetic as the portable form in the parent module, step by step. Fragments are
//! taken apart with permutations: the rows of a column of A lie four lanes apart in two
//! registers, and so do those of C.

use super::super::model;
use super::super::operation::{Element, Operation, Rows};
use super::range::{COLUMNS, LARGEST, LARGEST_FACTOR, MAX_K, OUTSIDE, SMALLEST, ZERO};
use std::arch::x86_64::*;

/// A and B taken apart. A by column of 16 rows; B as its registers lie: element `k` of
/// column `n` is at `[slot(k)][4 * n + member(k)]`.
struct Factors {
    a: [__m512; MAX_K],
    a_exponent: [__m512i; MAX_K],
    b: [[f32; 32]; 4],
    b_exponent: [[i32; 32]; 4],
}

/// Runs an operation into f32; returns for each column a mask of the rows it could not do.
/// Slices have exactly the operation's registers.
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512bw")]
pub fn run(op: &Operation, a: &Rows, b: &Rows, c: &Rows, d: &mut Rows) -> [u16; COLUMNS] {
    let parameters = model::parameters(op);
    match (op.a, op.k, parameters.length) {
        (Element::F16, 16, 8) => tile::<0, 16, 8, 24>(a, b, c, d),
        (Element::F16, 16, _) => tile::<0, 16, 16, 25>(a, b, c, d),
        (Element::F16, _, _) if parameters.fraction == 24 => tile::<0, 8, 8, 24>(a, b, c, d),
        (Element::F16, _, _) => tile::<0, 8, 8, 25>(a, b, c, d),
        (Element::Bf16, 16, 8) => tile::<1, 16, 8, 24>(a, b, c, d),
        (Element::Bf16, 16, _) => tile::<1, 16, 16, 25>(a, b, c, d),
        (Element::Bf16, _, _) if parameters.fraction == 24 => tile::<1, 8, 8, 24>(a, b, c, d),
        (Element::Bf16, _, _) => tile::<1, 8, 8, 25>(a, b, c, d),
        (_, 8, 4) => tile::<2, 8, 4, 24>(a, b, c, d),
        (_, 8, _) => tile::<2, 8, 8, 25>(a, b, c, d),
        (_, _, _) if parameters.fraction == 24 => tile::<2, 4, 4, 24>(a, b, c, d),
        _ => tile::<2, 4, 4, 25>(a, b, c, d),
    }
}

/// Where element `k` of B lies: which array, which lane of a column's four.
#[inline(always)]
const fn place<const KIND: u8>(k: usize) -> (usize, usize) {
    if KIND == 2 { (k / 4, k % 4) } else { (k / 8 * 2 + k % 2, k % 8 / 2) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512bw")]
fn load(row: &[u32; 32], half: usize) -> __m512i {
    // SAFETY: 16 words from 0 or 16.
    unsafe { _mm512_loadu_si512(row.as_ptr().add(16 * half).cast()) }
}

/// Lanes `member`, `member + 4`, ... of two registers: rows 0 to 7 and 8 to 15.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512bw")]
fn rows(upper: &[u32; 32], lower: &[u32; 32], member: usize) -> __m512i {
    let base = _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 0, 4, 8, 12, 16, 20, 24, 28);
    let index = _mm512_add_epi32(base, _mm512_set1_epi32(member as i32));
    let first = _mm512_permutex2var_epi32(load(upper, 0), index, load(upper, 1));
    let second = _mm512_permutex2var_epi32(load(lower, 0), index, load(lower, 1));
    _mm512_mask_mov_epi32(first, 0xff00, second)
}

/// Values and exponents of 16 factors; of a pair in a register the low or the high one.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512bw")]
fn parts<const KIND: u8>(packed: __m512i, high: bool) -> (__m512, __m512i) {
    let word = |x: i32| _mm512_set1_epi32(x);
    let bits = match (KIND, high) {
        (2, _) => _mm512_and_si512(packed, word(0xffff_e000u32 as i32)),
        (_, true) => _mm512_and_si512(packed, word(0xffff_0000u32 as i32)),
        (_, false) => _mm512_slli_epi32::<16>(packed),
    };
    let magnitude = _mm512_and_si512(bits, word(0x7fff_ffff));
    let zero = _mm512_testn_epi32_mask(magnitude, magnitude);
    let (value, field, bias, special) = if KIND == 0 {
        let field = _mm512_srli_epi32::<26>(magnitude);
        // The f16 fields in f32 place are 2^-112 of the value; exact, subnormals too.
        let small = _mm512_castsi512_ps(_mm512_srli_epi32::<3>(magnitude));
        let scaled = _mm512_mul_ps(small, _mm512_set1_ps(f32::from_bits((112 + 127) << 23)));
        let sign = _mm512_and_si512(bits, word(i32::MIN));
        let value = _mm512_or_si512(_mm512_castps_si512(scaled), sign);
        let special = _mm512_cmpeq_epi32_mask(field, word(31));
        (value, field, 15, special)
    } else {
        let field = _mm512_srli_epi32::<23>(magnitude);
        let special = _mm512_cmpgt_epi32_mask(field, word(LARGEST_FACTOR + 127));
        (bits, field, 127, special)
    };
    let exponent = _mm512_sub_epi32(_mm512_max_epi32(field, word(1)), word(bias));
    let exponent = _mm512_mask_mov_epi32(exponent, zero, word(ZERO));
    let exponent = _mm512_mask_mov_epi32(exponent, special, word(OUTSIDE));
    let value = _mm512_mask_mov_epi32(value, special, word(0));
    (_mm512_castsi512_ps(value), exponent)
}

#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512bw")]
fn tile<const KIND: u8, const K: usize, const LENGTH: usize, const F: i32>(
    a: &Rows,
    b: &Rows,
    c: &Rows,
    d: &mut Rows,
) -> [u16; COLUMNS] {
    let mut factors = Factors {
        a: [_mm512_setzero_ps(); MAX_K],
        a_exponent: [_mm512_setzero_si512(); MAX_K],
        b: [[0.0; 32]; 4],
        b_exponent: [[0; 32]; 4],
    };
    let per = if KIND == 2 { 1 } else { 2 };
    for pair in 0..K / (4 * per) {
        for member in 0..4 {
            let packed = rows(&a[2 * pair], &a[2 * pair + 1], member);
            for j in 0..per {
                let k = 4 * per * pair + member * per + j;
                (factors.a[k], factors.a_exponent[k]) = parts::<KIND>(packed, j == 1);
            }
        }
        for half in 0..2 {
            let packed = load(&b[pair], half);
            for j in 0..per {
                let (value, exponent) = parts::<KIND>(packed, j == 1);
                let slot = pair * per + j;
                // SAFETY: 16 words from 0 or 16.
                unsafe {
                    _mm512_storeu_ps(factors.b[slot].as_mut_ptr().add(16 * half), value);
                    let to = factors.b_exponent[slot].as_mut_ptr().add(16 * half);
                    _mm512_storeu_si512(to.cast(), exponent);
                }
            }
        }
    }
    let mut outside = [0; COLUMNS];
    let mut sums = [_mm512_setzero_si512(); COLUMNS];
    for column in 0..COLUMNS {
        let mut sum = rows(&c[column % 2], &c[column % 2 + 2], column / 2);
        for start in (0..K).step_by(LENGTH) {
            let out;
            (sum, out) = step::<KIND, LENGTH, F>(&factors, column, start, sum);
            outside[column] |= out;
        }
        sums[column] = sum;
    }
    spread(&sums, d);
    outside
}

/// Columns of 16 rows back into the four registers of D.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512bw")]
fn spread(sums: &[__m512i; COLUMNS], d: &mut Rows) {
    // Lane 4 * g + t of register r holds row g (+ 8 for r >= 2) of column 2 * t + r % 2.
    let pick = |quarter: i32| {
        let at = |t: i32| t % 2 * 16 + 4 * quarter;
        _mm512_setr_epi32(
            at(0),
            at(1),
            0,
            0,
            at(0) + 1,
            at(1) + 1,
            0,
            0,
            at(0) + 2,
            at(1) + 2,
            0,
            0,
            at(0) + 3,
            at(1) + 3,
            0,
            0,
        )
    };
    for odd in 0..2 {
        for quarter in 0..4 {
            let index = pick(quarter as i32);
            let left = _mm512_permutex2var_epi32(sums[odd], index, sums[2 + odd]);
            let right = _mm512_permutex2var_epi32(sums[4 + odd], index, sums[6 + odd]);
            let both = _mm512_unpacklo_epi64(left, right);
            let register = &mut d[odd + quarter / 2 * 2];
            // SAFETY: 16 words from 0 or 16.
            unsafe {
                let to = register.as_mut_ptr().add(16 * (quarter % 2));
                _mm512_storeu_si512(to.cast(), both);
            }
        }
    }
}

/// One fused sum of LENGTH products and the accumulator; a mask of the rows out of range.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512bw")]
fn step<const KIND: u8, const LENGTH: usize, const F: i32>(
    factors: &Factors,
    column: usize,
    start: usize,
    sum: __m512i,
) -> (__m512i, u16) {
    let word = |x: i32| _mm512_set1_epi32(x);
    let field = _mm512_and_si512(_mm512_srli_epi32::<23>(sum), word(255));
    let exponent = _mm512_sub_epi32(_mm512_max_epi32(field, word(1)), word(127));
    let zero = _mm512_testn_epi32_mask(sum, word(0x7fff_ffff));
    let special = _mm512_cmpgt_epi32_mask(field, word(LARGEST + 127));
    let exponent = _mm512_mask_mov_epi32(exponent, zero, word(ZERO));
    let mut largest = _mm512_mask_mov_epi32(exponent, special, word(OUTSIDE));
    let c = _mm512_castsi512_ps(_mm512_mask_mov_epi32(sum, special, word(0)));
    for k in start..start + LENGTH {
        let (slot, member) = place::<KIND>(k);
        let b = word(factors.b_exponent[slot][4 * column + member]);
        largest = _mm512_max_epi32(largest, _mm512_add_epi32(factors.a_exponent[k], b));
    }
    // Only zeros: any scale gives zero.
    let nothing = _mm512_cmplt_epi32_mask(largest, word(ZERO / 2));
    let largest = _mm512_mask_mov_epi32(largest, nothing, word(SMALLEST));
    let kept = _mm512_min_epi32(_mm512_max_epi32(largest, word(SMALLEST)), word(LARGEST));
    let out = _mm512_cmpneq_epi32_mask(kept, largest);
    let power = |e: __m512i| _mm512_slli_epi32::<23>(_mm512_add_epi32(e, word(127)));
    let scale = _mm512_castsi512_ps(power(_mm512_sub_epi32(word(F), kept)));

    let mut total = word(0);
    for k in start..start + LENGTH {
        let (slot, member) = place::<KIND>(k);
        let b = _mm512_set1_ps(factors.b[slot][4 * column + member]);
        let scaled = _mm512_mul_ps(_mm512_mul_ps(factors.a[k], b), scale);
        total = _mm512_add_epi32(total, _mm512_cvttps_epi32(scaled));
    }
    let cut = _mm512_cvttps_epi32(_mm512_mul_ps(c, scale));
    let back = _mm512_castsi512_ps(power(_mm512_sub_epi32(kept, word(F))));
    const TOWARDS_ZERO: i32 = _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC;
    let rounded = if LENGTH == 16 {
        // Sixteen products stay below 2^31, but not with the accumulator: through f64.
        let part = |t: __m256i, c: __m256i| {
            let exact = _mm512_add_pd(_mm512_cvtepi32_pd(t), _mm512_cvtepi32_pd(c));
            _mm256_castps_si256(_mm512_cvt_roundpd_ps::<TOWARDS_ZERO>(exact))
        };
        let low = part(_mm512_castsi512_si256(total), _mm512_castsi512_si256(cut));
        let (t, c) = (_mm512_extracti64x4_epi64::<1>(total), _mm512_extracti64x4_epi64::<1>(cut));
        let high = part(t, c);
        _mm512_castsi512_ps(_mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high))
    } else {
        _mm512_cvt_roundepi32_ps::<TOWARDS_ZERO>(_mm512_add_epi32(total, cut))
    };
    (_mm512_castps_si512(_mm512_mul_ps(rounded, back)), out)
}
