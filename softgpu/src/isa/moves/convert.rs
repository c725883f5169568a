//! Conversions (`cvt`).

use crate::isa::arithmetic::alu::{Form, alu1, alu2};
use crate::isa::arithmetic::float::rounding;
use crate::isa::arithmetic::{real, scalar};
use crate::isa::decoder::{Decoded, Decoder, Mods, Refusal};
use crate::isa::moves::convert_lanes::{convert, convert_pair, convert_tf32};
use crate::machine::operand::Register;
use crate::machine::program::Class;
use crate::numerics::half;
use crate::ptx::{Instr, Type};

impl<'a> Decoder<'a> {
    pub fn cvt(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let round = m.one_of(&["rni", "rzi", "rmi", "rpi", "rna", "rn", "rz", "rm", "rp"]);
        let ftz = m.take("ftz");
        let sat = m.take("sat");
        let relu = m.take("relu");
        let satfinite = m.take("satfinite");
        let tf32 = m.take("tf32");
        let to = if tf32 { Type::B32 } else { m.ty()? };
        let from = m.ty()?;
        let mut settings = scalar::Settings::new(from, to);
        settings.mode = rounding(round.unwrap_or("rn"));
        settings.integral = round.is_some_and(|r| r.ends_with('i'));
        (settings.ftz, settings.sat, settings.relu, settings.satfinite) = (ftz, sat, relu, satfinite);
        if matches!(to, Type::F16x2 | Type::Bf16x2) {
            if from != Type::F32 {
                return Err(Refusal::new("this conversion is not supported"));
            }
            let [d, a, b] = self.operands::<3>(i)?;
            let d = self.dst(&d, to)?;
            let sources = [self.src(&a, from)?, self.src(&b, from)?];
            let usual = round == Some("rn") && !(ftz || sat || relu || satfinite);
            if usual {
                let form = if to == Type::F16x2 { pack_f16() } else { pack_bf16() };
                self.lanes(Class::Convert, form, d, &sources)?;
            } else {
                self.scalar(Class::Convert, convert_pair, settings, d, &sources);
            }
            return Ok(());
        }
        let [d, a] = self.operands::<2>(i)?;
        let (Some(d), have) = self.dst_wide(&d, to)? else {
            return Err(Refusal::new("the destination must be a register"));
        };
        let a = self.src_wide(&a, from)?;
        let form =
            if relu || satfinite || tf32 { None } else { conversion(to, d.wide(), from, a.wide(), round, ftz, sat) };
        let narrow = have.bytes() == 2;
        if let Some(form) = form {
            self.lanes(Class::Convert, form, d, &[a])?;
            return if narrow && to.signed() { self.cut_to_16(d) } else { Ok(()) };
        }
        if tf32 && from != Type::F32 || from.bytes() == 16 || matches!(from, Type::F16x2 | Type::Bf16x2) {
            return Err(Refusal::new("this conversion is not supported"));
        }
        let function = if tf32 { convert_tf32 } else { convert };
        self.scalar(Class::Convert, function, settings, d, &[a]);
        // results of signed types fill wider registers with their sign: done by a second conversion
        if have.bytes() > to.bytes() && to.signed() {
            let form = conversion(have, d.wide(), to, d.wide(), None, false, false)
                .ok_or_else(|| Refusal::new("this conversion is not supported"))?;
            self.lanes(Class::Convert, form, d, &[d])?;
            if narrow {
                self.cut_to_16(d)?;
            }
        }
        Ok(())
    }

    /// Clears what lies above a 16-bit register: rows of 32 bits hold those with zeros on top.
    fn cut_to_16(&mut self, d: Register) -> Decoded<()> {
        self.lanes(Class::Convert, alu1(|a: u32| a & 0xffff), d, &[d])?;
        Ok(())
    }
}

/// The vectorised form of `cvt`; `None` when there is no such conversion. `wide` tells that the register is 64
/// bits wide whatever the type.
fn conversion(
    to: Type,
    to_wide: bool,
    from: Type,
    from_wide: bool,
    round: Option<&str>,
    ftz: bool,
    sat: bool,
) -> Option<Form> {
    use Type::*;
    if !to.float() && !from.float() {
        if round.is_some() || ftz || sat {
            return None;
        }
        return between_integers(to, to_wide, from, from_wide);
    }
    if to_wide != (to.bytes() == 8) || from_wide != (from.bytes() == 8) {
        return None;
    }
    match (from, to, round) {
        (F32, F64, None) if !sat => {
            return Some(if ftz {
                alu1(|a: u32| f64::from(real::f(real::flush(a))).to_bits())
            } else {
                alu1(|a: u32| f64::from(real::f(a)).to_bits())
            });
        }
        (F64, F32, Some("rn")) if !sat => {
            return Some(if ftz {
                alu1(|a: u64| real::flush_out(f64::from_bits(a) as f32))
            } else {
                alu1(|a: u64| real::tidy(f64::from_bits(a) as f32))
            });
        }
        _ => {}
    }
    if sat {
        return None;
    }
    Some(match (from, to, round) {
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
        (F32, S32, Some("rzi")) => alu1(|a: u32| if real::f(a).is_nan() { 0 } else { real::f(a) as i32 as u32 }),
        (F32, U32, Some("rzi")) => alu1(|a: u32| real::f(a) as u32),
        (F32, U16 | S16 | U8 | S8 | U64 | S64, _) | (F64, _, _) if ftz => return None,
        (F16, F32, None) => alu1(|a: u32| half::f16_to_f32(a as u16).to_bits()),
        (Bf16, F32, None) => alu1(|a: u32| real::tidy(f32::from_bits(a << 16))),
        (F32, F16, Some("rn")) if !ftz => alu1(|a: u32| u32::from(half::f32_to_f16(real::f(a)))),
        (F32, Bf16, Some("rn")) if !ftz => alu1(bf16),
        (F32, F32, Some("rni")) if !ftz => alu1(|a: u32| real::tidy(real::f(a).round_ties_even())),
        (F32, F32, Some("rzi")) if !ftz => alu1(|a: u32| real::tidy(real::f(a).trunc())),
        (F32, F32, Some("rmi")) if !ftz => alu1(|a: u32| real::tidy(real::f(a).floor())),
        (F32, F32, Some("rpi")) if !ftz => alu1(|a: u32| real::tidy(real::f(a).ceil())),
        (F32, S32, Some("rmi" | "rpi")) if ftz => return None,
        (F32, S32, Some("rni")) => alu1(|a: u32| real::f(a).round_ties_even() as i32 as u32),
        (F32, S32, Some("rmi")) => alu1(|a: u32| real::f(a).floor() as i32 as u32),
        (F32, S32, Some("rpi")) => alu1(|a: u32| real::f(a).ceil() as i32 as u32),
        _ => return None,
    })
}

