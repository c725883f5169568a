//! Branches, calls, barriers of the block, and what ends a thread.

use crate::isa::decoder::{Decoded, Decoder, Mods, Refusal, Symbol};
use crate::machine::control::{BarrierForm, BlockBarrier, Branch, Call, Control, Table};
use crate::machine::op::{Frame, Op};
use crate::machine::program::{Builtin, CallSite, Class, Slot};
use crate::machine::row::{Isa, NONE};
use crate::ptx::{Instr, Operand, Type};

impl<'a> Decoder<'a> {
    /// Decodes an instruction of this family; false when it belongs to another.
    pub fn flow(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<bool> {
        match i.op {
            "bra" => {
                m.take("uni");
                let [target] = self.operands::<1>(i)?;
                let target = self.label(&target, i)?;
                self.control(Class::Control, Control::Branch(Branch::default())).targets.push(target);
            }
            "brx" => self.brx(i, m)?,
            "ret" => {
                m.take("uni");
                self.control(Class::Control, Control::Return);
            }
            "exit" => {
                self.operands::<0>(i)?;
                self.control(Class::Control, Control::Exit);
            }
            "trap" => {
                self.operands::<0>(i)?;
                self.control(Class::Control, Control::Trap);
            }
            "brkpt" => {
                self.operands::<0>(i)?;
                self.control(Class::Control, Control::Breakpoint);
            }
            "pmevent" => self.pmevent(i, m)?,
            "nanosleep" => {
                if m.ty()? != Type::U32 {
                    return Err(Refusal::new("nanosleep takes '.u32'"));
                }
                let [time] = self.operands::<1>(i)?;
                self.src(&time, Type::U32)?;
                self.control(Class::Control, Control::Yield);
            }
            "call" => self.call(i, m)?,
            "bar" | "barrier" if !i.mods.contains(&"warp") => self.barrier(i, m)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// `pmevent`: counts in a profiler's hardware, which is not there.
    fn pmevent(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let most = if m.take("mask") { 0xffff } else { 15 };
        let [event] = self.operands::<1>(i)?;
        match event {
            Operand::Integer(n) if (0..=most).contains(&n) => {}
            _ => {
                return Err(Refusal::new(format!("the event must be a constant from 0 to {most}")));
            }
        }
        self.straight::<Nothing>(Class::Other, ());
        Ok(())
    }

    fn label(&self, o: &Operand<'a>, i: &Instr<'a>) -> Decoded<usize> {
        let Operand::Symbol(name, 0) = o else {
            return Err(Refusal::new("a label is wanted"));
        };
        self.label_named(name, i.scope)
    }

    fn label_named(&self, name: &str, scope: u32) -> Decoded<usize> {
        let find = |s: u32| self.function.labels.iter().find(|(ls, n, _)| *ls == s && *n == name).map(|l| l.2);
        self.function
            .lookup(scope, find)
            .ok_or_else(|| Refusal::new(format!("the label {name} is not in this function")))
    }

    fn brx(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        if !m.take("idx") {
            return Err(Refusal::new("'.idx' is missing"));
        }
        m.take("uni");
        let [index, list] = self.operands::<2>(i)?;
        let index = self.src(&index, Type::U32)?.read()?;
        let Operand::Symbol(name, 0) = list else {
            return Err(Refusal::new("the name of a list of targets is wanted"));
        };
        let function = self.function;
        let find = |s: u32| function.targets.iter().position(|(ls, n, _)| *ls == s && *n == name);
        let list = function
            .lookup(i.scope, find)
            .ok_or_else(|| Refusal::new(format!("the list of targets {name} is not in this function")))?;
        let mut targets = Vec::new();
        for label in &function.targets[list].2 {
            targets.push(self.label_named(label, i.scope)?);
        }
        let table = Table { index, targets: NONE, meet: None };
        self.control(Class::Control, Control::Table(table)).targets = targets;
        Ok(())
    }

    fn slots(&self, o: Option<&Operand<'a>>) -> Decoded<Vec<Slot>> {
        let list = match o {
            None => return Ok(Vec::new()),
            Some(Operand::List(list)) => list,
            Some(_) => return Err(Refusal::new("a list in ( ) is wanted")),
        };
        let mut out = Vec::new();
        for o in list {
            match o {
                Operand::Var(id, 0) => {
                    let bytes = self.function.vars[*id as usize].bytes() as u32;
                    out.push(Slot { offset: self.var_offsets[*id as usize] as u32, bytes });
                }
                Operand::Sink => out.push(Slot { offset: 0, bytes: 0 }),
                _ => return Err(Refusal::new("arguments must be .param variables")),
            }
        }
        Ok(out)
    }

    fn call(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        m.take("uni");
        let mut at = 0;
        let results = match i.operands.first() {
            Some(list @ Operand::List(_)) => {
                at = 1;
                self.slots(Some(list))?
            }
            _ => Vec::new(),
        };
        let target = i.operands.get(at).ok_or_else(|| Refusal::new("the callee is missing"))?.clone();
        let arguments = self.slots(i.operands.get(at + 1))?;
        let mut site = CallSite { callee: NONE, builtin: None, arguments, results };
        let mut function = None;
        match &target {
            Operand::Reg(_) => function = Some(self.src(&target, Type::U64)?.read()?),
            Operand::Symbol(name, 0) => match (self.symbols.get(name), *name) {
                (Some(Symbol::Function(n)), _) => site.callee = *n,
                (_, "vprintf") => site.builtin = Some(Builtin::Vprintf),
                (_, "__assertfail") => site.builtin = Some(Builtin::AssertFail),
                _ => {
                    return Err(Refusal::new(format!(
                        "the function {name} is not in the module (of the device runtime only printf and assert are \
                         supported)"
                    )));
                }
            },
            _ => return Err(Refusal::new("the callee must be a name or a register")),
        }
        self.has_calls |= site.builtin.is_none();
        let number = self.program.calls.len() as u32;
        self.program.calls.push(site);
        self.control(Class::Control, Control::Call(Call { site: number, target: function }));
        Ok(())
    }

    fn barrier(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        if m.take("cluster") {
            return Err(Refusal::new("clusters are not supported"));
        }
        m.take("cta");
        let aligned = m.take("aligned") || i.op == "bar";
        let form = m
            .one_of(&["sync", "arrive", "red"])
            .ok_or_else(|| Refusal::new("'.sync', '.arrive' or '.red' is missing"))?;
        let mut operands = i.operands.clone();
        let mut what = BarrierForm::Sync;
        if form == "red" {
            let how =
                m.one_of(&["popc", "and", "or"]).ok_or_else(|| Refusal::new("'.popc', '.and' or '.or' is missing"))?;
            let ty = m.ty()?;
            if operands.len() < 3 {
                return Err(Refusal::new("operands are missing"));
            }
            let first = operands.remove(0);
            let last = operands.pop().ok_or_else(|| Refusal::new("operands are missing"))?;
            what = match how {
                "popc" => BarrierForm::Count(self.dst(&first, ty)?.write()?, self.pred_src(&last)?),
                "and" => BarrierForm::And(self.pred_dst(&first)?, self.pred_src(&last)?),
                _ => BarrierForm::Or(self.pred_dst(&first)?, self.pred_src(&last)?),
            };
        }
        if form == "arrive" {
            what = BarrierForm::Arrive;
            if operands.len() != 2 {
                return Err(Refusal::new("bar.arrive needs a number and a count of threads"));
            }
        }
        if operands.is_empty() || operands.len() > 2 {
            return Err(Refusal::new("a barrier number and at most a count of threads are wanted"));
        }
        let number = self.src(&operands[0], Type::U32)?.read()?;
        let count = match operands.get(1) {
            Some(o) => {
                self.program.partial_sync = true;
                Some(self.src(o, Type::U32)?.read()?)
            }
            None => None,
        };
        self.control(Class::Barrier, Control::Barrier(BlockBarrier { number, count, aligned, form: what }));
        Ok(())
    }
}

/// An instruction without effect.
pub struct Nothing;

impl Op for Nothing {
    type Data = ();
    const VECTORS: bool = false;
    fn exec<I: Isa>(_: &mut Frame, _: &(), _: u32) {}
}
