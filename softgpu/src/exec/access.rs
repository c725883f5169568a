//! Loads and stores.
//!
//! An access first finds where its lanes lie: one host address and an offset below 2^31 for each lane.
//! Global accesses remember for each instruction the allocation they met last, so that bounds are
//! checked by one vector comparison. Lanes that lie elsewhere (another allocation, another space
//! behind generic addresses) are done in further rounds.

use super::cx::{Cx, LOCAL_WINDOW, PARAM_WINDOW, SHARED_WINDOW, WINDOW};
use super::inst::{Handler, Inst, NONE, Op, handler};
use super::row::{FULL, Isa, any, fill, gather, gather_quad, gather64};
use super::watch::Kind;
use crate::exec::Fault;

/// State spaces as the handlers are made for them.
pub const GLOBAL: u8 = 0;
pub const SHARED: u8 = 1;
pub const GENERIC: u8 = 2;
pub const LOCAL: u8 = 3;
pub const PARAM: u8 = 4;

/// In [`Inst::flags`]: addresses are 32-bit rows.
pub const SHORT_ADDRESS: u8 = 1;
/// Loaded values are sign-extended.
pub const SIGNED: u8 = 2;
/// Register operands are 64 bits wide.
pub const WIDE: u8 = 4;
/// `.volatile`, `.relaxed` and stronger: an access that may synchronise.
pub const STRONG: u8 = 8;
/// `.acquire` or stronger; with [`STRONG`].
pub const ACQUIRE: u8 = 16;
/// `.release` or stronger; with [`STRONG`].
pub const RELEASE: u8 = 32;
/// `.nc`: through the read-only path.
pub const READ_ONLY: u8 = 64;

/// The lanes' addresses; lanes outside the mask get that of the first lane inside.
#[inline(always)]
pub unsafe fn addresses(cx: &Cx, i: &Inst, mask: u32) -> [u64; 32] {
    let mut t = [0u64; 32];
    unsafe {
        if i.flags & SHORT_ADDRESS != 0 {
            let a = cx.row::<u32>(i.a);
            for l in 0..32 {
                t[l] = u64::from(a[l].wrapping_add(i.imm as u32));
            }
        } else {
            let a = cx.row::<u64>(i.a);
            for l in 0..32 {
                t[l] = a[l].wrapping_add(i.imm as u64);
            }
        }
    }
    fill(&mut t, mask);
    t
}

/// Where the lanes of a round lie.
pub struct Place {
    pub base: *mut u8,
    pub offsets: [u32; 32],
    /// Lanes of this round.
    pub mask: u32,
    /// Lanes for further rounds.
    pub rest: u32,
}

#[inline(always)]
fn within<I: Isa>(a: &[u64; 32], low: u64, room: u64, size: u64) -> bool {
    // room is the number of bytes from `low`; all addresses must leave `size` bytes of it
    let Some(most) = room.checked_sub(size) else {
        return false;
    };
    let mut bad = [0u32; 32];
    for l in 0..32 {
        let offset = a[l].wrapping_sub(low);
        bad[l] = u32::from(offset > most) | (offset as u32 & (size as u32 - 1));
    }
    // allocations and windows are aligned far beyond any access, so that offsets show misalignment
    !any::<I>(&bad)
}

#[inline(always)]
fn offsets(a: &[u64; 32], low: u64) -> [u32; 32] {
    let mut t = [0; 32];
    for l in 0..32 {
        t[l] = a[l].wrapping_sub(low) as u32;
    }
    t
}

