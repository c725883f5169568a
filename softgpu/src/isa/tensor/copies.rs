//! `ldmatrix`, `stmatrix` and `cp.async`.
//!
//! An asynchronous copy lands as late as the program allows: when its group is waited for. Until then
//! the shared memory holds what it held before, so that a missing wait shows.

use crate::isa::memory::place::{addresses, place};
use crate::machine::access::{GLOBAL, Kind, SHARED, SHORT_ADDRESS};
use crate::machine::cx::Cx;
use crate::machine::inst::Inst;
use crate::machine::old_op::{OldOp, table};
use crate::machine::row::{Isa, NONE, fill, lanes};
use crate::machine::warp::AsyncCopy;
use crate::watch;

/// The rows' addresses: lane `8 m + r` holds that of row `r` of matrix `m`.
unsafe fn matrix_rows<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32, count: usize, kind: Kind) -> Option<[u32; 32]> {
    let used = if count == 4 { !0 } else { (1u32 << (8 * count)) - 1 };
    let wanted = mask & used;
    if wanted == 0 {
        return None;
    }
    unsafe {
        let mut a = addresses(cx, i, wanted);
        let mut ok = wanted;
        if cx.watch {
            ok = watch::observe::<I>(cx, i, &mut a, wanted, 16, kind, SHARED);
        }
        if ok != wanted {
            return None;
        }
        let p = place::<I, SHARED>(cx, i, &a, wanted, 16);
        (p.mask == wanted).then_some(p.offsets)
    }
}

/// `ldmatrix`: rows of results in the table.
pub struct LoadMatrix<const TRANS: bool>;

impl<const TRANS: bool> OldOp for LoadMatrix<TRANS> {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        unsafe {
            let rows = table(cx, i);
            let Some(at) = matrix_rows::<I>(cx, i, mask, rows.len(), Kind::Load) else {
                return;
            };
            let shared = cx.shared;
            for (n, &row) in rows.iter().enumerate() {
                let mut t = [0u32; 32];
                if TRANS {
                    // element (r, c) goes to lane 4 c + r / 2, half r % 2
                    for r in 0..8 {
                        let line = shared.add(at[8 * n + r] as usize).cast::<[u16; 8]>().read_unaligned();
                        for (c, &v) in line.iter().enumerate() {
                            t[4 * c + r / 2] |= u32::from(v) << (16 * (r % 2));
                        }
                    }
                } else {
                    for r in 0..8 {
                        let line = shared.add(at[8 * n + r] as usize).cast::<[u32; 4]>().read_unaligned();
                        t[4 * r..4 * r + 4].copy_from_slice(&line);
                    }
                }
                cx.put(row, &t, mask);
            }
        }
    }
}

/// `stmatrix`: rows of values in the table.
pub struct StoreMatrix<const TRANS: bool>;

impl<const TRANS: bool> OldOp for StoreMatrix<TRANS> {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        unsafe {
            let rows = table(cx, i);
            let Some(at) = matrix_rows::<I>(cx, i, mask, rows.len(), Kind::Store) else {
                return;
            };
            let shared = cx.shared;
            for (n, &row) in rows.iter().enumerate() {
                let t = cx.row::<u32>(row);
                for r in 0..8 {
                    let line = shared.add(at[8 * n + r] as usize);
                    if TRANS {
                        let v: [u16; 8] = std::array::from_fn(|c| (t[4 * c + r / 2] >> (16 * (r % 2))) as u16);
                        line.cast::<[u16; 8]>().write_unaligned(v);
                    } else {
                        let v: [u32; 4] = std::array::from_fn(|c| t[4 * r + c]);
                        line.cast::<[u32; 4]>().write_unaligned(v);
                    }
                }
            }
        }
    }
}

/// `cp.async`: shared address `a` (offset `aux`), global address `b` (offset `imm`), bytes to read `c`.
pub struct CopyAsync;

impl OldOp for CopyAsync {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        unsafe { issue::<I>(cx, i, mask) }
    }
}

