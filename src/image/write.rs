//! PNG files written.

use crate::{Error, Result};

/// What the bytes of a picture to write are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// One byte a pixel, 0 black.
    Grey,
    /// Three bytes a pixel: red, green, blue.
    Rgb,
}

impl Colour {
    /// That of so many channels.
    pub fn of(channels: usize) -> Colour {
        if channels == 3 { Colour::Rgb } else { Colour::Grey }
    }
}

/// The bytes of a PNG file of 8 bits a channel.
///
/// # Errors
/// A number of bytes that is not that of the size; a size beyond what a PNG file may have.
pub fn encode_png(width: usize, height: usize, colour: Colour, pixels: &[u8]) -> Result<Vec<u8>> {
    let [w, h] = [width, height].map(|n| u32::try_from(n).unwrap_or(0));
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, w, h);
    encoder.set_color(match colour {
        Colour::Grey => png::ColorType::Grayscale,
        Colour::Rgb => png::ColorType::Rgb,
    });
    encoder.set_depth(png::BitDepth::Eight);
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(pixels)?;
        writer.finish()
    });
    written.map_err(|e| Error::Invalid(format!("cannot make a PNG of {width}x{height} pixels: {e}")))?;
    Ok(bytes)
}
