//! A register is a row of 32 lanes; what is done to rows, for each kind of host.
//!
//! Loops over lanes are plain Rust over fixed arrays. They are inlined into functions compiled for
//! AVX-512, AVX2 or the plain target ([`handler`](crate::machine::op::Op)), where LLVM makes vectors of
//! them. Only what it doesn't find (a gather, a bit mask from comparisons) is written with intrinsics.

/// A kind of host that operations are compiled for. A value proves that the host is of the kind.
pub trait Isa: Copy + 'static {
    /// 0 plain, 2 AVX2, 3 AVX-512.
    const LEVEL: u8;

    /// # Safety
    /// [`host::level`](crate::host::level) is at least [`LEVEL`](Isa::LEVEL).
    unsafe fn assume() -> Self;
}

/// Whatever the compiler's target has (NEON on 64-bit ARM).
#[derive(Clone, Copy)]
pub struct Plain(());
/// x86-64 with AVX2 and FMA.
#[derive(Clone, Copy)]
pub struct Avx2(());
/// x86-64 with AVX-512 F, BW, DQ, VL.
#[derive(Clone, Copy)]
pub struct Avx512(());

impl Isa for Plain {
    const LEVEL: u8 = 0;
    #[inline(always)]
    unsafe fn assume() -> Plain {
        Plain(())
    }
}
impl Isa for Avx2 {
    const LEVEL: u8 = 2;
    #[inline(always)]
    unsafe fn assume() -> Avx2 {
        Avx2(())
    }
}
impl Isa for Avx512 {
    const LEVEL: u8 = 3;
    #[inline(always)]
    unsafe fn assume() -> Avx512 {
        Avx512(())
    }
}

/// No row, no label, no table entry.
pub const NONE: u32 = u32::MAX;
/// All lanes.
pub const FULL: u32 = !0;

/// 32 lanes of 32 bits, the unit in which registers are allotted.
#[derive(Clone, Copy)]
#[repr(C, align(128))]
pub struct Row(pub [u32; 32]);

/// A lane's value: `u32` (one row) or `u64` (two rows).
pub trait Lane: Copy + Default + Send + Sync + 'static {
    /// Rows that 32 of them take.
    const ROWS: u32;
    /// Selects by a mask of all zeros or ones (`keep` = 1 takes `new`).
    fn blend(new: Self, old: Self, take: u32) -> Self;
}

impl Lane for u32 {
    const ROWS: u32 = 1;
    #[inline(always)]
    fn blend(new: u32, old: u32, take: u32) -> u32 {
        let k = 0u32.wrapping_sub(take);
        (new & k) | (old & !k)
    }
}

impl Lane for u64 {
    const ROWS: u32 = 2;
    #[inline(always)]
    fn blend(new: u64, old: u64, take: u32) -> u64 {
        let k = 0u64.wrapping_sub(u64::from(take));
        (new & k) | (old & !k)
    }
}

/// Integers that 64-bit values can be cut to.
pub trait Cut: Lane {
    /// The low bits.
    fn cut(v: u64) -> Self;
    /// Zeros above.
    fn grow(self) -> u64;
}
impl Cut for u32 {
    #[inline(always)]
    fn cut(v: u64) -> u32 {
        v as u32
    }
    #[inline(always)]
    fn grow(self) -> u64 {
        u64::from(self)
    }
}
impl Cut for u64 {
    #[inline(always)]
    fn cut(v: u64) -> u64 {
        v
    }
    #[inline(always)]
    fn grow(self) -> u64 {
        self
    }
}

/// Stores the lanes of a mask.
#[inline(always)]
pub fn store<T: Lane>(d: &mut [T; 32], t: &[T; 32], mask: u32) {
    if mask == FULL {
        *d = *t;
    } else {
        for l in 0..32 {
            d[l] = T::blend(t[l], d[l], (mask >> l) & 1);
        }
    }
}