unsafe fn issue<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
    let size = u32::from(i.p);
    let mut to_inst = i.clone();
    to_inst.imm = i64::from(i.aux as i32);
    to_inst.flags = if i.flags & 1 != 0 { SHORT_ADDRESS } else { 0 };
    let mut from_inst = i.clone();
    from_inst.a = i.b;
    from_inst.flags = if i.flags & 2 != 0 { SHORT_ADDRESS } else { 0 };
    unsafe {
        let mut read = [size as u8; 32];
        if i.c != NONE {
            let wanted = cx.row::<u32>(i.c);
            for l in 0..32 {
                read[l] = wanted[l].min(size) as u8;
            }
        }
        if i.flags & 4 != 0 {
            let skip = *cx.preds.add(i.q as usize) ^ if i.flags & 8 != 0 { !0 } else { 0 };
            lanes(mask & skip, |l| read[l] = 0);
        }
        let mut to = addresses(cx, &to_inst, mask);
        let mut ok = mask;
        // the destination is looked at as a store now; its data comes when the copy lands
        let shared_check = place::<I, SHARED>(cx, &to_inst, &to, mask, size);
        if cx.watch {
            ok = watch::copy_target::<I>(cx, &to_inst, &mut to, mask, size);
        } else {
            ok &= shared_check.mask;
        }
        let full = (0..32).fold(0u32, |m, l| m | u32::from(u32::from(read[l]) == size) << l) & ok;
        let mut from = addresses(cx, &from_inst, mask);
        if full != 0 {
            let mut part = from;
            fill(&mut part, full);
            let good = if cx.watch {
                watch::observe::<I>(cx, &from_inst, &mut part, full, size, Kind::Load, GLOBAL)
            } else {
                let mut good = 0;
                let mut rest = full;
                while rest != 0 {
                    let p = place::<I, GLOBAL>(cx, &from_inst, &part, rest, size);
                    if p.mask == 0 {
                        break;
                    }
                    good |= p.mask;
                    rest = p.rest;
                }
                good
            };
            ok &= !full | good;
        }
        // copies of fewer bytes than their size: only those are read
        let mut part_ok = ok;
        lanes(ok & !full, |l| {
            let bytes = u64::from(read[l]);
            let inside =
                bytes == 0 || cx.launch().allocation(from[l]).is_some_and(|a| from[l] + bytes <= a.base + a.size);
            if !inside {
                watch::copy_source(cx, i, from[l], l as u32, bytes as u32);
                part_ok &= !(1 << l);
            }
        });
        if part_ok == 0 {
            return;
        }
        fill(&mut from, part_ok);
        let queue = &mut cx.warp().copies;
        queue.issued += 1;
        let serial = queue.issued;
        let copy = AsyncCopy { serial, mask: part_ok, to: to.map(|v| v as u32), from, size, read, inst: i.id };
        cx.warp().copies.open.push(copy);
    }
}

/// `cp.async.commit_group`.
pub struct Commit;

impl OldOp for Commit {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        let _ = i;
        commit(cx, mask);
    }
}

fn split(copy: AsyncCopy, mask: u32) -> (Option<AsyncCopy>, Option<AsyncCopy>) {
    let (inside, outside) = (copy.mask & mask, copy.mask & !mask);
    let part = |m: u32| (m != 0).then(|| AsyncCopy { mask: m, ..copy.clone() });
    (part(inside), part(outside))
}

fn commit(cx: &mut Cx, mask: u32) {
    let queue = &mut cx.warp().copies;
    let mut group = Vec::new();
    let mut open = Vec::new();
    for copy in std::mem::take(&mut queue.open) {
        let (inside, outside) = split(copy, mask);
        group.extend(inside);
        open.extend(outside);
    }
    queue.open = open;
    // empty groups count, too
    queue.groups.push_back((mask, group));
}

/// `cp.async.wait_group` (how many groups may stay in `aux`) and `wait_all` (`NONE`).
pub struct Wait;

impl OldOp for Wait {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        if i.aux == NONE {
            commit(cx, mask);
        }
        let keep = if i.aux == NONE { 0 } else { i.aux as usize };
        // groups of other lanes don't count for these
        let queue = &mut cx.warp().copies;
        let mut left = vec![keep; 32];
        let mut landed = Vec::new();
        for (lanes_of, group) in queue.groups.iter_mut().rev() {
            let mut done = 0u32;
            for (l, n) in left.iter_mut().enumerate() {
                if mask & *lanes_of >> l & 1 != 0 {
                    if *n == 0 {
                        done |= 1 << l;
                    } else {
                        *n -= 1;
                    }
                }
            }
            if done == 0 {
                continue;
            }
            let mut rest = Vec::new();
            for copy in std::mem::take(group) {
                let (inside, outside) = split(copy, done);
                landed.extend(inside);
                rest.extend(outside);
            }
            *group = rest;
            *lanes_of &= !done;
        }
        queue.groups.retain(|(l, _)| *l != 0);
        let (first, clock) = (cx.warp().first_thread, cx.warp().clock);
        for copy in landed.into_iter().rev() {
            land(cx, &copy, first, clock);
        }
    }
}

/// Lands the copies of a lane of some warp of the block, up to one; they count as done at `clock`.
pub fn land_prior(cx: &mut Cx, warp: u32, lane: u32, serial: u32, clock: u32) {
    let block = cx.block();
    let owner = &mut block.warps[warp as usize];
    let first = owner.first_thread;
    let mut landed = Vec::new();
    let queue = &mut owner.copies;
    let groups = queue.groups.iter_mut().map(|g| &mut g.1);
    for list in groups.chain([&mut queue.open]) {
        let mut kept = Vec::new();
        for copy in std::mem::take(list) {
            if copy.serial > serial {
                kept.push(copy);
                continue;
            }
            let (inside, outside) = split(copy, 1 << lane);
            landed.extend(inside);
            kept.extend(outside);
        }
        *list = kept;
    }
    for copy in landed {
        land(cx, &copy, first, clock);
    }
}

fn land(cx: &mut Cx, copy: &AsyncCopy, first_thread: u32, clock: u32) {
    let shared = cx.shared;
    let size = copy.size as usize;
    let mut m = copy.mask;
    while m != 0 {
        let l = m.trailing_zeros() as usize;
        m &= m - 1;
        let read = copy.read[l] as usize;
        unsafe {
            let to = shared.add(copy.to[l] as usize);
            if read > 0 {
                std::ptr::copy_nonoverlapping(cx.host(copy.from[l]), to, read);
            }
            std::ptr::write_bytes(to.add(read), 0, size - read);
        }
    }
    if cx.watch {
        watch::copy_landed(cx, copy, first_thread, clock);
    }
}
