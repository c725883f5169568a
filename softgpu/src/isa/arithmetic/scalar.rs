//! Operations done lane by lane with a plain function: rare ones, where vectors gain nothing.

use crate::machine::cx::Cx;
use crate::machine::inst::{Handler, Inst};
use crate::machine::op::{Op, plain_handler};
use crate::machine::row::{Isa, NONE};
use crate::numerics::{Rounding, approx, float};
use crate::ptx::Type;

/// A function of up to three lanes' bits and the instruction's settings ([`Settings::pack`]).
pub type Function = fn(u64, u64, u64, Settings) -> u64;

/// Modifiers of an operation, packed into [`Inst::aux`].
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

    fn pack(self) -> u32 {
        let mode = match self.mode {
            Rounding::NearestEven => 0,
            Rounding::NearestAway => 1,
            Rounding::Zero => 2,
            Rounding::Down => 3,
            Rounding::Up => 4,
        };
        let flags = [self.ftz, self.sat, self.relu, self.nan, self.xorsign, self.satfinite, self.integral];
        let mut bits = self.from as u32 | (self.to as u32) << 5 | mode << 10;
        for (n, &f) in flags.iter().enumerate() {
            bits |= u32::from(f) << (13 + n);
        }
        bits
    }

    fn unpack(bits: u32) -> Settings {
        let mode = match bits >> 10 & 7 {
            0 => Rounding::NearestEven,
            1 => Rounding::NearestAway,
            2 => Rounding::Zero,
            3 => Rounding::Down,
            _ => Rounding::Up,
        };
        let flag = |n: u32| bits >> (13 + n) & 1 != 0;
        Settings {
            from: TYPES[bits as usize & 31],
            to: TYPES[(bits >> 5) as usize & 31],
            mode,
            ftz: flag(0),
            sat: flag(1),
            relu: flag(2),
            nan: flag(3),
            xorsign: flag(4),
            satfinite: flag(5),
            integral: flag(6),
        }
    }
}

const TYPES: [Type; 32] = {
    use Type::*;
    [
        Pred, B8, B16, B32, B64, B128, U8, U16, U32, U64, S8, S16, S32, S64, F16, F16x2, Bf16, Bf16x2, F32, F64, Pred,
        Pred, Pred, Pred, Pred, Pred, Pred, Pred, Pred, Pred, Pred, Pred,
    ]
};

struct Scalar;

impl Op for Scalar {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        unsafe {
            let function = std::mem::transmute::<usize, Function>(i.imm as usize);
            let settings = Settings::unpack(i.aux);
            let read = |row: u32, wide: bool, l: usize| -> u64 {
                if row == NONE {
                    0
                } else if wide {
                    cx.row::<u64>(row)[l]
                } else {
                    u64::from(cx.row::<u32>(row)[l])
                }
            };
            let mut t = [0u64; 32];
            for l in (0..32).filter(|l| mask >> l & 1 != 0) {
                t[l] = function(
                    read(i.a, i.flags & 2 != 0, l),
                    read(i.b, i.flags & 4 != 0, l),
                    read(i.c, i.flags & 8 != 0, l),
                    settings,
                );
            }
            if i.flags & 16 != 0 {
                let m = (0..32).fold(0u32, |m, l| m | u32::from(t[l] != 0) << l);
                let (mut yes, mut no) = (m, !m);
                if i.flags & 32 != 0 {
                    // a third predicate in `e`, combination in its upper bits
                    let c = *cx.preds.add((i.e & 0xffff) as usize) ^ if i.e >> 18 & 1 != 0 { !0 } else { 0 };
                    (yes, no) = match i.e >> 16 & 3 {
                        1 => (yes & c, no & c),
                        2 => (yes | c, no | c),
                        _ => (yes ^ c, no ^ c),
                    };
                }
                cx.put_pred(i.p, yes, mask);
                if i.q != 0 {
                    cx.put_pred(i.q, no, mask);
                }
            } else if i.flags & 1 != 0 {
                cx.put(i.d, &t, mask);
            } else {
                cx.put(i.d, &t.map(|v| v as u32), mask);
            }
        }
    }
}

/// In [`Inst::flags`]: the result is a predicate; a third predicate takes part.
pub const TO_PRED: u8 = 16;
pub const COMBINED: u8 = 32;

/// The handler; `imm`, `aux` and `flags` come from [`setup`].
pub fn handler() -> Handler {
    plain_handler::<Scalar>()
}

/// Sets an instruction up for a function; `wide` tells which of `d, a, b, c` have 64 bits.
pub fn setup(inst: &mut Inst, function: Function, settings: Settings, wide: [bool; 4]) {
    inst.imm = function as usize as i64;
    inst.aux = settings.pack();
    inst.flags = wide.iter().enumerate().fold(0, |f, (n, &w)| f | u8::from(w) << n);
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
