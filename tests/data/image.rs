//! Pictures of every PNG kind become the same digit; damaged, huge and empty ones are errors.

use png::{BitDepth, ColorType, Encoder};
use std::path::{Path, PathBuf};
use warp19::Error;
use warp19::image::{self, Colour, Form, encode_png};

fn digit_from_png(path: &Path, height: usize, width: usize) -> warp19::Result<Vec<u8>> {
    image::read(path, &Form::mnist(height, width)).map(|seen| seen.pixels)
}

/// A "7" of full ink in a large frame: 3 wide by 4 high, off the centre.
pub fn seven(width: usize, height: usize) -> Vec<bool> {
    let (w, h) = (width as f32, height as f32);
    let ink = |x: f32, y: f32| {
        let bar = (0.10..0.55).contains(&x) && (0.30..0.38).contains(&y);
        let along = 0.50 - (y - 0.30) * 0.5;
        let stem = (0.30..0.90).contains(&y) && (x - along).abs() < 0.05;
        bar || stem
    };
    (0..height).flat_map(|y| (0..width).map(move |x| (x as f32 / w, y as f32 / h))).map(|(x, y)| ink(x, y)).collect()
}

/// A picture to be written as PNG: samples of 8 or 16 bits a channel, or packed below.
pub struct Picture {
    colour: ColorType,
    depth: BitDepth,
    width: usize,
    height: usize,
    /// One entry a channel of each pixel.
    samples: Vec<u16>,
    palette: Option<Vec<u8>>,
    transparency: Option<Vec<u8>>,
}

impl Picture {
    fn write(&self, path: &Path) {
        let file = std::fs::File::create(path).unwrap();
        let mut encoder = Encoder::new(file, self.width as u32, self.height as u32);
        encoder.set_color(self.colour);
        encoder.set_depth(self.depth);
        if let Some(palette) = &self.palette {
            encoder.set_palette(palette.clone());
        }
        if let Some(transparency) = &self.transparency {
            encoder.set_trns(transparency.clone());
        }
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(&self.packed()).unwrap();
    }

    /// The samples packed row by row, as PNG wants them.
    fn packed(&self) -> Vec<u8> {
        let bits = self.depth as usize;
        let row_len = self.samples.len() / self.height;
        let mut bytes = Vec::new();
        for row in self.samples.chunks(row_len) {
            let mut packed = vec![0u8; (row_len * bits).div_ceil(8)];
            for (i, &sample) in row.iter().enumerate() {
                match bits {
                    16 => packed[2 * i..2 * i + 2].copy_from_slice(&sample.to_be_bytes()),
                    _ => packed[i * bits / 8] |= (sample as u8) << (8 - bits - i * bits % 8),
                }
            }
            bytes.extend_from_slice(&packed);
        }
        bytes
    }
}

/// The picture of `ink` in a colour type and depth; `paper` and `pen` are greys from 0 to 1.
pub fn picture(ink: &[bool], width: usize, kind: (ColorType, BitDepth), paper: f32, pen: f32) -> Picture {
    let (colour, depth) = kind;
    let most = ((1u32 << depth as u32) - 1) as f32;
    let level = |grey: f32| (grey * most).round() as u16;
    let sample = |&is_ink: &bool| {
        let grey = level(if is_ink { pen } else { paper });
        match colour {
            ColorType::Grayscale => vec![grey],
            ColorType::GrayscaleAlpha => vec![grey, most as u16],
            ColorType::Rgb => vec![grey; 3],
            ColorType::Rgba => vec![grey, grey, grey, most as u16],
            ColorType::Indexed => vec![u16::from(is_ink)],
        }
    };
    let byte = |grey: f32| [(grey * 255.0).round() as u8; 3];
    Picture {
        colour,
        depth,
        width,
        height: ink.len() / width,
        samples: ink.iter().flat_map(sample).collect(),
        palette: (colour == ColorType::Indexed).then(|| [byte(paper), byte(pen)].concat()),
        transparency: None,
    }
}

pub const GREY8: (ColorType, BitDepth) = (ColorType::Grayscale, BitDepth::Eight);

pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn digit(&self, picture: &Picture) -> Vec<u8> {
        let path = self.path("picture.png");
        picture.write(&path);
        digit_from_png(&path, 28, 28).unwrap()
    }

    fn error(&self, bytes: &[u8]) -> Error {
        let path = self.path("bad.png");
        std::fs::write(&path, bytes).unwrap();
        digit_from_png(&path, 28, 28).unwrap_err()
    }
}

