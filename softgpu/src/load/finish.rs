//! Register numbers to rows, labels to addresses, meeting places.

use crate::isa::decoder::{Body, Decoder, Proto};
use crate::load::allot::{Allotment, Touches, allot};
use crate::load::flowgraph::{Ends, Graph};
use crate::machine::control::Control;
use crate::machine::inst::{Flow, Head, Inst};
use crate::machine::operand::{CONSTANT, Operands, Pred, PredDst, Slot};
use crate::machine::program::{Class, Fill, Info};
use crate::machine::row::NONE;

/// What a function needs besides its code.
pub struct Finished {
    pub entry: u32,
    pub rows: u32,
    pub variable_rows: u32,
    pub preds: u32,
    pub fills: Vec<(u32, Fill)>,
    pub pressure: u32,
}

impl Decoder<'_> {
    /// Lays the function's code out behind what the program has.
    pub fn finish(mut self) -> Finished {
        let ends: Vec<Ends> = self.protos.iter().map(|p| ends(p, &self.starts)).collect();
        let graph = Graph::new(&ends);
        let touches: Vec<Touches> = self.protos.iter_mut().map(touches).collect();
        let wide: Vec<bool> = self.function.regs.iter().map(|r| r.0.bytes() == 8).collect();
        let allotment = allot(&graph, &touches, &wide);

        // constants lie behind the variable rows, 64-bit ones first
        let variable_rows = allotment.count.next_multiple_of(2);
        let mut fills = Vec::new();
        let mut constant_rows = vec![0; self.constants.len()];
        let mut next = variable_rows;
        for long in [true, false] {
            for (n, fill) in self.constants.iter().enumerate() {
                if matches!(fill, Fill::Long(_)) == long {
                    constant_rows[n] = next;
                    fills.push((next, *fill));
                    next += if long { 2 } else { 1 };
                }
            }
        }

        // blocks where lanes meet begin with an instruction of their own
        let blocks = graph.successors.len();
        let mut is_meeting = vec![false; blocks];
        let mut meets = vec![None; self.protos.len()];
        for b in 0..blocks {
            let last = graph.starts[b + 1] - 1;
            let p = &self.protos[last];
            let splits = match p.body {
                Body::Control(Control::Branch(_)) => p.guard != Pred::TRUE,
                Body::Control(Control::Table(_)) => true,
                _ => false,
            };
            let splits = splits && graph.successors[b].len() > 1;
            if splits && let Some(m) = graph.meets[b] {
                is_meeting[m] = true;
                meets[last] = Some(m);
            }
        }
        let entry = self.code.len() as u32;
        let mut at = entry;
        let mut new_index = vec![0; self.protos.len()];
        let mut block_pc = vec![0; blocks];
        for b in 0..blocks {
            block_pc[b] = at;
            at += u32::from(is_meeting[b]);
            for i in graph.starts[b]..graph.starts[b + 1] {
                new_index[i] = at;
                at += 1;
            }
        }
        let block_of = |i: usize| graph.starts.partition_point(|&s| s <= i) - 1;

        let protos = std::mem::take(&mut self.protos);
        let starts = &self.starts;
        for (i, mut p) in protos.into_iter().enumerate() {
            let b = block_of(i);
            if graph.starts[b] == i && is_meeting[b] {
                // SAFETY: it names nothing.
                self.code.push(unsafe { Inst::of_control(Control::Reconverge, block_pc[b]) });
                self.program.info.push(Info {
                    used_bytes: !0,
                    class: Class::Control,
                    flops: 0,
                    tensor: 0,
                    hidden: true,
                    ..p.info
                });
            }
            let row = |r: u32| resolve(r, &allotment, &constant_rows);
            let id = self.code.len() as u32;
            debug_assert_eq!(id, new_index[i]);
            p.visit(&mut |mut slot| {
                let (number, wide) = (slot.number(), slot.wide);
                let width = match number & CONSTANT {
                    0 => self.function.regs[number as usize].0.bytes() == 8,
                    _ => matches!(self.constants[(number & !CONSTANT) as usize], Fill::Long(_)),
                };
                assert!(wide == width && !(slot.write && number & CONSTANT != 0), "an operand of another function");
                // SAFETY: it is the row of a register or constant of this function, of the width that was checked.
                unsafe { slot.set_row(row(number)) };
            });
            let meet = meets[i].map(|m| block_pc[m]);
            let mut targets = p.targets.iter().map(|&t| block_pc[block_of(starts[t])]);
            match &mut p.body {
                Body::Control(Control::Branch(branch)) => {
                    branch.target = targets.next().unwrap_or(0);
                    branch.meet = meet;
                }
                Body::Control(Control::Table(table)) => {
                    table.targets = self.program.tables.len() as u32;
                    table.meet = meet;
                    self.program.tables.push(targets.collect());
                }
                _ => {}
            }
            let row_fields = p.row_fields;
            for field in 0..5 {
                if row_fields >> field & 1 != 0 {
                    let f = p.field(field);
                    *f = row(*f);
                }
            }
            if !p.rows.is_empty() {
                let table = p.rows.iter().map(|&r| row(r)).collect();
                p.inst.aux = self.program.tables.len() as u32;
                self.program.tables.push(table);
            }
            // SAFETY: every operand has become a row of this function; the large data stays with the program.
            p.inst = match &p.body {
                Body::Operation(draft) => unsafe {
                    let head = Head { id, members: p.members, order: p.order };
                    draft.instruction(head, &mut self.program.large)
                },
                Body::Control(control) => unsafe { Inst::of_control(*control, id) },
                Body::Old => Inst { id, members: p.members, order: p.inst.flags, ..p.inst },
            };
            p.inst.guard = p.guard.slot();
            p.inst.negate = p.guard.inversion();
            self.code.push(p.inst);
            self.program.info.push(p.info);
        }
        // streaks, from the back
        let code = &mut self.code[entry as usize..];
        let mut streak = 0;
        for inst in code.iter_mut().rev() {
            let plain = inst.flow == Flow::Straight && inst.guard == 0 && inst.negate == 0;
            streak = if plain { streak + 1 } else { 0 };
            inst.streak = streak;
        }
        // a warp-wide instruction is handled by itself: streaks never hold one
        Finished {
            entry,
            rows: next,
            variable_rows,
            preds: u32::from(PredDst::FIRST + self.pred_count),
            fills,
            pressure: allotment.pressure,
        }
    }
}

