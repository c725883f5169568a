//! The event files of `train --tensorboard`, read by a small reader of its own: framing, checksums bit by bit, tags and
//! values against `metrics.jsonl`. TensorBoard's own reader: `tests/report/read_events.py`.

use crate::common::command::{ok, train, warp19_in, workplace};
use crate::common::repository;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use warp19::train::metrics::{self, Epoch};

/// CRC-32C by its definition: the remainder of a division of polynomials.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    !crc
}

fn records(bytes: &[u8]) -> Vec<Vec<u8>> {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let masked = |part: &[u8]| (crc32c(part) >> 15 | crc32c(part) << 17).wrapping_add(0xa282_ead8);
    let (mut at, mut out) = (0, Vec::new());
    while at < bytes.len() {
        let length = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
        assert_eq!(word(at + 8), masked(&bytes[at..at + 8]), "checksum of the length at {at}");
        let data = &bytes[at + 12..at + 12 + length];
        assert_eq!(word(at + 12 + length), masked(data), "checksum of the data at {at}");
        out.push(data.to_vec());
        at += 16 + length;
    }
    out
}

/// A message's fields: number, and the bytes of the value.
fn fields(bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    fn varint(bytes: &[u8], at: &mut usize) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let byte = bytes[*at];
            *at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return value;
            }
        }
        unreachable!()
    }
    let (mut at, mut out) = (0, Vec::new());
    while at < bytes.len() {
        let key = varint(bytes, &mut at);
        let size = match key & 7 {
            0 => {
                let value = varint(bytes, &mut at);
                out.push((key >> 3, value.to_le_bytes().to_vec()));
                continue;
            }
            1 => 8,
            5 => 4,
            2 => varint(bytes, &mut at) as usize,
            other => panic!("wire type {other}"),
        };
        out.push((key >> 3, bytes[at..at + size].to_vec()));
        at += size;
    }
    out
}

fn one(fields: &[(u64, Vec<u8>)], number: u64) -> Option<&[u8]> {
    let found = fields.iter().find(|f| f.0 == number);
    found.map(|f| f.1.as_slice())
}

fn only_file(dir: &Path) -> Vec<u8> {
    let files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let name = files[0].file_name().to_string_lossy().into_owned();
    assert!(name.starts_with("events.out.tfevents."), "{name}");
    std::fs::read(files[0].path()).unwrap()
}

#[test]
fn event_files_hold_the_metrics_and_the_error_sheet() {
    let dir = workplace(600, 120);
    let dir = dir.path();
    // In two parts: the second one's file holds both.
    let first = "--lr 0.001 --batch 50 --epochs 3 --out run --steps 15 --tensorboard";
    ok(&mut train(dir, first));
    ok(&mut warp19_in(dir, "train --resume run --data set --tensorboard"));

    let records = records(&only_file(&dir.join("run/tensorboard")));
    let version = fields(&records[0]);
    assert_eq!(one(&version, 3), Some(&b"brain.Event:2"[..]));
    let mut scalars: BTreeMap<(String, u64), f32> = BTreeMap::new();
    let mut pictures = Vec::new();
    for record in &records[1..] {
        let event = fields(record);
        let time = f64::from_le_bytes(one(&event, 1).unwrap().try_into().unwrap());
        assert!(time > 1.6e9, "{time}");
        let step = one(&event, 2).map_or(0, |b| u64::from_le_bytes(b.try_into().unwrap()));
        for (_, value) in fields(one(&event, 5).unwrap()) {
            let value = fields(&value);
            let tag = String::from_utf8(one(&value, 1).unwrap().to_vec()).unwrap();
            match one(&value, 2) {
                Some(number) => {
                    let number = f32::from_le_bytes(number.try_into().unwrap());
                    assert_eq!(scalars.insert((tag, step), number), None);
                }
                None => pictures.push((tag, step, one(&value, 4).unwrap().to_vec())),
            }
        }
    }
    let epochs = metrics::read::<Epoch>(&dir.join("run/metrics.jsonl")).unwrap();
    assert_eq!(epochs.len(), 3);
    for e in &epochs {
        for (tag, value) in [
            ("loss/train", e.train_loss),
            ("loss/test", e.test_loss),
            ("accuracy/train", e.train_accuracy),
            ("accuracy/test", e.test_accuracy),
            ("learning_rate", e.lr.into()),
            ("epoch", e.epoch as f64),
            ("images_per_second", e.images_per_second),
        ] {
            assert_eq!(scalars.get(&(tag.to_string(), e.step)), Some(&(value as f32)), "{tag}");
        }
    }
    let [(tag, step, image)] = &pictures[..] else {
        panic!("{} pictures", pictures.len());
    };
    assert_eq!((tag.as_str(), *step), ("errors", epochs[2].step));
    let png = std::fs::read(dir.join("run/errors.png")).unwrap();
    let image = fields(image);
    assert!(one(&image, 4) == Some(&png));
    let side = |at: usize| u64::from(u32::from_be_bytes(png[at..at + 4].try_into().unwrap()));
    let number = |field| u64::from_le_bytes(one(&image, field).unwrap().try_into().unwrap());
    assert_eq!((number(2), number(1)), (side(16), side(20)));
    tensorboard_reads(&dir.join("run"));
}

/// TensorBoard's own reader finds the same.
fn tensorboard_reads(run: &Path) {
    let packages = repository().join(".cache/tensorboard");
    assert!(packages.is_dir(), "TensorBoard is missing: run scripts/fetch_tensorboard.sh");
    let python = std::env::var("PYTHON").unwrap_or("python3".into());
    let said = ok(Command::new(python)
        .arg(repository().join("tests/report/read_events.py"))
        .arg(run)
        .env("PYTHONPATH", packages));
    assert!(said.contains("are as they should be"), "{said}");
}
