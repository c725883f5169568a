//! Numbers as memory holds them, float32 or 16 bits, and their conversions.
//!
//! The conversions are written in integer arithmetic without branches, so that the compiler makes vectors of them for
//! every instruction set, and so that each gives the same bits.

use super::isa::Isa;
use super::parallel::CHUNK;
use super::vector::{Job, Vector};
use crate::device::DType;
use bytemuck::Pod;
use half::{bf16, f16};
use rayon::prelude::*;

/// A number in memory.
pub trait Element: Pod + Send + Sync {
    /// Which type it is.
    const DTYPE: DType;

    /// As float32, which holds every number of the type.
    fn wide(self) -> f32;

    /// The nearest number of this type, ties to even.
    fn narrow(x: f32) -> Self;

    /// Whether it is larger than another, or a NaN and the other is not.
    fn beats(self, other: Self) -> bool;
}

impl Element for f32 {
    const DTYPE: DType = DType::F32;

    #[inline(always)]
    fn wide(self) -> f32 {
        self
    }

    #[inline(always)]
    fn narrow(x: f32) -> f32 {
        x
    }

    #[inline(always)]
    fn beats(self, other: f32) -> bool {
        self > other || (self.is_nan() && !other.is_nan())
    }
}

/// 16 bits in the order of the numbers they stand for: equal for both zeros, largest for a NaN. `infinity` are the bits
/// of the type's infinity.
#[inline(always)]
fn order(bits: u16, infinity: u16) -> i16 {
    let magnitude = (bits & 0x7fff) as i16;
    let signed = if (bits as i16) < 0 { -magnitude } else { magnitude };
    if magnitude > infinity as i16 { i16::MAX } else { signed }
}

impl Element for bf16 {
    const DTYPE: DType = DType::Bf16;

    #[inline(always)]
    fn wide(self) -> f32 {
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }

    /// Adds just less than half a unit in the last place, and one more where that place is odd, and cuts.
    #[inline(always)]
    fn narrow(x: f32) -> bf16 {
        let bits = x.to_bits();
        let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
        let nan = bits >> 16 | 0x40;
        bf16::from_bits(if x.is_nan() { nan } else { rounded } as u16)
    }

    #[inline(always)]
    fn beats(self, other: bf16) -> bool {
        let infinity = bf16::INFINITY.to_bits();
        order(self.to_bits(), infinity) > order(other.to_bits(), infinity)
    }
}

impl Element for f16 {
    const DTYPE: DType = DType::F16;

    /// The bits moved into a float32's place are the number times 2^-112, exactly, also below f16's normal numbers.
    #[inline(always)]
    fn wide(self) -> f32 {
        let bits = u32::from(self.to_bits());
        let magnitude = f32::from_bits((bits & 0x7fff) << 13) * f32::from_bits((127 + 112) << 23);
        // Infinity and NaN have come out as 2^16 and more.
        let special = if magnitude >= 65536.0 { f32::INFINITY.to_bits() } else { 0 };
        f32::from_bits(magnitude.to_bits() | special | (bits & 0x8000) << 16)
    }

    /// As for bf16 among normal numbers, whose exponents are 112 apart. Below them, adding 1/2 leaves the number in
    /// units of 2^-24, rounded, in the last places of a float32. What is too large becomes infinity.
    #[inline(always)]
    fn narrow(x: f32) -> f16 {
        let bits = x.to_bits() & 0x7fff_ffff;
        let normal = bits.wrapping_add((bits >> 13 & 1) + 0xfff).wrapping_sub(112 << 23) >> 13;
        let small = (f32::from_bits(bits) + 0.5).to_bits().wrapping_sub(0.5f32.to_bits());
        let large = if x.is_nan() { 0x7e00 } else { 0x7c00 };
        let magnitude = if bits < (127 - 14) << 23 { small } else { normal };
        let magnitude = if bits >= (127 + 16) << 23 { large } else { magnitude };
        f16::from_bits((magnitude | x.to_bits() >> 16 & 0x8000) as u16)
    }

