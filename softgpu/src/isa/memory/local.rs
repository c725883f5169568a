//! Local memory: 32-bit word `w` of a lane lies in row `w`.

use crate::isa::memory::place::addresses;
use crate::machine::access::{Kind, SIGNED, WIDE};
use crate::machine::cx::{Cx, LOCAL_WINDOW, WINDOW};
use crate::machine::inst::Inst;
use crate::machine::old_op::OldOp;
use crate::machine::row::{Isa, NONE, fill, lanes};
use crate::watch;

/// Local memory: 32-bit word `w` of a lane lies in row `w`.
pub struct LocalLoad;

pub struct LocalStore;

impl OldOp for LocalLoad {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        unsafe {
            let mut a = addresses(cx, i, mask);
            local_access(cx, i, &mut a, mask, Kind::Load, u32::from(i.p), u32::from(i.aux as u16));
        }
    }
}

impl OldOp for LocalStore {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        unsafe {
            let mut a = addresses(cx, i, mask);
            local_access(cx, i, &mut a, mask, Kind::Store, u32::from(i.p), u32::from(i.aux as u16));
        }
    }
}

/// Does the lanes of a generic access that lie in local memory; gives the others.
#[inline(always)]
pub unsafe fn local_part(
    cx: &mut Cx,
    i: &Inst,
    a: &mut [u64; 32],
    mask: u32,
    kind: Kind,
    size: u32,
    count: u32,
) -> u32 {
    let mut here = 0;
    for l in 0..32 {
        here |= u32::from(a[l].wrapping_sub(LOCAL_WINDOW) < WINDOW) << l;
    }
    here &= mask;
    if here == 0 {
        return mask;
    }
    let mut local = a.map(|v| v.wrapping_sub(LOCAL_WINDOW));
    fill(&mut local, here);
    unsafe { local_access(cx, i, &mut local, here, kind, size, count) };
    let rest = mask & !here;
    if rest != 0 {
        fill(a, rest);
    }
    rest
}

#[inline(never)]
pub unsafe fn local_access(cx: &mut Cx, i: &Inst, a: &mut [u64; 32], mask: u32, kind: Kind, size: u32, count: u32) {
    let mut mask = mask;
    let total = u64::from(size * count);
    for l in 0..32 {
        let fits = a[l] <= cx.local_bytes.wrapping_sub(total) && total <= cx.local_bytes;
        if mask >> l & 1 != 0 && (!fits || a[l] & (total - 1) != 0) {
            watch::bad_local(cx, i, a[l], l as u32, total as u32, fits);
            mask &= !(1 << l);
        }
    }
    if mask == 0 {
        return;
    }
    fill(a, mask);
    if cx.watch {
        watch::observe_local(cx, i, a, mask, size * count, kind);
    }
    let rows = [i.d, i.b, i.c, i.e];
    let base = cx.local.cast::<u8>();
    // a lane's byte `b` lies at row b / 4, lane, byte b % 4
    let at = |l: usize, byte: u64| unsafe {
        let address = a[l] + byte;
        base.add((address / 4 * 128) as usize + l * 4 + (address % 4) as usize)
    };
    unsafe {
        for (w, &row) in rows.iter().enumerate().take(count as usize) {
            let first = u64::from(w as u32 * size);
            if kind == Kind::Load {
                let mut t = [0u64; 32];
                lanes(mask, |l| {
                    let at = at(l, first);
                    t[l] = match (size, i.flags & SIGNED != 0) {
                        (1, false) => u64::from(at.read()),
                        (1, true) => i64::from(at.cast::<i8>().read()) as u64,
                        (2, false) => u64::from(at.cast::<u16>().read()),
                        (2, true) => i64::from(at.cast::<i16>().read()) as u64,
                        (4, false) => u64::from(at.cast::<u32>().read()),
                        (4, true) => i64::from(at.cast::<i32>().read()) as u64,
                        _ => {
                            let high = at.add(128).cast::<u32>().read();
                            u64::from(at.cast::<u32>().read()) | u64::from(high) << 32
                        }
                    };
                });
                if row == NONE {
                    continue;
                }
                if size == 8 || i.flags & WIDE != 0 {
                    cx.put(row, &t, mask);
                } else {
                    let narrow = if size < 4 && i.imm2_narrow() { 0xffff } else { !0 };
                    cx.put(row, &t.map(|v| v as u32 & narrow), mask);
                }
            } else {
                let wide = size == 8 || i.flags & WIDE != 0;
                lanes(mask, |l| {
                    let v = if wide { cx.row::<u64>(row)[l] } else { u64::from(cx.row::<u32>(row)[l]) };
                    let at = at(l, first);
                    match size {
                        1 => at.write(v as u8),
                        2 => at.cast::<u16>().write(v as u16),
                        4 => at.cast::<u32>().write(v as u32),
                        _ => {
                            at.cast::<u32>().write(v as u32);
                            at.add(128).cast::<u32>().write((v >> 32) as u32);
                        }
                    }
                });
            }
        }
    }
}
