//! Conversions (`cvt`).

use crate::isa::arithmetic::float_syntax::rounding;
use crate::isa::arithmetic::scalar;
use crate::isa::decoder::{Decoded, Decoder, Mods, Refusal};
use crate::isa::moves::convert::{conversion, pack_bf16, pack_f16};
use crate::isa::moves::convert_lanes::{convert, convert_pair, convert_tf32};
use crate::machine::program::Class;
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
            let (a, b) = (self.src(&a, from)?, self.src(&b, from)?);
            let usual = round == Some("rn") && !(ftz || sat || relu || satfinite);
            if usual {
                let run = if to == Type::F16x2 { pack_f16() } else { pack_bf16() };
                self.emit(Class::Convert, run, d, &[a, b]);
                return Ok(());
            }
            let proto = self.emit(Class::Convert, scalar::handler(), d, &[a, b]);
            scalar::setup(&mut proto.inst, convert_pair, settings, [false; 4]);
            return Ok(());
        }
        let [d, a] = self.operands::<2>(i)?;
        let (d, have) = self.dst_wide(&d, to)?;
        let (a, wide) = self.src_wide(&a, from)?;
        let run = if relu || satfinite || tf32 {
            None
        } else {
            conversion(to, have.bytes() == 8, from, wide, round, ftz, sat)
        };
        if let Some(run) = run {
            self.emit(Class::Convert, run, d, &[a]);
            if have.bytes() == 2 && to.signed() {
                self.cut_to_16(d)?;
            }
            return Ok(());
        }
        if tf32 && from != Type::F32 || from.bytes() == 16 || matches!(from, Type::F16x2 | Type::Bf16x2) {
            return Err(Refusal::new("this conversion is not supported"));
        }
        let function = if tf32 { convert_tf32 } else { convert };
        // results of signed types fill wider registers with their sign: done by a second conversion
        let extend = have.bytes() > to.bytes() && to.signed();
        let proto = self.emit(Class::Convert, scalar::handler(), d, &[a]);
        scalar::setup(&mut proto.inst, function, settings, [have.bytes() == 8, wide, false, false]);
        if extend {
            let wide = have.bytes() == 8;
            let run = conversion(have, wide, to, wide, None, false, false)
                .ok_or_else(|| Refusal::new("this conversion is not supported"))?;
            self.emit(Class::Convert, run, d, &[d]);
            if have.bytes() == 2 {
                self.cut_to_16(d)?;
            }
        }
        Ok(())
    }

    /// Clears what lies above a 16-bit register: rows of 32 bits hold those with zeros on top.
    fn cut_to_16(&mut self, d: u32) -> Decoded<()> {
        let run = conversion(Type::U16, false, Type::U16, false, None, false, false)
            .ok_or_else(|| Refusal::new("this conversion is not supported"))?;
        self.emit(Class::Convert, run, d, &[d]);
        Ok(())
    }
}
