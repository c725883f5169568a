//! initcheck and racecheck of shared memory.
//!
//! Each 32-bit word remembers its last write and its last reads with the clock of the warp that made
//! them. A barrier of the whole block raises the floor: what is older is ordered before everything that
//! follows. Barriers of some warps join those warps' knowledge of each other's clocks (vector clocks);
//! `bar.warp.sync` orders lanes of one warp. Two accesses of different threads to the same bytes, one of
//! them a plain write, that none of these orders are a hazard.

mod judge;

use judge::judge;

use super::super::access::{STRONG, lanes};
use super::super::cx::Cx;
use super::super::inst::{Inst, NONE};
use super::super::launch::Launch;
use super::super::warp::Warp;
use super::Kind;
use super::report::{self, Spot};
use crate::check::FindingKind;
use std::collections::HashMap;

// write: clock 22 | bytes 4 | atomic 1 | pending 1 | thread 10 | instruction 26
// reads: clock 22 | bytes 4 | many 1 | warp 5 | lanes or warps 32
const CLOCK: u32 = 42;
const BYTES: u32 = 38;
const ATOMIC: u64 = 1 << 37;
const PENDING: u64 = 1 << 36;
const THREAD: u32 = 26;
const INST: u64 = (1 << 26) - 1;
const MANY: u64 = 1 << 37;
const WARP: u32 = 32;

/// Shadow of a block's shared memory.
#[derive(Default)]
pub struct SharedShadow {
    writes: Vec<u64>,
    reads: Vec<u64>,
    written: Vec<u8>,
    warps: usize,
    /// What warp `w` knows of the clock of `v`, at `w * warps + v`.
    known: Vec<u32>,
    warp_floors: Vec<u32>,
    pub floor: u32,
    /// Warps' clocks drift apart (barriers of some threads): readers of a word are remembered one by one.
    exact: bool,
    /// Warps that read a word and their clocks, where there is more than one.
    readers: HashMap<u32, Vec<(u32, u32)>>,
}

impl SharedShadow {
    /// Everything is unknown again: a block starts.
    pub fn restart(&mut self, launch: &Launch<'_>, bytes: u32, warps: usize) {
        let (race, init) = (launch.opts.race, launch.opts.init);
        let words = if race { bytes.div_ceil(4) as usize } else { 0 };
        self.writes.clear();
        self.writes.resize(words, 0);
        self.reads.clear();
        self.reads.resize(words, 0);
        self.written.clear();
        self.written
            .resize(if init { bytes as usize } else { 0 }, 0);
        self.warps = warps;
        self.known.clear();
        self.known.resize(warps * warps, 0);
        self.warp_floors.clear();
        self.warp_floors.resize(warps, 0);
        self.floor = 1;
        self.exact = launch.program.partial_sync;
        self.readers.clear();
    }

    /// All lanes of a warp have synchronised.
    pub fn warp_floor(&mut self, warp: usize, clock: u32) {
        if let Some(f) = self.warp_floors.get_mut(warp) {
            *f = clock;
        }
    }

    /// Everything a warp's lanes did before a clock is ordered.
    pub fn raise_warp_floor(&mut self, warp: usize, clock: u32) {
        if let Some(f) = self.warp_floors.get_mut(warp) {
            *f = (*f).max(clock);
        }
    }

    /// A warp learns another one's clock.
    pub fn learn_one(&mut self, warp: usize, other: usize, clock: u32) {
        if let Some(k) = self.known.get_mut(warp * self.warps + other) {
            *k = (*k).max(clock);
        }
    }

    /// What a warp knows, its own clock included.
    pub fn view(&self, warp: usize, clock: u32) -> Vec<u32> {
        let mut own = self.known[warp * self.warps..(warp + 1) * self.warps].to_vec();
        own[warp] = clock;
        own
    }

    /// A warp learns other warps' clocks.
    pub fn learn(&mut self, warp: usize, clocks: &[u32]) {
        for (v, &c) in clocks.iter().enumerate() {
            let k = &mut self.known[warp * self.warps + v];
            *k = (*k).max(c);
        }
    }

    /// True when something `other` did at a clock is ordered before what `warp` does now.
    fn knows(&self, warp: usize, other: usize, clock: u32) -> bool {
        clock < self.floor || self.known[warp * self.warps + other] >= clock
    }

    /// Marks words an asynchronous copy will write, or has written.
    pub fn copied(
        &mut self,
        offset: u32,
        bytes: u32,
        clock: u32,
        thread: u32,
        inst: u32,
        pending: bool,
    ) {
        for b in offset..offset + bytes {
            if let (Some(w), false) = (self.written.get_mut(b as usize), pending) {
                *w = 1;
            }
        }
        for word in offset / 4..(offset + bytes).div_ceil(4) {
            if let Some(w) = self.writes.get_mut(word as usize) {
                // no barrier orders a copy in flight: its clock is later than all
                *w = if pending {
                    entry((1 << 22) - 1, 15, thread, inst) | PENDING
                } else {
                    entry(clock, 15, thread, inst)
                };
            }
        }
    }
}

