//! The IDX reader: what it writes it reads, and each malformed file is its own named error.

use crate::gzip;
use proptest::prelude::*;
use std::path::Path;
use warp19::Error;
use warp19::data::{Images, idx};

fn sample() -> Images {
    Images { count: 3, height: 4, width: 5, channels: 1, pixels: (0..60).collect() }
}

fn images_error(bytes: &[u8]) -> Error {
    idx::parse_images(bytes, Path::new("test-file")).unwrap_err()
}

fn labels_error(bytes: &[u8]) -> Error {
    idx::parse_labels(bytes, Path::new("test-file")).unwrap_err()
}

#[test]
fn the_layout_is_that_of_mnist() {
    let bytes = idx::encode_images(&sample()).unwrap();
    assert_eq!(bytes[..8], [0, 0, 8, 3, 0, 0, 0, 3]);
    assert_eq!(bytes[8..16], [0, 0, 0, 4, 0, 0, 0, 5]);
    assert_eq!(bytes[16..], sample().all().unwrap()[..]);
    let labels = idx::encode_labels(&[7, 1]).unwrap();
    assert_eq!(labels, [0, 0, 8, 1, 0, 0, 0, 2, 7, 1]);
}

#[test]
fn files_are_read_raw_and_compressed_whatever_their_name() {
    let dir = tempfile::tempdir().unwrap();
    let raw = dir.path().join("images");
    std::fs::write(&raw, idx::encode_images(&sample()).unwrap()).unwrap();
    assert_eq!(idx::read_images(&raw).unwrap(), sample());

    let packed = dir.path().join("no-suffix");
    std::fs::write(&packed, gzip(&std::fs::read(&raw).unwrap())).unwrap();
    assert_eq!(idx::read_images(&packed).unwrap(), sample());

    let labels = dir.path().join("labels");
    std::fs::write(&labels, idx::encode_labels(&[1, 2, 3]).unwrap()).unwrap();
    assert_eq!(idx::read_labels(&labels).unwrap(), [1, 2, 3]);
}

#[test]
fn a_count_of_zero_is_an_empty_file() {
    assert_eq!(idx::parse_labels(&[0, 0, 8, 1, 0, 0, 0, 0], Path::new("x")).unwrap(), [0u32; 0]);
}

#[test]
fn wrong_magic() {
    for bytes in [&b"\x89PNG\r\n\x1a\n"[..], b"<html>", &[0, 0, 7, 3, 0, 0, 0, 0], b"ab"] {
        let error = images_error(bytes);
        assert!(error.to_string().contains("test-file is not an IDX file"), "{error}");
    }
}

#[test]
fn wrong_element_type() {
    let error = images_error(&[0, 0, 0x0d, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0]);
    assert!(error.to_string().contains("IDX type 0x0d (32-bit float)"), "{error}");
}

#[test]
fn images_and_labels_exchanged() {
    let labels = idx::encode_labels(&[0; 12]).unwrap();
    let error = images_error(&labels);
    assert!(error.to_string().contains("has 1 dimension(s), where an IDX file of images has 2 to 4"), "{error}");
    let error = labels_error(&idx::encode_images(&sample()).unwrap());
    assert!(error.to_string().contains("has 3 dimension(s), where an IDX file of labels has 1"), "{error}");
}

#[test]
fn every_truncation_is_named() {
    let whole = idx::encode_images(&sample()).unwrap();
    for len in 0..whole.len() {
        for bytes in [whole[..len].to_vec(), gzip(&whole[..len])] {
            let error = images_error(&bytes);
            let expected = if len < 16 { 16 } else { whole.len() };
            let what = format!("truncated: its header asks for {expected} bytes in all, it has {len};");
            assert!(error.to_string().contains(&what), "{len} bytes: {error}");
        }
    }
}

#[test]
fn trailing_bytes() {
    let mut bytes = idx::encode_images(&sample()).unwrap();
    bytes.push(0);
    for bytes in [bytes.clone(), gzip(&bytes)] {
        let error = images_error(&bytes);
        assert!(error.to_string().contains("after its end: its header asks for 76 bytes"), "{error}");
    }
}

