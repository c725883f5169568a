//! Addresses and their spaces: `cvta`, `isspacep`.

use crate::isa::decoder::{Decoded, Decoder, Found, Row, row};
use crate::isa::operands::SymbolValue;
use crate::machine::cx::{LOCAL_WINDOW, PARAM_WINDOW, SHARED_WINDOW, WINDOW};
use crate::machine::op::{Frame, Op};
use crate::machine::operand::{Dst, PredDst, Src, operands};
use crate::machine::program::Class;
use crate::machine::row::{Cut, Isa, Lane};
use crate::ptx::{Operand, Type};
use std::marker::PhantomData;

pub const ROWS: &[Row] = &[
    row("cvta(.to)?.(global|SHARED|local|const|param|param::entry).u64 d, a", cvta),
    row("isspacep.(global|SHARED|local|const|param) %p1, %rd1", isspacep),
];

fn cvta<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    let (d, from, window) = (c.dst(x.operand(0)?, Type::U64)?.write()?, x.operand(1)?, window(x));
    if let Operand::Var(..) | Operand::Symbol(..) = from
        && let SymbolValue::Frame(offset) = c.symbol_value(from)?
    {
        let a = c.frame_row().read()?;
        c.straight::<FrameAddress<u64>>(Class::Move, Offset { d, a, offset: offset + window });
    } else {
        let a = c.src(from, Type::U64)?.read()?;
        let offset = if x.has("to") { window.wrapping_neg() } else { window };
        c.straight::<AddConstant>(Class::Move, Offset { d, a, offset });
    }
    Ok(())
}

fn isspacep<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    let (p, a) = (c.pred_dst(x.operand(0)?)?, c.src(x.operand(1)?, Type::U64)?.read()?);
    // constants live in global memory here, so nothing lies in a constant window
    let window = if x.has("const") { None } else { Some(window(x)) };
    c.straight::<IsSpace>(Class::Compare, Inside { p, a, window });
    Ok(())
}

/// The generic window of the space; global and constant addresses are generic as they are.
fn window(x: &Found<'_, '_>) -> u64 {
    match x.one_of(&["shared", "shared::cta", "local", "param", "param::entry"]) {
        Some("shared" | "shared::cta") => SHARED_WINDOW,
        Some("local") => LOCAL_WINDOW,
        Some(_) => PARAM_WINDOW,
        None => 0,
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
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &Offset<D, u32>, mask: u32) {
        let t = cx.read(i.a).map(|v| D::cut(u64::from(v).wrapping_add(i.offset)));
        cx.write(i.d, &t, mask);
    }
}

/// `d = a + offset`.
struct AddConstant;

impl Op for AddConstant {
    type Data = Offset<u64, u64>;
    #[inline(always)]
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &Offset<u64, u64>, mask: u32) {
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
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &Inside, mask: u32) {
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
