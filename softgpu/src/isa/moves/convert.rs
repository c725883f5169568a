//! Conversions (`cvt`).

use crate::isa::arithmetic::alu::{alu1, alu2};
use crate::isa::arithmetic::scalar::{ROUNDINGS, Settings};
use crate::isa::decoder::{Decoded, Decoder, Found, Lanes, Refusal, Row, row};
use crate::isa::moves::convert_lanes::{convert, convert_pair, convert_tf32};
use crate::machine::operand::Register;
use crate::machine::program::Class;
use crate::numerics::float::{f, flush, flush_out, tidy};
use crate::numerics::half;
use crate::ptx::Type;

pub const ROWS: &[Row] = &[
    row("cvt(.sat)?.NUMBER.NUMBER d, x", cvt),
    row("cvt.ROUND(.sat)?.REAL.NUMBER d, x", cvt),
    row("cvt.WHOLE(.ftz)?(.sat)?.NUMBER.REAL d, x", cvt),
    row("cvt(.WHOLE)?(.ftz)?(.sat)?.REAL.REAL d, x", cvt),
    row("cvt.(ROUND|rna)(.ftz)?(.sat)?(.relu)?(.satfinite)?.REAL.REAL d, x", cvt),
    row("cvt.(rn|rz)(.ftz)?(.sat)?(.relu)?(.satfinite)?.HALVES.f32 d, x, y", cvt_pair),
    row("cvt.(rn|rz|rna)(.relu)?(.satfinite)?.tf32.f32 d, x", |c, x| {
        c.rare(Class::Convert, convert_tf32, Settings::of(x, Type::F32, Type::B32), x)?;
        Ok(())
    }),
];

/// Two values to a pair.
fn cvt_pair<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    if x.i.mods.len() > 3 || x.has("rz") {
        c.rare(Class::Convert, convert_pair, Settings::of(x, Type::F32, x.ty()), x)?;
    } else if x.ty() == Type::F16x2 {
        c.lanes(Class::Convert, alu2(|a: u32, b: u32| f16(a) << 16 | f16(b)), x)?;
    } else {
        c.lanes(Class::Convert, alu2(|a: u32, b: u32| bf16(a) << 16 | bf16(b)), x)?;
    }
    Ok(())
}

fn cvt<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    let (to, from) = (x.type_at(0), x.type_at(1));
    let (Some(d), have) = c.dst_wide(x.operand(0)?, to)? else {
        return Err(Refusal::new("the destination must be a register"));
    };
    let a = c.src_wide(x.operand(1)?, from)?;
    let settings = Settings::of(x, from, to);
    let round = x.one_of(&ROUNDINGS);
    let narrow = have.bytes() == 2 && to.signed();
    if let Some(operation) = quick(&settings, round, d.wide(), a.wide()) {
        c.append(Class::Convert, operation(d, &[a])?);
        return if narrow { c.cut_to_16(d) } else { Ok(()) };
    }
    c.scalar(Class::Convert, convert, settings, d, &[a]);
    // results of signed types fill wider registers with their sign: done by a second conversion
    if have.bytes() > to.bytes() && to.signed() {
        let extend = between_integers(have, d.wide(), to, d.wide());
        let extend = extend.ok_or_else(|| Refusal::new("this conversion is not supported"))?;
        c.append(Class::Convert, extend(d, &[d])?);
        if narrow {
            c.cut_to_16(d)?;
        }
    }
    Ok(())
}

impl Decoder<'_> {
    /// Clears what lies above a 16-bit register: rows of 32 bits hold those with zeros on top.
    fn cut_to_16(&mut self, d: Register) -> Decoded<()> {
        self.append(Class::Convert, alu1(|a: u32| a & 0xffff)(d, &[d])?);
        Ok(())
    }
}

