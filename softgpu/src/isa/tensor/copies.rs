//! `ldmatrix`, `stmatrix` and `cp.async`.
//!
//! An asynchronous copy lands as late as the program allows: when its group is waited for. Until then
//! the shared memory holds what it held before, so that a missing wait shows.

use crate::isa::memory::place::{Address, place};
use crate::machine::access::{GLOBAL, Kind, SHARED};
use crate::machine::cx::Cx;
use crate::machine::op::{Frame, Op};
use crate::machine::operand::{Dst, Operands, Pred, Src, operands};
use crate::machine::place::Place;
use crate::machine::row::{Isa, fill, lanes};
use crate::machine::warp::AsyncCopy;
use crate::watch::{self, Access};

/// The rows' places: lane `8 m + r` holds that of row `r` of matrix `m`.
fn matrix_rows<I: Isa>(cx: &mut Frame<I>, at: Address, mask: u32, count: usize, kind: Kind) -> Option<Place<I, 16>> {
    let wanted = mask & if count == 4 { !0 } else { (1u32 << (8 * count)) - 1 };
    if wanted == 0 {
        return None;
    }
    let (inst, mut a, mut ok) = (cx.inst(), at.of(cx, wanted), wanted);
    if cx.watch {
        ok = watch::observe(cx, Access::of(inst, kind, 16), &mut a, wanted, SHARED);
    }
    if ok != wanted {
        return None;
    }
    place::<I, SHARED, 16>(cx, &a, wanted, kind).filter(|p| p.mask() == wanted)
}

/// The data of `ldmatrix` (`T` a row that is written) and `stmatrix` (one that is read): a row for each matrix.
#[derive(Clone, Copy)]
pub struct Matrices<T> {
    pub at: Address,
    pub rows: [Option<T>; 4],
}
operands!([T: Operands] Matrices<T> { at, rows });

/// `ldmatrix`.
pub struct LoadMatrix<const TRANS: bool>;

impl<const TRANS: bool> Op for LoadMatrix<TRANS> {
    type Data = Matrices<Dst<u32>>;
    const APART: bool = true;
    #[inline(always)]
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &Matrices<Dst<u32>>, mask: u32) {
        let count = i.rows.iter().flatten().count();
        let Some(p) = matrix_rows(cx, i.at, mask, count, Kind::Load) else { return };
        for (n, row) in i.rows.iter().flatten().enumerate() {
            let mut t = [0u32; 32];
            for r in 0..8 {
                if TRANS {
                    // element (r, c) goes to lane 4 c + r / 2, half r % 2
                    for (c, v) in p.read::<[u16; 8]>(8 * n + r, 0).into_iter().enumerate() {
                        t[4 * c + r / 2] |= u32::from(v) << (16 * (r % 2));
                    }
                } else {
                    t[4 * r..4 * r + 4].copy_from_slice(&p.read::<[u32; 4]>(8 * n + r, 0));
                }
            }
            cx.write(*row, &t, mask);
        }
    }
}

/// `stmatrix`.
pub struct StoreMatrix<const TRANS: bool>;

impl<const TRANS: bool> Op for StoreMatrix<TRANS> {
    type Data = Matrices<Src<u32>>;
    #[inline(always)]
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &Matrices<Src<u32>>, mask: u32) {
        let count = i.rows.iter().flatten().count();
        let Some(p) = matrix_rows(cx, i.at, mask, count, Kind::Store) else { return };
        for (n, row) in i.rows.iter().flatten().enumerate() {
            let t = cx.read(*row);
            for r in 0..8 {
                if TRANS {
                    let v: [u16; 8] = std::array::from_fn(|c| (t[4 * c + r / 2] >> (16 * (r % 2))) as u16);
                    p.write(8 * n + r, 0, v);
                } else {
                    let v: [u32; 4] = std::array::from_fn(|c| t[4 * r + c]);
                    p.write(8 * n + r, 0, v);
                }
            }
        }
    }
}

