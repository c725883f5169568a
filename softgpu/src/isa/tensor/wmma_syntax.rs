//! How `wmma` and Volta's `mma` are written.

use crate::isa::decoder::{Decoded, Decoder, Found, Refusal, Row, row};
use crate::isa::form::is_type;
use crate::isa::tensor::syntax::list;
use crate::isa::tensor::wmma::*;
use crate::machine::access::{GENERIC, GLOBAL, SHARED};
use crate::machine::op::{Draft, draft};
use crate::machine::operand::{AnyDst, AnySrc, Register};
use crate::machine::program::Class;
use crate::numerics::mma::quads::ByRows;
use crate::numerics::mma::wmma::{self, Fragment, Matrix};
use crate::numerics::mma::{Accumulator, Architecture, Element, Operation};
use crate::ptx::Type;

/// A row of loads: matrix, shapes, type, registers.
macro_rules! load {
    ($matrix:literal, $shapes:literal, $ty:literal, $list:ident) => {
        row(
            concat!(
                "wmma.load.",
                $matrix,
                ".sync(.aligned)?.(row|col).",
                $shapes,
                "(.global|.SHARED)?.",
                $ty,
                " ",
                list!($list),
                ", [a] (, %r8)?"
            ),
            load,
        )
    };
}

/// A row of stores: shapes, type, registers.
macro_rules! store {
    ($shapes:literal, $ty:literal, $list:ident) => {
        row(
            concat!(
                "wmma.store.d.sync(.aligned)?.(row|col).",
                $shapes,
                "(.global|.SHARED)?.",
                $ty,
                " [a], ",
                list!($list),
                "(, %r8)?"
            ),
            store,
        )
    };
}

/// A row of products: shapes, types, the registers of D, A, B and C.
macro_rules! product {
    ($shapes:literal, $types:literal, $d:ident, $a:ident, $b:ident, $c:ident) => {
        row(
            concat!(
                "wmma.mma.sync(.aligned)?.(row|col).(row|col).",
                $shapes,
                $types,
                " ",
                list!($d),
                ", ",
                list!($a),
                ", ",
                list!($b),
                ", ",
                list!($c)
            ),
            multiply,
        )
    };
}

/// A row of Volta's products: types, the registers of D and C.
macro_rules! quads {
    ($types:literal, $d:ident, $c:ident) => {
        row(
            concat!(
                "mma.sync(.aligned)?.m8n8k4.(row|col).(row|col)",
                $types,
                " ",
                list!($d),
                ", {%r3, %r4}, {%r5, %r6}, ",
                list!($c)
            ),
            quads,
        )
        .since(70)
    };
}

pub const ROWS: &[Row] = &[
    load!("(a|b)", "(m16n16k16|m8n32k16|m32n8k16)", "f16", r8).since(70),
    load!("(a|b)", "m16n16k16", "bf16", r4).since(80),
    load!("a", "m8n32k16", "bf16", r2).since(80),
    load!("b", "m8n32k16", "bf16", r8).since(80),
    load!("a", "m32n8k16", "bf16", r8).since(80),
    load!("b", "m32n8k16", "bf16", r2).since(80),
    load!("(a|b)", "m16n16k16", "(s8|u8)", r2).since(72),
    load!("a", "m8n32k16", "(s8|u8)", r1).since(72),
    load!("b", "m8n32k16", "(s8|u8)", r4).since(72),
    load!("a", "m32n8k16", "(s8|u8)", r4).since(72),
    load!("b", "m32n8k16", "(s8|u8)", r1).since(72),
    load!("(a|b)", "m16n16k8", "tf32", r4).since(80),
    load!("(a|b)", "m8n8k4", "f64", d1).since(80),
    load!("c", "(m16n16k16|m8n32k16|m32n8k16)", "f16", r4).since(70),
    load!("c", "(m16n16k16|m8n32k16|m32n8k16|m16n16k8)", "f32", f8).since(70),
    load!("c", "(m16n16k16|m8n32k16|m32n8k16)", "s32", r8).since(72),
    load!("c", "m8n8k4", "f64", d2).since(80),
    store!("(m16n16k16|m8n32k16|m32n8k16)", "f16", r4).since(70),
    store!("(m16n16k16|m8n32k16|m32n8k16|m16n16k8)", "f32", f8).since(70),
    store!("(m16n16k16|m8n32k16|m32n8k16)", "s32", r8).since(72),
    store!("m8n8k4", "f64", d2).since(80),
    product!("(m16n16k16|m8n32k16|m32n8k16)", ".f16.f16", r4, r8, r8, r4).since(70),
    product!("(m16n16k16|m8n32k16|m32n8k16)", ".f16.f32", r4, r8, r8, f8).since(70),
    product!("(m16n16k16|m8n32k16|m32n8k16)", ".f32.f16", f8, r8, r8, r4).since(70),
    product!("(m16n16k16|m8n32k16|m32n8k16)", ".f32.f32", f8, r8, r8, f8).since(70),
    product!("m16n16k16", ".f32.bf16.bf16.f32", f8, r4, r4, f8).since(80),
    product!("m8n32k16", ".f32.bf16.bf16.f32", f8, r2, r8, f8).since(80),
    product!("m32n8k16", ".f32.bf16.bf16.f32", f8, r8, r2, f8).since(80),
    product!("m16n16k8", ".f32.tf32.tf32.f32", f8, r4, r4, f8).since(80),
    product!("m16n16k16", "(.satfinite)?.s32.(s8.s8|u8.u8).s32", r8, r2, r2, r8).since(72),
    product!("m8n32k16", "(.satfinite)?.s32.(s8.s8|u8.u8).s32", r8, r1, r4, r8).since(72),
    product!("m32n8k16", "(.satfinite)?.s32.(s8.s8|u8.u8).s32", r8, r4, r1, r8).since(72),
    product!("m8n8k4", "(.rn)?.f64.f64.f64.f64", d2, d1, d1, d2).since(80),
    quads!(".f16.f16.f16.f16", r4, r4),
    quads!(".f32.f16.f16.f16", f8, r4),
    quads!(".f32.f16.f16.f32", f8, f8),
];