/// The vectorised form of `cvt`; `None` when there is no such conversion. `wide` tells that the register is 64
/// bits wide whatever the type.
fn quick(s: &Settings, round: Option<&str>, to_wide: bool, from_wide: bool) -> Option<Lanes> {
    use Type::*;
    let (from, to, ftz) = (s.from, s.to, s.ftz);
    if s.sat || s.relu || s.satfinite {
        return None;
    }
    if !to.float() && !from.float() {
        return between_integers(to, to_wide, from, from_wide);
    }
    if to_wide != (to.bytes() == 8) || from_wide != (from.bytes() == 8) {
        return None;
    }
    Some(match (from, to, round) {
        (F32, F64, None) if ftz => alu1(|a: u32| f64::from(f(flush(a))).to_bits()),
        (F32, F64, None) => alu1(|a: u32| f64::from(f(a)).to_bits()),
        (F64, F32, Some("rn")) if ftz => alu1(|a: u64| flush_out(f64::from_bits(a) as f32)),
        (F64, F32, Some("rn")) => alu1(|a: u64| tidy(f64::from_bits(a) as f32)),
        (S32, F32, Some("rn")) => alu1(|a: u32| (a as i32 as f32).to_bits()),
        (U32, F32, Some("rn")) => alu1(|a: u32| (a as f32).to_bits()),
        (U8, F32, Some("rn")) => alu1(|a: u32| (a as u8 as f32).to_bits()),
        (S8, F32, Some("rn")) => alu1(|a: u32| (a as i8 as f32).to_bits()),
        (U16, F32, Some("rn")) => alu1(|a: u32| (a as u16 as f32).to_bits()),
        (S16, F32, Some("rn")) => alu1(|a: u32| (a as i16 as f32).to_bits()),
        (U64, F32, Some("rn")) => alu1(|a: u64| (a as f32).to_bits()),
        (S64, F32, Some("rn")) => alu1(|a: u64| (a as i64 as f32).to_bits()),
        (S32, F64, Some("rn")) => alu1(|a: u32| (a as i32 as f64).to_bits()),
        (U32, F64, Some("rn")) => alu1(|a: u32| (a as f64).to_bits()),
        (S16, F64, Some("rn")) => alu1(|a: u32| (a as i16 as f64).to_bits()),
        (U16, F64, Some("rn")) => alu1(|a: u32| (a as u16 as f64).to_bits()),
        (S64, F64, Some("rn")) => alu1(|a: u64| (a as i64 as f64).to_bits()),
        (U64, F64, Some("rn")) => alu1(|a: u64| (a as f64).to_bits()),
        (F32, S32, Some("rzi")) => alu1(|a: u32| if f(a).is_nan() { 0 } else { f(a) as i32 as u32 }),
        (F32, U32, Some("rzi")) => alu1(|a: u32| f(a) as u32),
        (F32, S32, Some("rni")) => alu1(|a: u32| f(a).round_ties_even() as i32 as u32),
        (F16, F32, None) => alu1(|a: u32| half::f16_to_f32(a as u16).to_bits()),
        (Bf16, F32, None) => alu1(|a: u32| tidy(f(a << 16))),
        _ if ftz => return None,
        (F32, S32, Some("rmi")) => alu1(|a: u32| f(a).floor() as i32 as u32),
        (F32, S32, Some("rpi")) => alu1(|a: u32| f(a).ceil() as i32 as u32),
        (F32, F16, Some("rn")) => alu1(f16),
        (F32, Bf16, Some("rn")) => alu1(bf16),
        (F32, F32, Some("rni")) => alu1(|a: u32| tidy(f(a).round_ties_even())),
        (F32, F32, Some("rzi")) => alu1(|a: u32| tidy(f(a).trunc())),
        (F32, F32, Some("rmi")) => alu1(|a: u32| tidy(f(a).floor())),
        (F32, F32, Some("rpi")) => alu1(|a: u32| tidy(f(a).ceil())),
        _ => return None,
    })
}

/// f32 to f16, to nearest even.
#[inline(always)]
fn f16(a: u32) -> u32 {
    half::f32_to_f16(f(a)).into()
}

/// f32 to bf16, to nearest even.
#[inline(always)]
fn bf16(a: u32) -> u32 {
    half::f32_to_bf16(f(a)).into()
}

/// Between integers: the source is read at its width and sign, the result cut to the destination
/// type, then extended to the destination register.
fn between_integers(to: Type, to_wide: bool, from: Type, from_wide: bool) -> Option<Lanes> {
    use Type::*;
    macro_rules! to {
        ($from:ty, $a:ty, $d:ty) => {
            match to {
                U8 => alu1(|a: $a| (a as $from as i64) as u8 as $d),
                S8 => alu1(|a: $a| (a as $from as i64) as i8 as $d),
                U16 | B16 => alu1(|a: $a| (a as $from as i64) as u16 as $d),
                S16 => alu1(|a: $a| (a as $from as i64) as i16 as $d),
                U32 | B32 => alu1(|a: $a| (a as $from as i64) as u32 as $d),
                S32 => alu1(|a: $a| (a as $from as i64) as i32 as $d),
                U64 | S64 | B64 => alu1(|a: $a| (a as $from as i64) as $d),
                _ => return None,
            }
        };
    }
    macro_rules! from {
        ($($name:pat => $from:ty),*) => {
            match from {
                $($name => match (from_wide, to_wide) {
                    (false, false) => to!($from, u32, u32),
                    (true, false) => to!($from, u64, u32),
                    (false, true) => to!($from, u32, u64),
                    (true, true) => to!($from, u64, u64),
                },)*
                _ => return None,
            }
        };
    }
    Some(from!(U8 => u8, S8 => i8, U16 => u16, S16 => i16, U32 => u32, S32 => i32, U64 | S64 => u64))
}
