//! `mov` between one value and a vector of its parts.

use crate::isa::decoder::{Decoded, Decoder, Found, Refusal};
use crate::machine::op::{Frame, Op};
use crate::machine::operand::{Dst, Register, Src, operands};
use crate::machine::program::Class;
use crate::machine::row::{Cut, Isa, Lane};
use crate::ptx::{Operand, Type};
use std::marker::PhantomData;

/// `mov` of a vector of parts to one value.
pub fn pack<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    let (ty, d) = (x.ty(), c.dst(x.operand(0)?, x.ty())?);
    let parts = parts(x.operand(1)?);
    let part = part_type(ty, parts)?;
    let mut rows = Vec::new();
    for p in parts {
        rows.push(c.src(p, c.part_register(p, part))?);
    }
    match (ty.bytes(), rows.len()) {
        (8, 2) => c.straight::<Pack<u64, 2, 32>>(Class::Move, Packed::of(d, &rows)?),
        (8, _) => c.straight::<Pack<u64, 4, 16>>(Class::Move, Packed::of(d, &rows)?),
        (4, 2) => c.straight::<Pack<u32, 2, 16>>(Class::Move, Packed::of(d, &rows)?),
        (4, _) => c.straight::<Pack<u32, 4, 8>>(Class::Move, Packed::of(d, &rows)?),
        _ => c.straight::<Pack<u32, 2, 8>>(Class::Move, Packed::of(d, &rows)?),
    };
    Ok(())
}

/// `mov` of one value to a vector of parts.
pub fn unpack<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    let (ty, a) = (x.ty(), c.src(x.operand(1)?, x.ty())?);
    let parts = parts(x.operand(0)?);
    let part = part_type(ty, parts)?;
    let mut rows = Vec::new();
    for p in parts {
        rows.push(c.dst_or_sink(p, c.part_register(p, part))?);
    }
    match (ty.bytes(), rows.len()) {
        (8, 2) => c.straight::<Unpack<u64, 2, 32>>(Class::Move, Unpacked::of(a, &rows)?),
        (8, _) => c.straight::<Unpack<u64, 4, 16>>(Class::Move, Unpacked::of(a, &rows)?),
        (4, 2) => c.straight::<Unpack<u32, 2, 16>>(Class::Move, Unpacked::of(a, &rows)?),
        (4, _) => c.straight::<Unpack<u32, 4, 8>>(Class::Move, Unpacked::of(a, &rows)?),
        _ => c.straight::<Unpack<u32, 2, 8>>(Class::Move, Unpacked::of(a, &rows)?),
    };
    Ok(())
}

fn parts<'b, 'a>(o: &'b Operand<'a>) -> &'b [Operand<'a>] {
    if let Operand::Vector(parts) = o { parts } else { std::slice::from_ref(o) }
}

impl Decoder<'_> {
    /// The type of the register that holds a part: 8-bit parts lie in 16-bit registers.
    fn part_register(&self, part: &Operand<'_>, ty: Type) -> Type {
        match part {
            Operand::Reg(r) if ty == Type::B8 && self.reg_type(*r).bytes() == 2 => Type::B16,
            _ => ty,
        }
    }
}

fn part_type(whole: Type, parts: &[Operand<'_>]) -> Decoded<Type> {
    match whole.bytes() / parts.len() as u32 {
        4 => Ok(Type::B32),
        2 => Ok(Type::B16),
        1 => Ok(Type::B8),
        _ => Err(Refusal::wrong_type()),
    }
}

#[derive(Clone, Copy)]
struct Packed<D> {
    d: Dst<D>,
    parts: [Option<Src<u32>>; 4],
}
operands!([D: Lane] Packed<D> { d, parts });

impl<D: Lane> Packed<D> {
    fn of(d: Register, rows: &[Register]) -> Decoded<Packed<D>> {
        let mut parts = [None; 4];
        for (part, row) in parts.iter_mut().zip(rows) {
            *part = Some(row.read()?);
        }
        Ok(Packed { d: d.write()?, parts })
    }
}

/// `N` parts of `BITS` bits to one value.
struct Pack<D, const N: usize, const BITS: u32>(PhantomData<D>);

impl<D: Cut, const N: usize, const BITS: u32> Op for Pack<D, N, BITS> {
    type Data = Packed<D>;
    #[inline(always)]
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &Packed<D>, mask: u32) {
        let mut t = [0u64; 32];
        for (n, row) in i.parts[..N].iter().flatten().enumerate() {
            let part = cx.read(*row);
            for l in 0..32 {
                t[l] |= (u64::from(part[l]) & (!0 >> (64 - BITS))) << (n as u32 * BITS);
            }
        }
        cx.write(i.d, &t.map(D::cut), mask);
    }
}

#[derive(Clone, Copy)]
struct Unpacked<A> {
    a: Src<A>,
    parts: [Option<Dst<u32>>; 4],
}
operands!([A: Lane] Unpacked<A> { a, parts });

impl<A: Lane> Unpacked<A> {
    fn of(a: Register, rows: &[Option<Register>]) -> Decoded<Unpacked<A>> {
        let mut parts = [None; 4];
        for (part, row) in parts.iter_mut().zip(rows) {
            *part = row.map(Register::write).transpose()?;
        }
        Ok(Unpacked { a: a.read()?, parts })
    }
}

/// One value to `N` parts of `BITS` bits.
struct Unpack<A, const N: usize, const BITS: u32>(PhantomData<A>);

impl<A: Cut, const N: usize, const BITS: u32> Op for Unpack<A, N, BITS> {
    type Data = Unpacked<A>;
    const APART: bool = true;
    #[inline(always)]
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &Unpacked<A>, mask: u32) {
        let a = *cx.read(i.a);
        for n in 0..N {
            if let Some(row) = i.parts[n] {
                let t = a.map(|v| ((v.grow() >> (n as u32 * BITS)) & (!0 >> (64 - BITS))) as u32);
                cx.write(row, &t, mask);
            }
        }
    }
}
