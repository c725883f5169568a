//! Operations done lane by lane with a plain function: rare ones, where vectors gain nothing.

use crate::isa::arithmetic::alu::Outcome;
use crate::isa::decoder::{Decoder, Proto};
use crate::machine::op::{Frame, Op};
use crate::machine::operand::{AnyDst, AnySrc, Register, Width, operands};
use crate::machine::program::Class;
use crate::machine::row::Isa;
use crate::numerics::{Rounding, approx, float};
use crate::ptx::Type;

/// A function of up to three lanes' bits and the instruction's settings.
pub type Function = fn(u64, u64, u64, Settings) -> u64;

/// Modifiers of an operation.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub from: Type,
    pub to: Type,
    /// Rounding of the result; `integral` when it goes to a whole number (`.rni`, ...).
    pub mode: Rounding,
    pub ftz: bool,
    pub sat: bool,
    pub relu: bool,
    pub nan: bool,
    pub xorsign: bool,
    pub satfinite: bool,
    pub integral: bool,
}

impl Settings {
    pub fn new(from: Type, to: Type) -> Settings {
        Settings {
            from,
            to,
            mode: Rounding::NearestEven,
            ftz: false,
            sat: false,
            relu: false,
            nan: false,
            xorsign: false,
            satfinite: false,
            integral: false,
        }
    }
}

/// The operands of a [`Scalar`] operation.
#[derive(Clone, Copy)]
pub struct Lanes {
    pub function: Function,
    pub settings: Settings,
    pub d: AnyDst,
    pub sources: [Option<AnySrc>; 3],
}
operands!(Function, Settings);
operands!(Lanes { function, settings, d, sources });

/// A function of each lane.
pub struct Scalar;

impl Op for Scalar {
    type Data = Lanes;
    const VECTORS: bool = false;
    fn exec<I: Isa>(cx: &mut Frame, i: &Lanes, mask: u32) {
        let t = values(cx, i.function, i.settings, i.sources, mask);
        match i.d.width() {
            Width::Single(d) => cx.write(d, &t.map(|v| v as u32), mask),
            Width::Double(d) => cx.write(d, &t, mask),
        }
    }
}

/// The operands of a [`Test`].
#[derive(Clone, Copy)]
pub struct Tested {
    pub function: Function,
    pub settings: Settings,
    pub to: Outcome,
    pub sources: [Option<AnySrc>; 2],
}
operands!(Tested { function, settings, to, sources });

/// A predicate of each lane: whether a function is not 0.
pub struct Test;

impl Op for Test {
    type Data = Tested;
    const VECTORS: bool = false;
    fn exec<I: Isa>(cx: &mut Frame, i: &Tested, mask: u32) {
        let [a, b] = i.sources;
        let t = values(cx, i.function, i.settings, [a, b, None], mask);
        let holds = (0..32).fold(0u32, |m, l| m | u32::from(t[l] != 0) << l);
        i.to.put(cx, holds, mask);
    }
}

/// The results of the lanes of a mask.
fn values(cx: &Frame, f: Function, s: Settings, sources: [Option<AnySrc>; 3], mask: u32) -> [u64; 32] {
    let read = |source: Option<AnySrc>, l: usize| match source.map(AnySrc::width) {
        None => 0,
        Some(Width::Single(row)) => u64::from(cx.read(row)[l]),
        Some(Width::Double(row)) => cx.read(row)[l],
    };
    let [a, b, c] = sources;
    let mut t = [0u64; 32];
    for l in (0..32).filter(|l| mask >> l & 1 != 0) {
        t[l] = f(read(a, l), read(b, l), read(c, l), s);
    }
    t
}

impl<'a> Decoder<'a> {
    /// Appends a function of each lane.
    pub fn scalar(
        &mut self,
        class: Class,
        function: Function,
        settings: Settings,
        d: Register,
        sources: &[Register],
    ) -> &mut Proto {
        let sources = std::array::from_fn(|n| sources.get(n).map(|r| r.read_any()));
        self.straight::<Scalar>(class, Lanes { function, settings, d: d.write_any(), sources })
    }
}

pub fn single(a: u64) -> f32 {
    f32::from_bits(a as u32)
}

pub fn bits(x: f32) -> u64 {
    u64::from(x.to_bits())
}

/// The f32 operation of a name.
pub fn single_function(op: &str) -> Option<Function> {
    Some(match op {
        "add" => |a, b, _, s| bits(float::add_f32(single(a), single(b), s.mode, s.ftz, s.sat)),
        "sub" => |a, b, _, s| bits(float::sub_f32(single(a), single(b), s.mode, s.ftz, s.sat)),
        "mul" => |a, b, _, s| bits(float::mul_f32(single(a), single(b), s.mode, s.ftz, s.sat)),
        "fma" | "mad" => |a, b, c, s| bits(float::fma_f32(single(a), single(b), single(c), s.mode, s.ftz, s.sat)),
        "div" => |a, b, _, s| bits(float::div_f32(single(a), single(b), s.mode, s.ftz)),
        "rcp" => |a, _, _, s| bits(float::rcp_f32(single(a), s.mode, s.ftz)),
        "sqrt" => |a, _, _, s| bits(float::sqrt_f32(single(a), s.mode, s.ftz)),
        "min" => |a, b, _, s| {
            let f = |x| {
                if s.ftz { float::flush_f32(single(x)) } else { single(x) }
            };
            bits(float::min_f32(f(a), f(b), s.nan, s.xorsign))
        },
        "max" => |a, b, _, s| {
            let f = |x| {
                if s.ftz { float::flush_f32(single(x)) } else { single(x) }
            };
            bits(float::max_f32(f(a), f(b), s.nan, s.xorsign))
        },
        _ => return None,
    })
}

