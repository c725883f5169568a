//! How matrix instructions and asynchronous copies are written.

use crate::isa::decoder::{Decoded, Decoder, Found, Refusal, Row, row};
use crate::isa::form::is_type;
use crate::isa::tensor::copies::{Commit, CopyAsync, Copying, LoadMatrix, Matrices, StoreMatrix, Wait};
use crate::isa::tensor::products::{self, Double, Product, Single};
use crate::machine::operand::Pred;
use crate::machine::program::Class;
use crate::machine::row::Lane;
use crate::numerics::mma::{Accumulator, Operation};
use crate::ptx::{Operand, Type};

/// Registers in braces.
macro_rules! list {
    (r1) => {
        "{%r3}"
    };
    (r2) => {
        "{%r3, %r4}"
    };
    (r4) => {
        "{%r3, %r4, %r5, %r6}"
    };
    (r8) => {
        "{%r3, %r4, %r5, %r6, %r3, %r4, %r5, %r6}"
    };
    (f4) => {
        "{%f1, %f2, %f3, %f4}"
    };
    (f8) => {
        "{%f1, %f2, %f3, %f4, %f1, %f2, %f3, %f4}"
    };
    (d1) => {
        "{%fd3}"
    };
    (d2) => {
        "{%fd1, %fd2}"
    };
    (d4) => {
        "{%fd1, %fd2, %fd3, %fd4}"
    };
    (d8) => {
        "{%fd1, %fd2, %fd3, %fd4, %fd1, %fd2, %fd3, %fd4}"
    };
}
pub(super) use list;

/// A row of products: shape and types, the registers of D and C, of A, and of B.
macro_rules! product {
    ($shape:literal, $types:literal, $d:ident, $a:ident, $b:ident) => {
        row(
            concat!(
                "mma.sync(.aligned)?.",
                $shape,
                ".row.col",
                $types,
                " ",
                list!($d),
                ", ",
                list!($a),
                ", ",
                list!($b),
                ", ",
                list!($d)
            ),
            mma,
        )
    };
}

pub const ROWS: &[Row] = &[
    row("ldmatrix.sync(.aligned)?.m8n8.x1(.trans)?.SHARED.b16 {%r3}, [a]", load_matrix),
    row("ldmatrix.sync(.aligned)?.m8n8.x2(.trans)?.SHARED.b16 {%r3, %r4}, [a]", load_matrix),
    row("ldmatrix.sync(.aligned)?.m8n8.x4(.trans)?.SHARED.b16 {%r3, %r4, %r5, %r6}, [a]", load_matrix),
    row("stmatrix.sync(.aligned)?.m8n8.x1(.trans)?.SHARED.b16 [a], {%r3}", store_matrix),
    row("stmatrix.sync(.aligned)?.m8n8.x2(.trans)?.SHARED.b16 [a], {%r3, %r4}", store_matrix),
    row("stmatrix.sync(.aligned)?.m8n8.x4(.trans)?.SHARED.b16 [a], {%r3, %r4, %r5, %r6}", store_matrix),
    product!("m16n8k8", ".f16.f16.f16.f16", r2, r2, r1),
    product!("m16n8k16", ".f16.f16.f16.f16", r2, r4, r2),
    product!("m16n8k8", ".f32.(f16.f16|bf16.bf16).f32", f4, r2, r1),
    product!("m16n8k16", ".f32.(f16.f16|bf16.bf16).f32", f4, r4, r2),
    product!("m16n8k4", ".f32.tf32.tf32.f32", f4, r2, r1),
    product!("m16n8k8", ".f32.tf32.tf32.f32", f4, r4, r2),
    product!("m8n8k4", ".f64.f64.f64.f64", d2, d1, d1),
    product!("m16n8k4", ".f64.f64.f64.f64", d4, d2, d1),
    product!("m16n8k8", ".f64.f64.f64.f64", d4, d4, d2),
    product!("m16n8k16", ".f64.f64.f64.f64", d4, d8, d4),
    product!("m8n8k16", "(.satfinite)?.s32.(s8|u8).(s8|u8).s32", r2, r1, r1),
    product!("m16n8k16", "(.satfinite)?.s32.(s8|u8).(s8|u8).s32", r4, r2, r1),
    product!("m16n8k32", "(.satfinite)?.s32.(s8|u8).(s8|u8).s32", r4, r4, r2),
    row("cp.async.ca.SHARED.global(.L2::cache_hint)?(.PREFETCH)? [a], [b], (4|8|16)", copy),
    row("cp.async.ca.SHARED.global(.L2::cache_hint)?(.PREFETCH)? [a], [b], (4|8|16), %r4", copy),
    row("cp.async.cg.SHARED.global(.L2::cache_hint)?(.PREFETCH)? [a], [b], 16", copy),
    row("cp.async.cg.SHARED.global(.L2::cache_hint)?(.PREFETCH)? [a], [b], 16, %r4", copy),
    row("cp.async.commit_group", |c, _| {
        c.straight::<Commit>(Class::Other, ());
        Ok(())
    }),
    row("cp.async.wait_group n", |c, x| {
        let Operand::Integer(n) = *x.operand(0)? else { return Err(Refusal::new("a constant is wanted")) };
        c.straight::<Wait>(Class::Other, Some(n as u32));
        Ok(())
    }),
    row("cp.async.wait_all", |c, _| {
        c.straight::<Wait>(Class::Other, None);
        Ok(())
    }),
];

