//! Branches, calls, barriers of the block, and what ends a thread.

use crate::isa::decoder::{Decoded, Decoder, Found, Refusal, Row, Symbol, row};
use crate::machine::control::{BarrierForm, BlockBarrier, Branch, Call, Control, Table};
use crate::machine::op::{Frame, Op};
use crate::machine::program::{Builtin, CallSite, Class, Slot};
use crate::machine::row::{Isa, NONE};
use crate::ptx::{Instr, Operand, Type};

pub const ROWS: &[Row] = &[
    row("bra(.uni)? LABEL", |c, x| {
        let Operand::Symbol(name, 0) = x.operand(0)? else { return Err(Refusal::new("a label is wanted")) };
        let target = c.label(name, x.i.scope)?;
        c.control(Class::Control, Control::Branch(Branch::default())).targets.push(target);
        Ok(())
    }),
    row("brx.idx(.uni)? %r4, LABELS", brx),
    row("ret(.uni)?", |c, _| c.leave(Control::Return)),
    row("exit", |c, _| c.leave(Control::Exit)),
    row("trap", |c, _| c.leave(Control::Trap)),
    row("brkpt", |c, _| c.leave(Control::Breakpoint)),
    // counts in a profiler's hardware, which is not there
    row("pmevent n", |c, x| c.event(x, 15)),
    row("pmevent.mask n", |c, x| c.event(x, 0xffff)),
    row("nanosleep.u32 %r4", |c, x| {
        c.src(x.operand(0)?, Type::U32)?;
        c.leave(Control::Yield)
    }),
    row("bar(.cta)?.sync %r4(, %r5)?", |c, x| c.barrier(x, 0, BarrierForm::Sync)),
    row("barrier(.cta)?.sync(.aligned)? %r4(, %r5)?", |c, x| c.barrier(x, 0, BarrierForm::Sync)),
    row("bar(.cta)?.arrive %r4, %r5", |c, x| c.barrier(x, 0, BarrierForm::Arrive)),
    row("barrier(.cta)?.arrive(.aligned)? %r4, %r5", |c, x| c.barrier(x, 0, BarrierForm::Arrive)),
    row("bar(.cta)?.red.popc.u32 %r3, %r4, !%p1", reduction),
    row("bar(.cta)?.red.popc.u32 %r3, %r4, %r5, !%p1", reduction),
    row("bar(.cta)?.red.(and|or).pred %p1, %r4, !%p2", reduction),
    row("bar(.cta)?.red.(and|or).pred %p1, %r4, %r5, !%p2", reduction),
    row("barrier(.cta)?.red.popc(.aligned)?.u32 %r3, %r4, !%p1", reduction),
    row("barrier(.cta)?.red.popc(.aligned)?.u32 %r3, %r4, %r5, !%p1", reduction),
    row("barrier(.cta)?.red.(and|or)(.aligned)?.pred %p1, %r4, !%p2", reduction),
    row("barrier(.cta)?.red.(and|or)(.aligned)?.pred %p1, %r4, %r5, !%p2", reduction),
];

fn brx<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    let index = c.src(x.operand(0)?, Type::U32)?.read()?;
    let Operand::Symbol(name, 0) = x.operand(1)? else {
        return Err(Refusal::new("the name of a list of targets is wanted"));
    };
    let function = c.function;
    let find = |s: u32| function.targets.iter().find(|(ls, n, _)| *ls == s && n == name);
    let list = function.lookup(x.i.scope, find);
    let list = list.ok_or_else(|| Refusal::new(format!("the list of targets {name} is not in this function")))?;
    let targets: Decoded<Vec<usize>> = list.2.iter().map(|label| c.label(label, x.i.scope)).collect();
    let table = Table { index, targets: NONE, meet: None };
    c.control(Class::Control, Control::Table(table)).targets = targets?;
    Ok(())
}

/// `bar.red`: the result comes first, the predicate last.
fn reduction<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    let (first, last) = (x.operand(0)?, c.pred_src(x.operand(x.i.operands.len() - 1)?)?);
    let form = match x.one_of(&["popc", "and"]) {
        Some("popc") => BarrierForm::Count(c.dst(first, Type::U32)?.write()?, last),
        Some(_) => BarrierForm::And(c.pred_dst(first)?, last),
        None => BarrierForm::Or(c.pred_dst(first)?, last),
    };
    c.barrier(x, 1, form)
}

impl<'a> Decoder<'a> {
    fn leave(&mut self, control: Control) -> Decoded<()> {
        self.control(Class::Control, control);
        Ok(())
    }

    fn event(&mut self, x: &Found<'_, 'a>, most: i128) -> Decoded<()> {
        match x.operand(0)? {
            Operand::Integer(n) if (0..=most).contains(n) => {}
            _ => return Err(Refusal::new(format!("the event must be a constant from 0 to {most}"))),
        }
        self.straight::<Nothing>(Class::Other, ());
        Ok(())
    }

    /// A barrier whose number is the `n`-th operand; a count of threads may come behind it.
    fn barrier(&mut self, x: &Found<'_, 'a>, n: usize, form: BarrierForm) -> Decoded<()> {
        let counted = x.i.operands.len() == n + 2 + n;
        let number = self.src(x.operand(n)?, Type::U32)?.read()?;
        let count = if counted { Some(self.src(x.operand(n + 1)?, Type::U32)?.read()?) } else { None };
        self.program.partial_sync |= counted;
        let aligned = x.has("aligned") || x.i.op == "bar";
        self.control(Class::Barrier, Control::Barrier(BlockBarrier { number, count, aligned, form }));
        Ok(())
    }

    fn label(&self, name: &str, scope: u32) -> Decoded<usize> {
        let find = |s: u32| self.function.labels.iter().find(|(ls, n, _)| *ls == s && *n == name).map(|l| l.2);
        self.function
            .lookup(scope, find)
            .ok_or_else(|| Refusal::new(format!("the label {name} is not in this function")))
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

    /// `call`, whose operands have forms of their own: results, callee, arguments.
    pub fn call(&mut self, i: &Instr<'a>) -> Decoded<()> {
        let at = usize::from(matches!(i.operands.first(), Some(Operand::List(_))));
        let results = if at == 1 { self.slots(i.operands.first())? } else { Vec::new() };
        let target = i.operands.get(at).ok_or_else(|| Refusal::new("the callee is missing"))?;
        let arguments = self.slots(i.operands.get(at + 1))?;
        let mut site = CallSite { callee: NONE, builtin: None, arguments, results };
        let mut function = None;
        match target {
            Operand::Reg(_) => function = Some(self.src(target, Type::U64)?.read()?),
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
        let number = self.program.calls.len() as u32;
        self.program.calls.push(site);
        self.leave(Control::Call(Call { site: number, target: function }))
    }
}

/// An instruction without effect.
pub struct Nothing;

impl Op for Nothing {
    type Data = ();
    const VECTORS: bool = false;
    fn exec<I: Isa>(_: &mut Frame<I>, _: &(), _: u32) {}
}
