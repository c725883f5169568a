//! `mov` between one value and a vector of its parts.

use crate::isa::decoder::{Decoded, Decoder, Refusal};
use crate::machine::op::{Frame, Op};
use crate::machine::operand::{Dst, Register, Src, operands};
use crate::machine::program::Class;
use crate::machine::row::{Cut, Isa, Lane};
use crate::ptx::{Operand, Type};
use std::marker::PhantomData;

impl<'a> Decoder<'a> {
    /// `mov` of a vector of parts to one value.
    pub fn pack(&mut self, ty: Type, d: &Operand<'a>, parts: &[Operand<'a>]) -> Decoded<()> {
        let d = self.dst(d, ty)?;
        let part = part_type(ty, parts)?;
        let mut rows = Vec::new();
        for p in parts {
            // 8-bit parts lie in 16-bit registers
            let ty = match (p, part) {
                (Operand::Reg(r), Type::B8) => self.reg_type(*r),
                _ => part,
            };
            rows.push(self.src(p, ty)?);
        }
        match (ty.bytes(), rows.len()) {
            (8, 2) => self.straight::<Pack<u64, 2, 32>>(Class::Move, Packed::of(d, &rows)?),
            (8, 4) => self.straight::<Pack<u64, 4, 16>>(Class::Move, Packed::of(d, &rows)?),
            (4, 2) => self.straight::<Pack<u32, 2, 16>>(Class::Move, Packed::of(d, &rows)?),
            (4, 4) => self.straight::<Pack<u32, 4, 8>>(Class::Move, Packed::of(d, &rows)?),
            (2, 2) => self.straight::<Pack<u32, 2, 8>>(Class::Move, Packed::of(d, &rows)?),
            _ => return Err(Refusal::wrong_type()),
        };
        Ok(())
    }

    /// `mov` of one value to a vector of parts.
    pub fn unpack(&mut self, ty: Type, parts: &[Operand<'a>], a: &Operand<'a>) -> Decoded<()> {
        let a = self.src(a, ty)?;
        let part = part_type(ty, parts)?;
        let mut rows = Vec::new();
        for p in parts {
            // 8-bit parts lie in 16-bit registers
            let ty = match p {
                Operand::Reg(r) if part == Type::B8 && self.reg_type(*r).bytes() == 2 => Type::B16,
                _ => part,
            };
            rows.push(self.dst_or_sink(p, ty)?);
        }
        match (ty.bytes(), parts.len()) {
            (8, 2) => self.straight::<Unpack<u64, 2, 32>>(Class::Move, Unpacked::of(a, &rows)?),
            (8, 4) => self.straight::<Unpack<u64, 4, 16>>(Class::Move, Unpacked::of(a, &rows)?),
            (4, 2) => self.straight::<Unpack<u32, 2, 16>>(Class::Move, Unpacked::of(a, &rows)?),
            (4, 4) => self.straight::<Unpack<u32, 4, 8>>(Class::Move, Unpacked::of(a, &rows)?),
            (2, 2) => self.straight::<Unpack<u32, 2, 8>>(Class::Move, Unpacked::of(a, &rows)?),
            _ => return Err(Refusal::wrong_type()),
        };
        Ok(())
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
    fn exec<I: Isa>(cx: &mut Frame, i: &Packed<D>, mask: u32) {
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
    fn exec<I: Isa>(cx: &mut Frame, i: &Unpacked<A>, mask: u32) {
        let a = *cx.read(i.a);
        for n in 0..N {
            if let Some(row) = i.parts[n] {
                let t = a.map(|v| ((v.grow() >> (n as u32 * BITS)) & (!0 >> (64 - BITS))) as u32);
                cx.write(row, &t, mask);
            }
        }
    }
}