/// How it ends, with targets as instruction numbers.
fn ends(proto: &Proto, starts: &[usize]) -> Ends {
    let guarded = proto.guard != Pred::TRUE;
    match proto.body {
        Body::Control(Control::Branch(_) | Control::Table(_)) => {
            Ends::Jump(proto.targets.iter().map(|&t| starts[t]).collect(), guarded)
        }
        Body::Control(Control::Return | Control::Exit | Control::Trap | Control::Breakpoint) => Ends::Leave(guarded),
        _ => Ends::Next,
    }
}

fn resolve(r: u32, allotment: &Allotment, constants: &[u32]) -> u32 {
    if r == NONE {
        NONE
    } else if r & CONSTANT != 0 {
        constants[(r & !CONSTANT) as usize]
    } else {
        allotment.rows[r as usize]
    }
}

impl Proto {
    /// Calls a function for every operand.
    fn visit(&mut self, f: &mut dyn FnMut(Slot<'_>)) {
        match &mut self.body {
            Body::Operation(draft) => draft.visit(f),
            Body::Control(control) => control.visit(f),
            Body::Old => {}
        }
        self.members.visit(f);
    }
}

/// What an instruction reads and writes.
fn touches(p: &mut Proto) -> Touches {
    let (mut reads, mut writes) = (p.reads.clone(), p.writes.clone());
    p.visit(&mut |slot| match slot.number() {
        number if number & CONSTANT != 0 => {}
        number if slot.write => writes.push(number),
        number => reads.push(number),
    });
    let apart = match &p.body {
        Body::Operation(draft) => draft.apart(),
        Body::Control(_) => true,
        Body::Old => p.apart,
    };
    Touches { reads, writes, partial: p.guard != Pred::TRUE, apart }
}
