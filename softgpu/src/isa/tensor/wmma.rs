//! `wmma.load`, `wmma.store` and `wmma.mma`.
//!
//! A load reads the whole matrix in pieces of up to 16 bytes a lane, one behind the other, and hands its elements to
//! the registers that hold them; a store does the reverse. So it is counted and checked as a card's would be, whatever
//! the fragment's layout.

use crate::check::FindingKind;
use crate::isa::memory::place::{Address, place};
use crate::machine::access::Kind;
use crate::machine::op::{Frame, Op};
use crate::machine::operand::{AnyDst, AnySrc, Dst, Operands, Src, operands};
use crate::machine::row::{FULL, Isa, Lane, lanes};
use crate::numerics::mma::quads::{self, ByRows};
use crate::numerics::mma::wmma::{self, Fragment};
use crate::numerics::mma::{Accumulator, Operation};
use crate::watch::{self, Access};

/// Most bytes of a matrix.
const MOST: usize = 1024;

/// The data of a load (`T` a register that is written) or a store (one that is read).
#[derive(Clone, Copy)]
pub struct Transfer<T> {
    pub at: Address,
    /// Elements from one row to the next (or column, if not `by_rows`); as many as one has where it is missing.
    pub stride: Option<Src<u32>>,
    pub registers: [Option<T>; 8],
    pub fragment: Fragment,
    pub by_rows: bool,
}
operands!(unsafe Fragment);
operands!([T: Operands] Transfer<T> { at, stride, registers, fragment, by_rows });

/// The bytes of a matrix as they lie in memory, without the gaps between its rows.
type Dense = [u8; MOST];

impl<T> Transfer<T> {
    /// Bytes of the matrix.
    fn bytes(&self) -> usize {
        let (rows, columns) = self.fragment.size();
        rows * columns * self.fragment.bits / 8
    }

    /// Elements of a row, or column, that lie one behind the other.
    fn run(&self) -> usize {
        let (rows, columns) = self.fragment.size();
        if self.by_rows { columns } else { rows }
    }

    /// Bytes that a lane moves at once.
    pub fn piece(&self) -> usize {
        (self.bytes() / 32).min(16)
    }

    /// Address and stride in bytes, where they are the same for all lanes and aligned.
    fn start<I: Isa>(&self, cx: &mut Frame<I>, mask: u32, kind: Kind, space: u8) -> Option<(u64, u64)> {
        let size = (self.fragment.bits / 8) as u64;
        let (inst, at) = (cx.inst(), self.at.of(cx, mask));
        let strides = self.stride.map_or([self.run() as u32; 32], |stride| *cx.read(stride));
        let (first, stride) = (at[0], strides[mask.trailing_zeros() as usize & 31]);
        let mut other = 0;
        lanes(mask, |l| other |= u32::from(at[l] != first || strides[l] != stride) << l);
        if (mask != FULL || other != 0) && cx.launch().opts.sync {
            let message = "all lanes of the warp must execute it with the same address and stride";
            watch::report(cx, FindingKind::MissingParticipant, inst, other.trailing_zeros() & 31, message);
        }
        let (stride, whole) = (u64::from(stride) * size, self.fragment.bytes() as u64);
        if first.is_multiple_of(whole) && stride.is_multiple_of(whole.min(16)) {
            return Some((first, stride));
        }
        let message = format!(
            "a matrix must begin at a multiple of {whole} bytes, and its rows lie a multiple of {} bytes apart; this \
             one begins at {first:#x} with a stride of {stride} bytes",
            whole.min(16)
        );
        let access = Access::of(inst, kind, self.piece());
        watch::report::wrong(cx, FindingKind::Misaligned, inst, 0, access.spot(first, space), &message);
        None
    }

    /// Calls a function with the lanes' addresses and the numbers of their first bytes in the matrix, for each part of
    /// it that the lanes move at once, and the lanes that have one.
    fn parts(&self, (at, stride): (u64, u64), mut f: impl FnMut([u64; 32], [usize; 32])) {
        let (piece, run) = (self.piece(), self.run() * self.fragment.bits / 8);
        for part in 0..self.bytes() / (32 * piece) {
            let from: [usize; 32] = std::array::from_fn(|l| (part * 32 + l) * piece);
            f(from.map(|from| at + (from / run) as u64 * stride + (from % run) as u64), from);
        }
    }

    /// Where an element of a lane's register lies in the matrix's bytes.
    fn index(&self, register: usize, lane: usize, j: usize) -> usize {
        let (rows, columns) = self.fragment.size();
        let (row, column) = self.fragment.place(register, lane, j);
        (if self.by_rows { row * columns + column } else { column * rows + row }) * self.fragment.bits / 8
    }
}

/// `wmma.load` by pieces of so many bytes.
pub struct Load<const SPACE: u8, const PIECE: usize>;

impl<const SPACE: u8, const PIECE: usize> Op for Load<SPACE, PIECE> {
    type Data = Transfer<AnyDst>;
    const APART: bool = true;
    const VECTORS: bool = false;
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &Transfer<AnyDst>, mask: u32) {
        let Some(start) = i.start(cx, mask, Kind::Load, SPACE) else { return };
        let mut dense: Dense = [0; MOST];
        i.parts(start, |mut a, from| {
            let (inst, mut rest) = (cx.inst(), FULL);
            if cx.watch {
                rest = watch::observe(cx, Access::of(inst, Kind::Load, PIECE), &mut a, FULL, SPACE);
            }
            while rest != 0 {
                let Some(p) = place::<I, SPACE, PIECE>(cx, &a, rest, Kind::Load) else { return };
                lanes(p.mask(), |l| dense[from[l]..][..PIECE].copy_from_slice(&p.read::<[u8; PIECE]>(l, 0)));
                rest = p.rest();
            }
        });
        let (per, bits) = (i.fragment.per(), i.fragment.bits);
        for (r, &register) in i.registers.iter().flatten().enumerate() {
            let lane = |l: usize| {
                (0..per).fold(0, |all, j| {
                    let (mut bytes, at) = ([0; 8], i.index(r, l, j));
                    bytes[..bits / 8].copy_from_slice(&dense[at..][..bits / 8]);
                    all | u64::from_le_bytes(bytes) << (j * bits % 64)
                })
            };
            cx.write_bits(register, &std::array::from_fn(lane), mask);
        }
    }
}

