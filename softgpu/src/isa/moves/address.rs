//! Addresses and the windows of the spaces.

use crate::isa::moves::cut::Cut;
use crate::machine::cx::{Cx, LOCAL_WINDOW, PARAM_WINDOW, SHARED_WINDOW, WINDOW};
use crate::machine::inst::Inst;
use crate::machine::op::Op;
use crate::machine::row::Isa;
use std::marker::PhantomData;

/// The generic window of a space; global and constant addresses are generic as they are.
pub fn window(space: &str) -> u64 {
    match space {
        "shared" | "shared::cta" => SHARED_WINDOW,
        "local" => LOCAL_WINDOW,
        "param" | "param::entry" => PARAM_WINDOW,
        _ => 0,
    }
}

/// Address of a local variable: the frame's address in `a` plus `imm`.
pub struct FrameAddress<D>(PhantomData<D>);
impl<D: Cut> Op for FrameAddress<D> {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        unsafe {
            let a = cx.row::<u32>(i.a);
            let t: [D; 32] = a.map(|v| D::cut(u64::from(v).wrapping_add(i.imm as u64)));
            cx.put(i.d, &t, mask);
        }
    }
}

/// `d = a + imm`.
pub struct AddConstant;
impl Op for AddConstant {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        unsafe {
            let a = cx.row::<u64>(i.a);
            let mut t = [0; 32];
            for l in 0..32 {
                t[l] = a[l].wrapping_add(i.imm as u64);
            }
            cx.put(i.d, &t, mask);
        }
    }
}

/// `isspacep`: the window in `imm`, 0 for global, -1 for none.
pub struct IsSpace;
impl Op for IsSpace {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        unsafe {
            let a = cx.row::<u64>(i.a);
            let mut m = 0;
            for l in 0..32 {
                let inside = match i.imm {
                    -1 => false,
                    0 => a[l].wrapping_sub(SHARED_WINDOW) >= 4 * WINDOW,
                    w => a[l].wrapping_sub(w as u64) < WINDOW,
                };
                m |= u32::from(inside) << l;
            }
            cx.put_pred(i.p, m, mask);
        }
    }
}
