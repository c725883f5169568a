//! Loads of kernel parameters.

use crate::isa::memory::place::addresses;
use crate::kernel::Fault;
use crate::machine::access::{SIGNED, WIDE};
use crate::machine::cx::Cx;
use crate::machine::inst::Inst;
use crate::machine::old_op::OldOp;
use crate::machine::row::{Isa, NONE};

/// A load of kernel parameters; size in `p`, count in `aux`.
pub struct ParamLoad;

impl OldOp for ParamLoad {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        unsafe {
            let a = addresses(cx, i, mask);
            let (size, count) = (u32::from(i.p), i.aux);
            let rows = [i.d, i.b, i.c, i.e];
            let uniform = a.iter().fold(0, |x, v| x | (v ^ a[0])) == 0;
            let room = cx.param_bytes.checked_sub(u64::from(size * count));
            let bad = |v: u64| room.is_none_or(|r| v > r);
            if a.iter().any(|&v| bad(v)) {
                let lane = a.iter().position(|&v| bad(v)).unwrap_or(0);
                let place = cx.whereabouts(i.id, lane as u32);
                cx.fault(Fault::IllegalAddress(format!("{place}: a read outside the kernel's parameters")));
                return;
            }
            for (w, &row) in rows.iter().enumerate().take(count as usize) {
                if row == NONE {
                    continue;
                }
                let value = |l: usize| {
                    let at = cx.params.add(a[l] as usize + w * size as usize);
                    match (size, i.flags & SIGNED != 0) {
                        (1, false) => u64::from(at.read()),
                        (1, true) => i64::from(at.cast::<i8>().read()) as u64,
                        (2, false) => u64::from(at.cast::<u16>().read_unaligned()),
                        (2, true) => i64::from(at.cast::<i16>().read_unaligned()) as u64,
                        (4, false) => u64::from(at.cast::<u32>().read_unaligned()),
                        (4, true) => i64::from(at.cast::<i32>().read_unaligned()) as u64,
                        _ => at.cast::<u64>().read_unaligned(),
                    }
                };
                let t: [u64; 32] = if uniform { [value(0); 32] } else { std::array::from_fn(value) };
                if size == 8 || i.flags & WIDE != 0 {
                    cx.put(row, &t, mask);
                } else {
                    let narrow = if size < 4 && i.imm2_narrow() { 0xffff } else { !0 };
                    cx.put(row, &t.map(|v| v as u32 & narrow), mask);
                }
            }
        }
    }
}
