//! What comes is checked: sums, lengths, counts.

use super::server::{Answer, Server};
use super::{assert_complete, dataset, hex, listing, options, raw_files};
use crate::gzip;
use std::path::Path;
use warp19::Error;
use warp19::data::fetch::fetch_from;
use warp19::data::idx;
use warp19::data::known::{KnownDataset, Sum, known};

fn failure(dataset: &KnownDataset, dir: &Path) -> (Vec<String>, String) {
    match fetch_from(dataset, dir, &options()).unwrap_err() {
        Error::FetchFailed { attempts, advice, .. } => (attempts, advice),
        error => panic!("{error}"),
    }
}

#[test]
fn wrong_contents_are_never_written() {
    let server = Server::start();
    let (name, raw) = &raw_files()[0];
    let mut other = raw.clone();
    other[500] ^= 1;
    let mut longer = raw.clone();
    longer.extend_from_slice(&[0; 5000]);
    let fewer = idx::encode_labels(&[1; 7]).unwrap();
    let cases = [
        (gzip(&other), "has SHA-256"),
        (other, "has SHA-256"),
        (gzip(&longer), "bytes after its end"),
        (gzip(&raw[..300]), "truncated"),
        (gzip(raw)[..200].to_vec(), "damaged gzip"),
        (vec![7; 100_000], "longer than"),
        (b"<html>please log in</html>".to_vec(), "not an IDX file"),
        (gzip(&fewer), "dimension"),
    ];
    for (body, cause) in cases {
        let dir = tempfile::tempdir().unwrap();
        server.answer(name, Answer::Whole(body));
        let (attempts, _) = failure(&dataset(vec![server.address.clone()]), dir.path());
        assert_eq!(attempts.len(), 2, "{attempts:?}");
        assert!(attempts[1].contains(cause), "{cause}: {}", attempts[1]);
        assert!(attempts[1].contains(name), "{}", attempts[1]);
        assert!(listing(dir.path()).is_empty(), "{:?}", listing(dir.path()));
    }
}

#[test]
fn wrong_counts_are_found_before_the_sum() {
    let (server, dir) = (Server::start(), tempfile::tempdir().unwrap());
    let mut dataset = dataset(vec![server.address.clone()]);
    dataset.files[0].count = 21;
    let (attempts, _) = failure(&dataset, dir.path());
    assert!(attempts[1].contains("expected 21 images of 28x28, got 20"), "{}", attempts[1]);
}

#[test]
fn the_sum_of_the_compressed_file_is_checked() {
    let server = Server::start();
    let mut dataset = dataset(vec![server.address.clone()]);
    for (file, (_, raw)) in dataset.files.iter_mut().zip(raw_files()) {
        file.sum = Sum::Gz(hex(&gzip(&raw)));
    }
    let dir = tempfile::tempdir().unwrap();
    fetch_from(&dataset, dir.path(), &options()).unwrap();
    assert_complete(&dir.path().join("tiny"));

    dataset.files[2].sum = Sum::Gz("0".repeat(64));
    let dir = tempfile::tempdir().unwrap();
    let (attempts, _) = failure(&dataset, dir.path());
    assert!(attempts[1].contains("t10k-images-idx3-ubyte.gz has SHA-256"), "{}", attempts[1]);
}

#[test]
fn the_datasets_that_are_known() {
    for name in ["mnist", "fashion-mnist", "kmnist"] {
        let dataset = known(name).unwrap();
        assert_eq!(dataset.name, name);
        assert_eq!(dataset.files.len(), 4);
        assert_eq!(dataset.files[0].raw_len(), 47_040_016);
        assert_eq!(dataset.files[3].raw_len(), 10_008);
        assert!(dataset.mirrors[0].starts_with("https://"));
        for file in &dataset.files {
            let (Sum::Raw(sum) | Sum::Gz(sum)) = &file.sum;
            assert_eq!(sum.len(), 64);
        }
    }
    let error = known("nist").unwrap_err();
    assert!(error.to_string().contains("mnist, fashion-mnist, kmnist"));
}
