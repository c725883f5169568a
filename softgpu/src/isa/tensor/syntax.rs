//! Matrix instructions and asynchronous copies.

use crate::isa::decoder::{Decoded, Decoder, Mods, Refusal};
use crate::isa::tensor::{copies, products as tensor};
use crate::machine::access::SHORT_ADDRESS;
use crate::machine::inst::Flow;
use crate::machine::old_op::{handler, plain_handler};
use crate::machine::operand::CONSTANT;
use crate::machine::program::Class;
use crate::machine::row::NONE;
use crate::numerics::mma::Element;
use crate::ptx::{Instr, Operand, Type};

impl<'a> Decoder<'a> {
    /// Decodes an instruction of this family; false when it belongs to another.
    pub fn tensor(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<bool> {
        match i.op {
            "mma" => self.mma(i, m)?,
            "ldmatrix" | "stmatrix" => self.matrix(i, m)?,
            "cp" if i.mods.first() == Some(&"async") && !i.mods.contains(&"bulk") => self.cp_async(i, m)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn rows_of(&mut self, o: &Operand<'a>, ty: Type, count: usize, write: bool) -> Decoded<Vec<u32>> {
        let list = match o {
            Operand::Vector(list) => list.clone(),
            other => vec![other.clone()],
        };
        if list.len() != count {
            return Err(Refusal::new(format!("{} registers where {count} belong", list.len())));
        }
        list.iter().map(|o| if write { self.old_dst(o, ty) } else { self.old_src(o, ty) }).collect()
    }

    fn mma(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        if !m.take("sync") {
            return Err(Refusal::new("'.sync' is missing"));
        }
        m.take("aligned");
        let shape = m
            .one_of(&["m16n8k4", "m16n8k8", "m16n8k16", "m16n8k32", "m8n8k4", "m8n8k16"])
            .ok_or_else(|| Refusal::new("this shape is not supported"))?;
        if !(m.take("row") && m.take("col")) {
            return Err(Refusal::new("only .row.col is supported"));
        }
        let saturate = m.take("satfinite");
        // the types stand in the order d, a, b, c; tf32 is no fundamental type
        let words = std::mem::take(&mut m.words);
        let [d, a, b, c] = words[..] else {
            return Err(Refusal::new("four types are wanted"));
        };
        let shape = tensor::find(shape, [d, a, b, c], saturate, self.sm).map_err(Refusal::new)?;
        let [od, oa, ob, oc] = self.operands::<4>(i)?;
        let (tc, ta) = match shape.a {
            Element::F64 => (Type::F64, Type::F64),
            _ if d == "f32" => (Type::F32, Type::B32),
            _ => (Type::B32, Type::B32),
        };
        // registers are declared .b32, .f32 or .f64: only the width matters
        let mut rows = self.rows_of(&od, tc, shape.c_registers(), true)?;
        let outputs = rows.clone();
        let inputs = [
            self.rows_of(&oa, ta, shape.a_registers(), false)?,
            self.rows_of(&ob, ta, shape.b_registers(), false)?,
            self.rows_of(&oc, tc, shape.c_registers(), false)?,
        ]
        .concat();
        rows.extend(&inputs);
        rows.insert(0, self.old_word(shape.encode()));
        let members = self.word(!0).read()?;
        let p = self.old_push(Class::Tensor, tensor::handler_of(shape), Flow::Together);
        p.members = Some(members);
        p.writes.extend(outputs);
        p.reads.extend(inputs.iter().filter(|&&r| r & CONSTANT == 0));
        p.rows = rows;
        p.apart = true;
        p.info.tensor = shape.multiply_adds() as u32;
        Ok(())
    }

    fn matrix(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let load = i.op == "ldmatrix";
        if !m.take("sync") {
            return Err(Refusal::new("'.sync' is missing"));
        }
        m.take("aligned");
        if !m.take("m8n8") {
            return Err(Refusal::new("only .m8n8 is supported"));
        }
        let count = match m.one_of(&["x1", "x2", "x4"]) {
            Some("x1") => 1,
            Some("x2") => 2,
            Some(_) => 4,
            None => return Err(Refusal::new("'.x1', '.x2' or '.x4' is missing")),
        };
        let trans = m.take("trans");
        if !(m.take("shared") || m.take("shared::cta")) {
            return Err(Refusal::new("matrices are loaded from '.shared'"));
        }
        let ty = m.ty()?;
        if ty != Type::B16 {
            return Err(Refusal::new("only .b16 is supported"));
        }
        let [x, y] = self.operands::<2>(i)?;
        let (data, address) = if load { (x, y) } else { (y, x) };
        let rows = self.rows_of(&data, Type::B32, count, load)?;
        let address = self.address(&address)?;
        let members = self.word(!0).read()?;
        let run = match (load, trans) {
            (true, false) => handler::<copies::LoadMatrix<false>>(),
            (true, true) => handler::<copies::LoadMatrix<true>>(),
            (false, false) => handler::<copies::StoreMatrix<false>>(),
            (false, true) => handler::<copies::StoreMatrix<true>>(),
        };
        let p = self.old_push(Class::LoadStore, run, Flow::Together);
        p.set_read(1, address.row);
        p.members = Some(members);
        p.inst.imm = address.imm;
        p.inst.flags = u8::from(address.short) * SHORT_ADDRESS;
        let registers = rows.iter().filter(|&&r| r & CONSTANT == 0);
        if load {
            p.writes.extend(registers);
        } else {
            p.reads.extend(registers);
        }
        p.rows = rows;
        p.apart = true;
        Ok(())
    }

    fn cp_async(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        m.take("async");
        if m.take("commit_group") {
            self.old_push(Class::Other, plain_handler::<copies::Commit>(), Flow::Straight);
            return Ok(());
        }
        if m.take("wait_all") {
            let p = self.old_push(Class::Other, plain_handler::<copies::Wait>(), Flow::Straight);
            p.inst.aux = NONE;
            return Ok(());
        }
        if m.take("wait_group") {
            let [n] = self.operands::<1>(i)?;
            let Operand::Integer(n) = n else {
                return Err(Refusal::new("a constant is wanted"));
            };
            let p = self.old_push(Class::Other, plain_handler::<copies::Wait>(), Flow::Straight);
            p.inst.aux = n as u32;
            return Ok(());
        }
        if m.take("mbarrier") {
            return self.copy_arrive(i, m);
        }
        let cache = m.one_of(&["ca", "cg"]).ok_or_else(|| Refusal::new("'.ca' or '.cg' is missing"))?;
        if !(m.take("shared") || m.take("shared::cta")) || !m.take("global") {
            return Err(Refusal::new("only '.shared.global' exists"));
        }
        let hint = m.take("L2::cache_hint");
        m.one_of(&["L2::64B", "L2::128B", "L2::256B"]);
        let mut operands = i.operands.clone();
        if hint {
            // the policy changes no result
            let policy = operands.pop();
            let policy = policy.ok_or_else(|| Refusal::new("operands are missing"))?;
            self.old_src(&policy, Type::B64)?;
        }
        if !matches!(operands.len(), 3 | 4) {
            return Err(Refusal::new("two addresses, a size and at most one operand more are wanted"));
        }
        let to = self.address(&operands[0])?;
        let from = self.address(&operands[1])?;
        let Operand::Integer(size) = operands[2] else {
            return Err(Refusal::new("the size must be a constant"));
        };
        if !(size == 16 || cache == "ca" && (size == 4 || size == 8)) {
            return Err(Refusal::new(format!("a size of {size} is not possible (.cg copies 16, .ca 4, 8 or 16)")));
        }
        let (mut read, mut ignore) = (NONE, None);
        if let Some(o) = operands.get(3) {
            let is_pred =
                matches!(o, Operand::Not(_)) || matches!(o, Operand::Reg(r) if self.reg_type(*r) == Type::Pred);
            if is_pred {
                ignore = Some(self.old_pred_src(o)?);
            } else {
                read = self.old_src(o, Type::U32)?;
            }
        }
        let p = self.old_push(Class::LoadStore, handler::<copies::CopyAsync>(), Flow::Straight);
        p.set_read(1, to.row);
        p.set_read(2, from.row);
        p.set_read(3, read);
        p.inst.imm = from.imm;
        p.inst.aux = to.imm as u32;
        p.inst.flags = u8::from(to.short) | u8::from(from.short) << 1;
        p.inst.p = size as u16;
        if let Some((slot, negated)) = ignore {
            p.inst.q = slot;
            p.inst.flags |= 4 | u8::from(negated) << 3;
        }
        Ok(())
    }
}
