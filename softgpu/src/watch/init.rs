//! initcheck of global and local memory, and what that of shared memory needs too.

use crate::check::FindingKind;
use crate::machine::access::Kind;
use crate::machine::cx::Cx;
use crate::machine::inst::Inst;
use crate::machine::row::lanes;
use crate::watch::report::{self, Spot};
use crate::watch::tally;

/// initcheck of global memory; one byte of shadow for each byte.
///
/// # Safety
/// The addresses of the mask's lanes lie in the device's memory.
pub unsafe fn initialised(cx: &mut Cx, i: &Inst, a: &[u64; 32], mask: u32, size: u32, kind: Kind) {
    let arena = cx.arena;
    let shadow = cx.arena_written;
    let at = |l: usize| shadow.wrapping_add((a[l] - arena) as usize);
    if kind == Kind::Store {
        // SAFETY: the shadow has a byte for each byte of the device's memory.
        unsafe { mark_written(mask, size, at) };
        return;
    }
    // SAFETY: as above.
    let missing = unsafe { unwritten(cx, i, mask, size, at) };
    if missing != 0 {
        let message = "the thread reads memory that nothing has written since it was allocated";
        report_uninitialised(cx, i, a, missing, size, "global", message);
    }
}

/// Marks the bytes of a store as written; `at` is the shadow of a lane's bytes.
///
/// # Safety
/// For each lane of the mask `at` gives `size` bytes that may be written.
#[inline(always)]
pub unsafe fn mark_written(mask: u32, size: u32, at: impl Fn(usize) -> *mut u8) {
    // SAFETY: the caller's promise.
    unsafe {
        match size {
            4 => lanes(mask, |l| at(l).cast::<u32>().write_unaligned(0x0101_0101)),
            8 => lanes(mask, |l| {
                let all = u64::from_le_bytes([1; 8]);
                at(l).cast::<u64>().write_unaligned(all);
            }),
            _ => lanes(mask, |l| std::ptr::write_bytes(at(l), 1, size as usize)),
        }
    }
}

/// The lanes that use a byte which nothing has written; `at` is the shadow of a lane's bytes.
///
/// # Safety
/// For each lane of the mask `at` gives `size` bytes that may be read.
#[inline(always)]
pub unsafe fn unwritten(cx: &Cx, i: &Inst, mask: u32, size: u32, at: impl Fn(usize) -> *mut u8) -> u32 {
    let mut missing = 0u32;
    // SAFETY: the caller's promise.
    unsafe {
        match size {
            4 => lanes(mask, |l| {
                missing |= u32::from(at(l).cast::<u32>().read_unaligned() != 0x0101_0101) << l;
            }),
            8 => lanes(mask, |l| {
                let all = u64::from_le_bytes([1; 8]);
                missing |= u32::from(at(l).cast::<u64>().read_unaligned() != all) << l;
            }),
            16 => lanes(mask, |l| {
                let all = u128::from_le_bytes([1; 16]);
                missing |= u32::from(at(l).cast::<u128>().read_unaligned() != all) << l;
            }),
            _ => lanes(mask, |l| {
                let all = (0..size as usize).all(|b| at(l).add(b).read() != 0);
                missing |= u32::from(!all) << l;
            }),
        }
    }
    if missing == 0 {
        return 0;
    }
    // SAFETY: as above; `b` is below `size`.
    of_used_bytes(used_bytes(cx, i), missing, size, |l, b| unsafe { at(l).add(b).read() })
}

/// Of the lanes whose load touches unwritten bytes, those that use such a byte: the compiler may load a
/// whole vector for a part of it and says so (`.pragma "used_bytes_mask"`). `written` is the shadow of a
/// lane's byte.
fn of_used_bytes(used: u64, missing: u32, size: u32, written: impl Fn(usize, usize) -> u8) -> u32 {
    if used == !0 {
        return missing;
    }
    let mut kept = 0;
    lanes(missing, |l| {
        let bad = (0..size as usize).any(|b| used >> b & 1 != 0 && written(l, b) == 0);
        kept |= u32::from(bad) << l;
    });
    kept
}

/// Which bytes of its load an instruction uses.
fn used_bytes(cx: &Cx, i: &Inst) -> u64 {
    let info = cx.launch().program.info.get(i.id as usize);
    info.map_or(!0, |info| info.used_bytes)
}

/// initcheck and counters of local memory; addresses are inside.
pub fn observe_local(cx: &mut Cx, i: &Inst, a: &[u64; 32], mask: u32, size: u32, kind: Kind) {
    if cx.launch().count {
        tally::local(&mut cx.tally, mask, size, kind);
    }
    if !cx.launch().opts.init {
        return;
    }
    let mut missing = 0;
    let warp = cx.warp();
    lanes(mask, |l| {
        for b in 0..u64::from(size) {
            let at = a[l] + b;
            let flag = &mut warp.local_written[(at / 4 * 128) as usize + l * 4 + (at % 4) as usize];
            if kind == Kind::Load {
                missing |= u32::from(*flag == 0) << l;
            } else {
                *flag = 1;
            }
        }
    });
    if missing != 0 {
        let used = used_bytes(cx, i);
        let warp = cx.warp();
        missing = of_used_bytes(used, missing, size, |l, b| {
            let at = a[l] + b as u64;
            warp.local_written[(at / 4 * 128) as usize + l * 4 + (at % 4) as usize]
        });
    }
    if missing != 0 {
        let message = "the thread reads a local array or variable that it has not written";
        report_uninitialised(cx, i, a, missing, size, "local", message);
    }
}

/// Reports lanes that read bytes which nothing has written.
#[cold]
pub fn report_uninitialised(
    cx: &mut Cx,
    i: &Inst,
    a: &[u64; 32],
    missing: u32,
    size: u32,
    space: &'static str,
    message: &str,
) {
    lanes(missing, |l| {
        let spot = Spot { address: a[l], space, bytes: size };
        report::at(cx, FindingKind::Uninitialised, i, l as u32, spot, message);
    });
}
