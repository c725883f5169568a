//! Picture files of every kind as grey pictures.

use crate::{Error, Result};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageReader, Limits};
use std::path::Path;

/// The most pixels of a picture that is read, in millions.
const MAX_MEGAPIXELS: u64 = 100;
/// A file of fewer bytes than one for so many pixels is none of a picture, unless it is small.
const PIXELS_A_BYTE: u64 = 256;
const SMALL_PIXELS: u64 = 3_000_000;
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

/// A picture file whose head was read.
struct Opened<'a> {
    path: &'a Path,
    decoder: Box<dyn ImageDecoder + 'a>,
    /// A camera may note that it was held upright.
    orientation: Orientation,
}

fn damaged(path: &Path, e: &dyn std::fmt::Display) -> Error {
    Error::file(path, format!("cannot be read as a picture: {e}"))
}

fn open(path: &Path) -> Result<Opened<'_>> {
    let damaged = |e: &dyn std::fmt::Display| damaged(path, e);
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
    let (pixels, bytes) = (u64::from(width) * u64::from(height), std::fs::metadata(path).map_err(failed)?.len());
    if pixels > SMALL_PIXELS.max(PIXELS_A_BYTE * bytes) {
        return Err(damaged(&format!("its head says {width}x{height} pixels, and it has {bytes} bytes")));
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok(Opened { path, decoder: Box::new(decoder), orientation })
}

/// The height and width of a picture, held upright, and whether its format has colours.
pub fn size(path: &Path) -> Result<([usize; 2], bool)> {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    let opened = open(path)?;
    let (width, height) = opened.decoder.dimensions();
    let turned = matches!(opened.orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH);
    let sides = if turned { [width, height] } else { [height, width] };
    Ok((sides.map(|side| side as usize), opened.decoder.color_type().has_color()))
}

/// The whole picture, upright.
fn decode(path: &Path) -> Result<DynamicImage> {
    let Opened { path, decoder, orientation } = open(path)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|e| damaged(path, &e))?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// Whether a picture shows anything but greys.
pub fn is_coloured(path: &Path) -> Result<bool> {
    let picture = decode(path)?;
    Ok(picture.color().has_color() && picture.into_rgb8().pixels().any(|p| p.0[0] != p.0[1] || p.0[1] != p.0[2]))
}

/// Reads a picture's red, green and blue, upright and on white where it is transparent, shrunk as in [`read`].
pub fn read_colours(path: &Path) -> Result<[Grey; 3]> {
    let picture = decode(path)?;
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    if picture.color().has_alpha() {
        let pixels = picture.into_rgba8().into_raw();
        let on_white = |at: usize, c: usize| {
            let alpha = unit(pixels[4 * at + 3]);
            alpha * unit(pixels[4 * at + c]) + (1.0 - alpha)
        };
        return Ok([0, 1, 2].map(|c| shrunk(height, width, |at| on_white(at, c))));
    }
    let pixels = picture.into_rgb8().into_raw();
    Ok([0, 1, 2].map(|c| shrunk(height, width, |at| unit(pixels[3 * at + c]))))
}

/// Reads a picture as grey, upright and composed on its background. One of more than [`SIDE`] pixels is shrunk.
pub fn read(path: &Path) -> Result<Grey> {
    let picture = decode(path)?;
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let values: Vec<f32> = match (picture.color().has_alpha(), picture.color().has_color()) {
        (false, false) => picture.into_luma8().iter().map(|&v| unit(v)).collect(),
        (false, true) => picture.into_rgb8().pixels().map(|p| luma(&p.0)).collect(),
        (true, false) => compose(picture.into_luma_alpha8().pixels().map(|p| (unit(p.0[0]), unit(p.0[1])))),
        (true, true) => compose(picture.into_rgba8().pixels().map(|p| (luma(&p.0), unit(p.0[3])))),
    };
    Ok(shrunk(height, width, |at| values[at]))
}

/// The average of squares of pixels, so that neither side has more than [`SIDE`]; `value` is that of each pixel.
fn shrunk(height: usize, width: usize, value: impl Fn(usize) -> f32) -> Grey {
    let by = height.max(width).div_ceil(SIDE).max(1);
    let (rows, columns) = (height.div_ceil(by), width.div_ceil(by));
    let mut values = Vec::with_capacity(rows * columns);
    for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
        let ys = row * by..((row + 1) * by).min(height);
        let xs = column * by..((column + 1) * by).min(width);
        let count = ys.len() * xs.len();
        let sum: f32 = ys.flat_map(|y| xs.clone().map(move |x| y * width + x)).map(&value).sum();
        values.push(sum / count as f32);
    }
    Grey { height: rows, width: columns, values }
}

fn unit(byte: u8) -> f32 {
    f32::from(byte) / 255.0
}

/// `0.299 R + 0.587 G + 0.114 B` (ITU-R BT.601); exact for greys.
pub fn luma(rgb: &[u8]) -> f32 {
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
