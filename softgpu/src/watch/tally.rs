//! Counting what a profiler would count.

use crate::counters::{Counters, Traffic};
use crate::kernel::{KernelInfo, LaunchConfig};
use crate::machine::access::{Kind, SHARED};
use crate::machine::cx::Cx;
use crate::machine::program::{Class, Program};
use crate::machine::row::lanes;
use crate::profile::Profile;
use crate::shadow::tally::Tally;
use std::collections::HashMap;

/// Counts a local access of a warp.
pub fn local(w: &mut Tally, mask: u32, size: u32, kind: Kind) {
    let bytes = u64::from(mask.count_ones() * size);
    match kind {
        Kind::Load => w.counts.local_bytes_read += bytes,
        _ => w.counts.local_bytes_written += bytes,
    }
}

/// Counts an access whose lanes have the right addresses.
pub fn access(cx: &mut Cx, a: &[u64; 32], mask: u32, size: u32, kind: Kind, space: u8) {
    let size = u64::from(size);
    if space == SHARED {
        shared(&mut cx.tally, a, mask, size, kind);
        return;
    }
    let mut sorted = [0u64; 32];
    let mut n = 0;
    lanes(mask, |l| {
        sorted[n] = a[l];
        n += 1;
    });
    let sorted = &mut sorted[..n];
    if !sorted.is_sorted() {
        sorted.sort_unstable();
    }
    let mut distinct = 0u64;
    let mut sectors = 0u64;
    let mut last_sector = u64::MAX;
    let mut last = u64::MAX;
    for &at in sorted.iter() {
        if at != last {
            distinct += 1;
            last = at;
        }
        if at / 32 != last_sector {
            sectors += 1;
            last_sector = at / 32;
        }
    }
    let w = &mut cx.tally;
    let lanes = n as u64;
    let seen = Traffic { requests: 1, bytes: lanes * size, moved: sectors, ideal: (distinct * size).div_ceil(32) };
    let c = &mut w.counts;
    note([&mut c.global_loads, &mut c.global_stores], &mut c.global_atomics, kind, seen, lanes);
    // runs of adjacent lanes are touched at once
    let mut from = sorted[0];
    let mut to = from + size;
    for k in 1..sorted.len() {
        let at = sorted[k];
        if at > to {
            w.touch(from, to);
            from = at;
        }
        to = to.max(at + size);
    }
    w.touch(from, to);
}

fn shared(w: &mut Tally, a: &[u64; 32], mask: u32, size: u64, kind: Kind) {
    let (wavefronts, fewest) = wavefronts(a, mask, size);
    let lanes = u64::from(mask.count_ones());
    let seen = Traffic { requests: 1, bytes: lanes * size, moved: wavefronts, ideal: fewest };
    let c = &mut w.counts;
    note([&mut c.shared_loads, &mut c.shared_stores], &mut c.shared_atomics, kind, seen, lanes);
}

/// Adds what an access moved to the loads or the stores; atomics count as stores.
fn note([loads, stores]: [&mut Traffic; 2], atomics: &mut u64, kind: Kind, seen: Traffic, lanes: u64) {
    if kind == Kind::Atomic {
        *atomics += lanes;
    }
    if kind == Kind::Load { loads } else { stores }.add(&seen);
}

/// Passes over the 32 banks of shared memory: accesses of 8 bytes go by half warps, of 16 by quarters; in
/// each the bank with the most different words decides. The second number is what there would be without bank
/// conflicts: one pass for each group with a lane in it.
fn wavefronts(a: &[u64; 32], mask: u32, size: u64) -> (u64, u64) {
    let groups = (size / 4).clamp(1, 4) as usize;
    let lanes_each = 32 / groups;
    let words = size.div_ceil(4);
    let mut total = 0;
    let mut fewest = 0;
    for g in 0..groups {
        let mut banks = [[0u64; 32]; 32];
        let mut counts = [0usize; 32];
        let mut most = 0;
        for l in g * lanes_each..(g + 1) * lanes_each {
            if mask >> l & 1 == 0 {
                continue;
            }
            for w in 0..words {
                let word = a[l] / 4 + w;
                let bank = (word % 32) as usize;
                if !banks[bank][..counts[bank]].contains(&word) {
                    // a group has at most 32 words
                    banks[bank][counts[bank]] = word;
                    counts[bank] += 1;
                    most = most.max(counts[bank]);
                }
            }
        }
        total += most as u64;
        fewest += u64::from(most > 0);
    }
    (total.max(1), fewest.max(1))
}

/// The counters of a launch from its host threads' shares.
pub fn counters(
    shares: &[Tally],
    program: &Program,
    kernel: &KernelInfo,
    cfg: &LaunchConfig,
    profile: &Profile,
) -> Counters {
    let threads: u64 = cfg.block.iter().map(|&b| u64::from(b)).product();
    let blocks: u64 = cfg.grid.iter().map(|&g| u64::from(g)).product();
    let mut c = Counters::default();
    let mut touched: HashMap<u64, [u64; 64]> = HashMap::new();
    for s in shares {
        c.add(&s.counts);
        for (info, &(warps, lanes)) in program.info.iter().zip(&s.executed) {
            if info.hidden {
                continue;
            }
            c.warp_instructions += warps;
            c.thread_instructions += lanes;
            let by = c.by_class.entry(info.class.name()).or_default();
            by.warps += warps;
            by.threads += lanes;
            match info.class {
                Class::Float64 => c.flops_f64 += u64::from(info.flops) * lanes,
                Class::Half => c.flops_half += u64::from(info.flops) * lanes,
                _ => c.flops_f32 += u64::from(info.flops) * lanes,
            }
            c.tensor_multiply_adds += u64::from(info.tensor) * warps;
            if info.class == Class::Barrier {
                c.barriers += warps;
            }
        }
        for (page, bits) in &s.touched {
            let all = touched.entry(*page).or_insert([0; 64]);
            for (x, y) in all.iter_mut().zip(bits.iter()) {
                *x |= y;
            }
        }
    }
    let mut c = Counters {
        kernel: kernel.name.clone(),
        launches: 1,
        grid: cfg.grid,
        block: cfg.block,
        blocks,
        threads: blocks * threads,
        static_shared: kernel.static_shared,
        dynamic_shared: cfg.dynamic_shared,
        registers: kernel.registers.count,
        registers_known: kernel.registers.known,
        unique_global_bytes: touched.values().flatten().map(|w| u64::from(w.count_ones())).sum(),
        ..c
    };
    c.occupancy = profile.occupancy(threads as u32, c.registers, c.static_shared + c.dynamic_shared);
    c
}