fn entry(clock: u32, bytes: u64, thread: u32, inst: u32) -> u64 {
    u64::from(clock) << CLOCK
        | bytes << BYTES
        | u64::from(thread) << THREAD
        | u64::from(inst) & INST
}

/// True when `then` (a lane of this warp, at a clock) is ordered before what `now` does.
fn lanes_ordered(warp: &Warp, floor: u32, then: u32, clock: u32, now: u32) -> bool {
    if clock < floor {
        return true;
    }
    let mut reached = 1u32 << then;
    for &(at, members) in &warp.syncs {
        if at >= clock && reached & members != 0 {
            reached |= members;
        }
    }
    reached >> now & 1 != 0
}

/// Looks at an access to shared memory that lies inside it.
pub fn access(cx: &mut Cx, i: &Inst, a: &[u64; 32], mask: u32, size: u32, kind: Kind) {
    let (race, init) = (cx.launch().opts.race, cx.launch().opts.init);
    if race {
        hazards(cx, i, a, mask, size, kind);
    }
    if init {
        initialised(cx, i, a, mask, size, kind);
    }
}

fn initialised(cx: &mut Cx, i: &Inst, a: &[u64; 32], mask: u32, size: u32, kind: Kind) {
    let shadow = unsafe { (*cx.block).shadow.written.as_mut_ptr() };
    let at = |l: usize| unsafe { shadow.add(a[l] as usize) };
    let mut missing = 0u32;
    unsafe {
        match (kind, size) {
            (Kind::Store, 4) => lanes(mask, |l| at(l).cast::<u32>().write_unaligned(0x0101_0101)),
            (Kind::Store, _) => lanes(mask, |l| std::ptr::write_bytes(at(l), 1, size as usize)),
            (_, 4) => lanes(mask, |l| {
                missing |= u32::from(at(l).cast::<u32>().read_unaligned() != 0x0101_0101) << l;
            }),
            (_, 16) => lanes(mask, |l| {
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
        let written = |l: usize, b: usize| unsafe { at(l).add(b).read() };
        let missing = super::of_used_bytes(super::used_bytes(cx, i), missing, size, written);
        // words that a copy is about to write are another mistake, and reported as that
        let writes = unsafe { &(*cx.block).shadow.writes };
        let pending = |l: usize| {
            writes
                .get(a[l] as usize / 4)
                .is_some_and(|w| w & PENDING != 0)
        };
        let missing = (0..32).fold(0u32, |m, l| m | (missing & u32::from(!pending(l)) << l));
        lanes(missing, |l| {
            let spot = Spot {
                address: a[l],
                space: "shared",
                bytes: size,
            };
            let message = "the thread reads shared memory that no thread of the block has written";
            report::at(cx, FindingKind::Uninitialised, i, l as u32, spot, message);
        });
    }
}

/// An access that meets an earlier one: lane, word, what the shadow holds, whether that is a write.
struct Meeting {
    lane: usize,
    word: u32,
    old: u64,
    written: bool,
}

#[inline(never)]
fn hazards(cx: &mut Cx, i: &Inst, a: &[u64; 32], mask: u32, size: u32, kind: Kind) {
    let meetings = if kind == Kind::Load {
        read_words(cx, i, a, mask, size)
    } else {
        write_words(cx, i, a, mask, size, kind)
    };
    for m in meetings {
        judge(cx, i, &m, size, kind);
    }
}

fn bytes_of(offset: u32, size: u32) -> u64 {
    if size >= 4 {
        15
    } else {
        ((1 << size) - 1) << (offset & 3)
    }
}

fn read_words(cx: &mut Cx, i: &Inst, a: &[u64; 32], mask: u32, size: u32) -> Vec<Meeting> {
    let warp = unsafe { &*cx.warp };
    let shadow = unsafe { &mut (*cx.block).shadow };
    let (number, clock, first) = (warp.number, warp.clock, warp.first_thread);
    let floor = u64::from(shadow.floor) << CLOCK;
    let warp_floor = shadow.warp_floors[number as usize];
    let strong = i.flags & STRONG != 0;
    let stamp = u64::from(clock) << CLOCK | u64::from(number) << WARP;
    let words = size.div_ceil(4);
    let mut meetings = Vec::new();
    let mut l = 0;
    while l < 32 {
        // neighbours that read the same word are looked at together
        let offset = a[l] as u32;
        let mut group = 1u32 << l;
        let mut next = l + 1;
        while next < 32 && a[next] as u32 == offset {
            group |= 1 << next;
            next += 1;
        }
        l = next;
        group &= mask;
        if group == 0 {
            continue;
        }
        let bytes = bytes_of(offset, size);
        let mine = stamp | bytes << BYTES | u64::from(group);
        for w in 0..words {
            let at = (offset / 4 + w) as usize;
            // the access lies inside shared memory, and the shadow covers all of it
            let (write, read) = unsafe {
                (
                    *shadow.writes.get_unchecked(at),
                    shadow.reads.get_unchecked_mut(at),
                )
            };
            if write >= floor {
                let by = (write >> THREAD & 1023) as u32;
                let pending = write & PENDING != 0;
                let own = match by.wrapping_sub(first) {
                    lane @ 0..32 if !pending => 1 << lane,
                    _ => 0,
                };
                let others = group & !own;
                let overlap = write >> BYTES & 15 & bytes != 0;
                if others != 0 && overlap && !(strong && write & ATOMIC != 0) {
                    lanes(others, |lane| {
                        meetings.push(Meeting {
                            lane,
                            word: at as u32,
                            old: write,
                            written: true,
                        });
                    });
                }
            }
            *read = if *read < floor {
                mine
            } else {
                let merged = merge(*read, mine, clock, number, warp_floor);
                if shadow.exact && merged & MANY != 0 {
                    note_reader(&mut shadow.readers, at as u32, *read, number, clock);
                }
                merged
            };
        }
    }
    meetings
}

fn write_words(
    cx: &mut Cx,
    i: &Inst,
    a: &[u64; 32],
    mask: u32,
    size: u32,
    kind: Kind,
) -> Vec<Meeting> {
    let warp = unsafe { &*cx.warp };
    let shadow = unsafe { &mut (*cx.block).shadow };
    let (clock, first) = (warp.clock, warp.first_thread);
    let floor = u64::from(shadow.floor) << CLOCK;
    let strong = kind == Kind::Atomic || i.flags & STRONG != 0;
    let mut meetings = Vec::new();
    lanes(mask, |lane| {
        let offset = a[lane] as u32;
        let bytes = bytes_of(offset, size);
        let thread = first + lane as u32;
        for w in 0..size.div_ceil(4) {
            let at = (offset / 4 + w) as usize;
            // as in `read_words`
            let (write, read) = unsafe {
                (
                    shadow.writes.get_unchecked_mut(at),
                    *shadow.reads.get_unchecked(at),
                )
            };
            let old = *write;
            if old >= floor {
                let other = (old >> THREAD & 1023) as u32 != thread || old & PENDING != 0;
                let overlap = old >> BYTES & 15 & bytes != 0;
                if other && overlap && !(strong && old & ATOMIC != 0) {
                    meetings.push(Meeting {
                        lane,
                        word: at as u32,
                        old,
                        written: true,
                    });
                }
            }
            if read >= floor && read >> BYTES & 15 & bytes != 0 {
                meetings.push(Meeting {
                    lane,
                    word: at as u32,
                    old: read,
                    written: false,
                });
            }
            // a thread's own atomic doesn't hide its plain write from the others
            let plain = old >= floor && old & (ATOMIC | PENDING) == 0;
            if !(strong && plain && (old >> THREAD & 1023) as u32 == thread) {
                *write = entry(clock, bytes, thread, i.id) | if strong { ATOMIC } else { 0 };
            }
        }
    });
    meetings
}

/// Adds a reader to the readers a word remembers.
#[inline(always)]
fn merge(old: u64, mine: u64, clock: u32, number: u32, warp_floor: u32) -> u64 {
    let old_bytes = old >> BYTES & 15;
    let my_bytes = mine >> BYTES & 15;
    if old_bytes & my_bytes == 0 {
        // other bytes of the word: only the latest readers are remembered
        return mine;
    }
    let old_warp = (old >> WARP & 31) as u32;
    if old & MANY != 0 {
        let set = old & 0xffff_ffff | 1 << number;
        return u64::from(clock.max((old >> CLOCK) as u32)) << CLOCK | 15 << BYTES | MANY | set;
    }
    if old_warp == number {
        if ((old >> CLOCK) as u32) < warp_floor {
            return mine;
        }
        return mine | (old & 0xffff_ffff) | old & (15 << BYTES);
    }
    let set = 1u64 << old_warp | 1 << number;
    u64::from(clock.max((old >> CLOCK) as u32)) << CLOCK | 15 << BYTES | MANY | set
}

/// Remembers each warp that read a word; `old` is what the word remembered before.
#[cold]
fn note_reader(
    readers: &mut HashMap<u32, Vec<(u32, u32)>>,
    word: u32,
    old: u64,
    number: u32,
    clock: u32,
) {
    let list = readers.entry(word).or_default();
    if old & MANY == 0 {
        // the first of them until now
        *list = vec![((old >> WARP & 31) as u32, (old >> CLOCK) as u32)];
    }
    match list.iter_mut().find(|r| r.0 == number) {
        Some(r) => r.1 = clock,
        None => list.push((number, clock)),
    }
}

/// The destination of an asynchronous copy: hazards with earlier accesses.
pub fn access_for_copy(cx: &mut Cx, i: &Inst, a: &[u64; 32], mask: u32, size: u32) {
    hazards(cx, i, a, mask, size, Kind::Store);
}
