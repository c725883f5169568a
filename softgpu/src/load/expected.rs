//! Loads whose value is only what a compare-and-swap of the same place expects.
//!
//! The CUDA guide's own loop for atomics that a card doesn't have begins with a plain load: were its value stale or
//! torn, the swap would fail and the loop go round once more. Such a load races with other blocks' swaps by the letter
//! only.
//! Where it has been found equal to what the swap has read, it is right, and so is all that was made of it.

use crate::machine::program::Expected;
use crate::ptx::{Function, Instr, Operand, RegId};
use std::collections::HashMap;

/// What a register holds: something made of the loaded value, or what a swap has found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    Made,
    Found,
}

/// The registers that hold one of these, before an instruction.
type State = HashMap<RegId, Holds>;

/// A function and the instructions that write each register.
struct Flow<'f, 'a> {
    function: &'f Function<'a>,
    writes: Vec<Vec<usize>>,
}

/// For each instruction of a function, of plain loads what their value is used for.
pub fn expected(function: &Function<'_>) -> Vec<Expected> {
    let code = &function.code[..];
    let mut found = vec![Expected::No; code.len()];
    let swaps: Vec<usize> =
        (0..code.len()).filter(|&n| code[n].op == "atom" && code[n].mods.contains(&"cas")).collect();
    if swaps.is_empty() {
        return found;
    }
    let mut writes = vec![Vec::new(); function.regs.len()];
    for (n, i) in code.iter().enumerate() {
        targets(i).into_iter().for_each(|r| writes[r as usize].push(n));
    }
    let flow = Flow { function, writes };
    for (n, load) in code.iter().enumerate() {
        let strong = load.mods.iter().any(|word| matches!(*word, "volatile" | "relaxed" | "acquire" | "nc"));
        if let ("ld", false, [Operand::Reg(value), place]) = (load.op, strong, &load.operands[..]) {
            let here = |s: &usize| flow.same(&code[*s].operands[1], place, 8);
            let here: Vec<usize> = swaps.iter().copied().filter(here).collect();
            if !here.is_empty() {
                found[n] = flow.used(n, *value, &here).unwrap_or(Expected::No);
            }
        }
    }
    found
}

