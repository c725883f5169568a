//! TensorBoard's event files.
//!
//! A file is a row of records: the length as 8 little-endian bytes, its checksum, the data, their checksum. The data of
//! a record are a protocol buffer message `Event`: the first one names the version, the others hold scalars or a
//! picture. Sources: `tensorflow/core/lib/io/record_writer.cc`, `core/util/event.proto`,
//! `core/framework/summary.proto`.

use crate::error::{Error, Result};
use crate::export::protobuf::Message;
use crate::train::metrics::Epoch;
use crc::{CRC_32_ISCSI, Crc};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The folder of the event files in a run folder.
pub const FOLDER: &str = "tensorboard";

/// An event file being written.
pub struct Events {
    file: File,
    path: PathBuf,
}

impl Events {
    /// Starts the event file of a run, with the epochs that are over already; it replaces those of earlier parts of the
    /// run.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn create(run: &Path, epochs: &[Epoch]) -> Result<Events> {
        let dir = run.join(FOLDER);
        std::fs::create_dir_all(&dir).map_err(|e| Error::io("create the folder", &dir, e))?;
        for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with("events.out.tfevents.") {
                let _ = std::fs::remove_file(entry.path());
            }
        }
        let path = dir.join(format!("events.out.tfevents.{:010}.warp19", now() as u64));
        let file = File::create(&path).map_err(|e| Error::io("create", &path, e))?;
        let mut events = Events { file, path };
        events.append(event(0).string(3, "brain.Event:2"))?;
        for epoch in epochs {
            events.epoch(epoch)?;
        }
        Ok(events)
    }

    /// The scalars of an epoch, at its step.
    pub fn epoch(&mut self, e: &Epoch) -> Result<()> {
        let scalars = [
            ("loss/train", Some(e.train_loss)),
            ("loss/test", Some(e.test_loss)),
            ("loss/test_raw", e.test_loss_raw),
            ("loss/validation", e.val_loss),
            ("accuracy/train", Some(e.train_accuracy)),
            ("accuracy/test", Some(e.test_accuracy)),
            ("accuracy/test_raw", e.test_accuracy_raw),
            ("accuracy/validation", e.val_accuracy),
            ("epoch", Some(e.epoch as f64)),
            ("learning_rate", Some(f64::from(e.lr))),
            ("images_per_second", Some(e.images_per_second)),
        ];
        let mut summary = Message::default();
        for (tag, value) in scalars {
            if let Some(value) = value {
                let value = Message::default().string(1, tag).float(2, value as f32);
                summary = summary.message(1, value);
            }
        }
        self.append(event(e.step).message(5, summary))
    }

    /// A PNG file as a picture, at a step.
    ///
    /// # Errors
    /// Bytes that are no PNG file, and those of the file system.
    pub fn picture(&mut self, tag: &str, step: u64, png: &[u8]) -> Result<()> {
        let side = |at: usize| -> Option<u64> {
            let bytes: [u8; 4] = png.get(at..at + 4)?.try_into().ok()?;
            Some(u32::from_be_bytes(bytes).into())
        };
        let (Some(width), Some(height)) = (side(16), side(20)) else {
            return Err(Error::Invalid(format!("{tag}: these bytes are no PNG file")));
        };
        // Colour space 3: red, green, blue.
        let image = Message::default().int(1, height).int(2, width).int(3, 3).bytes(4, png.to_vec());
        let value = Message::default().string(1, tag).message(4, image);
        self.append(event(step).message(5, Message::default().message(1, value)))
    }

    fn append(&mut self, message: Message) -> Result<()> {
        let data = message.pieces().concat();
        let length = (data.len() as u64).to_le_bytes();
        let mut record = length.to_vec();
        record.extend(masked_crc(&length).to_le_bytes());
        record.extend(&data);
        record.extend(masked_crc(&data).to_le_bytes());
        // One write a record: a reader never sees half of a small one.
        self.file.write_all(&record).map_err(|e| Error::io("write", &self.path, e))
    }
}

fn event(step: u64) -> Message {
    Message::default().double(1, now()).int(2, step)
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64())
}

/// CRC-32C (Castagnoli), turned and shifted so that a record that holds checksums has another one.
fn masked_crc(bytes: &[u8]) -> u32 {
    const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);
    CRC.checksum(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}
