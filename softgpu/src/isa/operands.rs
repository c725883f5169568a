//! Operands to rows.

use crate::isa::decoder::{CONSTANT, Decoded, Decoder, FIRST_PRED, JUNK, Refusal, Symbol};
use crate::machine::cx::CODE_WINDOW;
use crate::machine::program::{Fill, Special};
use crate::machine::row::NONE;
use crate::ptx::{Instr, Operand, Space, Type};

impl<'a> Decoder<'a> {
    /// The operands of an instruction that has as many as are wanted.
    pub fn operands<const N: usize>(&self, i: &Instr<'a>) -> Decoded<[Operand<'a>; N]> {
        i.operands
            .clone()
            .try_into()
            .map_err(|_| Refusal::new(format!("{} operands where {N} belong", i.operands.len())))
    }

    /// The row of a constant.
    pub fn constant(&mut self, fill: Fill) -> u32 {
        let next = self.constants.len() as u32;
        let id = *self.constant_ids.entry(fill).or_insert(next);
        if id == next {
            self.constants.push(fill);
        }
        id | CONSTANT
    }

    pub fn word(&mut self, v: u32) -> u32 {
        self.constant(Fill::Word(v))
    }

    pub fn long(&mut self, v: u64) -> u32 {
        self.constant(Fill::Long(v))
    }

    /// The type a register was declared with.
    pub fn reg_type(&self, reg: u32) -> Type {
        self.function.regs[reg as usize].0
    }

    /// A source operand read as a type.
    pub fn src(&mut self, o: &Operand<'a>, ty: Type) -> Decoded<u32> {
        match o {
            Operand::Reg(r) => {
                let have = self.reg_type(*r);
                if have == Type::Pred || have.bytes() != ty.bytes() {
                    return Err(Refusal::new(format!(
                        "a {}-bit register where {} bits are wanted",
                        8 * have.bytes(),
                        8 * ty.bytes()
                    )));
                }
                Ok(*r)
            }
            _ => self.immediate(o, ty),
        }
    }

    /// A source operand of a register that may be wider than the type, as `ld`, `st` and `cvt` allow;
    /// gives the row and whether it is 64 bits wide.
    pub fn src_wide(&mut self, o: &Operand<'a>, ty: Type) -> Decoded<(u32, bool)> {
        if let Operand::Reg(r) = o {
            let have = self.reg_type(*r);
            if have == Type::Pred || have.bytes() < ty.bytes().min(4) && have.bytes() < ty.bytes() {
                return Err(Refusal::new("a register narrower than the type"));
            }
            return Ok((*r, have.bytes() == 8));
        }
        Ok((self.immediate(o, ty)?, ty.bytes() == 8))
    }

    fn immediate(&mut self, o: &Operand<'a>, ty: Type) -> Decoded<u32> {
        let wide = ty.bytes() == 8;
        let bits = match o {
            Operand::Integer(v) => {
                if ty == Type::F32 {
                    u64::from((*v as f32).to_bits())
                } else if ty == Type::F64 {
                    (*v as f64).to_bits()
                } else {
                    *v as u64
                }
            }
            Operand::Single(bits) if !wide => u64::from(*bits),
            Operand::Single(bits) => f64::from(f32::from_bits(*bits)).to_bits(),
            Operand::Double(bits) if wide => *bits,
            Operand::Double(bits) => u64::from((f64::from_bits(*bits) as f32).to_bits()),
            Operand::Special(name) => {
                let special = special(name)
                    .ok_or_else(|| Refusal::new(format!("the special register %{name} can't be read here")))?;
                if wide {
                    return Err(Refusal::new(format!("%{name} is not 64 bits wide")));
                }
                return Ok(self.constant(Fill::Special(special)));
            }
            Operand::Var(..) | Operand::Symbol(..) => return self.address_of(o, ty),
            _ => {
                return Err(Refusal::new("an operand of a kind that is not possible here"));
            }
        };
        Ok(match ty.bytes() {
            8 => self.long(bits),
            4 => self.word(bits as u32),
            2 => self.word(bits as u32 & 0xffff),
            _ => self.word(bits as u32 & 0xff),
        })
    }

    /// The row of a symbol's address in its own space; local variables need an addition and are
    /// handled by `mov`.
    fn address_of(&mut self, o: &Operand<'a>, ty: Type) -> Decoded<u32> {
        let value = self.symbol_value(o)?;
        match value {
            SymbolValue::Fixed(v) if ty.bytes() == 8 => Ok(self.long(v)),
            SymbolValue::Fixed(v) if ty.bytes() == 4 && v <= u64::from(u32::MAX) => Ok(self.word(v as u32)),
            SymbolValue::Fixed(_) => Err(Refusal::new("an address doesn't fit this type")),
            SymbolValue::Frame(_) => {
                Err(Refusal::new("the address of a local variable is only possible in mov and in [ ]"))
            }
        }
    }

