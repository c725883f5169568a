//! Register numbers to rows, labels to addresses, meeting places.

use crate::isa::decoder::{Body, Decoder, Proto};
use crate::load::allot::{Touches, allot};
use crate::load::flowgraph::{Ends, Graph};
use crate::machine::control::Control;
use crate::machine::inst::{Flow, Head, Inst};
use crate::machine::operand::{CONSTANT, Operands, Pred, PredDst, Slot};
use crate::machine::program::{Class, Fill, Info};

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
        let variable_rows = allotment.count.next_multiple_of(2);
        let (fills, constants, rows) = place_constants(&self.constants, variable_rows);
        let entry = self.code.len() as u32;
        let layout = Layout::of(&self.protos, graph, entry);
        for (i, mut p) in std::mem::take(&mut self.protos).into_iter().enumerate() {
            let b = layout.block_of(i);
            if layout.graph.starts[b] == i && layout.is_meeting[b] {
                let head = Head { id: layout.places[b], ..Head::default() };
                // SAFETY: it names nothing.
                self.code.push(unsafe { Inst::of_control(Control::Reconverge, head) });
                let (class, line, place) = (Class::Control, p.info.line, p.info.place);
                self.program.info.push(Info { hidden: true, ..Info::of(class, line, place) });
            }
            p.visit(&mut |mut slot| {
                let (number, wide) = (slot.number(), slot.wide);
                let (constant, n) = (number & CONSTANT != 0, (number & !CONSTANT) as usize);
                let (row, width) = match constant {
                    true => (constants[n], matches!(self.constants[n], Fill::Long(_))),
                    false => (allotment.rows[n], self.function.regs[n].0.bytes() == 8),
                };
                assert!(wide == width && !(slot.write && constant), "an operand of another function");
                // SAFETY: it is the row of a register or constant of this function, of the width that was checked.
                unsafe { slot.set_row(row) };
            });
            let mut targets = p.targets.iter().map(|&t| layout.places[layout.block_of(self.starts[t])]);
            match &mut p.body {
                Body::Control(Control::Branch(branch)) => {
                    branch.target = targets.next().unwrap_or(0);
                    branch.meet = layout.meets[i];
                }
                Body::Control(Control::Table(table)) => {
                    table.targets = self.program.tables.len() as u32;
                    table.meet = layout.meets[i];
                    self.program.tables.push(targets.collect());
                }
                _ => {}
            }
            let id = self.code.len() as u32;
            let head = Head { id, members: p.members, guard: p.guard, order: p.order, ..Head::default() };
            self.code.push(match &p.body {
                // SAFETY: every operand has become a row of this function; the large data stays with the program.
                Body::Operation(draft) => unsafe { draft.instruction(head, &mut self.program.large) },
                // SAFETY: as above; targets, tables and calls are this program's.
                Body::Control(control) => unsafe { Inst::of_control(*control, head) },
            });
            self.program.info.push(p.info);
        }
        // streaks, from the back; a warp-wide instruction is handled by itself
        let mut streak = 0;
        for inst in self.code[entry as usize..].iter_mut().rev() {
            let plain = inst.head.flow == Flow::Straight && inst.head.guard == Pred::TRUE;
            streak = if plain { streak + 1 } else { 0 };
            inst.streak = streak;
        }
        let preds = u32::from(PredDst::FIRST + self.pred_count);
        Finished { entry, rows, variable_rows, preds, fills, pressure: allotment.pressure }
    }
}

/// Rows from one on for constants, 64-bit ones first: what fills them, the row of each, and the row behind the last.
fn place_constants(constants: &[Fill], first: u32) -> (Vec<(u32, Fill)>, Vec<u32>, u32) {
    let (mut fills, mut rows, mut next) = (Vec::new(), vec![0; constants.len()], first);
    for long in [true, false] {
        for (n, fill) in constants.iter().enumerate().filter(|(_, fill)| matches!(fill, Fill::Long(_)) == long) {
            rows[n] = next;
            fills.push((next, *fill));
            next += if long { 2 } else { 1 };
        }
    }
    (fills, rows, next)
}

/// Where the blocks of a function lie in the program, and where diverged lanes meet.
struct Layout {
    graph: Graph,
    /// First instruction of each block.
    places: Vec<u32>,
    /// Blocks where lanes meet begin with an instruction of their own.
    is_meeting: Vec<bool>,
    /// For each instruction by which lanes part the place where they meet.
    meets: Vec<Option<u32>>,
}

impl Layout {
    fn of(protos: &[Proto], graph: Graph, entry: u32) -> Layout {
        let blocks = graph.successors.len();
        let mut is_meeting = vec![false; blocks];
        let mut parting = Vec::new();
        for b in 0..blocks {
            let last = graph.starts[b + 1] - 1;
            let splits = match protos[last].body {
                Body::Control(Control::Branch(_)) => protos[last].guard != Pred::TRUE,
                Body::Control(Control::Table(_)) => true,
                _ => false,
            };
            if splits
                && graph.successors[b].len() > 1
                && let Some(m) = graph.meets[b]
            {
                is_meeting[m] = true;
                parting.push((last, m));
            }
        }
        let mut places = vec![entry; blocks];
        for b in 1..blocks {
            let before = graph.starts[b] - graph.starts[b - 1] + usize::from(is_meeting[b - 1]);
            places[b] = places[b - 1] + before as u32;
        }
        let mut meets = vec![None; protos.len()];
        parting.into_iter().for_each(|(last, m)| meets[last] = Some(places[m]));
        Layout { graph, places, is_meeting, meets }
    }

    /// The block of an instruction.
    fn block_of(&self, i: usize) -> usize {
        self.graph.starts.partition_point(|&s| s <= i) - 1
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

impl Proto {
    /// Calls a function for every operand.
    fn visit(&mut self, f: &mut dyn FnMut(Slot<'_>)) {
        match &mut self.body {
            Body::Operation(draft) => draft.visit(f),
            Body::Control(control) => control.visit(f),
        }
        self.members.visit(f);
    }
}

/// What an instruction reads and writes.
fn touches(p: &mut Proto) -> Touches {
    let (mut reads, mut writes) = (Vec::new(), Vec::new());
    p.visit(&mut |slot| match slot.number() {
        number if number & CONSTANT != 0 => {}
        number if slot.write => writes.push(number),
        number => reads.push(number),
    });
    let apart = match &p.body {
        Body::Operation(draft) => draft.apart(),
        Body::Control(_) => true,
    };
    Touches { reads, writes, partial: p.guard != Pred::TRUE, apart }
}
