//! Random numbers, and the order of samples drawn with them.

use warp19::ops::philox::philox4x32;
use warp19::train::samples::{Samples, steps_after};

/// Known answers of the Random123 distribution (kat_vectors, philox4x32 10).
#[test]
fn known_answers() {
    assert_eq!(philox4x32([0; 4], [0; 2]), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
    assert_eq!(philox4x32([u32::MAX; 4], [u32::MAX; 2]), [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]);
    assert_eq!(
        philox4x32([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]),
        [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1]
    );
}

#[test]
fn every_epoch_is_a_permutation_and_batches_cross_epochs() {
    let (n, batch) = (10, 4);
    let mut samples = Samples::new(3, n);
    let seen: Vec<u32> = (0..5).flat_map(|s| samples.batch(s, batch)).collect();
    for epoch in seen.chunks(n) {
        let mut sorted = epoch.to_vec();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..n as u32).collect::<Vec<_>>());
    }
    assert_ne!(seen[..10], seen[10..]);
    assert_eq!(Samples::new(3, n).batch(2, batch), seen[8..12]);
    assert_eq!((steps_after(1, 10, 4), steps_after(2, 10, 4)), (3, 5));
    assert_eq!(Samples::new(1, 1).batch(7, 3), [0, 0, 0]);
}
