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

use crate::{Error, Result};
use grey::Grey;
use serde::{Deserialize, Serialize};
use std::path::Path;

pub use grey::{is_coloured, size};

/// Which is the background of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Polarity {
    LightOnDark,
    DarkOnLight,
}

/// How a picture becomes a network's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// A digit cut out, scaled and centred as MNIST's were.
    Mnist,
    /// The whole picture, scaled each way.
    Stretch,
    /// The largest part of the frame's shape from the middle, scaled.
    Crop,
}

/// What a network takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    pub height: usize,
    pub width: usize,
    /// 1: grey; 3: red, green, blue.
    pub channels: usize,
    /// What light and dark are turned to in grey pictures; nothing: they stay as they are.
    pub polarity: Option<Polarity>,
    pub fit: Fit,
}

impl Form {
    /// A frame for digits as MNIST has them.
    pub fn mnist(height: usize, width: usize) -> Form {
        Form { height, width, channels: 1, polarity: Some(Polarity::LightOnDark), fit: Fit::Mnist }
    }

    /// A frame for pictures as they are, of the frame's shape from their middle.
    pub fn cut([height, width, channels]: [usize; 3]) -> Form {
        Form { height, width, channels, polarity: None, fit: Fit::Crop }
    }
}

/// A picture as a network sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Row by row, the channels of a pixel together.
    pub pixels: Vec<u8>,
    /// Why it may not be what the network was trained on.
    pub doubt: Option<&'static str>,
}

/// Reads a PNG, JPEG, WebP or BMP in a network's form.
///
/// For a network of colours, the picture's red, green and blue are fitted. For one of greys, a picture that already has
/// the frame's size and the data's background is taken as it is. Else colours become luma, composed on the background
/// where they are transparent; a background (the median of the border) of the other kind makes the picture inverted,
/// where the form has a polarity; and it is fitted.
///
/// # Errors
/// [`Error::Io`]; [`Error::File`] for a damaged file, one that is too large, one without a digit to see;
/// [`Error::Invalid`] for a frame of no pixels, or of digits in colour.
pub fn read(path: &Path, form: &Form) -> Result<Seen> {
    let Form { height, width, channels, polarity, fit } = *form;
    if height == 0 || width == 0 || !matches!(channels, 1 | 3) {
        return Err(Error::Invalid(format!("a picture cannot be fitted to {height}x{width}x{channels}")));
    }
    if channels == 3 {
        if fit == Fit::Mnist {
            return Err(Error::Invalid("digits are cut out of grey pictures; this network takes colours".into()));
        }
        let planes = grey::read_colours(path)?.map(|plane| bytes(&fitted(plane, form), false));
        let pixels = (0..height * width).flat_map(|at| [planes[0][at], planes[1][at], planes[2][at]]);
        return Ok(Seen { pixels: pixels.collect(), doubt: None });
    }
    let picture = grey::read(path)?;
    let background = fit::border_median(&picture);
    let is_same = polarity.is_none_or(|p| (background < 0.5) == (p == Polarity::LightOnDark));
    let range = picture.range();
    if range.1 - range.0 < fit::LEAST_CONTRAST && fit == Fit::Mnist {
        return Err(blank(path));
    }
    let of_this_size = (picture.height, picture.width) == (height, width);
    if of_this_size && is_same {
        return Ok(Seen { pixels: bytes(&picture, false), doubt: None });
    }
    if fit != Fit::Mnist {
        return Ok(Seen { pixels: bytes(&fitted(picture, form), !is_same), doubt: None });
    }
    let (digit, doubt) = digit(&picture, background, height, width).ok_or_else(|| blank(path))?;
    Ok(Seen { pixels: bytes(&digit, polarity == Some(Polarity::DarkOnLight)), doubt })
}

/// An image of one size in another, each of height, width and channels; grey ones have all colours alike.
pub fn refit(pixels: &[u8], [h, w, c]: [usize; 3], to: [usize; 3]) -> Vec<u8> {
    let form = Form::cut(to);
    let plane = |value: &dyn Fn(usize) -> f32| {
        let values = (0..h * w).map(value).collect();
        bytes(&fitted(Grey { height: h, width: w, values }, &form), false)
    };
    let planes: Vec<Vec<u8>> = match (c, to[2]) {
        (3, 1) => vec![plane(&|at| grey::luma(&pixels[3 * at..3 * at + 3]))],
        _ => (0..c).map(|own| plane(&|at| f32::from(pixels[c * at + own]) / 255.0)).collect(),
    };
    (0..to[0] * to[1])
        .flat_map(|at| (0..to[2]).map(move |own| (at, own)))
        .map(|(at, own)| planes[own % planes.len()][at])
        .collect()
}

/// A plane of the frame's size.
fn fitted(plane: Grey, form: &Form) -> Grey {
    let Form { height, width, fit, .. } = *form;
    if (plane.height, plane.width) == (height, width) {
        return plane;
    }
    let part = if fit == Fit::Crop { fit::middle(&plane, height, width) } else { plane };
    fit::resize(&part, height, width)
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