/// Rows and columns that hold ink: (top, bottom, left, right), inclusive.
fn extent(digit: &[u8]) -> (usize, usize, usize, usize) {
    let inked = |i: usize| (0..28).any(|j| digit[i * 28 + j] > 0);
    let column = |i: usize| (0..28).any(|j| digit[j * 28 + i] > 0);
    let rows: Vec<usize> = (0..28).filter(|&i| inked(i)).collect();
    let columns: Vec<usize> = (0..28).filter(|&i| column(i)).collect();
    (rows[0], *rows.last().unwrap(), columns[0], *columns.last().unwrap())
}

fn centre(digit: &[u8]) -> (f64, f64) {
    let mass: f64 = digit.iter().map(|&v| f64::from(v)).sum();
    let along = |of: fn(usize) -> usize| {
        let sum: f64 = (0..784).map(|i| f64::from(digit[i]) * (of(i) as f64 + 0.5)).sum();
        sum / mass
    };
    (along(|i| i / 28), along(|i| i % 28))
}

#[test]
fn every_colour_type_and_depth_gives_the_same_digit() {
    use BitDepth::{Eight, Four, One, Sixteen, Two};
    let folder = Folder::new();
    let ink = seven(120, 120);
    let expected = folder.digit(&picture(&ink, 120, GREY8, 1.0, 0.0));
    let kinds = [
        (ColorType::Grayscale, vec![One, Two, Four, Eight, Sixteen]),
        (ColorType::GrayscaleAlpha, vec![Eight, Sixteen]),
        (ColorType::Rgb, vec![Eight, Sixteen]),
        (ColorType::Rgba, vec![Eight, Sixteen]),
        (ColorType::Indexed, vec![One, Two, Four, Eight]),
    ];
    for (colour, depths) in kinds {
        for depth in depths {
            for (paper, pen) in [(1.0, 0.0), (0.0, 1.0)] {
                let found = folder.digit(&picture(&ink, 120, (colour, depth), paper, pen));
                assert!(found == expected, "{colour:?} {depth:?}, paper {paper}");
            }
        }
    }
}

#[test]
fn a_digit_is_placed_as_mnist_places_it() {
    let folder = Folder::new();
    let digit = folder.digit(&picture(&seven(400, 300), 400, GREY8, 1.0, 0.0));
    let (top, bottom, left, right) = extent(&digit);
    // Ink of 0.45 x 400 by 0.6 x 300 pixels: a square, though the picture is none.
    assert_eq!((bottom + 1 - top, right + 1 - left), (20, 20));
    // The middle of mass lies in the pixel (14, 14), as in MNIST.
    let (y, x) = centre(&digit);
    assert!((14.0..15.0).contains(&y) && (14.0..15.0).contains(&x), "{y} {x}");
    assert_eq!(digit.iter().max(), Some(&255));
    assert_eq!(digit[0], 0);
}

#[test]
fn the_aspect_ratio_is_kept() {
    let folder = Folder::new();
    // A bar of 10 x 100 pixels in 200 x 200: 2 x 20 in the digit.
    let ink: Vec<bool> =
        (0..200 * 200).map(|i| (90..100).contains(&(i % 200)) && (20..120).contains(&(i / 200))).collect();
    let digit = folder.digit(&picture(&ink, 200, GREY8, 0.0, 1.0));
    assert_eq!(extent(&digit), (4, 23, 13, 14));
    assert!(digit.iter().all(|&v| v == 0 || v == 255));
}

#[test]
fn areas_are_averaged_when_scaled_down() {
    let folder = Folder::new();
    // A square of 30 x 30 whose right half is grey: 20 x 20 with a soft line at the middle.
    let mut samples = picture(&[false; 60 * 60], 60, GREY8, 0.0, 1.0);
    for y in 10..40 {
        for x in 10..40 {
            samples.samples[y * 60 + x] = if x < 25 { 200 } else { 100 };
        }
    }
    let digit = folder.digit(&samples);
    let (top, bottom, left, right) = extent(&digit);
    assert_eq!((bottom + 1 - top, right + 1 - left), (20, 20));
    let row = &digit[14 * 28 + left..14 * 28 + left + 20];
    assert_eq!(row[..10], [255; 10]);
    assert_eq!(row[10..], [128; 10]);
}