    #[inline(always)]
    fn beats(self, other: f16) -> bool {
        let infinity = f16::INFINITY.to_bits();
        order(self.to_bits(), infinity) > order(other.to_bits(), infinity)
    }
}

/// `to[i] = from[i]`, as float32.
pub fn widen<T: Element>(isa: Isa, from: &[T], to: &mut [f32]) {
    to.par_chunks_mut(CHUNK).zip(from.par_chunks(CHUNK)).for_each(|(to, from)| isa.run(Widen { from, to }));
}

/// `to[i] = round(from[i])`.
pub fn narrow<T: Element>(isa: Isa, from: &[f32], to: &mut [T]) {
    to.par_chunks_mut(CHUNK).zip(from.par_chunks(CHUNK)).for_each(|(to, from)| isa.run(Narrow { from, to }));
}

struct Widen<'a, T> {
    from: &'a [T],
    to: &'a mut [f32],
}

impl<T: Element> Job for Widen<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self, _zero: V) {
        for (to, from) in self.to.iter_mut().zip(self.from) {
            *to = from.wide();
        }
    }
}

struct Narrow<'a, T> {
    from: &'a [f32],
    to: &'a mut [T],
}

impl<T: Element> Job for Narrow<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self, _zero: V) {
        for (to, &from) in self.to.iter_mut().zip(self.from) {
            *to = T::narrow(from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every 16-bit number, and float32 numbers around every one, around the middle to its neighbour, and elsewhere:
    /// as the `half` crate converts them.
    fn conversions<T: Element + PartialEq + std::fmt::Debug>(
        from_bits: fn(u16) -> T,
        to_bits: fn(T) -> u16,
        round: fn(f32) -> T,
    ) {
        let same = |x: f32| {
            let (got, want) = (T::narrow(x), round(x));
            let nan = x.is_nan() && got.wide().is_nan() && want.wide().is_nan();
            assert!(nan || to_bits(got) == to_bits(want), "{x:e}: {got:?}, not {want:?}");
        };
        for bits in 0..=u16::MAX {
            let x = from_bits(bits).wide();
            assert_eq!(x.is_nan(), round(x).wide().is_nan());
            assert!(x.is_nan() || to_bits(T::narrow(x)) == bits, "{bits:#x}");
            let half = x
                .to_bits()
                .wrapping_add(from_bits(bits.wrapping_add(1)).wide().to_bits().wrapping_sub(x.to_bits()) / 2);
            for near in [x.to_bits(), half] {
                (-2..=2).for_each(|by: i32| same(f32::from_bits(near.wrapping_add_signed(by))));
            }
        }
        (0..1u32 << 22).for_each(|i| same(f32::from_bits(i.wrapping_mul(0x9e37_79b1))));
    }

    #[test]
    fn conversions_round_to_nearest_even() {
        conversions(bf16::from_bits, bf16::to_bits, bf16::from_f32);
        conversions(f16::from_bits, f16::to_bits, f16::from_f32);
    }

    #[test]
    fn widening_is_exact() {
        for bits in 0..=u16::MAX {
            let (b, h) = (bf16::from_bits(bits), f16::from_bits(bits));
            assert!(b.wide() == b.to_f32() || b.is_nan() && b.wide().is_nan(), "{bits:#x}");
            assert!(h.wide() == h.to_f32() || h.is_nan() && h.wide().is_nan(), "{bits:#x}");
            assert_eq!(h.wide().is_sign_negative(), h.is_sign_negative());
        }
    }

    /// As comparing float32 does, for every pair of numbers of some 300.
    fn ordered<T: Element>(from_bits: fn(u16) -> T) {
        let some: Vec<T> = (0..=u16::MAX)
            .step_by(211)
            .chain([0x8000, 0x7f80, 0xff80, 0x7c00, 0xfc00, 0x7fff, 0xffff])
            .map(from_bits)
            .collect();
        for &a in &some {
            for &b in &some {
                assert_eq!(a.beats(b), a.wide().beats(b.wide()), "{} {}", a.wide(), b.wide());
            }
        }
    }

    #[test]
    fn the_order_is_that_of_the_numbers() {
        ordered(bf16::from_bits);
        ordered(f16::from_bits);
    }
}
