//! Reads and writes against what the words remember.

use crate::machine::access::{Kind, Order};
use crate::machine::cx::Cx;
use crate::machine::program::Expected;
use crate::machine::row::lanes;
use crate::shadow::marks::bytes_touched;
use crate::shadow::shared::{ATOMIC, BYTES, CLOCK, MANY, PENDING, Read, SharedShadow, THREAD, WARP, entry};
use crate::watch::report::Access;
use std::collections::HashMap;

/// An access that meets an earlier one: lane, word, what the shadow holds, whether that is a write.
pub struct Meeting {
    pub lane: usize,
    pub word: u32,
    pub old: u64,
    pub written: bool,
}

pub fn read_words(cx: &mut Cx, access: &Access, a: &[u64; 32], mask: u32) -> Vec<Meeting> {
    let info = cx.launch().program.info.get(access.inst.head.id as usize);
    let expected = info.is_some_and(|info| info.expected != Expected::No);
    let (block, warp) = cx.block_and_warp();
    let (warp, shadow) = (&block.warps[warp], &mut block.shadow);
    let read = || Read {
        warp: warp.number,
        clock: warp.clock,
        first: warp.first_thread,
        offsets: a.map(|at| at as u32),
        mask,
        size: access.size,
        strong: access.inst.head.order != Order::Weak,
        expected,
    };
    if shadow.can_keep() {
        shadow.keep(read());
        return Vec::new();
    }
    mark_kept(shadow);
    look_at(shadow, &read())
}

/// Marks the reads that were kept; they meet nothing.
fn mark_kept(shadow: &mut SharedShadow) {
    for read in shadow.take_kept() {
        look_at(shadow, &read);
    }
}

fn look_at(shadow: &mut SharedShadow, read: &Read) -> Vec<Meeting> {
    let words = read.size.div_ceil(4) as usize;
    if words == 1 { look_at_so_many(shadow, read, 1) } else { look_at_so_many(shadow, read, words) }
}

// Compiled twice: most reads are of one word.
#[inline(always)]
fn look_at_so_many(shadow: &mut SharedShadow, read: &Read, words: usize) -> Vec<Meeting> {
    let Read { warp: number, clock, first, mask, size, strong, expected, .. } = *read;
    let floor = u64::from(shadow.floor) << CLOCK;
    let warp_floor = shadow.warp_floors[number as usize];
    let (writes, reads, exact) = (&shadow.writes[..], &mut shadow.reads[..], shadow.exact);
    let stamp = u64::from(clock) << CLOCK | u64::from(number) << WARP;
    let mut meetings = Vec::new();
    let mut l = 0;
    while l < 32 {
        // neighbours that read the same word are looked at together
        let offset = read.offsets[l];
        let mut group = 1u32 << l;
        let mut next = l + 1;
        while next < 32 && read.offsets[next] == offset {
            group |= 1 << next;
            next += 1;
        }
        l = next;
        group &= mask;
        if group == 0 {
            continue;
        }
        let bytes = bytes_touched(u64::from(offset), size);
        let mine = stamp | bytes << BYTES | u64::from(group);
        let at = (offset / 4) as usize;
        let pairs = writes[at..][..words].iter().zip(&mut reads[at..][..words]);
        for (at, (&write, read)) in (at..).zip(pairs) {
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
                    meet(&mut meetings, others, at as u32, write);
                }
            }
            // the swap that follows is what others' writes are held against
            if expected {
                continue;
            }
            *read = if *read < floor {
                mine
            } else {
                let merged = merge(*read, mine, clock, number, warp_floor);
                if exact && merged & MANY != 0 {
                    note_reader(&mut shadow.readers, at as u32, *read, number, clock);
                }
                merged
            };
        }
    }
    meetings
}

/// Lanes that read what another thread wrote.
#[cold]
fn meet(meetings: &mut Vec<Meeting>, group: u32, word: u32, old: u64) {
    lanes(group, |lane| meetings.push(Meeting { lane, word, old, written: true }));
}

pub fn write_words(cx: &mut Cx, access: &Access, a: &[u64; 32], mask: u32) -> Vec<Meeting> {
    let (block, warp) = cx.block_and_warp();
    let (warp, shadow) = (&block.warps[warp], &mut block.shadow);
    mark_kept(shadow);
    shadow.wrote(warp.clock);
    let (clock, first) = (warp.clock, warp.first_thread);
    let floor = u64::from(shadow.floor) << CLOCK;
    let Access { inst, kind, size, .. } = *access;
    let strong = kind == Kind::Atomic || inst.head.order != Order::Weak;
    let mut meetings = Vec::new();
    lanes(mask, |lane| {
        let offset = a[lane] as u32;
        let bytes = bytes_touched(u64::from(offset), size);
        let thread = first + lane as u32;
        for w in 0..size.div_ceil(4) {
            let at = (offset / 4 + w) as usize;
            let (write, read) = (&mut shadow.writes[at], shadow.reads[at]);
            let old = *write;
            if old >= floor {
                let other = (old >> THREAD & 1023) as u32 != thread || old & PENDING != 0;
                let overlap = old >> BYTES & 15 & bytes != 0;
                if other && overlap && !(strong && old & ATOMIC != 0) {
                    meetings.push(Meeting { lane, word: at as u32, old, written: true });
                }
            }
            if read >= floor && read >> BYTES & 15 & bytes != 0 {
                meetings.push(Meeting { lane, word: at as u32, old: read, written: false });
            }
            // a thread's own atomic doesn't hide its plain write from the others
            let plain = old >= floor && old & (ATOMIC | PENDING) == 0;
            if !(strong && plain && (old >> THREAD & 1023) as u32 == thread) {
                *write = entry(clock, bytes, thread, inst.head.id) | if strong { ATOMIC } else { 0 };
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
fn note_reader(readers: &mut HashMap<u32, Vec<(u32, u32)>>, word: u32, old: u64, number: u32, clock: u32) {
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
