//! Picture files of every kind as grey pictures.

use crate::{Error, Result};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageReader, Limits};
use std::path::Path;

/// The most pixels of a picture that is read, in millions.
const MAX_MEGAPIXELS: u64 = 100;
/// The most the decoder may allocate; ends decompression bombs.
const DECODER_BYTES: u64 = 1 << 30;
/// A larger picture is shrunk: no network looks at more.
const SIDE: usize = 1024;
/// Transparent pictures whose visible part has at least this range of greys carry their own
/// background; below it, the shape is in the transparency.
const OWN_BACKGROUND_RANGE: f32 = 0.4;

/// A grey picture, 0 (black) to 1 (white), row by row.
pub struct Grey {
    pub height: usize,
    pub width: usize,
    pub values: Vec<f32>,
}

impl Grey {
    /// The rows, from the top.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.width)
    }

    /// The least and the greatest value.
    pub fn range(&self) -> (f32, f32) {
        let start = (f32::INFINITY, f32::NEG_INFINITY);
        let widen = |(low, high): (f32, f32), &v: &f32| (low.min(v), high.max(v));
        self.values.iter().fold(start, widen)
    }
}

/// Reads a picture as grey, upright and composed on its background. One of more than [`SIDE`] pixels is shrunk.
pub fn read(path: &Path) -> Result<Grey> {
    let damaged = |e: &dyn std::fmt::Display| Error::file(path, format!("cannot be read as a picture: {e}"));
    let failed = |e| Error::io("read", path, e);
    let mut reader = ImageReader::open(path).and_then(ImageReader::with_guessed_format).map_err(failed)?;
    if reader.format().is_none() {
        return Err(damaged(&"it is no PNG, JPEG, WebP or BMP"));
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(DECODER_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|e| damaged(&e))?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_MEGAPIXELS * 1_000_000 {
        let most = format!("pictures of up to {MAX_MEGAPIXELS} million pixels are read, so make it smaller");
        return Err(Error::file(path, format!("is {width}x{height} pixels; {most}")));
    }
    // A camera may note that it was held upright.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|e| damaged(&e))?;
    picture.apply_orientation(orientation);
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let values = match (picture.color().has_alpha(), picture.color().has_color()) {
        (false, false) => picture.into_luma8().iter().map(|&v| unit(v)).collect(),
        (false, true) => picture.into_rgb8().pixels().map(|p| luma(&p.0)).collect(),
        (true, false) => compose(picture.into_luma_alpha8().pixels().map(|p| (unit(p.0[0]), unit(p.0[1])))),
        (true, true) => compose(picture.into_rgba8().pixels().map(|p| (luma(&p.0), unit(p.0[3])))),
    };
    Ok(shrunk(Grey { height, width, values }))
}

/// Averages squares of pixels, so that neither side has more than [`SIDE`].
fn shrunk(picture: Grey) -> Grey {
    let by = picture.height.max(picture.width).div_ceil(SIDE);
    if by < 2 {
        return picture;
    }
    let (height, width) = (picture.height.div_ceil(by), picture.width.div_ceil(by));
    let mut values = Vec::with_capacity(height * width);
    for rows in picture.values.chunks(by * picture.width) {
        let rows: Vec<&[f32]> = rows.chunks_exact(picture.width).collect();
        values.extend((0..width).map(|x| {
            let columns = x * by..((x + 1) * by).min(picture.width);
            let count = rows.len() * columns.len();
            rows.iter().flat_map(|row| &row[columns.clone()]).sum::<f32>() / count as f32
        }));
    }
    Grey { height, width, values }
}

fn unit(byte: u8) -> f32 {
    f32::from(byte) / 255.0
}

/// `0.299 R + 0.587 G + 0.114 B` (ITU-R BT.601); exact for greys.
fn luma(rgb: &[u8]) -> f32 {
    let sum = 299 * u32::from(rgb[0]) + 587 * u32::from(rgb[1]) + 114 * u32::from(rgb[2]);
    sum as f32 / 255_000.0
}

/// Greys and their opacity on a background: `alpha * grey + (1 - alpha) * background`.
///
/// Which background a transparent picture means is not in the file. Where the visible part has its own light and dark,
/// it is a picture with paper of its own, and the most common grey there (the median) goes on behind it. Where it is
/// all of about one grey, that is the ink, and the background is the opposite.
fn compose(pixels: impl Iterator<Item = (f32, f32)> + Clone) -> Vec<f32> {
    let mut visible: Vec<f32> = pixels.clone().filter(|&(_, alpha)| alpha >= 0.5).map(|(grey, _)| grey).collect();
    let background = if visible.is_empty() {
        1.0
    } else {
        let middle = visible.len() / 2;
        let (darker, &mut median, lighter) = visible.select_nth_unstable_by(middle, f32::total_cmp);
        let lowest = darker.iter().copied().fold(median, f32::min);
        let highest = lighter.iter().copied().fold(median, f32::max);
        match (highest - lowest >= OWN_BACKGROUND_RANGE, median > 0.5) {
            (true, _) => median,
            (false, true) => 0.0,
            (false, false) => 1.0,
        }
    };
    pixels.map(|(grey, alpha)| alpha * grey + (1.0 - alpha) * background).collect()
}
