//! Datasets that come as an archive.

use super::server::{Answer, Server, dead_address};
use super::{hex, listing, options};
use crate::gzip;
use std::io::Write;
use warp19::Error;
use warp19::data::fetch::fetch_archive;
use warp19::data::known::{self, Archive, Packing};

const FILES: [(&str, &[u8]); 3] =
    [("box/a.bin", b"first"), ("box/deep/b.txt", b"second"), ("box/other", b"not wanted")];

fn tar_gz() -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in FILES {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, bytes).unwrap();
    }
    gzip(&builder.into_inner().unwrap())
}

fn zipped() -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in FILES {
        writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn archive(packing: Packing, body: &[u8], mirrors: Vec<String>) -> Archive {
    Archive {
        name: "boxed".into(),
        file: "box".into(),
        mirrors,
        packing,
        sha256: hex(body),
        bytes: body.len() as u64,
        files: vec!["a.bin".into(), "b.txt".into()],
    }
}

fn serving(body: &[u8]) -> Server {
    let server = Server::start();
    server.answers.lock().unwrap().insert("/box".into(), Answer::Whole(body.to_vec()));
    server
}

#[test]
fn an_archive_is_checked_and_unpacked() {
    for (packing, body) in [(Packing::TarGz, tar_gz()), (Packing::Zip, zipped())] {
        let (server, dir) = (serving(&body), tempfile::tempdir().unwrap());
        let archive = archive(packing, &body, vec![dead_address(), server.address.clone()]);
        let fetched = fetch_archive(&archive, dir.path(), &options()).unwrap();
        assert_eq!(fetched.sources, [format!("{}box", server.address)]);
        assert_eq!(listing(&fetched.dir), ["a.bin", "b.txt"]);
        assert_eq!(std::fs::read(fetched.dir.join("b.txt")).unwrap(), b"second");
        assert_eq!(fetch_archive(&archive, dir.path(), &options()).unwrap().sources, ["already there"]);
        assert_eq!(server.requests(), 1);
    }
}

#[test]
fn what_is_wrong_with_an_archive_is_said_of_each_mirror() {
    let body = tar_gz();
    let (other, dir) = (serving(&body[..body.len() - 1]), tempfile::tempdir().unwrap());
    let mut wanted = archive(Packing::TarGz, &body, vec![other.address.clone(), dead_address()]);
    let error = fetch_archive(&wanted, dir.path(), &options()).unwrap_err();
    assert!(matches!(error, Error::FetchFailed { .. }));
    let text = error.to_string();
    for part in ["lacks a.bin", "has SHA-256", &wanted.sha256, &wanted.mirrors[1], "unpack box into"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(listing(dir.path()).is_empty(), "an empty folder stays nowhere");
    let good = serving(&body);
    wanted.mirrors = vec![good.address.clone()];
    wanted.files.push("c".into());
    let text = fetch_archive(&wanted, dir.path(), &options()).unwrap_err().to_string();
    assert!(text.contains("has no file c"), "{text}");
}

#[test]
fn the_known_archives_are_whole_descriptions() {
    for name in ["emnist", "cifar10"] {
        let archive = known::archive(name).unwrap();
        assert_eq!(archive.sha256.len(), 64);
        assert!(archive.mirrors.iter().all(|m| m.starts_with("https://") && m.ends_with('/')), "{name}");
        assert!(known::is_known(name) && archive.bytes > 100 << 20);
    }
    assert_eq!(known::archive("emnist").unwrap().files.len(), 30);
    assert_eq!(known::classes("emnist-balanced").unwrap().count(), 47);
    assert_eq!(known::classes("emnist-byclass").unwrap().count(), 62);
}