/// The data of `cp.async`.
#[derive(Clone, Copy)]
pub struct Copying {
    pub to: Address,
    pub from: Address,
    /// Bytes to read; the others become zero.
    pub read: Option<Src<u32>>,
    /// Nothing is read where it holds.
    pub ignore: Pred,
}
operands!(Copying { to, from, read, ignore });

/// `cp.async` of `BYTES` bytes.
pub struct CopyAsync<const BYTES: usize>;

impl<const BYTES: usize> Op for CopyAsync<BYTES> {
    type Data = Copying;
    #[inline(always)]
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &Copying, mask: u32) {
        let (inst, size) = (cx.inst(), BYTES as u32);
        let mut read = [BYTES as u8; 32];
        if let Some(wanted) = i.read {
            read = cx.read(wanted).map(|n| n.min(size) as u8);
        }
        lanes(mask & cx.predicate(i.ignore), |l| read[l] = 0);
        let mut to = i.to.of(cx, mask);
        // the destination is looked at as a store now; its data comes when the copy lands
        let shared = place::<I, SHARED, BYTES>(cx, &to, mask, Kind::Store).map_or(0, |p| p.mask());
        let stored = [Some(i.from.base)];
        let access = Access { stored: &stored, ..Access::of(inst, Kind::Store, BYTES) };
        let mut ok = if cx.watch { watch::copy_target(cx, access, &mut to, mask) } else { shared };
        let full = (0..32).fold(0u32, |m, l| m | u32::from(u32::from(read[l]) == size) << l) & ok;
        let mut from = i.from.of(cx, mask);
        if full != 0 {
            let mut part = from;
            fill(&mut part, full);
            let good = if cx.watch {
                watch::observe(cx, Access::of(inst, Kind::Load, BYTES), &mut part, full, GLOBAL)
            } else {
                let (mut good, mut rest) = (0, full);
                while rest != 0 {
                    let Some(p) = place::<I, GLOBAL, BYTES>(cx, &part, rest, Kind::Load) else { break };
                    good |= p.mask();
                    rest = p.rest();
                }
                good
            };
            ok &= !full | good;
        }
        // copies of fewer bytes than their size: only those are read
        let mut part_ok = ok;
        lanes(ok & !full, |l| {
            let (at, bytes) = (from[l], u64::from(read[l]));
            let inside = bytes == 0 || cx.launch().allocation(at).is_some_and(|a| at + bytes <= a.base + a.size);
            if !inside {
                watch::copy_source(cx, inst, at, l as u32, bytes as u32);
                part_ok &= !(1 << l);
            }
        });
        if part_ok == 0 {
            return;
        }
        fill(&mut from, part_ok);
        let queue = &mut cx.warp().copies;
        queue.issued += 1;
        let (serial, to) = (queue.issued, to.map(|v| v as u32));
        queue.open.push(AsyncCopy { serial, mask: part_ok, to, from, size, read, inst: inst.head.id });
    }
}

/// `cp.async.commit_group`.
pub struct Commit;

impl Op for Commit {
    type Data = ();
    const VECTORS: bool = false;
    fn exec<I: Isa>(cx: &mut Frame<I>, _: &(), mask: u32) {
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

/// `cp.async.wait_group`: how many groups may stay; `wait_all` where there is no number.
pub struct Wait;

impl Op for Wait {
    type Data = Option<u32>;
    const VECTORS: bool = false;
    fn exec<I: Isa>(cx: &mut Frame<I>, keep: &Option<u32>, mask: u32) {
        if keep.is_none() {
            commit(cx, mask);
        }
        let keep = keep.unwrap_or(0) as usize;
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
    lanes(copy.mask, |l| {
        let (mut bytes, read) = ([0; 16], usize::from(copy.read[l]));
        if read > 0 {
            cx.launch().memory.peek(copy.from[l], &mut bytes[..read]);
        }
        let size = copy.size as usize;
        cx.shared_bytes()[copy.to[l] as usize..][..size].copy_from_slice(&bytes[..size]);
    });
    if cx.watch {
        watch::copy_landed(cx, copy, first_thread, clock);
    }
}
