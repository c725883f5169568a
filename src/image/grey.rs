//! PNG files of every kind as grey pictures.

use crate::{Error, Result};
use png::{BitDepth, ColorType, Decoder, Limits, Transformations};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// The most pixels of a picture that is read, in millions (2^20).
const MAX_MEGAPIXELS: u64 = 32;
/// The most the decoder may allocate beside the picture itself; ends decompression bombs.
const DECODER_BYTES: usize = 64 << 20;
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

/// Reads a PNG as grey, composed on its background.
pub fn read(path: &Path) -> Result<Grey> {
    let file = File::open(path).map_err(|e| Error::io("read", path, e))?;
    let damaged = |e: &dyn std::fmt::Display| Error::file(path, format!("cannot be read as a PNG image: {e}"));
    let limits = Limits { bytes: DECODER_BYTES };
    let mut decoder = Decoder::new_with_limits(BufReader::new(file), limits);
    let header = decoder.read_header_info().map_err(|e| damaged(&e))?;
    let (width, height) = (header.width, header.height);
    if u64::from(width) * u64::from(height) > MAX_MEGAPIXELS << 20 {
        let most = format!("pictures of up to {MAX_MEGAPIXELS} million pixels are read, so make it smaller");
        return Err(Error::file(path, format!("is {width}x{height} pixels; {most}")));
    }
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    // Palettes become colours, 1, 2 and 4 bits become 8, 16 bits become 8.
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let mut reader = decoder.read_info().map_err(|e| damaged(&e))?;
    let size = reader.output_buffer_size().ok_or_else(|| damaged(&"its size does not fit into memory"))?;
    let mut bytes = vec![0; size];
    let info = reader.next_frame(&mut bytes).map_err(|e| damaged(&e))?;
    debug_assert_eq!(info.bit_depth, BitDepth::Eight);
    bytes.truncate(info.buffer_size());
    Ok(Grey { height: info.height as usize, width: info.width as usize, values: to_grey(&bytes, info.color_type) })
}

fn to_grey(bytes: &[u8], colour: ColorType) -> Vec<f32> {
    match colour {
        ColorType::Grayscale => bytes.iter().map(|&v| unit(v)).collect(),
        ColorType::Rgb => bytes.chunks_exact(3).map(luma).collect(),
        ColorType::GrayscaleAlpha => compose(bytes.chunks_exact(2).map(|p| (unit(p[0]), unit(p[1])))),
        ColorType::Rgba => compose(bytes.chunks_exact(4).map(|p| (luma(p), unit(p[3])))),
        // EXPAND has turned palettes into RGB or RGBA.
        ColorType::Indexed => Vec::new(),
    }
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
