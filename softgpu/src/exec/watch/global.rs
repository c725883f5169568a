//! racecheck of global memory between the blocks of a launch.
//!
//! Each 32-bit word remembers the block that wrote it last and one that read it in this launch. When
//! another block comes, the two are ordered if a chain of synchronisations leads from one to the other:
//! a release (an atomic or volatile store after a fence, or with `.release`) and a later acquire (an
//! atomic or volatile load) of the same address.

use super::super::access::{ACQUIRE, RELEASE, STRONG, lanes};
use super::super::cx::Cx;
use super::super::inst::Inst;
use super::Kind;
use super::report::{self, Spot};
use crate::check::FindingKind;
use crate::memory::Memory;
use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering, fence};

// launch 16 | strong or many 1 | epoch 15 | block 32
const LAUNCH: u32 = 48;
const FLAG: u64 = 1 << 47;
const EPOCH: u32 = 32;
/// Addresses a block may synchronise on before it is no longer followed.
const FOLLOWED: usize = 4096;

/// What a block has done to synchronise.
#[derive(Default)]
pub struct BlockSync {
    /// A fence came after the last plain write.
    pub fenced: bool,
    epoch: u32,
    /// Address and time of the latest acquire there.
    acquired: HashMap<u64, u64>,
    /// It synchronised on more addresses than are followed: no races are reported for it.
    lost: bool,
}

#[derive(Default)]
struct Releases {
    /// By address: block, epoch, time.
    by_address: HashMap<u64, Vec<(u32, u32, u64)>>,
    /// By block: what it had acquired at its releases.
    acquired: HashMap<u32, Vec<(u64, u64)>>,
}

/// The shadow and the synchronisations of a launch.
pub struct GlobalRaces {
    shadow: *mut u64,
    launch: u64,
    time: AtomicU64,
    releases: Mutex<Releases>,
}

// The shadow is only touched through atomics.
unsafe impl Send for GlobalRaces {}
unsafe impl Sync for GlobalRaces {}

impl GlobalRaces {
    pub fn new(memory: &Memory, number: u64, on: bool) -> GlobalRaces {
        let shadow = if on {
            memory.access_shadow().cast()
        } else {
            std::ptr::null_mut()
        };
        GlobalRaces {
            shadow,
            launch: number % 0xffff + 1,
            time: AtomicU64::new(1),
            releases: Mutex::default(),
        }
    }

    fn ordered(&self, from: u32, epoch: u32, sync: &BlockSync) -> bool {
        if sync.lost {
            return true;
        }
        let releases = self.releases.lock().unwrap_or_else(|p| p.into_inner());
        let mut seen = HashSet::new();
        let mut open: Vec<(u64, u64)> = sync.acquired.iter().map(|(&a, &t)| (a, t)).collect();
        while let Some((address, time)) = open.pop() {
            let Some(list) = releases.by_address.get(&address) else {
                continue;
            };
            for &(block, at, when) in list {
                if when >= time {
                    continue;
                }
                if block == from && at >= epoch {
                    return true;
                }
                if seen.insert(block) {
                    let more = releases.acquired.get(&block).into_iter().flatten();
                    open.extend(more.filter(|(_, t)| *t <= when));
                }
            }
        }
        false
    }
}