/// Replaces the lanes outside a mask by the value of the mask's first lane.
#[inline(always)]
pub fn fill<T: Lane>(t: &mut [T; 32], mask: u32) {
    if mask != FULL {
        let first = t[mask.trailing_zeros() as usize & 31];
        for l in 0..32 {
            t[l] = T::blend(t[l], first, (mask >> l) & 1);
        }
    }
}

/// Each lane plus a number.
#[inline(always)]
pub fn plus<I: Isa>(_: I, a: &[u64; 32], b: u64) -> [u64; 32] {
    #[cfg(target_arch = "x86_64")]
    if I::LEVEL == 3 {
        // SAFETY: such a host has the instructions.
        return unsafe { plus_512(a, b) };
    }
    a.map(|v| v.wrapping_add(b))
}

// Without intrinsics LLVM adds lane by lane, and what reads the sums as vectors waits for 32 stores.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn plus_512(a: &[u64; 32], b: u64) -> [u64; 32] {
    use std::arch::x86_64::*;
    let mut t = [0u64; 32];
    // SAFETY: the four quarters of the arrays.
    unsafe {
        for quarter in 0..4 {
            let sum =
                _mm512_add_epi64(_mm512_loadu_si512(a.as_ptr().add(8 * quarter).cast()), _mm512_set1_epi64(b as i64));
            _mm512_storeu_si512(t.as_mut_ptr().add(8 * quarter).cast(), sum);
        }
    }
    t
}