impl<'a> Flow<'_, 'a> {
    /// Whether two operands have the same value, as far as that can be seen: by registers that are written once.
    fn same(&self, a: &Operand<'_>, b: &Operand<'_>, depth: u32) -> bool {
        let (a, b) = (self.origin(a), self.origin(b));
        match (a, b) {
            (Operand::Address(a, m), Operand::Address(b, n)) => m == n && self.same(a, b, depth),
            (Operand::Reg(r), Operand::Reg(s)) if r != s => {
                let (Some(x), Some(y)) = (self.only(*r), self.only(*s)) else { return false };
                let alike = x.op == y.op && x.mods == y.mods && !has_effect(x.op) && depth > 0;
                alike && x.operands[1..].iter().zip(&y.operands[1..]).all(|(a, b)| self.same(a, b, depth - 1))
            }
            _ => a == b,
        }
    }

    /// The instruction that writes a register, where there is one.
    fn only(&self, r: RegId) -> Option<&Instr<'a>> {
        let [n] = self.writes[r as usize][..] else { return None };
        Some(&self.function.code[n]).filter(|i| i.guard.is_none())
    }

    /// What an operand is a copy of, be it as an address of another space.
    fn origin<'o>(&'o self, mut o: &'o Operand<'o>) -> &'o Operand<'o> {
        while let Operand::Reg(r) = o {
            match self.only(*r) {
                Some(i) if matches!(i.op, "mov" | "cvta") && i.operands.len() == 2 => o = &i.operands[1],
                _ => break,
            }
        }
        o
    }

    /// What the value of a load is used for, given the swaps of its place; `None` for anything else.
    fn used(&self, load: usize, value: RegId, swaps: &[usize]) -> Option<Expected> {
        let code = &self.function.code;
        let (mut expects, mut decides) = (false, false);
        let mut states: Vec<Option<State>> = vec![None; code.len() + 1];
        let mut open = vec![(load + 1, HashMap::from([(value, Holds::Made)]))];
        while let Some((n, more)) = open.pop() {
            if !join(&mut states[n], more) || n == code.len() {
                continue;
            }
            let (i, mut state) = (&code[n], states[n].clone()?);
            let holds = |r: RegId| state.get(&r).copied();
            let read: Vec<Holds> = sources(i).into_iter().filter_map(holds).collect();
            let made = read.contains(&Holds::Made);
            decides |= i.guard.is_some_and(|(p, _)| holds(p) == Some(Holds::Made));
            let result = if swaps.contains(&n) {
                expects |= matches!(i.operands.get(2), Some(Operand::Reg(r)) if holds(*r) == Some(Holds::Made));
                Some(Holds::Found)
            } else if i.op == "setp" && read.contains(&Holds::Found) {
                // the comparison that ends the loop
                None
            } else if made {
                Some(Holds::Made)
            } else {
                read.first().copied()
            };
            if made && !swaps.contains(&n) && has_effect(i.op) || i.op == "brx" {
                return None;
            }
            for r in targets(i) {
                match result {
                    Some(result) => drop(state.insert(r, result)),
                    None if i.guard.is_none() => drop(state.remove(&r)),
                    None => {}
                }
            }
            let mut next = state.clone();
            if i.op == "bra" {
                let equal = self.says_equal(i);
                let taken = if equal == Some(true) { State::new() } else { state };
                open.push((self.target(i)?, taken));
                if equal == Some(false) {
                    next.clear();
                }
            }
            let ends = matches!(i.op, "bra" | "ret" | "exit" | "trap") && i.guard.is_none();
            if !ends {
                open.push((n + 1, next));
            }
        }
        expects.then_some(if decides { Expected::Decides } else { Expected::Only })
    }

    /// Of a branch by whether what a swap has found is what was expected: whether it is taken if so.
    fn says_equal(&self, i: &Instr<'_>) -> Option<bool> {
        let (p, negated) = i.guard?;
        let test = self.only(p).filter(|test| test.op == "setp" && test.mods.len() == 2)?;
        // only of integers: equal floats need not be the same
        let whole = matches!(test.mods[1].as_bytes()[0], b's' | b'u' | b'b');
        let found = |o: &Operand<'_>| matches!(o, Operand::Reg(r) if self.is_found(*r));
        if !whole || !test.operands[1..].iter().any(found) {
            return None;
        }
        match test.mods[0] {
            "eq" => Some(!negated),
            "ne" => Some(negated),
            _ => None,
        }
    }

    /// Whether a swap writes a register.
    fn is_found(&self, r: RegId) -> bool {
        self.writes[r as usize].iter().any(|&n| self.function.code[n].op == "atom")
    }

    /// The instruction that a branch goes to.
    fn target(&self, i: &Instr<'_>) -> Option<usize> {
        let Some(Operand::Symbol(name, _)) = i.operands.first() else { return None };
        let labels = &self.function.labels;
        self.function.lookup(i.scope, |s| labels.iter().find(|(at, n, _)| *at == s && n == name).map(|l| l.2))
    }
}

/// Adds what is known to a state; false where it knew that before.
fn join(state: &mut Option<State>, more: State) -> bool {
    let Some(state) = state else {
        *state = Some(more);
        return true;
    };
    let mut new = false;
    for (r, holds) in more {
        let old = state.get(&r).copied();
        if old.is_none() || old == Some(Holds::Found) && holds == Holds::Made {
            state.insert(r, holds);
            new = true;
        }
    }
    new
}

/// Whether what an instruction reads is seen outside its thread's registers.
fn has_effect(op: &str) -> bool {
    let memory = matches!(op, "ld" | "ldu" | "st" | "red" | "atom" | "call" | "cp" | "brx" | "wmma" | "stmatrix");
    memory || matches!(op, "shfl" | "vote" | "match" | "redux" | "activemask" | "mma" | "bar" | "barrier" | "mbarrier")
}

/// Whether an instruction's first operand is read.
fn reads_all(i: &Instr<'_>) -> bool {
    matches!(i.op, "st" | "red" | "bra" | "bar" | "barrier")
}

/// Registers that an instruction writes.
fn targets(i: &Instr<'_>) -> Vec<RegId> {
    let mut all = Vec::new();
    i.operands.first().filter(|_| !reads_all(i)).into_iter().for_each(|o| registers(o, &mut all));
    all
}

/// Registers that an instruction reads, its guard apart.
fn sources(i: &Instr<'_>) -> Vec<RegId> {
    let mut all = Vec::new();
    i.operands.iter().skip(usize::from(!reads_all(i))).for_each(|o| registers(o, &mut all));
    all
}

fn registers(o: &Operand<'_>, all: &mut Vec<RegId>) {
    match o {
        Operand::Reg(r) | Operand::Not(r) => all.push(*r),
        Operand::Vector(list) | Operand::List(list) => list.iter().for_each(|o| registers(o, all)),
        Operand::Address(base, _) => registers(base, all),
        Operand::Pair(a, b) => {
            registers(a, all);
            registers(b, all);
        }
        _ => {}
    }
}