/// f32 to bf16, to nearest even.
#[inline(always)]
fn bf16(a: u32) -> u32 {
    let rounded = a.wrapping_add(0x7fff + (a >> 16 & 1)) >> 16;
    if a & 0x7fff_ffff > 0x7f80_0000 { 0x7fff } else { rounded }
}

/// `cvt.rn.bf16x2.f32`.
fn pack_bf16() -> Form {
    alu2(|a: u32, b: u32| bf16(a) << 16 | bf16(b))
}

/// `cvt.rn.f16x2.f32`.
fn pack_f16() -> Form {
    alu2(|a: u32, b: u32| u32::from(half::f32_to_f16(real::f(a))) << 16 | u32::from(half::f32_to_f16(real::f(b))))
}

/// Between integers: the source is read at its width and sign, the result cut to the destination
/// type, then extended to the destination register.
fn between_integers(to: Type, to_wide: bool, from: Type, from_wide: bool) -> Option<Form> {
    use Type::*;
    macro_rules! pairs {
        ($($from:pat => $t:ty),*) => {
            match from {
                $($from => match (from_wide, to_wide, to) {
                    (false, false, U8 | B8) => alu1(|a: u32| (a as $t as i64) as u8 as u32),
                    (false, false, S8) => alu1(|a: u32| (a as $t as i64) as i8 as u32),
                    (false, false, U16 | B16) => alu1(|a: u32| (a as $t as i64) as u16 as u32),
                    (false, false, S16) => alu1(|a: u32| (a as $t as i64) as i16 as u32),
                    (false, false, U32 | S32 | B32) => alu1(|a: u32| (a as $t as i64) as u32),
                    (true, false, U8 | B8) => alu1(|a: u64| (a as $t as i64) as u8 as u32),
                    (true, false, S8) => alu1(|a: u64| (a as $t as i64) as i8 as u32),
                    (true, false, U16 | B16) => alu1(|a: u64| (a as $t as i64) as u16 as u32),
                    (true, false, S16) => alu1(|a: u64| (a as $t as i64) as i16 as u32),
                    (true, false, U32 | S32 | B32) => alu1(|a: u64| (a as $t as i64) as u32),
                    (false, true, U8 | B8) => alu1(|a: u32| (a as $t as i64) as u8 as u64),
                    (false, true, S8) => alu1(|a: u32| (a as $t as i64) as i8 as u64),
                    (false, true, U16 | B16) => alu1(|a: u32| (a as $t as i64) as u16 as u64),
                    (false, true, S16) => alu1(|a: u32| (a as $t as i64) as i16 as u64),
                    (false, true, U32 | B32) => alu1(|a: u32| (a as $t as i64) as u32 as u64),
                    (false, true, S32) => alu1(|a: u32| (a as $t as i64) as i32 as u64),
                    (false, true, _) => alu1(|a: u32| (a as $t as i64) as u64),
                    (true, true, U8 | B8) => alu1(|a: u64| (a as $t as i64) as u8 as u64),
                    (true, true, S8) => alu1(|a: u64| (a as $t as i64) as i8 as u64),
                    (true, true, U16 | B16) => alu1(|a: u64| (a as $t as i64) as u16 as u64),
                    (true, true, S16) => alu1(|a: u64| (a as $t as i64) as i16 as u64),
                    (true, true, U32 | B32) => alu1(|a: u64| (a as $t as i64) as u32 as u64),
                    (true, true, S32) => alu1(|a: u64| (a as $t as i64) as i32 as u64),
                    (true, true, _) => alu1(|a: u64| (a as $t as i64) as u64),
                    _ => return None,
                },)*
                _ => return None,
            }
        };
    }
    Some(pairs!(
        U8 | B8 => u8, S8 => i8, U16 | B16 => u16, S16 => i16,
        U32 | B32 => u32, S32 => i32, U64 | B64 | S64 => u64
    ))
}
