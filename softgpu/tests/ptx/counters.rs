//! A kernel whose every count can be worked out by hand.

use super::support::{kernel, run};
use softgpu::{Counters, Options, Traffic};
use std::collections::BTreeMap;

const BLOCKS: u64 = 3;
const WARPS: u64 = 2;

/// 64 threads a block. The buffer has 64 words behind 32 bytes for each thread.
const BODY: &str = "\
.shared .align 16 .b8 tile[4096];
.local .align 4 .b8 mine[16];
.reg .b32 %a<5>, %b<3>;
.reg .f32 %c<5>;
.reg .f64 %d1;
mov.u32 %r1, %tid.x;
and.b32 %r2, %r1, 31;
mul.wide.u32 %x1, %r1, 4;
add.s64 %x1, %out, %x1;
ld.global.u32 %r3, [%x1];
mul.wide.u32 %x2, %r1, 32;
add.s64 %x2, %out, %x2;
ld.global.u32 %r4, [%x2];
ld.global.u32 %r5, [%out];
ld.global.v4.u32 {%r6, %r7, %r8, %r9}, [%x2];
st.global.u32 [%x1+2048], %r3;
mov.u32 %r10, tile;
shl.b32 %r11, %r2, 7;
add.u32 %r11, %r10, %r11;
st.shared.u32 [%r11], %r3;
bar.sync 0;
shl.b32 %r12, %r2, 3;
add.u32 %r12, %r10, %r12;
ld.shared.u32 %r13, [%r12];
ld.shared.u32 %r13, [%r10];
shl.b32 %r14, %r2, 4;
add.u32 %r14, %r10, %r14;
ld.shared.v4.u32 {%r6, %r7, %r8, %r9}, [%r14];
st.local.u32 [mine], %r3;
ld.local.u32 %r15, [mine];
setp.lt.u32 %p1, %r2, 8;
@%p1 atom.global.add.u32 %r16, [%out+2048], 1;
@%p1 red.shared.add.u32 [%r10], 1;
@%p1 bra EIGHT;
add.u32 %r17, %r2, 1;
bra BOTH;
EIGHT: mul.lo.u32 %r17, %r2, 3;
xor.b32 %r17, %r17, 1;
BOTH: mov.f32 %f1, 0f3F800000;
add.f32 %f2, %f1, %f1;
fma.rn.f32 %f3, %f1, %f2, %f2;
mov.f64 %d1, 0d3FF0000000000000;
fma.rn.f64 %d1, %d1, %d1, %d1;
mov.b32 %r18, 0;
fma.rn.f16x2 %r18, %r18, %r18, %r18;
mov.b32 %a1, 0;
mov.f32 %c1, 0f00000000;
mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%c1, %c2, %c3, %c4}, {%a1, %a1, %a1, %a1}, {%a1, %a1}, {%c1, %c1, %c1, %c1};
shfl.sync.idx.b32 %r19, %r3, 0, 31, 0xffffffff;
bar.warp.sync 0xffffffff;
cvt.rn.f32.u32 %f4, %r2;
ex2.approx.f32 %f5, %f4;";

fn counted(threads: usize, seed: u64) -> Counters {
    let opts = Options { counters: true, threads, seed, ..Options::default() };
    let text = kernel("sm_80", BODY);
    let run = run("sm_80", &text, BLOCKS as u32, 32 * WARPS as u32, &[1; 1024], &opts);
    assert!(run.report.fault.is_none(), "{:#?}", run.report);
    run.report.counters.expect("counters")
}

/// Traffic of requests that every warp makes: bytes, what moves, what would be least, each a warp.
fn traffic(each: &[(u64, u64, u64)]) -> Traffic {
    let all = BLOCKS * WARPS;
    Traffic {
        requests: all * each.len() as u64,
        bytes: all * each.iter().map(|e| e.0).sum::<u64>(),
        moved: all * each.iter().map(|e| e.1).sum::<u64>(),
        ideal: all * each.iter().map(|e| e.2).sum::<u64>(),
    }
}