/// Finds where the lanes of an access of `size` bytes lie.
#[inline(always)]
pub unsafe fn place<I: Isa, const SPACE: u8>(
    cx: &mut Cx,
    i: &Inst,
    a: &[u64; 32],
    mask: u32,
    size: u32,
) -> Place {
    if SPACE == SHARED {
        if within::<I>(a, 0, cx.shared_bytes, u64::from(size)) {
            return Place {
                base: cx.shared,
                offsets: offsets(a, 0),
                mask,
                rest: 0,
            };
        }
    } else {
        let (low, high) = unsafe { *cx.ranges.get_unchecked(i.id as usize) };
        if within::<I>(a, low, high - low, u64::from(size)) {
            let base = unsafe { cx.arena_host.add(low.wrapping_sub(cx.arena) as usize) };
            return Place {
                base,
                offsets: offsets(a, low),
                mask,
                rest: 0,
            };
        }
    }
    place_slowly(cx, i, a, mask, size, SPACE)
}

#[cold]
#[inline(never)]
fn place_slowly(cx: &mut Cx, i: &Inst, a: &[u64; 32], mask: u32, size: u32, space: u8) -> Place {
    let size = u64::from(size);
    let mut place = Place {
        base: cx.shared,
        offsets: [0; 32],
        mask: 0,
        rest: 0,
    };
    let mut ok = mask;
    if !cx.watch {
        ok = faults(cx, i, a, mask, size, space);
    }
    if ok == 0 {
        return place;
    }
    let first = a[ok.trailing_zeros() as usize];
    let (low, room, base) = if space == SHARED {
        (0, cx.shared_bytes, cx.shared)
    } else if space == GENERIC && first.wrapping_sub(SHARED_WINDOW) < WINDOW {
        (SHARED_WINDOW, cx.shared_bytes, cx.shared)
    } else if space == GENERIC && first.wrapping_sub(PARAM_WINDOW) < WINDOW {
        (PARAM_WINDOW, cx.param_bytes, cx.params.cast_mut())
    } else {
        let (low, high) = cx.launch().window(first, size);
        cx.ranges[i.id as usize] = (low, high);
        (low, high - low, cx.host(low))
    };
    place.base = base;
    let inside = first.wrapping_sub(low) as u32;
    for l in 0..32 {
        let offset = a[l].wrapping_sub(low);
        let fits = offset <= room.wrapping_sub(size) && room >= size;
        if ok >> l & 1 != 0 && fits {
            place.mask |= 1 << l;
            place.offsets[l] = offset as u32;
        } else {
            place.offsets[l] = inside;
        }
    }
    place.rest = ok & !place.mask;
    place
}

/// Without memcheck only what would leave the device's memory, or is misaligned, is a fault. Gives the
/// lanes that may go on.
fn faults(cx: &mut Cx, i: &Inst, a: &[u64; 32], mask: u32, size: u64, space: u8) -> u32 {
    let mut ok = 0;
    for l in (0..32).filter(|l| mask >> l & 1 != 0) {
        let at = a[l];
        let room = |low: u64, bytes: u64| {
            at.wrapping_sub(low) <= bytes.wrapping_sub(size) && bytes >= size
        };
        let inside = match space {
            SHARED => room(0, cx.shared_bytes),
            GLOBAL => room(cx.arena, cx.arena_bytes),
            _ => {
                room(cx.arena, cx.arena_bytes)
                    || room(SHARED_WINDOW, cx.shared_bytes)
                    || room(PARAM_WINDOW, cx.param_bytes)
            }
        };
        if !inside {
            let place = cx.whereabouts(i, l as u32);
            cx.fault(Fault::IllegalAddress(format!(
                "{place}: {size} bytes at {at:#x} lie outside {} memory",
                space_name(space)
            )));
        } else if at & (size - 1) != 0 {
            let place = cx.whereabouts(i, l as u32);
            cx.fault(Fault::MisalignedAddress(format!(
                "{place}: address {at:#x} is not a multiple of the access size, {size} bytes"
            )));
        } else {
            ok |= 1 << l;
        }
    }
    ok
}

/// The name of a space.
pub fn space_name(space: u8) -> &'static str {
    match space {
        GLOBAL => "global",
        SHARED => "shared",
        LOCAL => "local",
        PARAM => "param",
        _ => "generic",
    }
}

