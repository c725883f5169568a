//! Loads, stores, atomics, fences.

use crate::isa::decoder::{Decoded, Decoder, Mods, Refusal};
use crate::isa::memory::atomics;
use crate::isa::memory::load::load_handler;
use crate::isa::memory::qualifiers::{Access, qualifiers};
use crate::isa::memory::store::store_handler;
use crate::isa::operands::SymbolValue;
use crate::machine::access::*;
use crate::machine::inst::Flow;
use crate::machine::program::Class;
use crate::machine::row::NONE;
use crate::ptx::{Instr, Operand, Space, Type};

/// An address on its way into an instruction.
pub struct Address {
    pub row: u32,
    pub imm: i64,
    pub short: bool,
    /// The operand names a parameter of a device function or of a call: local memory of the frame.
    pub in_frame: bool,
}

impl<'a> Decoder<'a> {
    /// Decodes an instruction of this family; false when it belongs to another.
    pub fn memory(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<bool> {
        match i.op {
            "ld" | "ldu" => self.load(i, m)?,
            "st" => self.store(i, m)?,
            "atom" | "red" => self.atomic(i, m)?,
            "membar" | "fence" => self.fence(i, m)?,
            "prefetch" | "prefetchu" | "applypriority" => self.cache_hint(i, m)?,
            "discard" => self.discard(i, m)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// An address operand.
    pub fn address(&mut self, o: &Operand<'a>) -> Decoded<Address> {
        let Operand::Address(base, offset) = o else {
            return Err(Refusal::new("an address in [ ] is wanted"));
        };
        let fixed = |d: &mut Self, v: i64| Address { row: d.old_long(0), imm: v, short: false, in_frame: false };
        Ok(match &**base {
            Operand::Reg(r) => {
                let short = match self.reg_type(*r).bytes() {
                    8 => false,
                    4 => true,
                    _ => return Err(Refusal::new("an address register must have 32 or 64 bits")),
                };
                Address { row: *r, imm: *offset, short, in_frame: false }
            }
            Operand::Integer(v) => fixed(self, (*v as i64).wrapping_add(*offset)),
            named => match self.symbol_value(named)? {
                SymbolValue::Fixed(v) => fixed(self, (v as i64).wrapping_add(*offset)),
                SymbolValue::Frame(v) => {
                    let row = self.old_frame_row();
                    let imm = (v as i64).wrapping_add(*offset);
                    Address { row, imm, short: true, in_frame: true }
                }
            },
        })
    }

    /// The space among the modifiers.
    pub fn space(&self, m: &mut Mods<'a>) -> Decoded<(u8, bool)> {
        let word =
            m.one_of(&["global", "const", "shared", "shared::cta", "local", "param", "param::entry", "param::func"]);
        Ok(match word {
            Some("global") => (GLOBAL, false),
            Some("const") => (GLOBAL, true),
            Some("shared" | "shared::cta") => (SHARED, false),
            Some("local") => (LOCAL, false),
            Some(_) => (PARAM, false),
            None => (GENERIC, false),
        })
    }

    fn elements(&self, o: &Operand<'a>, m: &mut Mods<'a>) -> Decoded<Vec<Operand<'a>>> {
        let count = match m.one_of(&["v2", "v4", "v8"]) {
            Some("v2") => 2,
            Some("v4") => 4,
            Some(_) => 8,
            None => 1,
        };
        let list = match o {
            Operand::Vector(list) => list.clone(),
            other => vec![other.clone()],
        };
        if list.len() != count || count == 8 {
            return Err(Refusal::new("the vector doesn't fit '.v2' or '.v4'"));
        }
        Ok(list)
    }

    fn load(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let access = if i.op == "ldu" { Access::Ldu } else { Access::Load };
        let q = qualifiers(m, access)?;
        let flags = q.flags;
        let (mut space, constant) = self.space(m)?;
        q.fits(space, constant)?;
        let [d, a] = match i.operands.len() {
            3 => {
                let [d, a, policy] = self.operands::<3>(i)?;
                self.policy(&q, Some(&policy))?;
                [d, a]
            }
            _ => {
                self.policy(&q, None)?;
                self.operands::<2>(i)?
            }
        };
        let elements = self.elements(&d, m)?;
        let ty = m.ty()?;
        let address = self.address(&a)?;
        if space == PARAM && (address.in_frame || !self.function.is_entry) {
            space = LOCAL;
        }
        let mut rows = Vec::new();
        let mut register = None;
        for e in &elements {
            let (row, have) = self.old_dst_wide(e, ty)?;
            if row != NONE {
                register.get_or_insert(have);
            }
            rows.push(row);
        }
        let register = register.unwrap_or(ty);
        let run = load_handler(space, ty.bytes(), rows.len() as u32).ok_or_else(Refusal::wrong_type)?;
        let p = self.old_emit(Class::LoadStore, run, NONE, &[address.row]);
        p.apart = true;
        p.inst.imm = address.imm;
        p.inst.flags = flags
            | (u8::from(address.short) * SHORT_ADDRESS)
            | (u8::from(ty.signed()) * SIGNED)
            | (u8::from(register.bytes() == 8 && ty.bytes() < 8) * WIDE);
        p.inst.p = ty.bytes() as u16;
        p.inst.q = if register.bytes() == 2 { 16 } else { 0 };
        p.inst.aux = rows.len() as u32;
        for (n, &row) in rows.iter().enumerate() {
            p.set_write_field(if n == 0 { 0 } else { n + 1 }, row);
        }
        Ok(())
    }

    fn store(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let q = qualifiers(m, Access::Store)?;
        let flags = q.flags;
        let (mut space, constant) = self.space(m)?;
        q.fits(space, constant)?;
        let [a, v] = match i.operands.len() {
            3 => {
                let [a, v, policy] = self.operands::<3>(i)?;
                self.policy(&q, Some(&policy))?;
                [a, v]
            }
            _ => {
                self.policy(&q, None)?;
                self.operands::<2>(i)?
            }
        };
        if constant {
            return Err(Refusal::new("constant memory can't be written"));
        }
        let elements = self.elements(&v, m)?;
        let ty = m.ty()?;
        let address = self.address(&a)?;
        if space == PARAM && address.in_frame {
            space = LOCAL;
        }
        let mut rows = Vec::new();
        let mut wide = None;
        for e in &elements {
            let (row, w) = self.old_src_wide(e, ty)?;
            // immediates come at the width of the type, registers may be wider
            if wide.is_some_and(|x| x != w) {
                return Err(Refusal::new("registers of different widths in one vector"));
            }
            wide = Some(w);
            rows.push(row);
        }
        self.releases |= flags & RELEASE != 0;
        let run = store_handler(space, ty.bytes(), rows.len() as u32)
            .ok_or_else(|| Refusal::new("not possible with this type or space"))?;
        let p = self.old_emit(Class::LoadStore, run, NONE, &[address.row]);
        p.inst.imm = address.imm;
        p.inst.flags =
            flags | (u8::from(address.short) * SHORT_ADDRESS) | (u8::from(wide == Some(true) && ty.bytes() < 8) * WIDE);
        p.inst.p = ty.bytes() as u16;
        p.inst.aux = rows.len() as u32;
        for (n, &row) in rows.iter().enumerate() {
            p.set_read(if n == 0 { 0 } else { n + 1 }, row);
        }
        Ok(())
    }

    fn atomic(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let returns = i.op == "atom";
        let q = qualifiers(m, if returns { Access::Atomic } else { Access::Reduction })?;
        let flags = q.flags;
        let (space, constant) = self.space(m)?;
        q.fits(space, constant)?;
        if constant || matches!(space, LOCAL | PARAM) {
            return Err(Refusal::new("atomics need global or shared memory"));
        }
        let word = m
            .one_of(&["add", "min", "max", "and", "or", "xor", "exch", "cas", "inc", "dec"])
            .ok_or_else(|| Refusal::new("this atomic operation is not known"))?;
        let noftz = m.take("noftz");
        let ty = m.ty()?;
        let half = matches!(ty, Type::F16 | Type::F16x2 | Type::Bf16 | Type::Bf16x2);
        if half != noftz {
            return Err(Refusal::new("'.noftz' belongs to atomics of f16 and bf16, and to them alone"));
        }
        match ty {
            Type::F16 => self.needs_sm(70, "this atomic")?,
            Type::Bf16 | Type::Bf16x2 => self.needs_sm(90, "this atomic")?,
            _ => {}
        }
        let op = atomics::operation(word, ty)
            .ok_or_else(|| Refusal::new("this atomic operation is not possible with this type"))?;
        let want = if word == "cas" { 3 } else { 2 } + usize::from(returns);
        let mut operands = i.operands.clone();
        if q.cache_hint && operands.len() == want + 1 {
            let policy = operands.pop();
            self.policy(&q, policy.as_ref())?;
        } else {
            self.policy(&q, None)?;
        }
        if operands.len() != want {
            return Err(Refusal::new(format!("{} operands where {want} belong", operands.len())));
        }
        let mut at = operands.iter();
        let d = match (returns, at.next()) {
            (true, Some(Operand::Sink)) => NONE,
            (true, Some(o)) => self.old_dst(o, ty)?,
            _ => {
                at = operands.iter();
                NONE
            }
        };
        let missing = || Refusal::new("operands are missing");
        let address = self.address(at.next().ok_or_else(missing)?)?;
        let b = self.old_src(at.next().ok_or_else(missing)?, ty)?;
        let c = match at.next() {
            Some(o) => self.old_src(o, ty)?,
            None => NONE,
        };
        self.releases |= flags & RELEASE != 0;
        let run = atomics::handler_for(space, ty);
        let p = self.old_emit(Class::Atomic, run, d, &[address.row, b, c]);
        p.apart = true;
        p.inst.imm = address.imm;
        p.inst.flags = flags | STRONG | (u8::from(address.short) * SHORT_ADDRESS);
        p.inst.aux = op as u32;
        p.inst.p = ty.bytes() as u16;
        Ok(())
    }

    fn fence(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        if let Some(word) = i.mods.iter().find(|w| w.starts_with("proxy") || w.starts_with("mbarrier_init")) {
            return Err(Refusal::new(format!(
                "'.{word}': proxy fences belong to bulk copies and clusters, which are not supported"
            )));
        }
        let scope = if i.op == "membar" {
            m.one_of(&["cta", "gl", "sys"])
        } else {
            let word = m.one_of(&["sc", "acq_rel", "acquire", "release"]);
            if matches!(word, Some("acquire" | "release")) {
                self.needs_sm(90, "a fence of one side")?;
            }
            m.one_of(&["cta", "gpu", "sys", "cluster"])
        };
        let scope = scope.ok_or_else(|| Refusal::new("the fence has no scope"))?;
        if !i.operands.is_empty() {
            return Err(Refusal::new("a fence has no operands"));
        }
        let p = self.old_push(Class::Other, atomics::fence(), Flow::Straight);
        // a cluster is one block here
        let block_only = matches!(scope, "cta" | "cluster");
        p.inst.aux = u32::from(block_only);
        self.releases |= !block_only;
        Ok(())
    }

    /// Where each variable of the function lies.
    pub fn place_variables(&mut self, function: usize) {
        let mut local = 0u64;
        let mut param = 0u64;
        for (id, v) in self.function.vars.iter().enumerate() {
            let is_kernel_param = self.function.is_entry && self.function.params.contains(&(id as u32));
            let offset = match v.space {
                Space::Shared => u64::from(self.shared.inner.get(&(function, id)).copied().unwrap_or(0)),
                Space::Param if is_kernel_param => {
                    let at = crate::isa::decoder::placed(param, v);
                    param = at + v.bytes();
                    at
                }
                _ => {
                    // words of local memory are handled whole when arguments are copied
                    let at = crate::isa::decoder::placed(local, v).next_multiple_of(4);
                    local = at + v.bytes();
                    at
                }
            };
            self.var_offsets.push(offset);
        }
        self.local_bytes = local.next_multiple_of(16) as u32;
    }
}
