//! Pictures: any PNG as a digit of MNIST's form, and PNG files written.
//!
//! MNIST's makers scaled each digit into 20x20 pixels keeping its aspect ratio, with the greys of
//! anti-aliasing, and placed it in 28x28 by its centre of mass, which lies in the pixel (14, 14)
//! counted from 0; background 0, ink 255. [`digit_from_png`] does the same to a picture:
//!
//! ```text
//! PNG -> grey on its background -> ink (0 to 1) -> crop -> scale into 20/28 of the frame -> place
//! ```

mod fit;
mod grey;
mod write;

pub use write::{Colour, encode_png};

use crate::{Error, Result};
use std::path::Path;

/// Reads a PNG of any colour type and depth as a grey digit of `height x width` pixels, as the
/// images of MNIST were made.
///
/// A picture that already has this size and a dark background is taken as it is. Else, in turn:
/// - colours become luma, composed on the background where they are transparent;
/// - a light background (the median of the border) makes the picture inverted;
/// - the contrast is stretched to 0..255;
/// - the digit is cut out, scaled and placed so that its centre of mass lies in the frame's middle pixel (`height / 2`,
///   `width / 2`), unless the digit would leave the frame.
///
/// # Errors
/// [`Error::Io`]; [`Error::File`] for a damaged file, one that is too large, one without a digit to see;
/// [`Error::Invalid`] for a frame of no pixels.
pub fn digit_from_png(path: &Path, height: usize, width: usize) -> Result<Vec<u8>> {
    if height == 0 || width == 0 {
        return Err(Error::Invalid(format!("a digit cannot be fitted to {height}x{width} pixels")));
    }
    let blank = || {
        let why = "shows nothing: its lightest and darkest parts are almost the same";
        Error::file(path, format!("{why}; give a picture of a digit that stands out from its background"))
    };
    let picture = grey::read(path)?;
    let background = fit::border_median(&picture);
    let range = picture.range();
    if range.1 - range.0 < fit::LEAST_CONTRAST {
        return Err(blank());
    }
    if (picture.height, picture.width) == (height, width) && background < 0.5 {
        return Ok(picture.values.iter().map(|&v| to_byte(v)).collect());
    }
    let ink = fit::ink(&picture, background);
    let digit = fit::place(&ink, height, width).ok_or_else(blank)?;
    Ok(digit.values.iter().map(|&v| to_byte(v)).collect())
}

fn to_byte(value: f32) -> u8 {
    (value * 255.0).round().clamp(0.0, 255.0) as u8
}
