//! The IDX reader allocates no more than a file can justify, whatever its header says: the allocator of this test
//! program counts, each thread for itself.

use crate::gzip;
use proptest::prelude::*;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;
use warp19::data::idx;

struct Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator unchanged; counting has no effect on the memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.set(LIVE.get() + layout.size() as isize);
        PEAK.set(PEAK.get().max(LIVE.get()));
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.set(LIVE.get() - layout.size() as isize);
        // SAFETY: the caller keeps `dealloc`'s contract, and `alloc` gave the pointer.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes of this thread that were live at once while `work` ran, beyond those live before.
fn peak_of(work: impl FnOnce()) -> usize {
    let before = LIVE.get();
    PEAK.set(before);
    work();
    (PEAK.get() - before) as usize
}

fn header(dimensions: [u32; 3]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, 3];
    for size in dimensions {
        bytes.extend_from_slice(&size.to_be_bytes());
    }
    bytes
}

/// What the decoder and an error message need beside the data.
const OVERHEAD: usize = 256 << 10;

#[test]
fn allocations_are_bounded_by_the_file() {
    // The counter itself: a large allocation is seen.
    let seen = peak_of(|| drop(std::hint::black_box(vec![1u8; 32 << 20])));
    assert!(seen >= 32 << 20, "the allocator does not count: {seen}");

    let name = Path::new("x");
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let dimensions = prop::array::uniform3(prop_oneof![any::<u32>(), 1u32..100_000]);
    let inputs = (dimensions, prop::collection::vec(any::<u8>(), 0..3000));
    runner
        .run(&inputs, |(dimensions, data)| {
            let mut raw = header(dimensions);
            raw.extend_from_slice(&data);
            let packed = gzip(&raw);
            let peak = peak_of(|| drop(idx::parse_images(&raw, name)));
            prop_assert!(peak <= raw.len() + OVERHEAD, "raw {:?}: {}", dimensions, peak);
            let peak = peak_of(|| drop(idx::parse_images(&packed, name)));
            prop_assert!(peak <= 2 * raw.len() + OVERHEAD, "gzip {:?}: {}", dimensions, peak);
            Ok(())
        })
        .unwrap();

    // A bomb: 64 MB of zeros in some 64 kB, behind a header that asks for ten images.
    let mut bomb = header([10, 28, 28]);
    bomb.resize(64 << 20, 0);
    let bomb = gzip(&bomb);
    let peak = peak_of(|| {
        assert!(idx::parse_images(&bomb, name).is_err());
    });
    assert!(peak < 7840 + OVERHEAD, "bomb: {peak}");

    // The same stream behind a header that asks for just under the 8 GiB limit: refused by what
    // the file's length can expand to, before anything is allocated.
    let mut liar = header([2000, 2000, 2000]);
    liar.resize(1 << 20, 0);
    let liar = gzip(&liar);
    let peak = peak_of(|| {
        assert!(idx::parse_images(&liar, name).is_err());
    });
    assert!(peak < OVERHEAD, "liar: {peak}");
}
