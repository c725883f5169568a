//! Everything that looks at a running kernel: checks and counters.
//!
//! An access is seen before it is done, so that a lane with a wrong address can be kept from doing it.

pub mod global;
pub mod mbarrier;
pub mod report;
pub mod shared;
pub mod tally;

use super::access::{GENERIC, GLOBAL, SHARED, lanes};
use super::block::{Barrier, Block};
use super::cx::{Cx, PARAM_WINDOW, SHARED_WINDOW, WINDOW};
use super::inst::Inst;
use super::row::{Isa, fill};
use super::run::barrier::ALIGNED;
use super::warp::{Split, Waiting};
use crate::check::FindingKind;
use crate::exec::Fault;
pub use global::BlockSync;
pub use report::{Spot, report};
pub use shared::SharedShadow;
pub use tally::Watcher;

/// What an access does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Load,
    Store,
    Atomic,
}

/// Looks at an access; gives the lanes that may do it.
pub fn observe<I: Isa>(
    cx: &mut Cx,
    i: &Inst,
    a: &mut [u64; 32],
    mask: u32,
    size: u32,
    kind: Kind,
    space: u8,
) -> u32 {
    if space != GENERIC {
        return look(cx, i, a, mask, size, kind, space);
    }
    let mut in_shared = 0;
    let mut in_params = 0;
    for l in 0..32 {
        in_shared |= u32::from(a[l].wrapping_sub(SHARED_WINDOW) < WINDOW) << l;
        in_params |= u32::from(a[l].wrapping_sub(PARAM_WINDOW) < WINDOW) << l;
    }
    let global = mask & !in_shared & !in_params;
    let mut ok = 0;
    if global != 0 {
        let mut part = *a;
        fill(&mut part, global);
        ok |= look(cx, i, &part, global, size, kind, GLOBAL);
    }
    if mask & in_shared != 0 {
        let mut part = a.map(|v| v.wrapping_sub(SHARED_WINDOW));
        fill(&mut part, mask & in_shared);
        ok |= look(cx, i, &part, mask & in_shared, size, kind, SHARED);
    }
    if mask & in_params != 0 {
        ok |= mask & in_params;
    }
    if ok != 0 {
        fill(a, ok);
    }
    ok
}

#[inline(never)]
fn look(cx: &mut Cx, i: &Inst, a: &[u64; 32], mask: u32, size: u32, kind: Kind, space: u8) -> u32 {
    let ok = bounds(cx, i, a, mask, size, kind, space);
    if ok == 0 {
        return 0;
    }
    if cx.launch().count {
        tally::access(cx, i, a, ok, size, kind, space);
    }
    if space == SHARED {
        shared::access(cx, i, a, ok, size, kind);
    } else {
        let opts = cx.launch().opts;
        if opts.init {
            initialised(cx, i, a, ok, size, kind);
        }
        if opts.race {
            global::access(cx, i, a, ok, size, kind);
        }
    }
    ok
}