impl<'a> Decoder<'a> {
    /// Registers in braces, each as `f` makes it.
    pub fn each<T: Copy, const N: usize>(
        &mut self,
        o: &Operand<'a>,
        f: impl Fn(&mut Self, &Operand<'a>) -> Decoded<T>,
    ) -> Decoded<[Option<T>; N]> {
        let list = if let Operand::Vector(list) = o { list } else { std::slice::from_ref(o) };
        let mut out = [None; N];
        for (out, o) in out.iter_mut().zip(list) {
            *out = Some(f(self, o)?);
        }
        Ok(out)
    }

    /// The operands of a product, of the types of factors and sums.
    fn product<T: Lane, const A: usize, const B: usize>(
        &mut self,
        x: &Found<'_, 'a>,
        operation: Operation,
        [factor, sum]: [Type; 2],
    ) -> Decoded<Product<T, A, B>> {
        Ok(Product {
            operation,
            d: self.each(x.operand(0)?, |this, o| Ok(this.dst(o, sum)?.write()?))?,
            a: self.each(x.operand(1)?, |this, o| Ok(this.src(o, factor)?.read()?))?,
            b: self.each(x.operand(2)?, |this, o| Ok(this.src(o, factor)?.read()?))?,
            c: self.each(x.operand(3)?, |this, o| Ok(this.src(o, sum)?.read()?))?,
        })
    }
}

fn mma<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    let shape = x.one_of(&["m16n8k4", "m16n8k8", "m16n8k16", "m16n8k32", "m8n8k4", "m8n8k16"]).unwrap_or_default();
    let mut types = x.i.mods.iter().copied().filter(|word| is_type(word));
    let types = std::array::from_fn(|_| types.next().unwrap_or_default());
    let operation = products::find(shape, types, x.has("satfinite"), c.sm).map_err(Refusal::new)?;
    let members = c.word(!0).read()?;
    // registers are declared .b32, .f32 or .f64: only the width matters
    let p = if operation.c == Accumulator::F64 {
        let data = c.product(x, operation, [Type::F64; 2])?;
        c.together::<Double>(Class::Tensor, members, data)
    } else {
        let sums = if operation.c == Accumulator::F32 { Type::F32 } else { Type::B32 };
        let data = c.product(x, operation, [Type::B32, sums])?;
        c.together::<Single>(Class::Tensor, members, data)
    };
    p.info.tensor = operation.multiply_adds() as u32;
    Ok(())
}

fn load_matrix<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    let members = c.word(!0).read()?;
    let rows = c.each(x.operand(0)?, |this, o| Ok(this.dst(o, Type::B32)?.write()?))?;
    let data = Matrices { at: c.address(x.operand(1)?)?, rows };
    match x.has("trans") {
        true => c.together::<LoadMatrix<true>>(Class::LoadStore, members, data),
        false => c.together::<LoadMatrix<false>>(Class::LoadStore, members, data),
    };
    Ok(())
}

fn store_matrix<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    let members = c.word(!0).read()?;
    let rows = c.each(x.operand(1)?, |this, o| Ok(this.src(o, Type::B32)?.read()?))?;
    let data = Matrices { at: c.address(x.operand(0)?)?, rows };
    match x.has("trans") {
        true => c.together::<StoreMatrix<true>>(Class::LoadStore, members, data),
        false => c.together::<StoreMatrix<false>>(Class::LoadStore, members, data),
    };
    Ok(())
}

fn copy<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    let (to, from) = (c.address(x.operand(0)?)?, c.address(x.operand(1)?)?);
    let (mut read, mut ignore) = (None, Pred::TRUE.not());
    match x.extra(3) {
        Some(o @ Operand::Not(_)) => ignore = c.pred_src(o)?,
        Some(o @ Operand::Reg(r)) if c.reg_type(*r) == Type::Pred => ignore = c.pred_src(o)?,
        Some(o) => read = Some(c.src(o, Type::U32)?.read()?),
        None => {}
    }
    let data = Copying { to, from, read, ignore };
    match x.operand(2)? {
        Operand::Integer(4) => c.straight::<CopyAsync<4>>(Class::LoadStore, data),
        Operand::Integer(8) => c.straight::<CopyAsync<8>>(Class::LoadStore, data),
        _ => c.straight::<CopyAsync<16>>(Class::LoadStore, data),
    };
    Ok(())
}
