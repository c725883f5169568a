//! The folder fetched into: what is there stays, and it must take files.

use super::server::Server;
use super::{dataset, listing, options, raw_files};
use crate::gzip;
use std::path::Path;
use warp19::Error;
use warp19::data::fetch::fetch_from;

#[test]
fn files_that_are_there_are_never_replaced() {
    let (server, dir) = (Server::start(), tempfile::tempdir().unwrap());
    let folder = dir.path().join("tiny");
    std::fs::create_dir(&folder).unwrap();
    let own = folder.join("t10k-labels.idx1-ubyte");
    std::fs::write(&own, b"somebody's own").unwrap();
    let error = fetch_from(&dataset(vec![server.address.clone()]), dir.path(), &options()).unwrap_err();
    assert!(error.to_string().contains("t10k-labels.idx1-ubyte exists but is not the tiny file"), "{error}");
    assert_eq!(std::fs::read(&own).unwrap(), b"somebody's own");
    assert_eq!(listing(&folder), ["t10k-labels.idx1-ubyte"]);
    assert_eq!(server.requests(), 0);
}

#[test]
fn compressed_files_put_there_by_hand_are_taken() {
    let dir = tempfile::tempdir().unwrap();
    for (name, raw) in raw_files() {
        std::fs::write(dir.path().join(format!("{name}.gz")), gzip(&raw)).unwrap();
    }
    let fetched = fetch_from(&dataset(Vec::new()), dir.path(), &options()).unwrap();
    assert_eq!(fetched.dir, dir.path());
    assert_eq!(fetched.sources, ["already there"]);
}

#[test]
fn a_folder_that_cannot_be_written_is_said_before_anything_is_fetched() {
    let (server, dir) = (Server::start(), tempfile::tempdir().unwrap());
    let dataset = dataset(vec![server.address.clone()]);
    let file = dir.path().join("a-file");
    std::fs::write(&file, b"kept").unwrap();
    let error = fetch_from(&dataset, &file, &options()).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
    assert!(error.to_string().contains("a-file"));
    assert_eq!(std::fs::read(&file).unwrap(), b"kept");

    // Without permission to write. The super-user may write all the same; /sys then stands in,
    // where nobody can make a folder.
    let locked = dir.path().join("locked");
    std::fs::create_dir(&locked).unwrap();
    let mut permissions = std::fs::metadata(&locked).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&locked, permissions).unwrap();
    let super_user = std::fs::write(locked.join("probe"), b"").is_ok();
    let target = if super_user { Path::new("/sys") } else { locked.as_path() };
    let error = fetch_from(&dataset, target, &options()).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
    assert_eq!(server.requests(), 0);
}
