//! Floating-point arithmetic against rustc_apfloat (LLVM's APFloat), which shares no code
//! with softgpu, on edge values and random ones, in every rounding mode.

use crate::random::Random;
use rustc_apfloat::ieee::{BFloat, Double, Half as ApHalf, Single};
use rustc_apfloat::{Float, FloatConvert, Round};
use softgpu::numerics::Rounding;
use softgpu::numerics::half;
use softgpu::numerics::soft::{self, BF16, F16, F32, F64, Format};

const MODES: [(Rounding, Round); 5] = [
    (Rounding::NearestEven, Round::NearestTiesToEven),
    (Rounding::NearestAway, Round::NearestTiesToAway),
    (Rounding::Zero, Round::TowardZero),
    (Rounding::Down, Round::TowardNegative),
    (Rounding::Up, Round::TowardPositive),
];

impl Random {
    /// A pattern: an edge value, one near another exponent, or anything.
    fn pattern(&mut self, f: Format) -> u64 {
        let r = self.next();
        let sign = if r & 1 != 0 { f.sign() } else { 0 };
        let one = (f.bias() as u64) << f.fraction_bits;
        let unit = 1u64 << f.fraction_bits;
        let edges = [
            0,
            1,
            2,
            unit - 1,
            unit,
            unit + 1,
            one,
            one - 1,
            one + 1,
            one + unit / 2,
            f.max_finite(),
            f.max_finite() - 1,
            f.infinity(),
            f.infinity() + unit / 2 + 1,
        ];
        let value = match r >> 1 & 3 {
            0 => edges[(r >> 8) as usize % edges.len()],
            1 => one + (r >> 8) % (4 * unit) - 2 * unit,
            2 => (r >> 8) % (3 * unit),
            _ => r >> 8 & (f.sign() - 1),
        };
        sign | value
    }
}

fn same(what: &str, ours: u64, theirs: u64, f: Format) {
    let nan = |x: u64| x & (f.sign() - 1) > f.infinity();
    if nan(ours) && nan(theirs) {
        return;
    }
    assert_eq!(ours, theirs, "{what}: {ours:#x} instead of {theirs:#x}");
}

fn arithmetic<T: Float>(f: Format, seed: u64) {
    let mut random = Random(seed);
    for _ in 0..20_000 {
        let [a, b, c] = std::array::from_fn(|_| random.pattern(f));
        let [x, y, z] = [a, b, c].map(|v| T::from_bits(v as u128));
        for (ours, theirs) in MODES {
            let name = |op| format!("{op} {a:#x} {b:#x} {c:#x} {ours:?} {f:?}");
            let bits = |v: T| v.to_bits() as u64;
            same(&name("add"), soft::add(a, b, f, ours), bits(x.add_r(y, theirs).value), f);
            same(&name("sub"), soft::sub(a, b, f, ours), bits(x.sub_r(y, theirs).value), f);
            same(&name("mul"), soft::mul(a, b, f, ours), bits(x.mul_r(y, theirs).value), f);
            same(&name("div"), soft::div(a, b, f, ours), bits(x.div_r(y, theirs).value), f);
            let want = bits(x.mul_add_r(y, z, theirs).value);
            same(&name("fma"), soft::fma(a, b, c, f, ours), want, f);
        }
    }
}

#[test]
fn arithmetic_of_f16() {
    arithmetic::<ApHalf>(F16, 1);
}

#[test]
fn arithmetic_of_bf16() {
    arithmetic::<BFloat>(BF16, 2);
}

#[test]
fn arithmetic_of_f32() {
    arithmetic::<Single>(F32, 3);
}

#[test]
fn arithmetic_of_f64() {
    arithmetic::<Double>(F64, 4);
}

fn conversion<A: FloatConvert<B>, B: Float>(from: Format, to: Format) {
    let mut random = Random(from.fraction_bits as u64 * 100 + to.fraction_bits as u64);
    for _ in 0..40_000 {
        let a = random.pattern(from);
        for (ours, theirs) in MODES {
            let mut loses = false;
            let value = A::from_bits(a as u128).convert_r(theirs, &mut loses).value;
            let name = format!("{a:#x} {from:?} to {to:?} {ours:?}");
            same(&name, soft::convert(a, from, to, ours), value.to_bits() as u64, to);
        }
    }
}

#[test]
fn conversions() {
    conversion::<Double, Single>(F64, F32);
    conversion::<Double, ApHalf>(F64, F16);
    conversion::<Double, BFloat>(F64, BF16);
    conversion::<Single, ApHalf>(F32, F16);
    conversion::<Single, BFloat>(F32, BF16);
    conversion::<Single, Double>(F32, F64);
    conversion::<ApHalf, Single>(F16, F32);
    conversion::<ApHalf, BFloat>(F16, BF16);
    conversion::<BFloat, ApHalf>(BF16, F16);
}

#[test]
fn quick_conversions_are_the_same() {
    for bits in 0..=u16::MAX {
        let x = half::f16_to_f32(bits);
        assert_eq!(x.to_bits() as u64, soft::convert(bits as u64, F16, F32, Rounding::Zero));
        let y = half::bf16_to_f32(bits);
        assert_eq!(y.to_bits() as u64, soft::convert(bits as u64, BF16, F32, Rounding::Zero));
    }
    let mut random = Random(9);
    let nearest = Rounding::NearestEven;
    for i in 0..2_000_000u64 {
        // Around every f16 half-way point, and at random.
        let a = if i < 1_000_000 {
            random.pattern(F32)
        } else {
            let near = half::f16_to_f32((i % 0x7c00) as u16).to_bits() as u64;
            (near + (1 << 12) + i / 0x7c00 % 3).saturating_sub(1)
        };
        let x = f32::from_bits(a as u32);
        assert_eq!(half::f32_to_f16(x) as u64, soft::convert(a, F32, F16, nearest), "{a:#x}");
        assert_eq!(half::f32_to_bf16(x) as u64, soft::convert(a, F32, BF16, nearest), "{a:#x}");
    }
}

#[test]
fn square_roots_bracket_the_exact_root() {
    let mut random = Random(11);
    for _ in 0..200_000 {
        let a = f32::from_bits(random.pattern(F32) as u32);
        if !(a > 0.0 && a.is_finite()) {
            continue;
        }
        let root = |mode| f32::from_bits(soft::sqrt(a.to_bits() as u64, F32, mode) as u32);
        let (down, up) = (root(Rounding::Down), root(Rounding::Up));
        // Squares of f32 are exact in f64.
        let square = |x: f32| x as f64 * x as f64;
        assert!(square(down) <= a as f64 && square(up) >= a as f64, "{a:e}");
        assert!(down == up && square(up) == a as f64 || down.to_bits() + 1 == up.to_bits());
        assert_eq!(root(Rounding::Zero), down);
        assert_eq!(root(Rounding::NearestEven), a.sqrt());
    }
}