/// Rows of A, columns of B, and what is summed over, of a shape.
fn shape(x: &Found<'_, '_>) -> [usize; 3] {
    match x.one_of(&["m16n16k16", "m8n32k16", "m32n8k16", "m16n16k8"]) {
        Some("m16n16k16") => [16, 16, 16],
        Some("m8n32k16") => [8, 32, 16],
        Some("m32n8k16") => [32, 8, 16],
        Some(_) => [16, 16, 8],
        None => [8, 8, 4],
    }
}

/// The types among the modifiers.
fn types<'a>(x: &Found<'_, 'a>) -> Vec<&'a str> {
    x.i.mods.iter().copied().filter(|word| is_type(word)).collect()
}

fn fragment(x: &Found<'_, '_>, matrix: Matrix, registers: usize) -> Fragment {
    let bits = match types(x).first() {
        Some(&("s8" | "u8")) => 8,
        Some(&("f16" | "bf16")) => 16,
        Some(&"f64") => 64,
        _ => 32,
    };
    Fragment { matrix, shape: shape(x), bits, registers }
}

/// Registers of fragments are declared by width.
fn width(x: &Found<'_, '_>) -> Type {
    match types(x).first() {
        Some(&"f64") => Type::F64,
        Some(&"f32") => Type::F32,
        _ => Type::B32,
    }
}

/// `$op` in the space that stands among the modifiers, by pieces of so many bytes.
macro_rules! transfer {
    ($op:ident, $x:expr, $data:expr) => {{
        let space = $x.one_of(&["global", "shared", "shared::cta"]);
        let drafted: Box<dyn Draft> = match (space, $data.piece()) {
            (Some("global"), 4) => draft::<$op<GLOBAL, 4>>($data),
            (Some("global"), 8) => draft::<$op<GLOBAL, 8>>($data),
            (Some("global"), _) => draft::<$op<GLOBAL, 16>>($data),
            (Some(_), 4) => draft::<$op<SHARED, 4>>($data),
            (Some(_), 8) => draft::<$op<SHARED, 8>>($data),
            (Some(_), _) => draft::<$op<SHARED, 16>>($data),
            (None, 4) => draft::<$op<GENERIC, 4>>($data),
            (None, 8) => draft::<$op<GENERIC, 8>>($data),
            (None, _) => draft::<$op<GENERIC, 16>>($data),
        };
        drafted
    }};
}

impl<'a> Decoder<'a> {
    /// The data of a transfer whose registers and address are the operands of these numbers.
    fn transfer<T: Copy>(
        &mut self,
        x: &Found<'_, 'a>,
        [list, at]: [usize; 2],
        matrix: Matrix,
        f: impl Fn(&mut Self, &crate::ptx::Operand<'a>) -> Decoded<T>,
    ) -> Decoded<Transfer<T>> {
        let registers = self.each(x.operand(list)?, f)?;
        let stride = match x.extra(2) {
            Some(o) => Some(self.src(o, Type::U32)?.read()?),
            None => None,
        };
        let fragment = fragment(x, matrix, registers.iter().flatten().count());
        Ok(Transfer { at: self.address(x.operand(at)?)?, stride, registers, fragment, by_rows: x.has("row") })
    }

    /// Appends an instruction of the whole warp.
    fn whole(&mut self, class: Class, draft: Box<dyn Draft>) -> Decoded<&mut crate::isa::decoder::Proto> {
        let members = self.word(!0).read()?;
        let p = self.append(class, draft);
        p.members = Some(members);
        Ok(p)
    }
}

fn load<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    let matrix = match x.one_of(&["a", "b"]) {
        Some("a") => Matrix::A,
        Some(_) => Matrix::B,
        None => Matrix::C,
    };
    let ty = width(x);
    let data: Transfer<AnyDst> = c.transfer(x, [0, 1], matrix, |this, o| Ok(Register::write_any(this.dst(o, ty)?)))?;
    let draft = transfer!(Load, x, data);
    c.whole(Class::LoadStore, draft)?;
    Ok(())
}

