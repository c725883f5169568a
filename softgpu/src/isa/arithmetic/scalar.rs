//! Operations done lane by lane with a plain function: rare ones, where vectors gain nothing.

use crate::isa::decoder::{Decoded, Decoder, Found, Proto};
use crate::machine::op::{Frame, Op};
use crate::machine::operand::{AnyDst, AnySrc, Register, operands};
use crate::machine::program::Class;
use crate::machine::row::{Isa, lanes};
use crate::numerics::float::{f, tidy};
use crate::numerics::soft::{self, BF16, F16, F32, F64, Format};
use crate::numerics::{Rounding, approx};
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
    pub integral: bool,
    pub ftz: bool,
    pub sat: bool,
    pub relu: bool,
    pub nan: bool,
    pub xorsign: bool,
    pub satfinite: bool,
}

pub const ROUNDINGS: [&str; 9] = ["rn", "rz", "rm", "rp", "rna", "rni", "rzi", "rmi", "rpi"];

impl Settings {
    /// Those of an instruction, which goes from a type to another one.
    pub fn of(x: &Found<'_, '_>, from: Type, to: Type) -> Settings {
        let round = x.one_of(&ROUNDINGS).unwrap_or("rn");
        Settings {
            from,
            to,
            mode: match round {
                "rz" | "rzi" => Rounding::Zero,
                "rm" | "rmi" => Rounding::Down,
                "rp" | "rpi" => Rounding::Up,
                "rna" => Rounding::NearestAway,
                _ => Rounding::NearestEven,
            },
            integral: round.ends_with('i'),
            ftz: x.has("ftz"),
            sat: x.has("sat"),
            relu: x.has("relu"),
            nan: x.has("NaN"),
            xorsign: x.has("xorsign"),
            satfinite: x.has("satfinite"),
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
operands!(unsafe Function, Settings);
operands!(Lanes { function, settings, d, sources });

/// A function of each lane.
pub struct Scalar;

impl Op for Scalar {
    type Data = Lanes;
    const VECTORS: bool = false;
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &Lanes, mask: u32) {
        let [a, b, c] = i.sources.map(|source| source.map_or([0; 32], |row| cx.bits(row)));
        let mut t = [0u64; 32];
        lanes(mask, |l| t[l] = (i.function)(a[l], b[l], c[l], i.settings));
        cx.write_bits(i.d, &t, mask);
    }
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

    /// Appends a function of each lane on the registers of the operands.
    pub fn rare(
        &mut self,
        class: Class,
        function: Function,
        settings: Settings,
        x: &Found<'_, 'a>,
    ) -> Decoded<&mut Proto> {
        let registers = self.all_registers(x)?;
        Ok(self.scalar(class, function, settings, registers[0], &registers[1..]))
    }
}

/// The format of a floating-point type, or of its halves.
pub fn format(ty: Type) -> Format {
    match ty {
        Type::F16 | Type::F16x2 => F16,
        Type::Bf16 | Type::Bf16x2 => BF16,
        Type::F32 => F32,
        _ => F64,
    }
}

/// A function of values, or of each half of pairs, with what comes before (`.ftz`) and behind (`.ftz`, `.sat`,
/// `.relu`).
fn each(a: u64, b: u64, c: u64, s: Settings, f: impl Fn(u64, u64, u64, Format) -> u64) -> u64 {
    let format = format(s.from);
    let flush = |v| if s.ftz { soft::flush(v, format) } else { v };
    let one = |a, b, c| {
        let r = flush(f(flush(a), flush(b), flush(c), format));
        let r = if s.sat { soft::saturate(r, format) } else { r };
        if s.relu { soft::relu(r, format) } else { r }
    };
    match s.from {
        Type::F16x2 | Type::Bf16x2 => one(a & 0xffff, b & 0xffff, c & 0xffff) | one(a >> 16, b >> 16, c >> 16) << 16,
        _ => one(a, b, c),
    }
}

/// The operation of a name on any floating-point type (`from`), rounded once.
pub fn rounded(op: &str) -> Option<Function> {
    Some(match op {
        "add" => |a, b, c, s| each(a, b, c, s, |a, b, _, f| soft::add(a, b, f, s.mode)),
        "sub" => |a, b, c, s| each(a, b, c, s, |a, b, _, f| soft::sub(a, b, f, s.mode)),
        "mul" => |a, b, c, s| each(a, b, c, s, |a, b, _, f| soft::mul(a, b, f, s.mode)),
        "fma" | "mad" => |a, b, c, s| each(a, b, c, s, |a, b, c, f| soft::fma(a, b, c, f, s.mode)),
        "div" => |a, b, c, s| each(a, b, c, s, |a, b, _, f| soft::div(a, b, f, s.mode)),
        "rcp" => |a, b, c, s| each(a, b, c, s, |a, _, _, f| soft::div(f.one(), a, f, s.mode)),
        "sqrt" => |a, b, c, s| each(a, b, c, s, |a, _, _, f| soft::sqrt(a, f, s.mode)),
        "min" => |a, b, c, s| each(a, b, c, s, |a, b, _, f| soft::extremum(a, b, f, true, s.nan, s.xorsign)),
        "max" => |a, b, c, s| each(a, b, c, s, |a, b, _, f| soft::extremum(a, b, f, false, s.nan, s.xorsign)),
        "abs" => |a, b, c, s| each(a, b, c, s, |a, _, _, f| quiet(a, a & !f.sign(), f)),
        "neg" => |a, b, c, s| each(a, b, c, s, |a, _, _, f| quiet(a, a ^ f.sign(), f)),
        _ => return None,
    })
}

/// A result, or the canonical NaN of an operand that is none.
fn quiet(operand: u64, result: u64, format: Format) -> u64 {
    if soft::is_nan(operand, format) { format.default_nan() } else { result }
}

/// Approximate functions: inside the error bounds that the ISA documents for each.
pub fn approximate(op: &str, ty: Type, ftz: bool) -> Option<Function> {
    fn single(a: u64, s: Settings, function: fn(f32) -> f32) -> u64 {
        each(a, 0, 0, s, |a, _, _, _| tidy(function(f(a as u32))).into())
    }
    /// By way of f64, for the 16-bit formats.
    fn half(a: u64, s: Settings, function: fn(f64) -> f64) -> u64 {
        each(a, 0, 0, s, |a, _, _, format| {
            let x = f64::from_bits(soft::convert(a, format, F64, s.mode));
            soft::convert(function(x).to_bits(), F64, format, s.mode)
        })
    }
    Some(match (op, ty) {
        ("sin", Type::F32) => |a, _, _, s| single(a, s, libm::sinf),
        ("cos", Type::F32) => |a, _, _, s| single(a, s, libm::cosf),
        ("lg2", Type::F32) => |a, _, _, s| single(a, s, libm::log2f),
        ("ex2", Type::F32) => |a, _, _, s| single(a, s, libm::exp2f),
        ("tanh", Type::F32) => |a, _, _, s| single(a, s, libm::tanhf),
        ("rsqrt", Type::F32) => |a, _, _, s| single(a, s, approx::rsqrt_f32),
        ("sqrt", Type::F32) => |a, _, _, s| single(a, s, f32::sqrt),
        ("rcp", Type::F32) => |a, _, _, s| single(a, s, |x| 1.0 / x),
        ("rcp", Type::F64) => |a, _, _, _| approx::rcp_f64(f64::from_bits(a)).to_bits(),
        ("rsqrt", Type::F64) if ftz => |a, _, _, _| approx::rsqrt_f64_ftz(f64::from_bits(a)).to_bits(),
        ("rsqrt", Type::F64) => |a, _, _, _| approx::rsqrt_f64(f64::from_bits(a)).to_bits(),
        ("ex2", _) => |a, _, _, s| half(a, s, libm::exp2),
        ("tanh", _) => |a, _, _, s| half(a, s, libm::tanh),
        _ => return None,
    })
}