#[test]
fn a_28x28_digit_on_dark_passes_unchanged() {
    let folder = Folder::new();
    let (images, _) = crate::common::synthetic::split(12, 3);
    for index in 0..12 {
        let digit = images.image(index).unwrap().into_owned();
        let grey = Picture {
            samples: digit.iter().map(|&v| u16::from(v)).collect(),
            ..picture(&[false; 784], 28, GREY8, 0.0, 1.0)
        };
        assert_eq!(folder.digit(&grey), digit);
        let wide = Picture {
            samples: digit.iter().map(|&v| u16::from(v) * 257).collect(),
            ..picture(&[false; 784], 28, (ColorType::Grayscale, BitDepth::Sixteen), 0.0, 1.0)
        };
        assert_eq!(folder.digit(&wide), digit);
        let path = folder.path("rgb.png");
        let rgb: Vec<u8> = digit.iter().flat_map(|&v| [v; 3]).collect();
        std::fs::write(&path, encode_png(28, 28, Colour::Rgb, &rgb).unwrap()).unwrap();
        assert_eq!(digit_from_png(&path, 28, 28).unwrap(), digit);
    }
}

#[test]
fn a_28x28_digit_on_light_is_inverted_and_placed() {
    let folder = Folder::new();
    let digit = folder.digit(&picture(&seven(28, 28), 28, GREY8, 1.0, 0.0));
    assert_eq!(digit[0], 0);
    let (y, x) = centre(&digit);
    assert!((14.0..15.0).contains(&y) && (14.0..15.0).contains(&x), "{y} {x}");
}

#[test]
fn transparency_is_composed_whatever_the_pen() {
    let folder = Folder::new();
    let ink = seven(120, 120);
    let expected = folder.digit(&picture(&ink, 120, GREY8, 1.0, 0.0));
    let rgba = |pixel: &dyn Fn(usize, bool) -> [u16; 4]| Picture {
        samples: ink.iter().enumerate().flat_map(|(i, &is_ink)| pixel(i, is_ink)).collect(),
        ..picture(&ink, 120, (ColorType::Rgba, BitDepth::Eight), 1.0, 0.0)
    };
    // A pen of one colour on nothing; the colour under full transparency must not matter.
    for pen in [0, 255] {
        for under in [0, 255] {
            let on_nothing = rgba(&|_, is_ink| match is_ink {
                true => [pen, pen, pen, 255],
                false => [under, under, under, 0],
            });
            assert!(folder.digit(&on_nothing) == expected, "pen {pen} under {under}");
        }
    }
    // Opaque paper and pen with a transparent margin.
    let margin = rgba(&|i, is_ink| match (i % 120 < 4, is_ink) {
        (true, _) => [0, 0, 0, 0],
        (_, true) => [0, 0, 0, 255],
        (_, false) => [255, 255, 255, 255],
    });
    assert!(folder.digit(&margin) == expected);
    // A palette with a transparent entry, and a grey declared transparent (tRNS).
    let mut indexed = picture(&ink, 120, (ColorType::Indexed, BitDepth::One), 1.0, 0.0);
    indexed.transparency = Some(vec![0, 255]);
    assert!(folder.digit(&indexed) == expected);
    let mut keyed = picture(&ink, 120, GREY8, 1.0, 0.0);
    keyed.transparency = Some(vec![0, 255]);
    assert!(folder.digit(&keyed) == expected);
}

#[test]
fn faint_and_coloured_pens_reach_full_ink() {
    let folder = Folder::new();
    let ink = seven(120, 120);
    let expected = folder.digit(&picture(&ink, 120, GREY8, 1.0, 0.0));
    let faint = folder.digit(&picture(&ink, 120, GREY8, 0.8, 0.5));
    let difference = |a: &[u8]| a.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(difference(&faint) <= Some(1));
    let blue = Picture {
        samples: ink.iter().flat_map(|&i| if i { [20, 40, 200] } else { [250, 250, 240] }).collect(),
        ..picture(&ink, 120, (ColorType::Rgb, BitDepth::Eight), 1.0, 0.0)
    };
    assert!(difference(&folder.digit(&blue)) <= Some(1));
}

