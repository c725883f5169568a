//! `mma.sync`: the registers of a warp handed to the models of `numerics::mma`.

use crate::machine::cx::Cx;
use crate::machine::inst::{Handler, Inst};
use crate::machine::old_op::{OldOp, handler, table};
use crate::machine::row::Isa;
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

/// The handler of an operation. Its table holds a row with the operation's code, then the
/// rows of d, a, b, c.
pub fn handler_of(operation: Operation) -> Handler {
    if operation.c == Accumulator::F64 { handler::<Double>() } else { handler::<Single>() }
}

/// 32-bit registers.
struct Single;

impl OldOp for Single {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        let rows = table(cx, i);
        // SAFETY: the decoder made the table: a code, then rows of the current frame.
        unsafe {
            let operation = Operation::decode(cx.row::<u32>(rows[0])[0]);
            let (na, nb) = (operation.a_registers(), operation.b_registers());
            let nc = operation.c_registers();
            let rows = &rows[1..];
            let gather = |from: usize, count: usize| {
                let mut registers = [[0u32; 32]; 4];
                for (register, &row) in registers.iter_mut().zip(&rows[from..from + count]) {
                    *register = *cx.row::<u32>(row);
                }
                registers
            };
            let (a, b, c) = (gather(nc, na), gather(nc + na, nb), gather(nc + na + nb, nc));
            let mut d = [[0; 32]; 4];
            mma::execute(&operation, &a[..na], &b[..nb], &c[..nc], &mut d[..nc]);
            for (register, &row) in d.iter().zip(&rows[..nc]) {
                cx.put(row, register, mask);
            }
        }
    }
}

/// 64-bit registers.
struct Double;

impl OldOp for Double {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        let rows = table(cx, i);
        // SAFETY: as above.
        unsafe {
            let operation = Operation::decode(cx.row::<u32>(rows[0])[0]);
            let (na, nb) = (operation.a_registers(), operation.b_registers());
            let nc = operation.c_registers();
            let rows = &rows[1..];
            let gather = |from: usize, count: usize| {
                let mut registers = [[0u64; 32]; 8];
                for (register, &row) in registers.iter_mut().zip(&rows[from..from + count]) {
                    *register = *cx.row::<u64>(row);
                }
                registers
            };
            let (a, b, c) = (gather(nc, na), gather(nc + na, nb), gather(nc + na + nb, nc));
            let mut d = [[0; 32]; 4];
            mma::execute_f64(&operation, &a[..na], &b[..nb], &c[..nc], &mut d[..nc]);
            for (register, &row) in d.iter().zip(&rows[..nc]) {
                cx.put(row, register, mask);
            }
        }
    }
}