/// Approximate functions of f32: inside the error bounds that the ISA documents for each.
pub fn approximate(op: &str) -> Option<Function> {
    Some(match op {
        "sin" => |a, _, _, s| bits(approx::sin_f32(single(a), s.ftz)),
        "cos" => |a, _, _, s| bits(approx::cos_f32(single(a), s.ftz)),
        "lg2" => |a, _, _, s| bits(approx::lg2_f32(single(a), s.ftz)),
        "ex2" => |a, _, _, s| bits(approx::ex2_f32(single(a), s.ftz)),
        "tanh" => |a, _, _, _| bits(approx::tanh_f32(single(a))),
        "rsqrt" => |a, _, _, s| bits(approx::rsqrt_f32(single(a), s.ftz)),
        "sqrt" => |a, _, _, s| bits(approx::sqrt_f32(single(a), s.ftz)),
        "rcp" => |a, _, _, s| bits(approx::rcp_f32(single(a), s.ftz)),
        _ => return None,
    })
}

/// `rcp.approx.ftz.f64`: only the upper half of operand and result counts, subnormals are zeros.
pub fn coarse_rcp(a: u64, _: u64, _: u64, _: Settings) -> u64 {
    approx::rcp_f64(f64::from_bits(a)).to_bits()
}

/// `rsqrt.approx.ftz.f64`, likewise.
pub fn coarse_rsqrt(a: u64, _: u64, _: u64, _: Settings) -> u64 {
    approx::rsqrt_f64_ftz(f64::from_bits(a)).to_bits()
}

/// The f64 operation of a name.
pub fn double_function(op: &str) -> Option<Function> {
    fn d(a: u64) -> f64 {
        f64::from_bits(a)
    }
    Some(match op {
        "add" => |a, b, _, s| float::add_f64(d(a), d(b), s.mode).to_bits(),
        "sub" => |a, b, _, s| float::sub_f64(d(a), d(b), s.mode).to_bits(),
        "mul" => |a, b, _, s| float::mul_f64(d(a), d(b), s.mode).to_bits(),
        "fma" | "mad" => |a, b, c, s| float::fma_f64(d(a), d(b), d(c), s.mode).to_bits(),
        "div" => |a, b, _, s| float::div_f64(d(a), d(b), s.mode).to_bits(),
        "rcp" => |a, _, _, s| float::rcp_f64(d(a), s.mode).to_bits(),
        "sqrt" => |a, _, _, s| float::sqrt_f64(d(a), s.mode).to_bits(),
        "rsqrt" => |a, _, _, _| approx::rsqrt_f64(d(a)).to_bits(),
        "min" => |a, b, _, _| float::min_f64(d(a), d(b)).to_bits(),
        "max" => |a, b, _, _| float::max_f64(d(a), d(b)).to_bits(),
        _ => return None,
    })
}

/// `testp` of a property.
pub fn test_function(property: &str, ty: Type) -> Option<Function> {
    use float::TestProperty::*;
    use float::{testp_f32, testp_f64};
    Some(match (property, ty) {
        ("finite", Type::F32) => |a, _, _, _| u64::from(testp_f32(single(a), Finite)),
        ("infinite", Type::F32) => |a, _, _, _| u64::from(testp_f32(single(a), Infinite)),
        ("number", Type::F32) => |a, _, _, _| u64::from(testp_f32(single(a), Number)),
        ("notanumber", Type::F32) => |a, _, _, _| u64::from(testp_f32(single(a), NotANumber)),
        ("normal", Type::F32) => |a, _, _, _| u64::from(testp_f32(single(a), Normal)),
        ("subnormal", Type::F32) => |a, _, _, _| u64::from(testp_f32(single(a), Subnormal)),
        ("finite", Type::F64) => |a, _, _, _| u64::from(testp_f64(f64::from_bits(a), Finite)),
        ("infinite", Type::F64) => |a, _, _, _| u64::from(testp_f64(f64::from_bits(a), Infinite)),
        ("number", Type::F64) => |a, _, _, _| u64::from(testp_f64(f64::from_bits(a), Number)),
        ("notanumber", Type::F64) => |a, _, _, _| u64::from(testp_f64(f64::from_bits(a), NotANumber)),
        ("normal", Type::F64) => |a, _, _, _| u64::from(testp_f64(f64::from_bits(a), Normal)),
        ("subnormal", Type::F64) => |a, _, _, _| u64::from(testp_f64(f64::from_bits(a), Subnormal)),
        _ => return None,
    })
}

/// `slct`: `a` when `c >= 0`, else `b`; `from` is the type of `c`.
pub fn select(a: u64, b: u64, c: u64, s: Settings) -> u64 {
    let take_a = if s.from == Type::F32 {
        let x = single(c);
        let x = if s.ftz { float::flush_f32(x) } else { x };
        x >= 0.0
    } else {
        c as i32 >= 0
    };
    if take_a { a } else { b }
}
