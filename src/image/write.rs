//! PNG files written.

use crate::data::atomic;
use crate::{Error, Result};
use std::path::Path;

/// What the bytes of a picture to write are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// One byte a pixel, 0 black.
    Grey,
    /// Three bytes a pixel: red, green, blue.
    Rgb,
}

/// Writes a PNG file of 8 bits a channel, atomically. Errors: [`Error::Io`], and [`Error::Shape`]
/// where the number of bytes is not that of the size.
pub fn write_png(path: &Path, width: usize, height: usize, colour: Colour, pixels: &[u8]) -> Result<()> {
    atomic::write(path, &encode_png(width, height, colour, pixels)?)
}

/// The bytes of a PNG file; see [`write_png`].
pub fn encode_png(width: usize, height: usize, colour: Colour, pixels: &[u8]) -> Result<Vec<u8>> {
    let (channels, kind) = match colour {
        Colour::Grey => (1, png::ColorType::Grayscale),
        Colour::Rgb => (3, png::ColorType::Rgb),
    };
    let sizes = [width, height].map(u32::try_from);
    let expected = width.checked_mul(height).and_then(|n| n.checked_mul(channels));
    let ([Ok(w), Ok(h)], true) = (sizes, expected == Some(pixels.len())) else {
        return Err(Error::Shape {
            what: format!("bytes of a {width}x{height} picture of {channels} channel(s)"),
            expected: expected.map_or("a smaller picture".to_string(), |n| n.to_string()),
            found: pixels.len().to_string(),
        });
    };
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, w, h);
    encoder.set_color(kind);
    encoder.set_depth(png::BitDepth::Eight);
    encoder
        .write_header()
        .and_then(|mut writer| {
            writer.write_image_data(pixels)?;
            writer.finish()
        })
        .map_err(|e| Error::Invalid(format!("cannot make a PNG of {width}x{height} pixels: {e}")))?;
    Ok(bytes)
}