/// The bit mask of lanes that are not zero.
#[inline(always)]
pub fn mask_of<I: Isa>(_: I, t: &[u32; 32]) -> u32 {
    #[cfg(target_arch = "x86_64")]
    if I::LEVEL == 3 {
        // SAFETY: such a host has the instructions.
        return unsafe { mask_of_512(t) };
    }
    let mut m = 0;
    for (l, &v) in t.iter().enumerate() {
        m |= u32::from(v != 0) << l;
    }
    m
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn mask_of_512(t: &[u32; 32]) -> u32 {
    use std::arch::x86_64::*;
    // SAFETY: the two halves of the array.
    unsafe {
        let low = _mm512_loadu_si512(t.as_ptr().cast());
        let high = _mm512_loadu_si512(t.as_ptr().add(16).cast());
        let low = u32::from(_mm512_test_epi32_mask(low, low));
        let high = u32::from(_mm512_test_epi32_mask(high, high));
        low | (high << 16)
    }
}

/// True when any lane is not zero.
#[inline(always)]
pub fn any<I: Isa>(host: I, t: &[u32; 32]) -> bool {
    if I::LEVEL == 3 {
        return mask_of(host, t) != 0;
    }
    t.iter().fold(0, |a, b| a | b) != 0
}

/// Reads 32-bit words at `base + offset`.
///
/// # Safety
/// All 32 addresses are readable, and offsets are below 2^31.
#[inline(always)]
pub unsafe fn gather<I: Isa>(_: I, base: *const u8, offsets: &[u32; 32]) -> [u32; 32] {
    #[cfg(target_arch = "x86_64")]
    if I::LEVEL == 3 {
        // SAFETY: the caller's promise; such a host has the instructions.
        return unsafe { gather_512(base, offsets) };
    }
    // SAFETY: the caller's promise.
    unsafe { gather_plain(base, offsets) }
}

/// Reads a value at each `base + offset`.
///
/// # Safety
/// All 32 addresses are readable.
#[inline(always)]
unsafe fn gather_plain<T: Copy + Default>(base: *const u8, offsets: &[u32; 32]) -> [T; 32] {
    let mut t = [T::default(); 32];
    for l in 0..32 {
        // SAFETY: the caller's promise.
        t[l] = unsafe { base.add(offsets[l] as usize).cast::<T>().read_unaligned() };
    }
    t
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn gather_512(base: *const u8, offsets: &[u32; 32]) -> [u32; 32] {
    use std::arch::x86_64::*;
    let mut t = [0u32; 32];
    // SAFETY: the caller's promise; both halves of the arrays.
    unsafe {
        for half in 0..2 {
            let o = _mm512_loadu_si512(offsets.as_ptr().add(16 * half).cast());
            let v = _mm512_i32gather_epi32::<1>(o, base.cast());
            _mm512_storeu_si512(t.as_mut_ptr().add(16 * half).cast(), v);
        }
    }
    t
}

/// Reads 64-bit words at `base + offset`.
///
/// # Safety
/// As for [`gather`].
#[inline(always)]
pub unsafe fn gather64<I: Isa>(_: I, base: *const u8, offsets: &[u32; 32]) -> [u64; 32] {
    #[cfg(target_arch = "x86_64")]
    if I::LEVEL == 3 {
        // SAFETY: the caller's promise; such a host has the instructions.
        return unsafe { gather64_512(base, offsets) };
    }
    // SAFETY: the caller's promise.
    unsafe { gather_plain(base, offsets) }
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn gather64_512(base: *const u8, offsets: &[u32; 32]) -> [u64; 32] {
    use std::arch::x86_64::*;
    let mut t = [0u64; 32];
    // SAFETY: the caller's promise; the four quarters of the arrays.
    unsafe {
        for quarter in 0..4 {
            let o = _mm256_loadu_si256(offsets.as_ptr().add(8 * quarter).cast());
            let v = _mm512_i32gather_epi64::<1>(o, base.cast());
            _mm512_storeu_si512(t.as_mut_ptr().add(8 * quarter).cast(), v);
        }
    }
    t
}

/// Reads four consecutive 32-bit words at each `base + offset`: word `w` of lane `l` at `[w][l]`.
///
/// # Safety
/// As for [`gather`].
#[inline(always)]
pub unsafe fn gather_quad<I: Isa>(_: I, base: *const u8, offsets: &[u32; 32]) -> [[u32; 32]; 4] {
    #[cfg(target_arch = "x86_64")]
    if I::LEVEL == 3 {
        // SAFETY: the caller's promise; such a host has the instructions.
        return unsafe { gather_quad_512(base, offsets) };
    }
    let mut t = [[0; 32]; 4];
    // SAFETY: the caller's promise.
    let quads: [[u32; 4]; 32] = unsafe { gather_plain(base, offsets) };
    for l in 0..32 {
        for w in 0..4 {
            t[w][l] = quads[l][w];
        }
    }
    t
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn gather_quad_512(base: *const u8, offsets: &[u32; 32]) -> [[u32; 32]; 4] {
    use std::arch::x86_64::*;
    let mut t = [[0u32; 32]; 4];
    // SAFETY: the caller's promise; both halves of the arrays, and lanes are below 16.
    unsafe {
        for half in 0..2 {
            let at = |lane: usize| {
                let offset = *offsets.get_unchecked(16 * half + lane) as usize;
                _mm_loadu_si128(base.add(offset).cast())
            };
            // row j holds, in its 128-bit part c, the four words of lane 4c + j
            let row = |j: usize| {
                let r = _mm512_castsi128_si512(at(j));
                let r = _mm512_inserti32x4::<1>(r, at(4 + j));
                let r = _mm512_inserti32x4::<2>(r, at(8 + j));
                _mm512_inserti32x4::<3>(r, at(12 + j))
            };
            let (a, b, c, d) = (row(0), row(1), row(2), row(3));
            let (ab_low, ab_high) = (_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
            let (cd_low, cd_high) = (_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
            let words = [
                _mm512_unpacklo_epi64(ab_low, cd_low),
                _mm512_unpackhi_epi64(ab_low, cd_low),
                _mm512_unpacklo_epi64(ab_high, cd_high),
                _mm512_unpackhi_epi64(ab_high, cd_high),
            ];
            for w in 0..4 {
                _mm512_storeu_si512(t[w].as_mut_ptr().add(16 * half).cast(), words[w]);
            }
        }
    }
    t
}

/// Calls a function for each lane of a mask, in order.
#[inline(always)]
pub fn lanes(mask: u32, mut f: impl FnMut(usize)) {
    if mask == FULL {
        for l in 0..32 {
            f(l);
        }
    } else {
        let mut m = mask;
        while m != 0 {
            f(m.trailing_zeros() as usize);
            m &= m - 1;
        }
    }
}
