//! Which row a register gets.
//!
//! PTX has a register for every value, some thousands in an unrolled kernel; their rows would not fit
//! a host's first-level cache. Registers whose lives don't meet share a row: live ranges by the usual
//! data-flow equations, taken as intervals over the instructions in order, rows by linear scan
//! (Poletto and Sarkar, 1999).

use crate::load::flowgraph::Graph;

/// What an instruction reads and writes, by register number.
#[derive(Clone, Debug, Default)]
pub struct Touches {
    pub reads: Vec<u32>,
    pub writes: Vec<u32>,
    /// The writes may leave lanes as they are (a guard).
    pub partial: bool,
    /// Results must not share a row with operands.
    pub apart: bool,
}

/// Rows by register, and how many rows there are.
pub struct Allotment {
    pub rows: Vec<u32>,
    pub count: u32,
    /// Most 32-bit rows alive at once.
    pub pressure: u32,
}

/// Allots rows; `wide[r]` tells that register `r` needs two rows.
pub fn allot(graph: &Graph, touches: &[Touches], wide: &[bool]) -> Allotment {
    let live = Liveness::of(graph, touches, wide.len());
    let spans = spans(graph, touches, &live, wide.len());
    let mut order: Vec<usize> = (0..wide.len()).filter(|&r| spans[r].0 != usize::MAX).collect();
    order.sort_by_key(|&r| (spans[r].0, spans[r].1));
    let mut rows = vec![0; wide.len()];
    // 64-bit and 32-bit registers never share a row: a lane's 64 bits lie where two other lanes have their
    // 32 bits, and lanes of another split may be at a place where the row is used the other way
    let mut until: [Vec<usize>; 2] = Default::default();
    for &r in &order {
        let (from, to) = spans[r];
        let pool = &mut until[usize::from(wide[r])];
        let row = pool.iter().position(|&u| u < from).unwrap_or_else(|| {
            pool.push(0);
            pool.len() - 1
        });
        pool[row] = to;
        rows[r] = row as u32;
    }
    let singles_from = 2 * until[1].len() as u32;
    for &r in &order {
        rows[r] = if wide[r] { 2 * rows[r] } else { singles_from + rows[r] };
    }
    let count = singles_from + until[0].len() as u32;
    let pressure = pressure(graph, touches, &live, wide);
    Allotment { rows, count, pressure }
}

/// Bits of the registers alive where each block begins and ends.
struct Liveness {
    at_start: Vec<Vec<u64>>,
    at_end: Vec<Vec<u64>>,
}

impl Liveness {
    fn of(graph: &Graph, touches: &[Touches], registers: usize) -> Liveness {
        let words = registers.div_ceil(64);
        let blocks = graph.successors.len();
        let mut reads = vec![vec![0u64; words]; blocks];
        let mut writes = vec![vec![0u64; words]; blocks];
        for b in 0..blocks {
            for t in &touches[graph.starts[b]..graph.starts[b + 1]] {
                for &r in &t.reads {
                    if !has(&writes[b], r) {
                        set(&mut reads[b], r);
                    }
                }
                for &r in &t.writes {
                    if t.partial && !has(&writes[b], r) {
                        set(&mut reads[b], r);
                    }
                    set(&mut writes[b], r);
                }
            }
        }
        let mut live_in = reads.clone();
        let mut live_out = vec![vec![0u64; words]; blocks];
        let mut changed = true;
        while changed {
            changed = false;
            for b in (0..blocks).rev() {
                for &s in &graph.successors[b] {
                    for w in 0..words {
                        live_out[b][w] |= live_in[s][w];
                    }
                }
                for w in 0..words {
                    let new = reads[b][w] | (live_out[b][w] & !writes[b][w]);
                    if new & !live_in[b][w] != 0 {
                        live_in[b][w] |= new;
                        changed = true;
                    }
                }
            }
        }
        Liveness { at_start: live_in, at_end: live_out }
    }
}

/// Most 32-bit registers alive behind any instruction, by the flow of values. A register with one writer that reads
/// none (a kernel's argument, a constant) isn't counted: machine code takes such an operand from constant memory.
fn pressure(graph: &Graph, touches: &[Touches], live: &Liveness, wide: &[bool]) -> u32 {
    let mut writers = vec![0u32; wide.len()];
    for t in touches {
        for &r in &t.writes {
            writers[r as usize] += if t.reads.is_empty() { 1 } else { 2 };
        }
    }
    let weight = |r: u32| match (writers[r as usize], wide[r as usize]) {
        (1, _) => 0,
        (_, true) => 2,
        _ => 1,
    };
    let mut most = 0;
    for (b, out) in live.at_end.iter().enumerate() {
        let mut live = out.clone();
        let mut now: u32 = (0..wide.len() as u32).filter(|&r| has(&live, r)).map(weight).sum();
        most = most.max(now);
        for t in touches[graph.starts[b]..graph.starts[b + 1]].iter().rev() {
            for &r in t.writes.iter().filter(|_| !t.partial) {
                if has(&live, r) {
                    clear(&mut live, r);
                    now -= weight(r);
                }
            }
            for &r in &t.reads {
                if !has(&live, r) {
                    set(&mut live, r);
                    now += weight(r);
                }
            }
            most = most.max(now);
        }
    }
    most
}

/// First and last position of each register; position of an instruction's reads is `2 i + 2`, of its
/// writes `2 i + 3`. Registers never touched have `usize::MAX`.
fn spans(graph: &Graph, touches: &[Touches], live: &Liveness, registers: usize) -> Vec<(usize, usize)> {
    let mut spans = vec![(usize::MAX, 0); registers];
    let mut touch = |r: u32, at: usize| {
        let s = &mut spans[r as usize];
        s.0 = s.0.min(at);
        s.1 = s.1.max(at);
    };
    for b in 0..graph.successors.len() {
        for r in 0..registers as u32 {
            if has(&live.at_start[b], r) {
                touch(r, 2 * graph.starts[b] + 2);
            }
            if has(&live.at_end[b], r) {
                touch(r, 2 * graph.starts[b + 1] + 1);
            }
        }
        for i in graph.starts[b]..graph.starts[b + 1] {
            for &r in &touches[i].reads {
                touch(r, 2 * i + 2);
            }
            for &r in &touches[i].writes {
                touch(r, if touches[i].apart { 2 * i + 2 } else { 2 * i + 3 });
                touch(r, 2 * i + 3);
            }
        }
    }
    spans
}

fn has(set: &[u64], r: u32) -> bool {
    set[r as usize / 64] >> (r % 64) & 1 != 0
}

fn set(set: &mut [u64], r: u32) {
    set[r as usize / 64] |= 1 << (r % 64);
}

fn clear(set: &mut [u64], r: u32) {
    set[r as usize / 64] &= !(1 << (r % 64));
}