/// memcheck: the lanes whose address is right.
fn bounds(
    cx: &mut Cx,
    i: &Inst,
    a: &[u64; 32],
    mask: u32,
    size: u32,
    kind: Kind,
    space: u8,
) -> u32 {
    let size = u64::from(size);
    let (low, room) = if space == SHARED {
        (0, cx.shared_bytes)
    } else {
        let (low, high) = cx.ranges[i.id as usize];
        (low, high - low)
    };
    let most = room.wrapping_sub(size);
    let mut bad = 0u64;
    for v in a {
        let offset = v.wrapping_sub(low);
        bad |= u64::from(offset > most) | (offset & (size - 1));
    }
    if bad == 0 && room >= size {
        return mask;
    }
    let mut ok = 0;
    lanes(mask, |l| {
        let at = a[l];
        let lane = l as u32;
        let inside = if space == SHARED {
            size <= cx.shared_bytes && at <= cx.shared_bytes - size
        } else {
            let launch = cx.launch();
            let found = launch
                .allocation(at)
                .filter(|x| at + size <= x.base + x.size);
            match found {
                Some(_) => {
                    let window = launch.window(at, size);
                    cx.ranges[i.id as usize] = window;
                    true
                }
                None => false,
            }
        };
        let what = match kind {
            Kind::Load => "reads",
            Kind::Store => "writes",
            Kind::Atomic => "updates",
        };
        let spot = Spot {
            address: at,
            space: super::access::space_name(space),
            bytes: size as u32,
        };
        let check = cx.launch().opts.mem;
        if !inside {
            let in_arena = space != SHARED && at.wrapping_sub(cx.arena) < cx.arena_bytes - size;
            if check {
                let freed = (space != SHARED)
                    .then(|| cx.launch().memory.freed(at))
                    .flatten();
                let (finding, message) = match freed {
                    Some(_) => (
                        FindingKind::UseAfterFree,
                        format!("the thread {what} {size} bytes of memory that was freed"),
                    ),
                    None if space == SHARED => (
                        FindingKind::OutOfBounds,
                        format!(
                            "the thread {what} {size} bytes at shared offset {at}, the block has {} bytes of shared memory",
                            cx.shared_bytes
                        ),
                    ),
                    None => (
                        FindingKind::OutOfBounds,
                        format!("the thread {what} {size} bytes outside every allocation"),
                    ),
                };
                report::at(cx, finding, i, lane, spot, &message);
            } else if !in_arena {
                let place = cx.whereabouts(i, lane);
                cx.fault(Fault::IllegalAddress(format!(
                    "{place}: {size} bytes at {at:#x} lie outside {} memory",
                    spot.space
                )));
            } else if at & (size - 1) == 0 {
                ok |= 1 << l;
            }
        } else if at & (size - 1) != 0 {
            let message = format!(
                "the thread {what} {size} bytes at an address that is not a multiple of {size}; vector accesses need aligned pointers"
            );
            if check {
                report::at(cx, FindingKind::Misaligned, i, lane, spot, &message);
            } else {
                let place = cx.whereabouts(i, lane);
                cx.fault(Fault::MisalignedAddress(format!(
                    "{place}: {message} ({at:#x})"
                )));
            }
        } else {
            ok |= 1 << l;
        }
    });
    ok
}

/// `discard`: 128 bytes of each lane hold nothing any more, which is a write to the other checks.
pub fn discarded(cx: &mut Cx, i: &Inst, a: &[u64; 32], mask: u32) {
    let ok = bounds(cx, i, a, mask, 128, Kind::Store, GLOBAL);
    if ok == 0 {
        return;
    }
    let (init, race) = (cx.launch().opts.init, cx.launch().opts.race);
    if init {
        let (arena, shadow) = (cx.arena, cx.watcher.written);
        // SAFETY: the shadow covers every address of the arena, and these were found inside.
        lanes(ok, |l| unsafe {
            std::ptr::write_bytes(shadow.add((a[l] - arena) as usize), 0, 128);
        });
    }
    if race {
        for part in 0..8 {
            let mut at = a.map(|v| v + 16 * part);
            fill(&mut at, ok);
            global::access(cx, i, &at, ok, 16, Kind::Store);
        }
    }
}