#[test]
fn a_cut_or_damaged_gzip_stream() {
    let packed = gzip(&idx::encode_images(&sample()).unwrap());
    for len in 2..packed.len() {
        let error = images_error(&packed[..len]);
        assert!(error.to_string().contains("damaged gzip"), "{len} bytes: {error}");
    }
    let mut wrong_sum = packed.clone();
    let crc = packed.len() - 8;
    wrong_sum[crc] ^= 1;
    assert!(images_error(&wrong_sum).to_string().contains("damaged gzip"));
    let mut garbage_after = packed;
    garbage_after.extend_from_slice(b"garbage");
    assert!(images_error(&garbage_after).to_string().contains("damaged gzip"));
}

#[test]
fn dimensions_that_overflow_or_are_zero() {
    let mut bytes = vec![0, 0, 8, 3];
    bytes.extend_from_slice(&[0xff; 12]);
    bytes.extend_from_slice(&[0; 100]);
    let error = images_error(&bytes);
    assert!(error.to_string().contains("are more than 8 GiB"), "{error}");
    let zero_wide = [0, 0, 8, 3, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 28];
    let error = images_error(&zero_wide);
    assert!(error.to_string().contains("images without a pixel"), "{error}");
}

#[test]
fn what_is_no_file() {
    let dir = tempfile::tempdir().unwrap();
    for path in [dir.path().to_path_buf(), dir.path().join("missing")] {
        let error = idx::read_images(&path).unwrap_err();
        assert!(matches!(error, Error::Io { .. }), "{error}");
        assert!(error.to_string().contains(&path.display().to_string()));
    }
}

#[test]
fn the_writer_refuses_sizes_that_disagree() {
    let mut images = sample();
    images.pixels = (0..59).collect();
    assert!(matches!(idx::encode_images(&images), Err(Error::Shape { .. })));
    images.count = usize::MAX;
    assert!(matches!(idx::encode_images(&images), Err(Error::Shape { .. })));
}

proptest! {
    #[test]
    fn round_trip(count in 0usize..20, height in 1usize..9, width in 1usize..9, seed: u8) {
        let pixels = (0..count * height * width).map(|i| (i as u8).wrapping_mul(seed)).collect();
        let images = Images { count, height, width, channels: 1, pixels };
        let bytes = idx::encode_images(&images).unwrap();
        prop_assert_eq!(&idx::parse_images(&bytes, Path::new("x")).unwrap(), &images);
        prop_assert_eq!(idx::parse_images(&gzip(&bytes), Path::new("x")).unwrap(), images);
    }

    /// Arbitrary bytes, also behind a right magic number: an error or a consistent result.
    #[test]
    fn arbitrary_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200), start in 0usize..3) {
        let mut file = [&[][..], &[0, 0, 8, 3], &[0, 0, 8, 1]][start].to_vec();
        file.extend_from_slice(&bytes);
        if let Ok(images) = idx::parse_images(&file, Path::new("x")) {
            prop_assert_eq!(images.all().unwrap().len(), images.count * images.height * images.width);
            prop_assert_eq!(file.len(), 16 + images.all().unwrap().len());
        }
        if let Ok(labels) = idx::parse_labels(&file, Path::new("x")) {
            prop_assert_eq!(file.len(), 8 + labels.len());
        }
    }

    /// One flipped bit in a raw file shows when it is in the header, and else changes that pixel.
    #[test]
    fn bit_flip_in_a_raw_file(position in 0usize..76 * 8) {
        let mut bytes = idx::encode_images(&sample()).unwrap();
        bytes[position / 8] ^= 1 << (position % 8);
        match idx::parse_images(&bytes, Path::new("x")) {
            Err(_) => prop_assert!(position / 8 < 16),
            Ok(images) => {
                prop_assert!(position / 8 >= 16);
                let pixel = position / 8 - 16;
                prop_assert_ne!(images.all().unwrap()[pixel], sample().all().unwrap()[pixel]);
            }
        }
    }

    /// One flipped bit in a compressed file never gives other pixels than were written, as the
    /// stream has a checksum (flags and time in the gzip header carry no data).
    #[test]
    fn bit_flip_in_a_compressed_file(position: prop::sample::Index) {
        let mut bytes = gzip(&idx::encode_images(&sample()).unwrap());
        let bit = position.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok(images) = idx::parse_images(&bytes, Path::new("x")) {
            prop_assert_eq!(images, sample());
        }
    }
}
