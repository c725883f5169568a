//! Ordering, scope and cache qualifiers of memory instructions, as far as the ISA allows them.
//!
//! PTX ISA, "Data Movement and Conversion Instructions": cache operators, cache eviction priority
//! hints, `ld`, `st`, `atom`, `red`, `prefetch`, `applypriority`, `discard`.

use crate::isa::decoder::{Decoded, Decoder, Mods, Refusal, old_no_handler};
use crate::machine::access::*;
use crate::machine::inst::Flow;
use crate::machine::old_op::handler;
use crate::machine::program::Class;
use crate::machine::row::NONE;
use crate::ptx::{Instr, Operand, Type};

/// The instruction that is qualified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Load,
    Ldu,
    Store,
    Atomic,
    Reduction,
}

/// What the qualifiers of a memory instruction say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Qualifiers {
    /// For [`Inst::flags`](crate::machine::inst::Inst::flags).
    pub flags: u8,
    /// A cache policy is among the operands.
    pub cache_hint: bool,
    /// Hints that only global memory has.
    hinted: bool,
    read_only: bool,
}

const L1_HINTS: [&str; 5] =
    ["L1::evict_normal", "L1::evict_unchanged", "L1::evict_first", "L1::evict_last", "L1::no_allocate"];

/// Takes ordering, scope and cache qualifiers; refuses those that the instruction doesn't have or that
/// exclude each other.
pub fn qualifiers(m: &mut Mods<'_>, access: Access) -> Decoded<Qualifiers> {
    use Access::*;
    let mut q = Qualifiers::default();
    let words: &[&'static str] = match access {
        Load => &["volatile", "relaxed", "acquire", "weak"],
        Ldu => &[],
        Store => &["volatile", "relaxed", "release", "weak"],
        Atomic => &["relaxed", "acquire", "release", "acq_rel"],
        Reduction => &["relaxed", "release"],
    };
    let order = m.one_of(words);
    q.flags |= match order {
        Some("volatile" | "relaxed") => STRONG,
        Some("acquire") => STRONG | ACQUIRE,
        Some("release") => STRONG | RELEASE,
        Some("acq_rel") => STRONG | ACQUIRE | RELEASE,
        _ => 0,
    };
    let scope = if access == Ldu { None } else { m.one_of(&["cta", "cluster", "gpu", "sys"]) };
    if matches!(scope, Some("cta" | "cluster")) {
        // orders nothing between blocks
        q.flags &= !(ACQUIRE | RELEASE);
    }
    if matches!(access, Load | Store) {
        let scoped = matches!(order, Some("relaxed" | "acquire" | "release"));
        if scoped != scope.is_some() {
            return Err(Refusal::new("a scope belongs to .relaxed, .acquire and .release, and they to a scope"));
        }
        if m.take("mmio") && !scoped {
            return Err(Refusal::new("'.mmio' needs .relaxed, .acquire or .release"));
        }
    }
    let operators: &[&'static str] = match access {
        Load => &["ca", "cg", "cs", "lu", "cv"],
        Store => &["wb", "cg", "cs", "wt"],
        _ => &[],
    };
    let operator = m.one_of(operators);
    if operator.is_some() && matches!(order, Some(word) if word != "weak") {
        return Err(Refusal::new("a cache operator can't stand beside an ordering"));
    }
    if matches!(access, Load | Store) {
        let hint = m.one_of(&L1_HINTS);
        if hint.is_some() && operator.is_some() {
            return Err(Refusal::new("a cache operator and an eviction priority exclude each other"));
        }
        q.hinted |= hint.is_some();
    }
    if matches!(access, Load | Ldu) {
        q.hinted |= m.one_of(&["L2::64B", "L2::128B", "L2::256B"]).is_some();
    }
    if access != Ldu {
        q.cache_hint = m.take("L2::cache_hint");
        q.hinted |= q.cache_hint;
    }
    if access == Load && m.take("nc") {
        if matches!(order, Some(word) if word != "weak") || matches!(operator, Some("lu" | "cv")) {
            return Err(Refusal::new("'.nc' reads through the read-only path: no ordering, and only .ca, .cg and .cs"));
        }
        q.read_only = true;
        q.flags |= READ_ONLY;
    }
    Ok(q)
}

impl Qualifiers {
    /// Refuses qualifiers that the space doesn't have.
    pub fn fits(&self, space: u8, constant: bool) -> Decoded<()> {
        let global = space == GLOBAL && !constant;
        if self.hinted && !(global || space == GENERIC) {
            return Err(Refusal::new(format!(
                "eviction priorities, prefetch sizes and cache policies don't apply to {} memory",
                if constant { "constant" } else { space_name(space) }
            )));
        }
        if self.read_only && !global {
            return Err(Refusal::new("'.nc' needs '.global'"));
        }
        Ok(())
    }
}

impl<'a> Decoder<'a> {
    /// Checks the operand of `.L2::cache_hint`: 64 bits that change no result.
    pub fn policy(&mut self, q: &Qualifiers, operand: Option<&Operand<'a>>) -> Decoded<()> {
        match (q.cache_hint, operand) {
            (true, Some(o)) => self.old_src(o, Type::B64).map(|_| ()),
            (false, None) => Ok(()),
            (true, None) => Err(Refusal::new("'.L2::cache_hint' needs a cache policy as its last operand")),
            (false, Some(_)) => Err(Refusal::new("an operand too many (a cache policy needs '.L2::cache_hint')")),
        }
    }

    /// `prefetch`, `prefetchu`, `applypriority`: checked, and without effect.
    pub fn cache_hint(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        if m.take("tensormap") {
            return Err(Refusal::new("tensor maps belong to TMA (cp.async.bulk.tensor), which is not supported"));
        }
        let level = match i.op {
            "prefetch" => {
                let local = m.take("local");
                let global = m.take("global");
                let hints: &[&'static str] =
                    if local { &["L1", "L2"] } else { &["L1", "L2", "L2::evict_last", "L2::evict_normal"] };
                if local && global {
                    return Err(Refusal::new("two state spaces"));
                }
                m.one_of(hints)
            }
            "prefetchu" => m.one_of(&["L1"]),
            _ => {
                m.take("global");
                m.one_of(&["L2::evict_normal"])
            }
        };
        if level.is_none() {
            return Err(Refusal::new("the cache level is missing"));
        }
        let at = match i.op {
            "applypriority" => {
                let [at, size] = self.operands::<2>(i)?;
                line_size(&size)?;
                at
            }
            _ => {
                let [at] = self.operands::<1>(i)?;
                at
            }
        };
        self.address(&at)?;
        self.old_push(Class::Other, old_no_handler, Flow::Straight);
        Ok(())
    }

    /// `discard`: the bytes hold nothing from then on.
    pub fn discard(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        m.take("global");
        if !m.take("L2") {
            return Err(Refusal::new("'.L2' is missing"));
        }
        let [at, size] = self.operands::<2>(i)?;
        line_size(&size)?;
        let address = self.address(&at)?;
        let run = handler::<crate::isa::memory::atomics::Discard>();
        let p = self.old_emit(Class::LoadStore, run, NONE, &[address.row]);
        p.inst.imm = address.imm;
        p.inst.flags = u8::from(address.short) * SHORT_ADDRESS;
        Ok(())
    }
}

fn line_size(o: &Operand<'_>) -> Decoded<()> {
    match o {
        Operand::Integer(128) => Ok(()),
        _ => Err(Refusal::new("the only size there is is 128")),
    }
}