#[test]
fn every_count_is_what_the_listing_says() {
    let c = counted(1, 0);
    let all = BLOCKS * WARPS;
    assert_eq!((c.blocks, c.threads), (BLOCKS, 32 * all));
    assert_eq!((c.static_shared, c.dynamic_shared), (4096, 0));

    // class, instructions that all lanes execute, lanes of those that some execute
    let by_hand: [(&str, u64, &[u64]); 14] = [
        // and, mul.wide, add, mul.wide, add, shl, add, shl, add, shl, add; one way add, the other mul and xor
        ("integer", 11, &[24, 8, 8]),
        // add.f32, fma.f32
        ("float32", 2, &[]),
        ("float64", 1, &[]),
        ("half", 1, &[]),
        ("tensor", 1, &[]),
        ("convert", 1, &[]),
        // setp
        ("compare", 1, &[]),
        // of %tid, the tile's address, and five constants
        ("move", 7, &[]),
        // ex2
        ("special", 1, &[]),
        // the parameter; five global, four shared, two local
        ("load_store", 12, &[]),
        ("atomic", 0, &[8, 8]),
        ("shuffle", 1, &[]),
        // bra of eight lanes, bra of the others, ret
        ("control", 1, &[8, 24]),
        ("barrier", 2, &[]),
    ];
    let mut want = BTreeMap::new();
    let (mut warps, mut threads) = (0, 0);
    for (class, whole, partial) in by_hand {
        let w = all * (whole + partial.len() as u64);
        let t = all * (32 * whole + partial.iter().sum::<u64>());
        want.insert(class, (w, t));
        warps += w;
        threads += t;
    }
    let got: BTreeMap<&str, (u64, u64)> = c.by_class.iter().map(|(class, e)| (*class, (e.warps, e.threads))).collect();
    assert_eq!(got, want);
    assert_eq!((c.warp_instructions, c.thread_instructions), (warps, threads));

    assert_eq!(c.flops_f32, 32 * all * (1 + 2));
    assert_eq!(c.flops_f64, 32 * all * 2);
    assert_eq!(c.flops_half, 32 * all * 4);
    assert_eq!(c.tensor_multiply_adds, all * 16 * 8 * 16);
    assert_eq!(c.barriers, all * 2);

    // a row of words; a word every 32 bytes; one word for all; 16 bytes every 32
    let loads = [(128, 4, 4), (128, 32, 4), (128, 1, 1), (512, 32, 16)];
    assert_eq!(c.global_loads, traffic(&loads));
    // a row; and the atomics of eight lanes on one word
    assert_eq!(c.global_stores, traffic(&[(128, 4, 4), (32, 1, 1)]));
    assert_eq!(c.global_atomics, all * 8);
    // 64 sectors of 32 bytes, of which 16 bytes were read, or 32 in the first 256 bytes; 256 bytes behind
    let first = 256;
    assert_eq!(c.unique_global_bytes, first + (2048 - first) / 2 + 256);
    // two words apart: two lanes a bank; one word for all; 16 bytes a lane in four quarters
    assert_eq!(c.shared_loads, traffic(&[(128, 2, 1), (128, 1, 1), (512, 4, 4)]));
    // 128 bytes apart: all lanes in one bank; and the atomics
    assert_eq!(c.shared_stores, traffic(&[(128, 32, 1), (32, 1, 1)]));
    assert_eq!(c.shared_atomics, all * 8);
    assert_eq!((c.local_bytes_read, c.local_bytes_written), (128 * all, 128 * all));
}

#[test]
fn counts_depend_on_the_kernel_alone() {
    let first = counted(1, 0);
    for (threads, seed) in [(1, 0), (2, 0), (1, 9), (2, 10)] {
        assert_eq!(counted(threads, seed), first, "{threads} threads, seed {seed}");
    }
    let mut sum = first.clone();
    sum.add(&first);
    assert_eq!(sum.launches, 2);
    assert_eq!(sum.thread_instructions, 2 * first.thread_instructions);
    assert_eq!(sum.lane_efficiency(), first.lane_efficiency());
    let table = first.table();
    for word in ["tensor multiply-adds", "12288", "wavefronts", "unique global bytes"] {
        assert!(table.contains(word), "{table}");
    }
}