/// A load of `COUNT` elements of `SIZE` bytes a lane into rows `d`, `b`, `c`, `e`.
struct Load<const SPACE: u8, const SIZE: u32, const COUNT: u32>;

impl<const SPACE: u8, const SIZE: u32, const COUNT: u32> Op for Load<SPACE, SIZE, COUNT> {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        unsafe {
            let mut a = addresses(cx, i, mask);
            let mut mask = mask;
            cx.polls += u64::from(i.flags & STRONG != 0);
            if SPACE == GENERIC {
                mask = local_part(cx, i, &mut a, mask, Kind::Load, SIZE, COUNT);
                if mask == 0 {
                    return;
                }
            }
            if cx.watch {
                mask = super::watch::observe::<I>(
                    cx,
                    i,
                    &mut a,
                    mask,
                    SIZE * COUNT,
                    Kind::Load,
                    SPACE,
                );
            }
            let seen = mask;
            while mask != 0 {
                let p = place::<I, SPACE>(cx, i, &a, mask, SIZE * COUNT);
                if p.mask == 0 {
                    return;
                }
                load_from::<I, SIZE, COUNT>(cx, i, &p);
                mask = p.rest;
            }
            if SPACE != SHARED && cx.watch && i.flags & STRONG != 0 {
                super::watch::global::acquired(cx, &a, seen);
            }
        }
    }
}

#[inline(always)]
unsafe fn load_from<I: Isa, const SIZE: u32, const COUNT: u32>(cx: &mut Cx, i: &Inst, p: &Place) {
    let rows = [i.d, i.b, i.c, i.e];
    unsafe {
        match (SIZE, COUNT) {
            (4, 1) => {
                let o = &p.offsets;
                let step = o[1].wrapping_sub(o[0]);
                let t = if step == 4 && o[31].wrapping_sub(o[0]) == 124 && is_run(o, 4) {
                    p.base
                        .add(o[0] as usize)
                        .cast::<[u32; 32]>()
                        .read_unaligned()
                } else if step == 0 && is_run(o, 0) {
                    [p.base.add(o[0] as usize).cast::<u32>().read(); 32]
                } else {
                    gather::<I>(p.base, o)
                };
                put32(cx, i, i.d, &t, p.mask);
            }
            (4, 2) => {
                let t = gather64::<I>(p.base, &p.offsets);
                let (mut low, mut high) = ([0u32; 32], [0u32; 32]);
                for l in 0..32 {
                    low[l] = t[l] as u32;
                    high[l] = (t[l] >> 32) as u32;
                }
                put32(cx, i, i.d, &low, p.mask);
                put32(cx, i, i.b, &high, p.mask);
            }
            (4, 4) => {
                let t = gather_quad::<I>(p.base, &p.offsets);
                for w in 0..4 {
                    put32(cx, i, rows[w], &t[w], p.mask);
                }
            }
            (8, 1) => {
                let t = gather64::<I>(p.base, &p.offsets);
                put64(cx, i, i.d, &t, p.mask);
            }
            (8, _) => {
                for w in 0..COUNT as usize {
                    let t = gather64::<I>(p.base.add(8 * w), &p.offsets);
                    put64(cx, i, rows[w], &t, p.mask);
                }
            }
            _ => {
                for w in 0..COUNT as usize {
                    let mut t = [0u32; 32];
                    for l in 0..32 {
                        let at = p.base.add(p.offsets[l] as usize + w * SIZE as usize);
                        t[l] = match (SIZE, i.flags & SIGNED != 0) {
                            (1, false) => u32::from(at.read()),
                            (1, true) => i32::from(at.cast::<i8>().read()) as u32,
                            (_, false) => u32::from(at.cast::<u16>().read()),
                            (_, true) => i32::from(at.cast::<i16>().read()) as u32,
                        };
                    }
                    put_small(cx, i, rows[w], &mut t, p.mask);
                }
            }
        }
    }
}

