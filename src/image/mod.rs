//! Pictures: any as a network was trained on them, and PNG files written.
//!
//! MNIST's makers scaled each digit into 20x20 pixels keeping its aspect ratio, with the greys of
//! anti-aliasing, and placed it in 28x28 by its centre of mass, which lies in the pixel (14, 14)
//! counted from 0; background 0, ink 255. [`Fit::Mnist`] does the same to a picture:
//!
//! ```text
//! file -> grey, upright -> even light -> ink (0 to 1) -> no printed lines -> largest strokes
//!      -> crop -> scale into 20/28 of the frame -> place
//! ```

mod fit;
mod grey;
mod light;
mod strokes;
mod write;

pub use write::{Colour, encode_png};

use crate::data::{Origin, Polarity};
use crate::{Error, Result};
use grey::Grey;
use std::path::Path;

/// How a picture becomes a network's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// A digit cut out, scaled and centred as MNIST's were.
    Mnist,
    /// The whole picture, scaled each way.
    Stretch,
    /// The largest part of the frame's shape from the middle, scaled.
    Crop,
    /// As [`Fit::Stretch`], and light and dark stay as they are.
    AsIs,
}

/// What a network takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    pub height: usize,
    pub width: usize,
    pub polarity: Polarity,
    pub fit: Fit,
}

impl Form {
    /// A frame for digits as MNIST has them.
    pub fn mnist(height: usize, width: usize) -> Form {
        Form { height, width, polarity: Polarity::LightOnDark, fit: Fit::Mnist }
    }

    /// That of a run's data: digits of MNIST's form are cut out and centred, all else is stretched.
    pub fn of(origin: &Origin) -> Form {
        let [height, width, _] = origin.size;
        let fit = if origin.centred { Fit::Mnist } else { Fit::Stretch };
        Form { height, width, polarity: origin.polarity, fit }
    }
}

/// A picture as a network sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Row by row.
    pub pixels: Vec<u8>,
    /// Why it may not be what the network was trained on.
    pub doubt: Option<&'static str>,
}

/// Reads a PNG, JPEG, WebP or BMP in a network's form.
///
/// A picture that already has the frame's size and the data's background is taken as it is. Else colours become luma,
/// composed on the background where they are transparent; a background (the median of the border) of the other kind
/// makes the picture inverted, but with [`Fit::AsIs`]; and it is fitted.
///
/// # Errors
/// [`Error::Io`]; [`Error::File`] for a damaged file, one that is too large, one without a digit to see;
/// [`Error::Invalid`] for a frame of no pixels.
pub fn read(path: &Path, form: &Form) -> Result<Seen> {
    let Form { height, width, polarity, fit } = *form;
    if height == 0 || width == 0 {
        return Err(Error::Invalid(format!("a picture cannot be fitted to {height}x{width} pixels")));
    }
    let picture = grey::read(path)?;
    let background = fit::border_median(&picture);
    let is_same = (background < 0.5) == (polarity == Polarity::LightOnDark);
    let range = picture.range();
    if range.1 - range.0 < fit::LEAST_CONTRAST && fit == Fit::Mnist {
        return Err(blank(path));
    }
    let of_this_size = (picture.height, picture.width) == (height, width);
    if of_this_size && (is_same || fit == Fit::AsIs) {
        return Ok(Seen { pixels: bytes(&picture, false), doubt: None });
    }
    match fit {
        Fit::Mnist => {
            let (digit, doubt) = digit(&picture, background, height, width).ok_or_else(|| blank(path))?;
            Ok(Seen { pixels: bytes(&digit, polarity == Polarity::DarkOnLight), doubt })
        }
        Fit::Stretch => Ok(Seen { pixels: bytes(&fit::resize(&picture, height, width), !is_same), doubt: None }),
        Fit::AsIs => Ok(Seen { pixels: bytes(&fit::resize(&picture, height, width), false), doubt: None }),
        Fit::Crop => {
            let middle = fit::middle(&picture, height, width);
            Ok(Seen { pixels: bytes(&fit::resize(&middle, height, width), !is_same), doubt: None })
        }
    }
}

/// The digit of a picture, light on dark; and why it may be none.
fn digit(picture: &Grey, background: f32, height: usize, width: usize) -> Option<(Grey, Option<&'static str>)> {
    if !light::is_photograph(picture) {
        return Some((fit::place(&fit::ink(picture, background), height, width)?, None));
    }
    let mut ink = match light::evened(picture) {
        Some((evened, background)) => fit::ink(&evened, background),
        None => fit::ink(picture, background),
    };
    light::without_lines(&mut ink, fit::INK_EDGE);
    let doubt = strokes::largest(&mut ink, fit::INK_EDGE);
    Some((fit::place(&ink, height, width)?, doubt))
}

fn blank(path: &Path) -> Error {
    let why = "shows nothing: its lightest and darkest parts are almost the same";
    Error::file(path, format!("{why}; give a picture of a digit that stands out from its background"))
}

fn bytes(picture: &Grey, inverted: bool) -> Vec<u8> {
    let byte = |&v: &f32| ((if inverted { 1.0 - v } else { v }) * 255.0).round().clamp(0.0, 255.0) as u8;
    picture.values.iter().map(byte).collect()
}
