//! Instructions in which the lanes of a warp see each other.

use crate::isa::decoder::{Decoded, Decoder, JUNK, Mods, Proto, Refusal};
use crate::isa::warp::exchange as ops;
use crate::machine::inst::{Flow, Handler};
use crate::machine::old_op::handler;
use crate::machine::operand::Register;
use crate::machine::program::Class;
use crate::machine::row::NONE;
use crate::ptx::{Instr, Operand, Type};

impl<'a> Decoder<'a> {
    /// Decodes an instruction of this family; false when it belongs to another.
    pub fn warpwide(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<bool> {
        match i.op {
            "shfl" => self.shfl(i, m)?,
            "vote" => self.vote(i, m)?,
            "bar" | "barrier" => {
                m.take("warp");
                m.take("sync");
                let [members] = self.operands::<1>(i)?;
                let members = self.src(&members, Type::B32)?;
                self.old_together(ops::syncwarp(), Class::Barrier, NONE, NONE, members)?;
            }
            "activemask" => {
                let ty = m.ty()?;
                let [d] = self.operands::<1>(i)?;
                let d = self.old_dst(&d, ty)?;
                self.old_emit(Class::Move, handler::<ops::ActiveMask>(), d, &[]);
            }
            "match" => self.matching(i, m)?,
            "redux" => self.redux(i, m)?,
            "elect" => {
                m.take("sync");
                let [d, members] = self.operands::<2>(i)?;
                let Operand::Pair(d, p) = d else {
                    return Err(Refusal::new("a destination d|p is wanted"));
                };
                let d = if *d == Operand::Sink { NONE } else { self.old_dst(&d, Type::B32)? };
                let p = self.old_pred_dst(&p)?;
                let members = self.src(&members, Type::B32)?;
                self.old_together(handler::<ops::Elect>(), Class::Shuffle, d, NONE, members)?;
                self.last().inst.p = p;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn last(&mut self) -> &mut Proto {
        let n = self.protos.len() - 1;
        &mut self.protos[n]
    }

    /// Emits an instruction that its members execute together.
    pub fn old_together(&mut self, run: Handler, class: Class, d: u32, a: u32, members: Register) -> Decoded<()> {
        let p = self.old_push(class, run, Flow::WarpSync);
        p.set_write(d);
        p.set_read(1, a);
        p.members = Some(members.read()?);
        p.apart = true;
        Ok(())
    }

    fn shfl(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        if !m.take("sync") {
            return Err(Refusal::new("only shfl.sync is supported (shfl without .sync is gone since sm_70)"));
        }
        let mode = m
            .one_of(&["up", "down", "bfly", "idx"])
            .ok_or_else(|| Refusal::new("'.up', '.down', '.bfly' or '.idx' is missing"))?;
        let ty = m.ty()?;
        if ty != Type::B32 {
            return Err(Refusal::new("only .b32 exists"));
        }
        let [d, a, b, c, members] = self.operands::<5>(i)?;
        let (d, p) = match &d {
            Operand::Pair(d, p) => {
                let d = if **d == Operand::Sink { NONE } else { self.old_dst(d, ty)? };
                (d, self.old_pred_dst(p)?)
            }
            d => (self.old_dst(d, ty)?, JUNK),
        };
        let (a, b, c) = (self.old_src(&a, ty)?, self.old_src(&b, Type::U32)?, self.old_src(&c, Type::U32)?);
        let members = self.src(&members, ty)?;
        let run = match mode {
            "up" => handler::<ops::Shuffle<0>>(),
            "down" => handler::<ops::Shuffle<1>>(),
            "bfly" => handler::<ops::Shuffle<2>>(),
            _ => handler::<ops::Shuffle<3>>(),
        };
        self.old_together(run, Class::Shuffle, d, a, members)?;
        let proto = self.last();
        proto.set_read(3, b);
        proto.set_read(4, c);
        proto.inst.p = p;
        Ok(())
    }

    fn vote(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        if !m.take("sync") {
            return Err(Refusal::new("only vote.sync is supported"));
        }
        let how = m
            .one_of(&["all", "any", "uni", "ballot"])
            .ok_or_else(|| Refusal::new("'.all', '.any', '.uni' or '.ballot' is missing"))?;
        let ty = m.ty()?;
        let [d, a, members] = self.operands::<3>(i)?;
        let (a, negated) = self.old_pred_src(&a)?;
        let members = self.src(&members, Type::B32)?;
        let run = match how {
            "all" => handler::<ops::Vote<0>>(),
            "any" => handler::<ops::Vote<1>>(),
            "uni" => handler::<ops::Vote<2>>(),
            _ => handler::<ops::Vote<3>>(),
        };
        let (row, p) = match how {
            "ballot" => (self.old_dst(&d, ty)?, 0),
            _ => (NONE, self.old_pred_dst(&d)?),
        };
        self.old_together(run, Class::Shuffle, row, NONE, members)?;
        let proto = self.last();
        proto.inst.p = p;
        proto.inst.q = a;
        proto.inst.flags = u8::from(negated);
        Ok(())
    }

    fn matching(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let how = m.one_of(&["any", "all"]).ok_or_else(|| Refusal::new("'.any' or '.all' is missing"))?;
        m.take("sync");
        let ty = m.ty()?;
        let [d, a, members] = self.operands::<3>(i)?;
        let (d, p) = match &d {
            Operand::Pair(d, p) => {
                let d = if **d == Operand::Sink { NONE } else { self.old_dst(d, Type::B32)? };
                (d, self.old_pred_dst(p)?)
            }
            d => (self.old_dst(d, Type::B32)?, JUNK),
        };
        let a = self.old_src(&a, ty)?;
        let members = self.src(&members, Type::B32)?;
        let run = match (how, ty.bytes()) {
            ("any", 4) => handler::<ops::Match<u32, false>>(),
            ("any", 8) => handler::<ops::Match<u64, false>>(),
            ("all", 4) => handler::<ops::Match<u32, true>>(),
            ("all", 8) => handler::<ops::Match<u64, true>>(),
            _ => return Err(Refusal::wrong_type()),
        };
        self.old_together(run, Class::Shuffle, d, a, members)?;
        self.last().inst.p = p;
        Ok(())
    }

    fn redux(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        m.take("sync");
        let how = m
            .one_of(&["add", "min", "max", "and", "or", "xor"])
            .ok_or_else(|| Refusal::new("the operation is missing"))?;
        let ty = m.ty()?;
        let run = ops::redux(how, ty).ok_or_else(Refusal::wrong_type)?;
        let [d, a, members] = self.operands::<3>(i)?;
        let (d, a) = (self.old_dst(&d, ty)?, self.old_src(&a, ty)?);
        let members = self.src(&members, Type::B32)?;
        self.old_together(run, Class::Shuffle, d, a, members)?;
        Ok(())
    }
}
