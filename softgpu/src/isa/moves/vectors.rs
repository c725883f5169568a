//! One value from a vector of its parts, and back.

use crate::isa::moves::cut::Cut;
use crate::machine::cx::Cx;
use crate::machine::inst::Inst;
use crate::machine::op::Op;
use crate::machine::row::{Isa, NONE};
use std::marker::PhantomData;

/// Parts `a, b, c, e` to one value.
pub struct Pack<D, const N: usize>(PhantomData<D>);
impl<D: Cut, const N: usize> Op for Pack<D, N> {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        unsafe {
            let rows = [i.a, i.b, i.c, i.e];
            let bits = 32 * D::ROWS / N as u32;
            let keep = !0u64 >> (64 - bits);
            let mut t = [0u64; 32];
            for n in 0..N {
                let part = cx.row::<u32>(rows[n]);
                for l in 0..32 {
                    t[l] |= (u64::from(part[l]) & keep) << (n as u32 * bits);
                }
            }
            cx.put(i.d, &t.map(D::cut), mask);
        }
    }
}

/// Two bytes to 16 bits.
pub struct Pack16;
impl Op for Pack16 {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        unsafe {
            let (a, b) = (cx.row::<u32>(i.a), cx.row::<u32>(i.b));
            let mut t = [0; 32];
            for l in 0..32 {
                t[l] = (a[l] & 0xff) | (b[l] & 0xff) << 8;
            }
            cx.put(i.d, &t, mask);
        }
    }
}

#[inline(always)]
unsafe fn unpack<A: Cut, const N: usize>(cx: &mut Cx, i: &Inst, mask: u32, bits: u32) {
    unsafe {
        let rows = [i.d, i.b, i.c, i.e];
        let keep = !0u64 >> (64 - bits);
        let a = *cx.row::<A>(i.a);
        for n in 0..N {
            if rows[n] != NONE {
                let t = a.map(|v| ((v.grow() >> (n as u32 * bits)) & keep) as u32);
                cx.put(rows[n], &t, mask);
            }
        }
    }
}

/// One value to parts `d, b, c, e`.
pub struct Unpack<A, const N: usize>(PhantomData<A>);
impl<A: Cut, const N: usize> Op for Unpack<A, N> {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        unsafe { unpack::<A, N>(cx, i, mask, 32 * A::ROWS / N as u32) }
    }
}

/// 16 bits to two bytes.
pub struct Unpack16;
impl Op for Unpack16 {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        unsafe { unpack::<u32, 2>(cx, i, mask, 8) }
    }
}
