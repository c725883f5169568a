//! `mma.sync`: the registers of a warp handed to the models of `numerics::mma`.

use crate::machine::op::{Frame, Op};
use crate::machine::operand::{Dst, Src, operands};
use crate::machine::row::{Isa, Lane};
use crate::numerics::mma::{self, Accumulator, Architecture, Element, Operation};

/// The operation of a shape such as `m16n8k16` and the types of d, a, b, c on a device of
/// compute capability `sm` (times ten).
///
/// # Errors
/// Names what is not offered.
pub fn find(shape: &str, types: [&str; 4], saturate: bool, sm: u32) -> Result<Operation, String> {
    let [d, a, b, c] = types;
    let element = |name: &str| match name {
        "f16" => Ok(Element::F16),
        "bf16" => Ok(Element::Bf16),
        "tf32" => Ok(Element::Tf32),
        "f64" => Ok(Element::F64),
        "s8" => Ok(Element::S8),
        "u8" => Ok(Element::U8),
        other => Err(format!("matrices of {other} are not supported")),
    };
    let accumulator = match d {
        "f16" => Accumulator::F16,
        "f32" => Accumulator::F32,
        "f64" => Accumulator::F64,
        "s32" => Accumulator::S32,
        other => return Err(format!("sums of type {other} are not supported")),
    };
    if c != d {
        return Err(format!("d is {d} but c is {c}: different types are not supported"));
    }
    let (m, n, k) = match shape {
        "m8n8k4" => (8, 8, 4),
        "m8n8k16" => (8, 8, 16),
        "m16n8k4" => (16, 8, 4),
        "m16n8k8" => (16, 8, 8),
        "m16n8k16" => (16, 8, 16),
        "m16n8k32" => (16, 8, 32),
        other => return Err(format!("the shape {other} is not supported")),
    };
    let architecture = Architecture::of(sm).ok_or_else(|| format!("sm_{sm} has no tensor cores for mma.sync"))?;
    if saturate && accumulator != Accumulator::S32 {
        return Err("'.satfinite' is for integers only".into());
    }
    let (a, b) = (element(a)?, element(b)?);
    let c = accumulator;
    Operation { m, n, k, a, b, c, saturate, architecture }.check()
}

/// The data of a product: registers of `A`, `B`, `C` and `D`, as many as the operation has.
#[derive(Clone, Copy)]
pub struct Product<T, const A: usize, const B: usize> {
    pub operation: Operation,
    pub d: [Option<Dst<T>>; 4],
    pub a: [Option<Src<T>>; A],
    pub b: [Option<Src<T>>; B],
    pub c: [Option<Src<T>>; 4],
}
operands!(unsafe Operation);
operands!([T: Lane, const A: usize, const B: usize] Product<T, A, B> { operation, d, a, b, c });

/// `mma.sync` with 32-bit registers.
pub struct Single;

impl Op for Single {
    type Data = Product<u32, 4, 2>;
    const APART: bool = true;
    #[inline(always)]
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &Product<u32, 4, 2>, mask: u32) {
        multiply(cx, i, mask, mma::execute);
    }
}

/// `mma.sync` with 64-bit registers.
pub struct Double;

impl Op for Double {
    type Data = Product<u64, 8, 4>;
    const APART: bool = true;
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &Product<u64, 8, 4>, mask: u32) {
        multiply(cx, i, mask, mma::execute_f64);
    }
}

/// Registers of a warp: the values of its lanes.
type Rows<T> = [[T; 32]];
/// d = a b + c of an operation, over the registers a, b, c, d of a warp.
type Execute<T> = fn(&Operation, &Rows<T>, &Rows<T>, &Rows<T>, &mut Rows<T>);

#[inline(always)]
fn multiply<I: Isa, T: Lane, const A: usize, const B: usize>(
    cx: &mut Frame<I>,
    i: &Product<T, A, B>,
    mask: u32,
    execute: Execute<T>,
) {
    let (na, nb, nc) = (i.operation.a_registers(), i.operation.b_registers(), i.operation.c_registers());
    let (a, b, c) = (registers(cx, &i.a), registers(cx, &i.b), registers(cx, &i.c));
    let mut d = [[T::default(); 32]; 4];
    execute(&i.operation, &a[..na], &b[..nb], &c[..nc], &mut d[..nc]);
    for (register, row) in d.iter().zip(i.d.iter().flatten()) {
        cx.write(*row, register, mask);
    }
}

#[inline(always)]
fn registers<I: Isa, T: Lane, const N: usize>(cx: &Frame<I>, rows: &[Option<Src<T>>; N]) -> [[T; 32]; N] {
    rows.map(|row| row.map_or([T::default(); 32], |row| *cx.read(row)))
}