#[test]
fn paper_that_is_not_of_one_grey_becomes_background() {
    let folder = Folder::new();
    let ink = seven(120, 120);
    let mut rough = picture(&ink, 120, GREY8, 0.8, 0.1);
    for (i, sample) in rough.samples.iter_mut().enumerate() {
        *sample = (*sample + (i * 7919 % 15) as u16).saturating_sub(7);
    }
    let digit = folder.digit(&rough);
    let (top, bottom, left, right) = extent(&digit);
    assert!(bottom + 1 - top <= 20 && right + 1 - left <= 20);
    assert_eq!(digit[0], 0);
}

#[test]
fn other_frames() {
    let folder = Folder::new();
    let path = folder.path("picture.png");
    picture(&seven(120, 120), 120, GREY8, 1.0, 0.0).write(&path);
    for (height, width) in [(32, 32), (14, 28), (1, 1), (224, 224)] {
        let digit = digit_from_png(&path, height, width).unwrap();
        assert_eq!(digit.len(), height * width);
        assert!(digit.iter().any(|&v| v > 0), "{height}x{width}");
    }
    assert!(matches!(digit_from_png(&path, 0, 28), Err(Error::Invalid(_))));
}

#[test]
fn blank_pictures_are_errors() {
    let folder = Folder::new();
    for (size, grey) in [(28, 0), (28, 255), (100, 128), (1, 7)] {
        let path = folder.path("blank.png");
        std::fs::write(&path, encode_png(size, size, Colour::Grey, &vec![grey; size * size]).unwrap()).unwrap();
        let error = digit_from_png(&path, 28, 28).unwrap_err();
        assert!(error.to_string().contains("shows nothing"), "{error}");
    }
    let clear = Picture {
        samples: vec![0; 4 * 50 * 50],
        ..picture(&[false; 2500], 50, (ColorType::Rgba, BitDepth::Eight), 1.0, 0.0)
    };
    let path = folder.path("clear.png");
    clear.write(&path);
    let error = digit_from_png(&path, 28, 28).unwrap_err();
    assert!(error.to_string().contains("shows nothing"), "{error}");
}

#[test]
fn damaged_files_are_errors() {
    let folder = Folder::new();
    let ink: Vec<u8> = seven(60, 60).iter().map(|&i| u8::from(i) * 255).collect();
    let whole = encode_png(60, 60, Colour::Grey, &ink).unwrap();
    for bytes in [&b""[..], b"not a png", &whole[..20], &whole[..whole.len() / 2]] {
        let error = folder.error(bytes);
        assert!(error.to_string().contains("cannot be read as a picture"), "{error}");
        assert!(error.to_string().contains("bad.png"));
    }
    let missing = digit_from_png(&folder.path("missing.png"), 28, 28).unwrap_err();
    assert!(matches!(missing, Error::Io { .. }), "{missing}");
    // No byte flipped anywhere may end in a panic.
    for position in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[position] ^= 0x55;
        let path = folder.path("flipped.png");
        std::fs::write(&path, flipped).unwrap();
        let _ = digit_from_png(&path, 28, 28);
    }
}

#[test]
fn a_huge_picture_is_refused_by_its_header() {
    let folder = Folder::new();
    let mut bytes = encode_png(60, 60, Colour::Grey, &[0; 3600]).unwrap();
    bytes[16..20].copy_from_slice(&60_000u32.to_be_bytes());
    bytes[20..24].copy_from_slice(&60_000u32.to_be_bytes());
    // The header's checksum, so that its size is what is refused.
    let crc = crc32(&bytes[12..29]).to_be_bytes();
    bytes[29..33].copy_from_slice(&crc);
    let error = folder.error(&bytes);
    assert!(error.to_string().contains("is 60000x60000 pixels"), "{error}");
}

/// The checksum of PNG chunks (polynomial 0xedb88320).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |c, _| if c & 1 == 1 { 0xedb8_8320 ^ (c >> 1) } else { c >> 1 })
    })
}

#[test]
fn the_writer_refuses_sizes_that_disagree() {
    for (width, height, bytes) in [(2, 2, 4), (2, 2, 13), (usize::MAX, 2, 4), (0, 0, 0)] {
        let error = encode_png(width, height, Colour::Rgb, &vec![0; bytes]).unwrap_err();
        assert!(error.to_string().contains(&format!("PNG of {width}x{height} pixels")), "{error}");
    }
}