#[inline(always)]
fn is_run(o: &[u32; 32], step: u32) -> bool {
    let mut bad = 0;
    for l in 0..32 {
        bad |= o[l] ^ o[0].wrapping_add(l as u32 * step);
    }
    bad == 0
}

/// Puts 32-bit elements, extended where the register is wider; `_` takes none.
#[inline(always)]
pub unsafe fn put32(cx: &mut Cx, i: &Inst, row: u32, t: &[u32; 32], mask: u32) {
    if row == NONE {
        return;
    }
    unsafe {
        if i.flags & WIDE == 0 {
            cx.put(row, t, mask);
        } else {
            put_extended(cx, i, row, t, mask);
        }
    }
}

#[inline(never)]
unsafe fn put_extended(cx: &mut Cx, i: &Inst, row: u32, t: &[u32; 32], mask: u32) {
    let wide = if i.flags & SIGNED != 0 {
        t.map(|v| i64::from(v as i32) as u64)
    } else {
        t.map(u64::from)
    };
    unsafe { cx.put(row, &wide, mask) };
}

#[inline(always)]
unsafe fn put64(cx: &mut Cx, i: &Inst, row: u32, t: &[u64; 32], mask: u32) {
    let _ = i;
    if row != NONE {
        unsafe { cx.put(row, t, mask) };
    }
}

/// Bytes and halves: 16-bit registers keep the upper half of their lane zero.
#[inline(always)]
unsafe fn put_small(cx: &mut Cx, i: &Inst, row: u32, t: &mut [u32; 32], mask: u32) {
    if i.imm2_narrow() {
        for v in t.iter_mut() {
            *v &= 0xffff;
        }
    }
    unsafe { put32(cx, i, row, t, mask) };
}

impl Inst {
    /// The registers of a load are 16 bits wide (in `q`, which loads don't use otherwise).
    #[inline(always)]
    fn imm2_narrow(&self) -> bool {
        self.q == 16
    }
}

/// A store of `COUNT` elements of `SIZE` bytes a lane from rows `d`, `b`, `c`, `e`.
struct Store<const SPACE: u8, const SIZE: u32, const COUNT: u32>;

impl<const SPACE: u8, const SIZE: u32, const COUNT: u32> Op for Store<SPACE, SIZE, COUNT> {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        unsafe {
            let mut a = addresses(cx, i, mask);
            let mut mask = mask;
            if SPACE == GENERIC {
                mask = local_part(cx, i, &mut a, mask, Kind::Store, SIZE, COUNT);
                if mask == 0 {
                    return;
                }
            }
            if cx.watch {
                mask = super::watch::observe::<I>(
                    cx,
                    i,
                    &mut a,
                    mask,
                    SIZE * COUNT,
                    Kind::Store,
                    SPACE,
                );
            }
            while mask != 0 {
                let p = place::<I, SPACE>(cx, i, &a, mask, SIZE * COUNT);
                if p.mask == 0 {
                    return;
                }
                store_to::<SIZE, COUNT>(cx, i, &p);
                mask = p.rest;
            }
        }
    }
}