    /// What a name stands for.
    pub fn symbol_value(&mut self, o: &Operand<'a>) -> Decoded<SymbolValue> {
        match o {
            Operand::Var(id, offset) => {
                let v = &self.function.vars[*id as usize];
                let base = self.var_offsets[*id as usize];
                let at = base.wrapping_add(*offset as u64);
                match v.space {
                    Space::Shared | Space::Global | Space::Const => Ok(SymbolValue::Fixed(at)),
                    Space::Param if self.function.is_entry && self.function.params.contains(id) => {
                        Ok(SymbolValue::Fixed(at))
                    }
                    Space::Local | Space::Param => Ok(SymbolValue::Frame(at)),
                }
            }
            Operand::Symbol(name, offset) => match self.symbols.get(name) {
                Some(Symbol::Address(a)) => Ok(SymbolValue::Fixed(a.wrapping_add(*offset as u64))),
                Some(Symbol::Function(n)) => Ok(SymbolValue::Fixed(CODE_WINDOW + u64::from(*n) * 16)),
                Some(Symbol::Shared(n)) => {
                    let at = self.shared_offset(*n)?;
                    Ok(SymbolValue::Fixed(u64::from(at).wrapping_add(*offset as u64)))
                }
                None => Err(Refusal::new(format!("'{name}' was never declared"))),
            },
            _ => Err(Refusal::new("a name expected")),
        }
    }

    fn shared_offset(&mut self, n: usize) -> Decoded<u32> {
        self.shared
            .offsets
            .get(&n)
            .copied()
            .ok_or_else(|| Refusal::new("a shared variable that the kernel doesn't place"))
    }

    /// A destination of a type.
    pub fn dst(&mut self, o: &Operand<'a>, ty: Type) -> Decoded<u32> {
        match o {
            Operand::Reg(r) => {
                let have = self.reg_type(*r);
                if have == Type::Pred || have.bytes() != ty.bytes() {
                    return Err(Refusal::new(format!(
                        "a {}-bit destination where {} bits are wanted",
                        8 * have.bytes(),
                        8 * ty.bytes()
                    )));
                }
                Ok(*r)
            }
            _ => Err(Refusal::new("the destination must be a register")),
        }
    }

    /// A destination that may be wider than the type, or `_`.
    pub fn dst_wide(&mut self, o: &Operand<'a>, ty: Type) -> Decoded<(u32, Type)> {
        match o {
            Operand::Sink => Ok((NONE, ty)),
            Operand::Reg(r) => {
                let have = self.reg_type(*r);
                if have == Type::Pred || have.bytes() < ty.bytes() {
                    return Err(Refusal::new("the destination is narrower than the type"));
                }
                Ok((*r, have))
            }
            _ => Err(Refusal::new("the destination must be a register")),
        }
    }

    /// The slot of a predicate register.
    pub fn pred_slot(&mut self, reg: u32) -> Decoded<u16> {
        if self.reg_type(reg) != Type::Pred {
            return Err(Refusal::new("a predicate register is wanted"));
        }
        let slot = &mut self.preds[reg as usize];
        if *slot == 0 {
            if self.pred_count == u16::MAX - FIRST_PRED {
                return Err(Refusal::new("too many predicates"));
            }
            *slot = FIRST_PRED + self.pred_count;
            self.pred_count += 1;
        }
        Ok(*slot)
    }

    /// A predicate source: slot and whether it is negated.
    pub fn pred_src(&mut self, o: &Operand<'a>) -> Decoded<(u16, bool)> {
        match o {
            Operand::Reg(r) => Ok((self.pred_slot(*r)?, false)),
            Operand::Not(r) => Ok((self.pred_slot(*r)?, true)),
            Operand::Integer(v) => Ok((0, *v == 0)),
            _ => Err(Refusal::new("a predicate is wanted")),
        }
    }

    pub fn pred_dst(&mut self, o: &Operand<'a>) -> Decoded<u16> {
        match o {
            Operand::Reg(r) => self.pred_slot(*r),
            Operand::Sink => Ok(JUNK),
            _ => Err(Refusal::new("a predicate register is wanted")),
        }
    }

    /// The row that holds the address of the frame's local memory.
    pub fn frame_row(&mut self) -> u32 {
        self.constant(Fill::Special(Special::Frame))
    }
}

/// What a name stands for.
#[derive(Clone, Copy, Debug)]
pub enum SymbolValue {
    /// An address known at load.
    Fixed(u64),
    /// An offset into the frame's local memory.
    Frame(u64),
}

/// Special registers that are constant while a block runs.
fn special(name: &str) -> Option<Special> {
    let axis = |rest: &str| match rest {
        "x" => 0,
        "y" => 1,
        _ => 2,
    };
    if let Some((head, tail)) = name.split_once('.') {
        return match head {
            "tid" => Some(Special::Tid(axis(tail))),
            "ntid" => Some(Special::Ntid(axis(tail))),
            "ctaid" => Some(Special::Ctaid(axis(tail))),
            "nctaid" => Some(Special::Nctaid(axis(tail))),
            _ => None,
        };
    }
    Some(match name {
        "laneid" => Special::Lane,
        "warpid" => Special::Warp,
        "nwarpid" => Special::Nwarp,
        "smid" => Special::Sm,
        "nsmid" => Special::Nsm,
        "gridid" => Special::Grid,
        "lanemask_eq" => Special::MaskEq,
        "lanemask_le" => Special::MaskLe,
        "lanemask_lt" => Special::MaskLt,
        "lanemask_ge" => Special::MaskGe,
        "lanemask_gt" => Special::MaskGt,
        "total_smem_size" | "aggr_smem_size" => Special::SharedTotal,
        "dynamic_smem_size" => Special::SharedDynamic,
        _ => return None,
    })
}