/// Looks at an access to global memory that lies inside an allocation.
pub fn access(cx: &mut Cx, i: &Inst, a: &[u64; 32], mask: u32, size: u32, kind: Kind) {
    let launch = unsafe { &*cx.launch };
    let races = &launch.races;
    let block = unsafe { &mut *cx.block };
    let me = block.linear as u32;
    let strong = kind == Kind::Atomic || i.flags & STRONG != 0;
    if strong {
        synchronise(i, a, mask, kind, races, &mut block.sync, me);
    } else if kind == Kind::Store {
        block.sync.fenced = false;
    }
    if launch.grid == [1, 1, 1] {
        return;
    }
    let arena = cx.arena;
    let stamp =
        races.launch << LAUNCH | u64::from(block.sync.epoch & 0x7fff) << EPOCH | u64::from(me);
    let words = u64::from(size.div_ceil(4));
    let mut conflicts: Vec<(usize, u64, bool)> = Vec::new();
    let cell = |word: u64, which: usize| unsafe {
        AtomicU64::from_ptr(races.shadow.add(word as usize * 2 + which))
    };
    let writes = kind != Kind::Load;
    // sub-word stores of different blocks into one word are no conflict: only whole words are followed
    if size < 4 {
        return;
    }
    // first leave a mark, then look: of two blocks that come together one sees the other
    let mut swapped = [0u64; 32 * 4];
    lanes(mask, |l| {
        for w in 0..words {
            let word = (a[l] - arena) / 4 + w;
            if writes {
                let mark = stamp | if strong { FLAG } else { 0 };
                swapped[l * 4 + w as usize] = cell(word, 0).swap(mark, Ordering::Relaxed);
            } else if !strong {
                let old = cell(word, 1).load(Ordering::Relaxed);
                if old >> LAUNCH != races.launch {
                    cell(word, 1).store(stamp, Ordering::Relaxed);
                } else if old as u32 != me && old & FLAG == 0 {
                    cell(word, 1).store(old | FLAG, Ordering::Relaxed);
                }
            }
        }
    });
    fence(Ordering::SeqCst);
    lanes(mask, |l| {
        for w in 0..words {
            let word = (a[l] - arena) / 4 + w;
            let write = if writes {
                swapped[l * 4 + w as usize]
            } else {
                cell(word, 0).load(Ordering::Relaxed)
            };
            if write >> LAUNCH == races.launch
                && write as u32 != me
                && !(strong && write & FLAG != 0)
            {
                conflicts.push((l, write, true));
            }
            if writes && !strong {
                let read = cell(word, 1).load(Ordering::Relaxed);
                if read >> LAUNCH == races.launch && (read as u32 != me || read & FLAG != 0) {
                    conflicts.push((l, read, false));
                }
            }
        }
    });
    for (l, old, written) in conflicts {
        let spot = Spot {
            address: a[l],
            space: "global",
            bytes: size,
        };
        judge(cx, i, l as u32, spot, kind, old, written);
    }
}

fn synchronise(
    i: &Inst,
    a: &[u64; 32],
    mask: u32,
    kind: Kind,
    races: &GlobalRaces,
    sync: &mut BlockSync,
    me: u32,
) {
    let releases = kind != Kind::Load && (sync.fenced || i.flags & RELEASE != 0);
    let acquires = kind != Kind::Store || i.flags & ACQUIRE != 0;
    lanes(mask, |l| {
        let time = races.time.fetch_add(1, Ordering::SeqCst);
        if releases {
            let mut r = races.releases.lock().unwrap_or_else(|p| p.into_inner());
            let list = r.by_address.entry(a[l]).or_default();
            match list.iter_mut().find(|e| e.0 == me && e.1 == sync.epoch) {
                Some(_) => {}
                None => list.push((me, sync.epoch, time)),
            }
            if sync.acquired.len() <= 64 {
                let known = sync.acquired.iter().map(|(&a, &t)| (a, t)).collect();
                r.acquired.insert(me, known);
            }
        }
        if acquires {
            if sync.acquired.len() >= FOLLOWED {
                sync.lost = true;
            } else {
                // an acquire comes after the release of the same instruction
                sync.acquired
                    .insert(a[l], races.time.fetch_add(1, Ordering::SeqCst));
            }
        }
    });
    if releases {
        sync.epoch += 1;
    }
}

#[cold]
#[inline(never)]
fn judge(cx: &mut Cx, i: &Inst, lane: u32, spot: Spot, kind: Kind, old: u64, written: bool) {
    let address = spot.address;
    let what = if written { "wrote" } else { "read" };
    let launch = unsafe { &*cx.launch };
    let sync = unsafe { &(*cx.block).sync };
    let other = old as u32;
    let many = !written && old & FLAG != 0;
    // an atomic of the other block and one of this block on the same word are ordered by the word
    if written && old & FLAG != 0 && sync.acquired.contains_key(&address) {
        return;
    }
    let epoch = (old >> EPOCH & 0x7fff) as u32;
    if many && (sync.lost || !sync.acquired.is_empty()) {
        return;
    }
    if !many && launch.races.ordered(other, epoch, sync) {
        return;
    }
    let [gx, gy, _] = launch.grid;
    let index = [other % gx, other / gx % gy, other / (gx * gy)];
    let does = match kind {
        Kind::Load => "reads",
        Kind::Store => "writes",
        Kind::Atomic => "updates",
    };
    let who = if many {
        "several blocks read".to_string()
    } else {
        format!("block ({}, {}, {}) {what}", index[0], index[1], index[2])
    };
    let message = format!(
        "blocks of one launch conflict: this block {does} a word that {who} in the same launch, and nothing orders the two"
    );
    report::at(cx, FindingKind::GlobalRace, i, lane, spot, &message);
}
