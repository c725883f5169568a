//! Images on their way to a device: all of them lie there from the start, or, where they stay on disk, they are decoded
//! a batch ahead of the steps.

use super::config::Config;
use crate::data::{Images, Pixels, Split};
use crate::device::{DType, Device, Owner, View};
use crate::error::{Error, Result};
use crate::network::Network;
use crate::ops::operation::{Kind, Operation};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};

/// A split, as a network on a device is fed with it.
pub(super) struct Feed {
    /// All images, or room for those of a batch.
    pixels: View,
    labels: View,
    pub count: usize,
    on_disk: Option<OnDisk>,
}

/// Images on disk, and all labels.
struct OnDisk {
    images: Arc<Images>,
    labels: Vec<u32>,
    /// Images that there is room for on the device.
    batch: usize,
}

/// The batch that comes next, if any is decoded ahead.
#[derive(Default)]
pub(super) struct Ahead(Option<Decoding>);

/// A batch that other threads decode: its images, and where their bytes arrive.
struct Decoding {
    images: Vec<u32>,
    bytes: Receiver<Result<Vec<u8>>>,
}

impl Feed {
    /// Brings a split to a device; of images on disk, nothing but room for a batch.
    ///
    /// # Errors
    /// Those of the device.
    pub(super) fn new(device: &mut dyn Device, owner: &Owner, split: &Split, batch: usize) -> Result<Feed> {
        let images = &split.images;
        let count = split.len();
        let there = if matches!(images.pixels, Pixels::Held(_)) { count } else { batch };
        let pixels = device.alloc_for(owner, DType::U8, there * images.image_len())?;
        let labels = device.alloc_for(owner, DType::U32, there)?;
        if let Pixels::Held(bytes) = &images.pixels {
            device.upload(pixels, bytes)?;
            device.upload(labels, bytemuck::cast_slice(&split.labels))?;
            return Ok(Feed { pixels, labels, count, on_disk: None });
        }
        let on_disk = OnDisk { images: Arc::new(images.clone()), labels: split.labels.clone(), batch };
        Ok(Feed { pixels, labels, count, on_disk: Some(on_disk) })
    }

    /// Making the network's batch of the step's samples, deformed for training.
    pub(super) fn gather(&self, config: &Config, net: &Network, training: bool) -> Result<Operation> {
        let images = self.on_disk.as_ref().map_or(self.count, |disk| disk.batch);
        let gather = config.gather(images, net.batch, training)?;
        let views = [self.pixels, self.labels, net.input, net.labels];
        Operation::new(Kind::Gather(gather), config.precision, &views)
    }

    /// Sees to it that a batch is on the device; the numbers that its images have there. `next` is the batch after it,
    /// which is decoded from now on.
    ///
    /// # Errors
    /// A picture that cannot be read; those of the device.
    pub(super) fn place(
        &self,
        device: &mut dyn Device,
        ahead: &mut Ahead,
        samples: Vec<u32>,
        next: impl FnOnce() -> Option<Vec<u32>>,
    ) -> Result<Vec<u32>> {
        let Some(disk) = &self.on_disk else { return Ok(samples) };
        let decoded = match ahead.0.take().filter(|next| next.images == samples) {
            Some(next) => next.bytes.recv().map_err(|_| Error::Invalid("decoding pictures ended early".into()))?,
            None => disk.images.gathered(&samples),
        };
        ahead.0 = next().map(|images| {
            let ((sender, bytes), all, wanted) = (mpsc::channel(), disk.images.clone(), images.clone());
            // Nobody waits for a batch any more when the training has ended.
            rayon::spawn(move || drop(sender.send(all.gathered(&wanted))));
            Decoding { images, bytes }
        });
        device.upload(self.pixels, &decoded?)?;
        let labels: Vec<u32> = samples.iter().map(|&at| disk.labels[at as usize]).collect();
        device.upload(self.labels, bytemuck::cast_slice(&labels))?;
        Ok((0..disk.batch as u32).collect())
    }
}
