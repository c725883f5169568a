//! Addresses and their spaces: `cvta`, `isspacep`.

use crate::isa::decoder::{Decoded, Decoder, Mods, Refusal};
use crate::isa::operands::SymbolValue;
use crate::machine::cx::{LOCAL_WINDOW, PARAM_WINDOW, SHARED_WINDOW, WINDOW};
use crate::machine::op::{Frame, Op};
use crate::machine::operand::{Dst, PredDst, Src, operands};
use crate::machine::program::Class;
use crate::machine::row::{Cut, Isa, Lane};
use crate::ptx::{Instr, Operand, Type};
use std::marker::PhantomData;

impl<'a> Decoder<'a> {
    pub fn cvta(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let to = m.take("to");
        let space = m
            .one_of(&["global", "shared", "shared::cta", "local", "const", "param", "param::entry"])
            .ok_or_else(|| Refusal::new("the space is missing"))?;
        let ty = m.ty()?;
        if ty.bytes() != 8 {
            return Err(Refusal::new("only 64-bit addresses are supported"));
        }
        let [d, a] = self.operands::<2>(i)?;
        let d = self.dst(&d, ty)?.write()?;
        let window = window(space);
        let value = match &a {
            Operand::Var(..) | Operand::Symbol(..) => Some(self.symbol_value(&a)?),
            _ => None,
        };
        if let Some(SymbolValue::Frame(offset)) = value {
            let a = self.frame_row().read()?;
            self.straight::<FrameAddress<u64>>(Class::Move, Offset { d, a, offset: offset + window });
        } else {
            let a = self.src(&a, ty)?.read()?;
            let offset = if to { window.wrapping_neg() } else { window };
            self.straight::<AddConstant>(Class::Move, Offset { d, a, offset });
        }
        Ok(())
    }

    pub fn isspacep(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let space = m
            .one_of(&["global", "shared", "shared::cta", "local", "const", "param"])
            .ok_or_else(|| Refusal::new("the space is missing"))?;
        let [p, a] = self.operands::<2>(i)?;
        let (p, a) = (self.pred_dst(&p)?, self.src(&a, Type::U64)?.read()?);
        let space = match space {
            // constants live in global memory here, so nothing lies in a constant window
            "const" => None,
            space => Some(window(space)),
        };
        self.straight::<IsSpace>(Class::Compare, Inside { p, a, window: space });
        Ok(())
    }
}

/// The generic window of a space; global and constant addresses are generic as they are.
fn window(space: &str) -> u64 {
    match space {
        "shared" | "shared::cta" => SHARED_WINDOW,
        "local" => LOCAL_WINDOW,
        "param" | "param::entry" => PARAM_WINDOW,
        _ => 0,
    }
}

/// A result, an address and what is added to it.
#[derive(Clone, Copy)]
pub struct Offset<D, A> {
    pub d: Dst<D>,
    pub a: Src<A>,
    pub offset: u64,
}
operands!([D: Lane, A: Lane] Offset<D, A> { d, a, offset });

/// The address of a local variable: the frame's address and the variable's offset.
pub struct FrameAddress<D>(PhantomData<D>);

impl<D: Cut> Op for FrameAddress<D> {
    type Data = Offset<D, u32>;
    #[inline(always)]
    fn exec<I: Isa>(cx: &mut Frame, i: &Offset<D, u32>, mask: u32) {
        let t = cx.read(i.a).map(|v| D::cut(u64::from(v).wrapping_add(i.offset)));
        cx.write(i.d, &t, mask);
    }
}

/// `d = a + offset`.
struct AddConstant;

impl Op for AddConstant {
    type Data = Offset<u64, u64>;
    #[inline(always)]
    fn exec<I: Isa>(cx: &mut Frame, i: &Offset<u64, u64>, mask: u32) {
        let a = cx.read(i.a);
        let mut t = [0; 32];
        for l in 0..32 {
            t[l] = a[l].wrapping_add(i.offset);
        }
        cx.write(i.d, &t, mask);
    }
}

/// Where addresses are looked for: 0 is global memory, `None` nowhere.
#[derive(Clone, Copy)]
struct Inside {
    p: PredDst,
    a: Src<u64>,
    window: Option<u64>,
}
operands!(Inside { p, a, window });

/// `isspacep`.
struct IsSpace;

impl Op for IsSpace {
    type Data = Inside;
    #[inline(always)]
    fn exec<I: Isa>(cx: &mut Frame, i: &Inside, mask: u32) {
        let a = cx.read(i.a);
        let mut m = 0;
        for l in 0..32 {
            let inside = match i.window {
                None => false,
                Some(0) => a[l].wrapping_sub(SHARED_WINDOW) >= 4 * WINDOW,
                Some(window) => a[l].wrapping_sub(window) < WINDOW,
            };
            m |= u32::from(inside) << l;
        }
        cx.set_predicate(i.p, m, mask);
    }
}
