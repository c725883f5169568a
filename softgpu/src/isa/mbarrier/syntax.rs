//! mbarrier objects.

use crate::isa::decoder::{Decoded, Decoder, Mods, Proto, Refusal};
use crate::isa::mbarrier::action::{self as object, Action};
use crate::isa::mbarrier::operate;
use crate::machine::access::SHORT_ADDRESS;
use crate::machine::inst::Flow;
use crate::machine::old_op::plain_handler;
use crate::machine::program::Class;
use crate::machine::row::NONE;
use crate::ptx::{Instr, Operand, Type};

impl<'a> Decoder<'a> {
    /// Decodes an instruction of this family; false when it belongs to another.
    pub fn mbarrier(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<bool> {
        if i.op != "mbarrier" {
            return Ok(false);
        }
        let form = m
            .one_of(&[
                // an arrival may be qualified by `.expect_tx`: it comes first
                "init",
                "inval",
                "arrive",
                "arrive_drop",
                "expect_tx",
                "complete_tx",
                "test_wait",
                "try_wait",
                "pending_count",
            ])
            .ok_or_else(|| Refusal::new("this form of mbarrier is not known"))?;
        self.needs_sm(80, "mbarrier")?;
        match form {
            "init" | "inval" => self.mbarrier_start(i, m, form)?,
            "arrive" | "arrive_drop" => self.mbarrier_arrive(i, m, form)?,
            "expect_tx" | "complete_tx" => self.mbarrier_transactions(i, m, form)?,
            "pending_count" => {
                need_b64(m)?;
                let [d, token] = self.operands::<2>(i)?;
                let (d, token) = (self.old_dst(&d, Type::U32)?, self.old_src(&token, Type::B64)?);
                let run = plain_handler::<operate::PendingCount>();
                self.old_emit(Class::Other, run, d, &[token]).apart = true;
            }
            _ => self.mbarrier_wait(i, m, form)?,
        }
        Ok(true)
    }

    /// Refuses what the module's target doesn't have.
    pub fn needs_sm(&self, sm: u32, what: &str) -> Decoded<()> {
        if self.target < sm {
            return Err(Refusal::new(format!(
                "{what} needs a target of sm_{sm} or higher, the text is for sm_{}",
                self.target
            )));
        }
        Ok(())
    }

    fn mbarrier_start(&mut self, i: &Instr<'a>, m: &mut Mods<'a>, form: &str) -> Decoded<()> {
        let flags = space(m)?;
        need_b64(m)?;
        if form == "inval" {
            let [at] = self.operands::<1>(i)?;
            return self.on_object(&at, Action::Invalidate, flags, NONE).map(|_| ());
        }
        let [at, count] = self.operands::<2>(i)?;
        let count = self.old_src(&count, Type::U32)?;
        self.on_object(&at, Action::Init, flags, count).map(|_| ())
    }

    fn mbarrier_arrive(&mut self, i: &Instr<'a>, m: &mut Mods<'a>, form: &str) -> Decoded<()> {
        let expect = m.take("expect_tx");
        let no_complete = m.take("noComplete");
        let mut flags = order(m, "release")? | space(m)?;
        need_b64(m)?;
        if flags & object::RELAXED != 0 {
            self.needs_sm(90, "mbarrier.arrive.relaxed")?;
        }
        if expect {
            self.needs_sm(90, "mbarrier.arrive.expect_tx")?;
            flags |= object::EXPECT;
        }
        if no_complete {
            flags |= object::NO_COMPLETE;
        }
        if form == "arrive_drop" {
            flags |= object::DROP;
        }
        let (d, at, count) = match i.operands.as_slice() {
            [d, at] if !expect && !no_complete => (d, at, None),
            [d, at, count] => (d, at, Some(count)),
            _ => return Err(Refusal::new("operands are missing")),
        };
        let d = match d {
            Operand::Sink => NONE,
            d => self.old_dst(d, Type::B64)?,
        };
        let count = match count {
            Some(o) => self.old_src(o, Type::U32)?,
            None => NONE,
        };
        if count != NONE && !no_complete && !expect {
            self.needs_sm(90, "a count without .noComplete")?;
        }
        let row = if expect { NONE } else { count };
        let p = self.on_object(at, Action::Arrive, flags, row)?;
        p.inst.d = NONE;
        p.set_write(d);
        if expect {
            p.set_read(3, count);
        }
        Ok(())
    }

    fn mbarrier_transactions(&mut self, i: &Instr<'a>, m: &mut Mods<'a>, form: &str) -> Decoded<()> {
        self.needs_sm(90, form)?;
        m.take("relaxed");
        m.one_of(&["cta", "cluster"]);
        let flags = space(m)?;
        need_b64(m)?;
        let [at, bytes] = self.operands::<2>(i)?;
        let bytes = self.old_src(&bytes, Type::U32)?;
        let action = match form {
            "expect_tx" => Action::ExpectTransactions,
            _ => Action::CompleteTransactions,
        };
        self.on_object(&at, action, flags, bytes).map(|_| ())
    }

    fn mbarrier_wait(&mut self, i: &Instr<'a>, m: &mut Mods<'a>, form: &str) -> Decoded<()> {
        let mut operands = i.operands.clone();
        if form == "try_wait" {
            self.needs_sm(90, "mbarrier.try_wait")?;
            if operands.len() == 4 {
                // how long the thread may sleep: nothing to do with the result
                if let Some(hint) = operands.pop() {
                    self.old_src(&hint, Type::U32)?;
                }
            }
        }
        let parity = m.take("parity");
        let flags = order(m, "acquire")? | space(m)?;
        need_b64(m)?;
        if flags & object::RELAXED != 0 {
            self.needs_sm(90, "a relaxed wait")?;
        }
        let [p, at, phase] = operands.as_slice() else {
            return Err(Refusal::new("a predicate, an address and a phase are wanted"));
        };
        let p = self.old_pred_dst(p)?;
        let ty = if parity { Type::U32 } else { Type::B64 };
        let phase = self.old_src(phase, ty)?;
        let parity = u8::from(parity) * object::PLAIN;
        let proto = self.on_object(at, Action::Wait, flags | parity, phase)?;
        proto.inst.p = p;
        Ok(())
    }

    /// `cp.async.mbarrier.arrive`, its first words already taken.
    pub fn copy_arrive(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        self.needs_sm(80, "cp.async.mbarrier")?;
        if !m.take("arrive") {
            return Err(Refusal::new("'.arrive' is missing"));
        }
        let plain = u8::from(m.take("noinc")) * object::PLAIN;
        let flags = space(m)?;
        need_b64(m)?;
        let [at] = self.operands::<1>(i)?;
        self.on_object(&at, Action::CopyArrive, flags | plain, NONE).map(|_| ())
    }

    fn on_object(&mut self, at: &Operand<'a>, action: Action, flags: u8, operand: u32) -> Decoded<&mut Proto> {
        self.program.partial_sync = true;
        let address = self.address(at)?;
        let class = match action {
            Action::Arrive | Action::CopyArrive => Class::Barrier,
            _ => Class::Other,
        };
        let p = self.old_push(class, plain_handler::<operate::Operate>(), Flow::Straight);
        p.set_read(1, address.row);
        p.set_read(2, operand);
        p.inst.imm = address.imm;
        p.inst.flags = flags | (u8::from(address.short) * SHORT_ADDRESS);
        p.inst.q = action as u16;
        p.apart = true;
        Ok(p)
    }
}

fn need_b64(m: &mut Mods<'_>) -> Decoded<()> {
    match m.ty()? {
        Type::B64 => Ok(()),
        _ => Err(Refusal::new("an mbarrier object is '.b64'")),
    }
}

/// The space: shared, or none for a generic address.
fn space(m: &mut Mods<'_>) -> Decoded<u8> {
    if m.take("shared::cluster") {
        return Err(Refusal::new("clusters are not supported: '.shared::cluster' can't be used"));
    }
    Ok(match m.one_of(&["shared", "shared::cta"]) {
        Some(_) => 0,
        None => object::GENERIC_ADDRESS,
    })
}

/// Ordering and scope; `strong` is the one that goes without saying.
fn order(m: &mut Mods<'_>, strong: &'static str) -> Decoded<u8> {
    let word = m.one_of(&[strong, "relaxed"]);
    let scope = m.one_of(&["cta", "cluster"]);
    if word.is_some() != scope.is_some() {
        return Err(Refusal::new("ordering and scope belong together"));
    }
    Ok(if word == Some("relaxed") { object::RELAXED } else { 0 })
}