#[inline(always)]
unsafe fn store_to<const SIZE: u32, const COUNT: u32>(cx: &mut Cx, i: &Inst, p: &Place) {
    let rows = [i.d, i.b, i.c, i.e];
    let o = &p.offsets;
    unsafe {
        if SIZE == 4 && COUNT == 1 && i.flags & WIDE == 0 {
            let t = cx.row::<u32>(i.d);
            if p.mask == FULL && o[1].wrapping_sub(o[0]) == 4 && is_run(o, 4) {
                p.base
                    .add(o[0] as usize)
                    .cast::<[u32; 32]>()
                    .write_unaligned(*t);
            } else {
                lanes(p.mask, |l| {
                    p.base.add(o[l] as usize).cast::<u32>().write(t[l])
                });
            }
            return;
        }
        if SIZE == 4 && COUNT == 4 && i.flags & WIDE == 0 {
            let (x, y) = (cx.row::<u32>(i.d), cx.row::<u32>(i.b));
            let (z, w) = (cx.row::<u32>(i.c), cx.row::<u32>(i.e));
            let mut t = [[0u32; 4]; 32];
            for l in 0..32 {
                t[l] = [x[l], y[l], z[l], w[l]];
            }
            lanes(p.mask, |l| {
                p.base.add(o[l] as usize).cast::<[u32; 4]>().write(t[l])
            });
            return;
        }
        for (w, &row) in rows.iter().enumerate().take(COUNT as usize) {
            let at = |l: usize| p.base.add(o[l] as usize + w * SIZE as usize);
            if SIZE == 8 {
                let t = cx.row::<u64>(row);
                lanes(p.mask, |l| at(l).cast::<u64>().write(t[l]));
            } else if i.flags & WIDE != 0 {
                let t = cx.row::<u64>(row);
                match SIZE {
                    1 => lanes(p.mask, |l| at(l).write(t[l] as u8)),
                    2 => lanes(p.mask, |l| at(l).cast::<u16>().write(t[l] as u16)),
                    _ => lanes(p.mask, |l| at(l).cast::<u32>().write(t[l] as u32)),
                }
            } else {
                let t = cx.row::<u32>(row);
                match SIZE {
                    1 => lanes(p.mask, |l| at(l).write(t[l] as u8)),
                    2 => lanes(p.mask, |l| at(l).cast::<u16>().write(t[l] as u16)),
                    _ => lanes(p.mask, |l| at(l).cast::<u32>().write(t[l])),
                }
            }
        }
    }
}

/// Calls a function for each lane of a mask, in order.
#[inline(always)]
pub fn lanes(mask: u32, mut f: impl FnMut(usize)) {
    if mask == FULL {
        for l in 0..32 {
            f(l);
        }
    } else {
        let mut m = mask;
        while m != 0 {
            f(m.trailing_zeros() as usize);
            m &= m - 1;
        }
    }
}

/// Local memory: 32-bit word `w` of a lane lies in row `w`.
struct LocalLoad;
struct LocalStore;

impl Op for LocalLoad {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        unsafe {
            let mut a = addresses(cx, i, mask);
            local_access(
                cx,
                i,
                &mut a,
                mask,
                Kind::Load,
                u32::from(i.p),
                u32::from(i.aux as u16),
            );
        }
    }
}

impl Op for LocalStore {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        unsafe {
            let mut a = addresses(cx, i, mask);
            local_access(
                cx,
                i,
                &mut a,
                mask,
                Kind::Store,
                u32::from(i.p),
                u32::from(i.aux as u16),
            );
        }
    }
}