fn store<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    let ty = width(x);
    let data: Transfer<AnySrc> = c.transfer(x, [1, 0], Matrix::C, |this, o| Ok(this.src(o, ty)?.read_any()))?;
    let draft = transfer!(Store, x, data);
    c.whole(Class::LoadStore, draft)?;
    Ok(())
}

fn accumulator(word: &str) -> Accumulator {
    match word {
        "f16" => Accumulator::F16,
        "f32" => Accumulator::F32,
        "f64" => Accumulator::F64,
        _ => Accumulator::S32,
    }
}

/// The types of sums as registers.
fn sums(of: Accumulator) -> Type {
    if of == Accumulator::F32 { Type::F32 } else { Type::B32 }
}

fn multiply<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    let types = types(x);
    let (d_type, c_type) = (accumulator(types[0]), accumulator(types[types.len() - 1]));
    // f16 factors have no types of their own
    let element = match if types.len() == 2 { "f16" } else { types[1] } {
        "bf16" => Element::Bf16,
        "tf32" => Element::Tf32,
        "f64" => Element::F64,
        "s8" => Element::S8,
        "u8" => Element::U8,
        _ => Element::F16,
    };
    let architecture = Architecture::of(c.sm).ok_or_else(|| Refusal::new("the device has no tensor cores"))?;
    let [m, n, k] = shape(x);
    let sum = if d_type == c_type { d_type } else { Accumulator::F32 };
    let saturate = x.has("satfinite");
    let operation = Operation { m: 16, n: 8, k, a: element, b: element, c: sum, saturate, architecture };
    let (d, a, b, third) = (x.operand(0)?, x.operand(1)?, x.operand(2)?, x.operand(3)?);
    let p = if element == Element::F64 {
        let data = LongProduct {
            operation: Operation { m: 8, ..operation },
            d: c.each(d, |this, o| Ok(this.dst(o, Type::F64)?.write()?))?,
            a: c.each(a, |this, o| Ok(this.src(o, Type::F64)?.read()?))?,
            b: c.each(b, |this, o| Ok(this.src(o, Type::F64)?.read()?))?,
            c: c.each(third, |this, o| Ok(this.src(o, Type::F64)?.read()?))?,
        };
        c.whole(Class::Tensor, draft::<LongMultiply>(data))?
    } else {
        let data = Product {
            product: wmma::Product { half: operation, n, c: c_type, d: d_type },
            d: c.each(d, |this, o| Ok(this.dst(o, sums(d_type))?.write()?))?,
            a: c.each(a, |this, o| Ok(this.src(o, Type::B32)?.read()?))?,
            b: c.each(b, |this, o| Ok(this.src(o, Type::B32)?.read()?))?,
            c: c.each(third, |this, o| Ok(this.src(o, sums(c_type))?.read()?))?,
        };
        c.whole(Class::Tensor, draft::<Multiply>(data))?
    };
    p.info.tensor = (m * n * k) as u32;
    Ok(())
}

/// Volta's `mma.m8n8k4`; newer cards are modelled with its arithmetic.
fn quads<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    let types = types(x);
    let (sum, c_type) = (accumulator(types[0]), accumulator(types[3]));
    let layouts: Vec<bool> = x.i.mods.iter().filter(|m| matches!(**m, "row" | "col")).map(|m| *m == "row").collect();
    if Architecture::of(c.sm).is_none() {
        return Err(Refusal::new("the device has no tensor cores"));
    }
    let (a, architecture) = (Element::F16, Architecture::Volta);
    let data = QuadProduct {
        operation: Operation { m: 8, n: 8, k: 4, a, b: a, c: sum, saturate: false, architecture },
        by: ByRows { a: layouts[0], b: layouts[1] },
        c_type,
        d: c.each(x.operand(0)?, |this, o| Ok(this.dst(o, sums(sum))?.write()?))?,
        a: c.each(x.operand(1)?, |this, o| Ok(this.src(o, Type::B32)?.read()?))?,
        b: c.each(x.operand(2)?, |this, o| Ok(this.src(o, Type::B32)?.read()?))?,
        c: c.each(x.operand(3)?, |this, o| Ok(this.src(o, sums(c_type))?.read()?))?,
    };
    let p = c.whole(Class::Tensor, draft::<QuadMultiply>(data))?;
    p.info.tensor = 4 * 8 * 8 * 4;
    Ok(())
}
