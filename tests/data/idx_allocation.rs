//! The IDX reader allocates no more than a file can justify, whatever its header says: the allocator of this test
//! program counts, each thread for itself.

use crate::common::allocations::peak_of;
use crate::gzip;
use proptest::prelude::*;
use std::path::Path;
use warp19::data::idx;

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