/// `wmma.store` by pieces of so many bytes.
pub struct Store<const SPACE: u8, const PIECE: usize>;

impl<const SPACE: u8, const PIECE: usize> Op for Store<SPACE, PIECE> {
    type Data = Transfer<AnySrc>;
    const VECTORS: bool = false;
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &Transfer<AnySrc>, mask: u32) {
        let Some(start) = i.start(cx, mask, Kind::Store, SPACE) else { return };
        let mut dense: Dense = [0; MOST];
        let (per, bits) = (i.fragment.per(), i.fragment.bits);
        for (r, &register) in i.registers.iter().flatten().enumerate() {
            for (l, value) in cx.bits(register).into_iter().enumerate() {
                for j in 0..per {
                    let bytes = (value >> (j * bits % 64)).to_le_bytes();
                    dense[i.index(r, l, j)..][..bits / 8].copy_from_slice(&bytes[..bits / 8]);
                }
            }
        }
        i.parts(start, |mut a, from| {
            let (inst, mut rest) = (cx.inst(), FULL);
            if cx.watch {
                rest = watch::observe(cx, Access::of(inst, Kind::Store, PIECE), &mut a, FULL, SPACE);
            }
            while rest != 0 {
                let Some(p) = place::<I, SPACE, PIECE>(cx, &a, rest, Kind::Store) else { return };
                lanes(p.mask(), |l| {
                    let mut bytes = [0; PIECE];
                    bytes.copy_from_slice(&dense[from[l]..][..PIECE]);
                    p.write(l, 0, bytes);
                });
                rest = p.rest();
            }
        });
    }
}

/// The data of `wmma.mma`: registers of 32 bits.
#[derive(Clone, Copy)]
pub struct Product {
    pub product: wmma::Product,
    pub d: [Option<Dst<u32>>; 8],
    pub a: [Option<Src<u32>>; 8],
    pub b: [Option<Src<u32>>; 8],
    pub c: [Option<Src<u32>>; 8],
}
operands!(unsafe wmma::Product);
operands!(Product { product, d, a, b, c });

/// Registers of a warp, zeros where there are none.
fn registers<I: Isa, T: Lane, const N: usize>(cx: &Frame<I>, rows: &[Option<Src<T>>; N]) -> [[T; 32]; N] {
    rows.map(|row| row.map_or([T::default(); 32], |row| *cx.read(row)))
}

/// `wmma.mma` of all types but f64.
pub struct Multiply;

impl Op for Multiply {
    type Data = Product;
    const APART: bool = true;
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &Product, mask: u32) {
        let d = wmma::multiply(&i.product, &registers(cx, &i.a), &registers(cx, &i.b), &registers(cx, &i.c));
        for (row, register) in i.d.iter().flatten().zip(&d) {
            cx.write(*row, register, mask);
        }
    }
}

/// The data of `wmma.mma` with f64.
#[derive(Clone, Copy)]
pub struct LongProduct {
    pub operation: Operation,
    pub d: [Option<Dst<u64>>; 2],
    pub a: [Option<Src<u64>>; 1],
    pub b: [Option<Src<u64>>; 1],
    pub c: [Option<Src<u64>>; 2],
}
operands!(LongProduct { operation, d, a, b, c });

/// `wmma.mma` of f64.
pub struct LongMultiply;

impl Op for LongMultiply {
    type Data = LongProduct;
    const APART: bool = true;
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &LongProduct, mask: u32) {
        let (a, b, c) = (registers(cx, &i.a), registers(cx, &i.b), registers(cx, &i.c));
        let d = wmma::multiply_f64(&i.operation, &a, &b, &c);
        for (row, register) in i.d.iter().flatten().zip(&d) {
            cx.write(*row, register, mask);
        }
    }
}

/// The data of `mma.m8n8k4` with f16.
#[derive(Clone, Copy)]
pub struct QuadProduct {
    pub operation: Operation,
    pub by: ByRows,
    pub c_type: Accumulator,
    pub d: [Option<Dst<u32>>; 8],
    pub a: [Option<Src<u32>>; 2],
    pub b: [Option<Src<u32>>; 2],
    pub c: [Option<Src<u32>>; 8],
}
operands!(unsafe ByRows, Accumulator);
operands!(QuadProduct { operation, by, c_type, d, a, b, c });

/// `mma.m8n8k4` with f16.
pub struct QuadMultiply;

impl Op for QuadMultiply {
    type Data = QuadProduct;
    const APART: bool = true;
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &QuadProduct, mask: u32) {
        let (a, b, c) = (registers(cx, &i.a), registers(cx, &i.b), registers(cx, &i.c));
        let d = quads::execute(&i.operation, i.by, i.c_type, [&a, &b, &c]);
        for (row, register) in i.d.iter().flatten().zip(&d) {
            cx.write(*row, register, mask);
        }
    }
}