/// initcheck of global memory; one byte of shadow for each byte.
fn initialised(cx: &mut Cx, i: &Inst, a: &[u64; 32], mask: u32, size: u32, kind: Kind) {
    let arena = cx.arena;
    let shadow = cx.watcher.written;
    let at = |l: usize| unsafe { shadow.add((a[l] - arena) as usize) };
    if kind == Kind::Store {
        unsafe {
            match size {
                4 => lanes(mask, |l| at(l).cast::<u32>().write(0x0101_0101)),
                8 => lanes(mask, |l| at(l).cast::<u64>().write(0x0101_0101_0101_0101)),
                _ => lanes(mask, |l| std::ptr::write_bytes(at(l), 1, size as usize)),
            }
        }
        return;
    }
    let mut missing = 0u32;
    unsafe {
        match size {
            4 => lanes(mask, |l| {
                missing |= u32::from(at(l).cast::<u32>().read() != 0x0101_0101) << l
            }),
            8 => lanes(mask, |l| {
                missing |= u32::from(at(l).cast::<u64>().read() != 0x0101_0101_0101_0101) << l;
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
    if missing != 0 {
        // SAFETY: the shadow of bytes that were just looked at.
        let missing = of_used_bytes(used_bytes(cx, i), missing, size, |l, b| unsafe {
            at(l).add(b).read()
        });
        lanes(missing, |l| {
            let spot = Spot {
                address: a[l],
                space: "global",
                bytes: size,
            };
            let message = "the thread reads memory that nothing has written since it was allocated";
            report::at(cx, FindingKind::Uninitialised, i, l as u32, spot, message);
        });
    }
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
        cx.watcher.local(mask, size, kind);
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
    lanes(missing, |l| {
        let spot = Spot {
            address: a[l],
            space: "local",
            bytes: size,
        };
        let message = "the thread reads a local array or variable that it has not written";
        report::at(cx, FindingKind::Uninitialised, i, l as u32, spot, message);
    });
}

/// A local access outside the thread's local memory, or misaligned.
pub fn bad_local(cx: &mut Cx, i: &Inst, address: u64, lane: u32, size: u32, inside: bool) {
    let bytes = cx.local_bytes;
    let (kind, message) = if inside {
        (
            FindingKind::Misaligned,
            format!("{size} bytes at an address that is not a multiple of {size}"),
        )
    } else {
        (
            FindingKind::OutOfBounds,
            format!("local offset {address} is outside the thread's {bytes} bytes of local memory"),
        )
    };
    if cx.launch().opts.mem {
        report::at(
            cx,
            kind,
            i,
            lane,
            Spot {
                address,
                space: "local",
                bytes: size,
            },
            &message,
        );
    } else {
        let place = cx.whereabouts(i, lane);
        let text = format!("{place}: {message}");
        cx.fault(if inside {
            Fault::MisalignedAddress(text)
        } else {
            Fault::IllegalAddress(text)
        });
    }
}

fn inst_at(cx: &Cx, pc: u32) -> &'static Inst {
    // the program outlives the launch
    unsafe { &(&(*cx.launch).program.code)[pc as usize] }
}

/// Lanes wait at a barrier for lanes of their own warp that wait for them.
pub fn divergent_barrier(cx: &mut Cx, split: &Split) {
    if !cx.launch().opts.sync {
        return;
    }
    let inst = inst_at(cx, split.pc);
    if inst.flags & ALIGNED == 0 {
        return;
    }
    let away = cx.warp().alive & !split.mask;
    let message = format!(
        "a barrier in divergent code: {} threads of the warp wait at it, {} took another way",
        split.mask.count_ones(),
        away.count_ones()
    );
    report(
        cx,
        FindingKind::DivergentBarrier,
        inst,
        split.mask.trailing_zeros(),
        &message,
    );
}

/// Lanes wait at a `*.sync` for members that don't come.
pub fn missing_participant(cx: &mut Cx, waiting: &Waiting) {
    let inst = inst_at(cx, waiting.split.pc);
    let missing = waiting.members & cx.warp().alive & !waiting.split.mask;
    let message = format!(
        "the member mask {:#010x} names lanes {missing:#010x} that are alive but never execute this instruction with the others",
        waiting.members
    );
    let lane = waiting.split.mask.trailing_zeros();
    if cx.launch().opts.sync {
        report(cx, FindingKind::MissingParticipant, inst, lane, &message);
    } else {
        let place = cx.whereabouts(inst, lane);
        cx.fault(Fault::LaunchTimeout(format!("{place}: {message}")));
    }
}

/// Lanes execute a `*.sync` whose member mask doesn't name them.
pub fn not_a_member(cx: &mut Cx, i: &Inst, lanes: u32, named: u32) {
    if cx.launch().opts.sync {
        let message = format!("the lane is not in its own member mask {named:#010x}");
        report(
            cx,
            FindingKind::MissingParticipant,
            i,
            lanes.trailing_zeros(),
            &message,
        );
    }
}

/// A `shfl` reads a lane that doesn't take part.
pub fn shuffle_from_nobody(cx: &mut Cx, i: &Inst, lanes: u32) {
    if cx.launch().opts.sync {
        let message = "the shuffle reads the register of a lane that doesn't take part (exited, inactive or not named): the value is undefined";
        report(
            cx,
            FindingKind::MissingParticipant,
            i,
            lanes.trailing_zeros(),
            message,
        );
    }
}

/// Lanes of a warp have synchronised (`bar.warp.sync`).
pub fn warp_synced(cx: &mut Cx, mask: u32) {
    let warp = cx.warp();
    if mask & warp.alive == warp.alive {
        warp.clock += 1;
        warp.syncs.clear();
        let (number, clock) = (warp.number as usize, warp.clock);
        cx.block().shadow.warp_floor(number, clock);
    } else {
        warp.syncs.push((warp.clock, mask));
        warp.clock += 1;
    }
}

/// A fence of device scope was executed.
pub fn fenced(cx: &mut Cx, mask: u32) {
    let _ = mask;
    cx.block().sync.fenced = true;
}

/// Lanes arrive at a barrier.
pub fn barrier_arrival(cx: &mut Cx, number: u32, inst: &Inst) {
    if !cx.launch().opts.race {
        return;
    }
    let warp = cx.warp().number as usize;
    let clock = cx.warp().clock;
    let block = cx.block();
    let own = block.shadow.view(warp, clock);
    let joined = &mut block.barriers[number as usize].clocks;
    if joined.len() < own.len() {
        joined.resize(own.len(), 0);
    }
    for (j, o) in joined.iter_mut().zip(own) {
        *j = (*j).max(o);
    }
    if inst.flags & super::run::barrier::ARRIVE != 0 {
        cx.warp().clock += 1;
    }
}

/// A barrier has all its threads and lets them go.
pub fn barrier_complete(cx: &mut Cx, number: u32, b: &Barrier, alive: u32) {
    let block = unsafe { &mut *cx.block };
    if cx.launch().opts.sync {
        mixed_places(cx, number, b, alive);
    }
    let whole = b.expected == 0 || b.arrived >= block.warps.len() as u32 * 32;
    if whole {
        let next = block.warps.iter().map(|w| w.clock).max().unwrap_or(0) + 1;
        for w in &mut block.warps {
            w.clock = next;
            w.syncs.clear();
        }
        block.shadow.floor = next;
    } else if cx.launch().opts.race {
        for w in &mut block.warps {
            if w.at_barrier.iter().any(|(n, _)| *n == number) {
                block.shadow.learn(w.number as usize, &b.clocks);
                w.clock += 1;
            }
        }
    }
}

/// synccheck when a barrier completes: all threads must stand at the same instruction, and none may
/// have exited before.
fn mixed_places(cx: &mut Cx, number: u32, b: &Barrier, alive: u32) {
    let block = unsafe { &mut *cx.block };
    let mut places: Vec<(u32, u32, u32)> = Vec::new();
    for w in &block.warps {
        let mut first = None;
        for (n, s) in &w.at_barrier {
            if *n != number {
                continue;
            }
            if first.is_some_and(|pc| pc != s.pc) {
                places.push((w.number, s.pc, s.mask));
            }
            first.get_or_insert(s.pc);
        }
    }
    for (warp, pc, mask) in places {
        let inst = inst_at(cx, pc);
        if inst.flags & ALIGNED != 0 {
            cx.warp = &mut block.warps[warp as usize];
            let message =
                "threads of one warp wait at different barrier instructions in divergent code";
            report(
                cx,
                FindingKind::DivergentBarrier,
                inst,
                mask.trailing_zeros(),
                message,
            );
        }
    }
    if b.expected == 0 && alive < block.threads {
        let inst = inst_at(cx, b.inst);
        let gone = block.threads - alive;
        let holder = block
            .warps
            .iter()
            .position(|w| w.at_barrier.iter().any(|(n, _)| *n == number));
        let Some(holder) = holder else { return };
        let lane = block.warps[holder].at_barrier[0].1.mask.trailing_zeros();
        let before = cx.warp;
        cx.warp = &mut block.warps[holder];
        let message = format!(
            "{gone} of the block's {} threads have exited without this barrier",
            block.threads
        );
        report(cx, FindingKind::DivergentBarrier, inst, lane, &message);
        cx.warp = before;
    }
}

/// Every warp waits and no barrier can complete.
pub fn barrier_stuck(cx: &mut Cx, block: &mut Block) {
    let open: Vec<(usize, Barrier)> = block
        .barriers
        .iter()
        .cloned()
        .enumerate()
        .filter(|(_, b)| b.open)
        .collect();
    let Some((number, b)) = open.first() else {
        return;
    };
    let holder = block
        .warps
        .iter()
        .position(|w| !w.at_barrier.is_empty())
        .unwrap_or(0);
    super::block::enter(cx, block, holder);
    let inst = inst_at(cx, b.inst);
    let lane = block.warps[holder]
        .at_barrier
        .first()
        .map_or(0, |(_, s)| s.mask.trailing_zeros());
    let wanted = if b.expected == 0 {
        block.alive()
    } else {
        b.expected
    };
    let message = format!(
        "the block hangs: barrier {number} has {} of {wanted} threads, and {} barriers wait for each other",
        b.arrived,
        open.len()
    );
    if cx.launch().opts.sync {
        report(cx, FindingKind::BarrierMisuse, inst, lane, &message);
    }
    let place = cx.whereabouts(inst, lane);
    cx.fault(Fault::LaunchTimeout(format!("{place}: {message}")));
}

/// Lanes exit.
pub fn lanes_exit(cx: &mut Cx, inst: &Inst, mask: u32) {
    let _ = (cx, inst, mask);
}

/// The destination of an asynchronous copy; gives the lanes that may do it.
pub fn copy_target<I: Isa>(cx: &mut Cx, i: &Inst, a: &mut [u64; 32], mask: u32, size: u32) -> u32 {
    let ok = bounds(cx, i, a, mask, size, Kind::Store, SHARED);
    if ok == 0 {
        return 0;
    }
    fill(a, ok);
    if cx.launch().count {
        tally::access(cx, i, a, ok, size, Kind::Store, SHARED);
    }
    if cx.launch().opts.race {
        shared::access_for_copy(cx, i, a, ok, size);
        let (first, clock) = (cx.warp().first_thread, cx.warp().clock);
        let block = unsafe { &mut *cx.block };
        lanes(ok, |l| {
            let (at, thread) = (a[l] as u32, first + l as u32);
            block.shadow.copied(at, size, clock, thread, i.id, true)
        });
    }
    ok
}

/// An asynchronous copy has written its destination, on behalf of a warp's threads and as of a clock.
pub fn copy_landed(cx: &mut Cx, copy: &super::warp::AsyncCopy, first_thread: u32, clock: u32) {
    let block = unsafe { &mut *cx.block };
    lanes(copy.mask, |l| {
        let (at, thread) = (copy.to[l], first_thread + l as u32);
        block
            .shadow
            .copied(at, copy.size, clock, thread, copy.inst, false)
    });
}

/// An asynchronous copy whose source is not in an allocation.
pub fn copy_source(cx: &mut Cx, i: &Inst, address: u64, lane: u32, bytes: u32) {
    let message = format!("the asynchronous copy reads {bytes} bytes outside every allocation");
    if cx.launch().opts.mem {
        report::at(
            cx,
            FindingKind::OutOfBounds,
            i,
            lane,
            Spot {
                address,
                space: "global",
                bytes,
            },
            &message,
        );
    } else {
        let place = cx.whereabouts(i, lane);
        cx.fault(Fault::IllegalAddress(format!(
            "{place}: {message} ({address:#x})"
        )));
    }
}
