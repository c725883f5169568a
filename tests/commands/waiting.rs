//! No wait without a word: where standard error is no terminal, a line every ten seconds.

use crate::common::command::{ok, warp19_in};
use crate::common::repository;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

#[test]
#[ignore = "waits: a minute of slow evaluation"]
fn a_line_every_ten_seconds() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    let data = repository().join("data");
    let data = data.to_str().unwrap();
    let line = format!("train --model vgg16-4pool --device cpu --data {data} --batch 2 --steps 1 --test-limit 10");
    ok(&mut warp19_in(dir, &format!("{line} --out run")));
    let mut slow = warp19_in(dir, &format!("eval run --again --device cpu --data {data}"));
    slow.env("WARP19_ISA", "plain").stderr(Stdio::piped()).stdout(Stdio::null());
    let mut slow = slow.spawn().unwrap();
    let (mut last, mut longest, mut lines) = (Instant::now(), Duration::ZERO, 0);
    for said in BufReader::new(slow.stderr.take().unwrap()).lines() {
        lines += usize::from(said.unwrap().starts_with("evaluating "));
        longest = longest.max(last.elapsed());
        last = Instant::now();
    }
    longest = longest.max(last.elapsed());
    assert!(slow.wait().unwrap().success());
    assert!(lines > 0 && longest < Duration::from_secs(14), "{lines} lines, {longest:?} without a word");
}
