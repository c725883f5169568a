//! Moves, selections, and the clocks.

use crate::isa::arithmetic::alu::{Choice, Combine, Select, alu1};
use crate::isa::arithmetic::logic::{CombinePreds, PredLogic};
use crate::isa::arithmetic::scalar;
use crate::isa::decoder::{Decoded, Decoder, Mods, Refusal};
use crate::isa::moves::address::{FrameAddress, Offset};
use crate::isa::operands::SymbolValue;
use crate::machine::op::{Frame, Op};
use crate::machine::operand::{AnyDst, Pred, Width, operands};
use crate::machine::program::Class;
use crate::machine::row::Isa;
use crate::ptx::{Instr, Operand, Type};

impl<'a> Decoder<'a> {
    /// Decodes an instruction of this family; false when it belongs to another.
    pub fn moves(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<bool> {
        match i.op {
            "mov" => self.mov(i, m)?,
            "selp" => self.selp(i, m)?,
            "setp" => self.setp(i, m)?,
            "set" => self.set(i, m)?,
            "slct" => self.slct(i, m)?,
            "testp" => self.testp(i, m)?,
            "cvt" => self.cvt(i, m)?,
            "cvta" => self.cvta(i, m)?,
            "isspacep" => self.isspacep(i, m)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn mov(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let ty = m.ty()?;
        let [d, a] = self.operands::<2>(i)?;
        if ty == Type::Pred {
            let (d, a) = (self.pred_dst(&d)?, self.pred_src(&a)?);
            let data = PredLogic { how: Combine::And, d, a, b: Pred::TRUE };
            self.straight::<CombinePreds>(Class::Integer, data);
            return Ok(());
        }
        match (&d, &a) {
            (Operand::Vector(parts), _) => return self.unpack(ty, parts, &a),
            (_, Operand::Vector(parts)) => return self.pack(ty, &d, parts),
            (
                _,
                Operand::Special(
                    name @ ("clock" | "clock64" | "clock_hi" | "globaltimer" | "globaltimer_lo" | "globaltimer_hi"),
                ),
            ) => {
                let d = self.dst(&d, ty)?.write_any();
                let source = if name.starts_with("clock") { Source::Clock } else { Source::Timer };
                self.straight::<ReadClock>(Class::Move, Time { d, source, high: name.ends_with("_hi") });
                return Ok(());
            }
            (_, Operand::Var(..) | Operand::Symbol(..)) => {
                if let SymbolValue::Frame(offset) = self.symbol_value(&a)? {
                    let (d, a) = (self.dst(&d, ty)?, self.frame_row().read()?);
                    match ty.bytes() {
                        8 => self.straight::<FrameAddress<u64>>(Class::Move, Offset { d: d.write()?, a, offset }),
                        4 => self.straight::<FrameAddress<u32>>(Class::Move, Offset { d: d.write()?, a, offset }),
                        _ => return Err(Refusal::new("an address doesn't fit this type")),
                    };
                    return Ok(());
                }
            }
            _ => {}
        }
        // %gridid is 64 bits wide
        if let (Operand::Special("gridid"), 8) = (&a, ty.bytes()) {
            let (a, d) = (self.src(&a, Type::U32)?, self.dst(&d, ty)?);
            self.lanes(Class::Move, alu1(|a: u32| u64::from(a)), d, &[a])?;
            return Ok(());
        }
        // 16-bit reads of special registers keep the lower half
        let narrow = matches!((&a, ty.bytes()), (Operand::Special(_), 2));
        let a = self.src(&a, if narrow { Type::U32 } else { ty })?;
        let d = self.dst(&d, ty)?;
        let form = match ty.bytes() {
            8 => alu1(|a: u64| a),
            2 => alu1(|a: u32| a & 0xffff),
            4 | 1 => alu1(|a: u32| a),
            _ => return Err(Refusal::wrong_type()),
        };
        self.lanes(Class::Move, form, d, &[a])?;
        Ok(())
    }

    fn selp(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let ty = m.ty()?;
        let [d, a, b, p] = self.operands::<4>(i)?;
        let (d, a, b) = (self.dst(&d, ty)?, self.src(&a, ty)?, self.src(&b, ty)?);
        let p = self.pred_src(&p)?;
        if d.wide() {
            let data = Choice { d: d.write()?, a: a.read()?, b: b.read()?, p };
            self.straight::<Select<u64>>(Class::Move, data);
        } else {
            let data = Choice { d: d.write()?, a: a.read()?, b: b.read()?, p };
            self.straight::<Select<u32>>(Class::Move, data);
        }
        Ok(())
    }

    fn slct(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let ftz = m.take("ftz");
        let (ty, by) = (m.ty()?, m.ty()?);
        if !matches!(by, Type::S32 | Type::F32) {
            return Err(Refusal::new("the third operand must be .s32 or .f32"));
        }
        let [d, a, b, c] = self.operands::<4>(i)?;
        let d = self.dst(&d, ty)?;
        let sources = [self.src(&a, ty)?, self.src(&b, ty)?, self.src(&c, by)?];
        let settings = scalar::Settings { ftz, ..scalar::Settings::new(by, ty) };
        self.scalar(Class::Move, scalar::select, settings, d, &sources);
        Ok(())
    }
}

/// What a clock counts.
#[derive(Clone, Copy)]
enum Source {
    /// Instructions executed.
    Clock,
    /// Nanoseconds of the host.
    Timer,
}

#[derive(Clone, Copy)]
struct Time {
    d: AnyDst,
    source: Source,
    /// The upper 32 bits are wanted.
    high: bool,
}
operands!(Source);
operands!(Time { d, source, high });

/// `%clock`, `%globaltimer` and their kin.
struct ReadClock;

impl Op for ReadClock {
    type Data = Time;
    const VECTORS: bool = false;
    fn exec<I: Isa>(cx: &mut Frame, i: &Time, mask: u32) {
        let now = match i.source {
            Source::Clock => cx.clock,
            Source::Timer => {
                let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
                since.map_or(0, |d| d.as_nanos() as u64)
            }
        };
        let now = if i.high { now >> 32 } else { now };
        match i.d.width() {
            Width::Single(d) => cx.write(d, &[now as u32; 32], mask),
            Width::Double(d) => cx.write(d, &[now; 32], mask),
        }
    }
}