/// Does the lanes of a generic access that lie in local memory; gives the others.
#[inline(always)]
unsafe fn local_part(
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
unsafe fn local_access(
    cx: &mut Cx,
    i: &Inst,
    a: &mut [u64; 32],
    mask: u32,
    kind: Kind,
    size: u32,
    count: u32,
) {
    let mut mask = mask;
    let total = u64::from(size * count);
    for l in 0..32 {
        let fits = a[l] <= cx.local_bytes.wrapping_sub(total) && total <= cx.local_bytes;
        if mask >> l & 1 != 0 && (!fits || a[l] & (total - 1) != 0) {
            super::watch::bad_local(cx, i, a[l], l as u32, total as u32, fits);
            mask &= !(1 << l);
        }
    }
    if mask == 0 {
        return;
    }
    fill(a, mask);
    if cx.watch {
        super::watch::observe_local(cx, i, a, mask, size * count, kind);
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
                    let narrow = if size < 4 && i.imm2_narrow() {
                        0xffff
                    } else {
                        !0
                    };
                    cx.put(row, &t.map(|v| v as u32 & narrow), mask);
                }
            } else {
                let wide = size == 8 || i.flags & WIDE != 0;
                lanes(mask, |l| {
                    let v = if wide {
                        cx.row::<u64>(row)[l]
                    } else {
                        u64::from(cx.row::<u32>(row)[l])
                    };
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

/// A load of kernel parameters; size in `p`, count in `aux`.
struct ParamLoad;

impl Op for ParamLoad {
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
                let place = cx.whereabouts(i, lane as u32);
                cx.fault(Fault::IllegalAddress(format!(
                    "{place}: a read outside the kernel's parameters"
                )));
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
                let t: [u64; 32] = if uniform {
                    [value(0); 32]
                } else {
                    std::array::from_fn(value)
                };
                if size == 8 || i.flags & WIDE != 0 {
                    cx.put(row, &t, mask);
                } else {
                    let narrow = if size < 4 && i.imm2_narrow() {
                        0xffff
                    } else {
                        !0
                    };
                    cx.put(row, &t.map(|v| v as u32 & narrow), mask);
                }
            }
        }
    }
}

/// The handler of a load; `None` when there is no such load.
pub fn load_handler(space: u8, size: u32, count: u32) -> Option<Handler> {
    Some(match space {
        LOCAL => handler::<LocalLoad>(),
        PARAM => handler::<ParamLoad>(),
        GLOBAL => load_in::<GLOBAL>(size, count)?,
        SHARED => load_in::<SHARED>(size, count)?,
        _ => load_in::<GENERIC>(size, count)?,
    })
}

fn load_in<const SPACE: u8>(size: u32, count: u32) -> Option<Handler> {
    Some(match (size, count) {
        (1, 1) => handler::<Load<SPACE, 1, 1>>(),
        (1, 2) => handler::<Load<SPACE, 1, 2>>(),
        (1, 4) => handler::<Load<SPACE, 1, 4>>(),
        (2, 1) => handler::<Load<SPACE, 2, 1>>(),
        (2, 2) => handler::<Load<SPACE, 2, 2>>(),
        (2, 4) => handler::<Load<SPACE, 2, 4>>(),
        (4, 1) => handler::<Load<SPACE, 4, 1>>(),
        (4, 2) => handler::<Load<SPACE, 4, 2>>(),
        (4, 4) => handler::<Load<SPACE, 4, 4>>(),
        (8, 1) => handler::<Load<SPACE, 8, 1>>(),
        (8, 2) => handler::<Load<SPACE, 8, 2>>(),
        _ => return None,
    })
}

/// The handler of a store; `None` when there is no such store.
pub fn store_handler(space: u8, size: u32, count: u32) -> Option<Handler> {
    Some(match space {
        LOCAL => handler::<LocalStore>(),
        GLOBAL => store_in::<GLOBAL>(size, count)?,
        SHARED => store_in::<SHARED>(size, count)?,
        GENERIC => store_in::<GENERIC>(size, count)?,
        _ => return None,
    })
}

fn store_in<const SPACE: u8>(size: u32, count: u32) -> Option<Handler> {
    Some(match (size, count) {
        (1, 1) => handler::<Store<SPACE, 1, 1>>(),
        (1, 2) => handler::<Store<SPACE, 1, 2>>(),
        (1, 4) => handler::<Store<SPACE, 1, 4>>(),
        (2, 1) => handler::<Store<SPACE, 2, 1>>(),
        (2, 2) => handler::<Store<SPACE, 2, 2>>(),
        (2, 4) => handler::<Store<SPACE, 2, 4>>(),
        (4, 1) => handler::<Store<SPACE, 4, 1>>(),
        (4, 2) => handler::<Store<SPACE, 4, 2>>(),
        (4, 4) => handler::<Store<SPACE, 4, 4>>(),
        (8, 1) => handler::<Store<SPACE, 8, 1>>(),
        (8, 2) => handler::<Store<SPACE, 8, 2>>(),
        _ => return None,
    })
}
