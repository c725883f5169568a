//! The checkpoint reader on damaged files: an error each time, no panic, no large allocation.

use proptest::prelude::*;
use std::sync::OnceLock;
use warp19::train::checkpoint::{Best, Checkpoint, Meta};
use warp19::train::{Config, Recipe};

fn config() -> Config {
    let mut recipe = Recipe::named(None, "deep-mnist-sgd").unwrap();
    recipe.lr = 0.1 + 0.2; // a number whose decimal form is long
    Config {
        model: "deep-mnist-sgd".into(),
        input: "4x4x1".into(),
        classes: 3,
        dataset: "test".into(),
        recipe,
        extended: Vec::new(),
        seed: u64::MAX - 5,
        images: 100,
        validation: 0,
        test_images: 0,
        frozen_features: false,
        precision: Default::default(),
    }
}

/// A valid file's bytes.
fn valid() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        let config = config();
        let model = config.model().unwrap();
        let mut weights = vec![0.0; model.arena_len()];
        for p in model.parameters() {
            for (i, w) in weights[p.offset..p.offset + p.len].iter_mut().enumerate() {
                *w = (i as f32 * 0.37).sin();
            }
        }
        let best = Some(Best { epoch: 3, accuracy: 0.1 + 0.2, loss: 1.0 / 3.0 });
        let meta = Meta::new(7, config, best, [0.1, 2.0, 3.0, 0.0]);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c");
        let checkpoint = Checkpoint { meta, arenas: vec![("weights", weights)] };
        checkpoint.write(&path).unwrap();
        let read = Checkpoint::read(&path).unwrap();
        assert_eq!(read.meta, checkpoint.meta);
        assert_eq!(read.arenas, checkpoint.arenas);
        std::fs::read(&path).unwrap()
    })
}

#[test]
fn equal_contents_are_equal_bytes() {
    let read = Checkpoint::parse(valid()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c");
    let again = Checkpoint { meta: read.meta, arenas: read.arenas };
    again.write(&path).unwrap();
    assert!(std::fs::read(&path).unwrap() == valid());
}

#[test]
fn a_header_of_impossible_size_is_an_error() {
    for size in [u64::MAX, 1 << 40, 100_000_000, valid().len() as u64] {
        let mut bytes = valid().to_vec();
        bytes[..8].copy_from_slice(&size.to_le_bytes());
        assert!(Checkpoint::parse(&bytes).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_truncated_file_is_an_error(share in 0.0..1.0f64) {
        let bytes = valid();
        let end = (bytes.len() as f64 * share) as usize;
        prop_assert!(Checkpoint::parse(&bytes[..end]).is_err());
    }

    /// Half of the flips in the header, where the structure is.
    #[test]
    fn a_flipped_bit_is_an_error(share in 0.0..1.0f64, bit in 0..8u32, header in any::<bool>()) {
        let mut bytes = valid().to_vec();
        let head = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let range = if header { head } else { bytes.len() };
        let at = (range as f64 * share) as usize;
        bytes[at] ^= 1 << bit;
        prop_assert!(Checkpoint::parse(&bytes).is_err(), "byte {at} bit {bit}");
    }

    #[test]
    fn noise_is_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        prop_assert!(Checkpoint::parse(&bytes).is_err());
    }
}
