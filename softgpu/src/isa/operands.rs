//! Operands to rows.

use crate::isa::decoder::{Decoded, Decoder, Refusal, Symbol};
use crate::machine::cx::CODE_WINDOW;
use crate::machine::operand::{CONSTANT, Pred, PredDst, Register};
use crate::machine::program::{Fill, RESERVED_SHARED, Special};
use crate::ptx::{Operand, Space, Type};

impl<'a> Decoder<'a> {
    /// A constant.
    pub fn constant(&mut self, fill: Fill) -> Register {
        let next = self.constants.len() as u32;
        let id = *self.constant_ids.entry(fill).or_insert(next);
        if id == next {
            self.constants.push(fill);
        }
        // SAFETY: the function that is decoded has this constant.
        unsafe { Register::new(id | CONSTANT, matches!(fill, Fill::Long(_))) }
    }

    /// A constant of 32 bits.
    pub fn word(&mut self, v: u32) -> Register {
        self.constant(Fill::Word(v))
    }

    /// A constant of 64 bits.
    pub fn long(&mut self, v: u64) -> Register {
        self.constant(Fill::Long(v))
    }

    fn register(&self, number: u32) -> Register {
        // SAFETY: the parser has found it among the registers of the function that is decoded.
        unsafe { Register::new(number, self.reg_type(number).bytes() == 8) }
    }

    /// The type a register was declared with.
    pub fn reg_type(&self, reg: u32) -> Type {
        self.function.regs[reg as usize].0
    }

    /// A register of the width of a type.
    fn of_width(&self, r: u32, ty: Type) -> Decoded<Register> {
        let have = self.reg_type(r);
        if have == Type::Pred || have.bytes() != ty.bytes() {
            let (have, want) = (8 * have.bytes(), 8 * ty.bytes());
            return Err(Refusal::new(format!("a {have}-bit register where {want} bits are wanted")));
        }
        Ok(self.register(r))
    }

    /// A source operand read as a type.
    pub fn src(&mut self, o: &Operand<'a>, ty: Type) -> Decoded<Register> {
        if let Operand::Reg(r) = o { self.of_width(*r, ty) } else { self.immediate(o, ty) }
    }

    /// A source operand of a register that may be wider than the type, as `ld`, `st` and `cvt` allow.
    pub fn src_wide(&mut self, o: &Operand<'a>, ty: Type) -> Decoded<Register> {
        if let Operand::Reg(r) = o {
            let have = self.reg_type(*r);
            if have == Type::Pred || have.bytes() < ty.bytes().min(4) && have.bytes() < ty.bytes() {
                return Err(Refusal::new("a register narrower than the type"));
            }
            return Ok(self.register(*r));
        }
        self.immediate(o, ty)
    }

    fn immediate(&mut self, o: &Operand<'a>, ty: Type) -> Decoded<Register> {
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
    fn address_of(&mut self, o: &Operand<'a>, ty: Type) -> Decoded<Register> {
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
    pub fn dst(&mut self, o: &Operand<'a>, ty: Type) -> Decoded<Register> {
        match o {
            Operand::Reg(r) => self.of_width(*r, ty),
            _ => Err(Refusal::new("the destination must be a register")),
        }
    }

    /// A destination of a type, or none where `_` stands.
    pub fn dst_or_sink(&mut self, o: &Operand<'a>, ty: Type) -> Decoded<Option<Register>> {
        if *o == Operand::Sink { Ok(None) } else { self.dst(o, ty).map(Some) }
    }

    /// A destination that may be wider than the type, or `_`; and the type that its register was declared with.
    pub fn dst_wide(&mut self, o: &Operand<'a>, ty: Type) -> Decoded<(Option<Register>, Type)> {
        match o {
            Operand::Sink => Ok((None, ty)),
            Operand::Reg(r) => {
                let have = self.reg_type(*r);
                if have == Type::Pred || have.bytes() < ty.bytes() {
                    return Err(Refusal::new("the destination is narrower than the type"));
                }
                Ok((Some(self.register(*r)), have))
            }
            _ => Err(Refusal::new("the destination must be a register")),
        }
    }

    /// A predicate register.
    pub fn pred(&mut self, reg: u32) -> Decoded<PredDst> {
        if self.reg_type(reg) != Type::Pred {
            return Err(Refusal::new("a predicate register is wanted"));
        }
        if let Some(known) = self.preds[reg as usize] {
            return Ok(known);
        }
        if self.pred_count >= Pred::MOST - PredDst::FIRST {
            return Err(Refusal::new("too many predicates"));
        }
        // SAFETY: it is one of the function that is decoded.
        let new = unsafe { PredDst::new(self.pred_count) };
        self.pred_count += 1;
        self.preds[reg as usize] = Some(new);
        Ok(new)
    }

    /// A predicate source.
    pub fn pred_src(&mut self, o: &Operand<'a>) -> Decoded<Pred> {
        match o {
            Operand::Reg(r) => Ok(self.pred(*r)?.read()),
            Operand::Not(r) => Ok(self.pred(*r)?.read().not()),
            Operand::Integer(0) => Ok(Pred::TRUE.not()),
            Operand::Integer(_) => Ok(Pred::TRUE),
            _ => Err(Refusal::new("a predicate is wanted")),
        }
    }

    /// A predicate destination; what goes to `_` is lost.
    pub fn pred_dst(&mut self, o: &Operand<'a>) -> Decoded<PredDst> {
        match o {
            Operand::Reg(r) => self.pred(*r),
            Operand::Sink => Ok(PredDst::JUNK),
            _ => Err(Refusal::new("a predicate register is wanted")),
        }
    }

    /// The address of the frame's local memory, 32 bits.
    pub fn frame_row(&mut self) -> Register {
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
        "envreg1" => Special::WorkspaceHigh,
        "envreg2" => Special::WorkspaceLow,
        "reserved_smem_offset_begin" | "reserved_smem_offset_0" => Special::Reserved(0),
        "reserved_smem_offset_1" => Special::Reserved(RESERVED_SHARED / 2),
        "reserved_smem_offset_end" => Special::Reserved(RESERVED_SHARED),
        _ => return None,
    })
}
