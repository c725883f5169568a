//! Photographs, and the ways to fit pictures.

use crate::image::{Folder, GREY8, picture, seven};
use ::image::RgbImage;
use warp19::image::{self, Colour, Fit, Form, Polarity, encode_png};

/// A "7" photographed: paper of a colour, in a shadow from one side, ruled with lines, with something beside it.
fn photograph(beside: bool) -> RgbImage {
    let (width, height) = (600, 800);
    let ink = seven(300, 400);
    RgbImage::from_fn(width, height, |x, y| {
        let light = 0.35 + 0.65 * x as f32 / width as f32;
        let ruled = (y + 40) % 80 < 3;
        let inked =
            (150..450).contains(&x) && (200..600).contains(&y) && ink[(y as usize - 200) * 300 + x as usize - 150];
        let spot = beside && (500..540).contains(&x) && (50..200).contains(&y);
        let grey = if inked || spot {
            0.15
        } else if ruled {
            0.6
        } else {
            0.9
        };
        ::image::Rgb([grey, grey * 0.97, grey * 0.85].map(|v| (255.0 * v * light) as u8))
    })
}

/// How much two digits have in common: 1 for equal ones.
fn likeness(a: &[u8], b: &[u8]) -> f64 {
    let dot = |a: &[u8], b: &[u8]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[test]
fn photographs_in_every_format_are_cleaned() {
    let folder = Folder::new();
    let expected = folder.digit(&picture(&seven(120, 160), 120, GREY8, 1.0, 0.0));
    for name in ["a.jpg", "a.png", "a.bmp", "a.webp"] {
        photograph(false).save(folder.path(name)).unwrap();
        let seen = image::read(&folder.path(name), &Form::mnist(28, 28)).unwrap();
        let likeness = likeness(&seen.pixels, &expected);
        let rows: Vec<String> = seen.pixels.chunks(28).map(|row| format!("{row:3?}")).collect();
        assert!(likeness > 0.97 && seen.doubt.is_none(), "{name}: {likeness} {:?}\n{}", seen.doubt, rows.join("\n"));
    }
    photograph(true).save(folder.path("two.jpg")).unwrap();
    let seen = image::read(&folder.path("two.jpg"), &Form::mnist(28, 28)).unwrap();
    assert_eq!(seen.doubt, Some("more than one thing is in it"));
    assert!(likeness(&seen.pixels, &expected) > 0.97);
}

/// A camera held sideways notes it in the file (EXIF, orientation 6: to be turned clockwise).
#[test]
fn a_picture_taken_sideways_is_turned() {
    let folder = Folder::new();
    let upright = photograph(false);
    let mut bytes = Vec::new();
    let sideways = ::image::imageops::rotate270(&upright);
    sideways.write_to(&mut std::io::Cursor::new(&mut bytes), ::image::ImageFormat::Jpeg).unwrap();
    let exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let mut segment = vec![0xff, 0xe1];
    segment.extend((exif.len() as u16 + 2).to_be_bytes());
    segment.extend(exif);
    bytes.splice(2..2, segment);
    std::fs::write(folder.path("side.jpg"), bytes).unwrap();
    upright.save(folder.path("up.jpg")).unwrap();
    let [side, up] = ["side.jpg", "up.jpg"].map(|name| image::read(&folder.path(name), &Form::mnist(28, 28)).unwrap());
    let likeness = likeness(&side.pixels, &up.pixels);
    assert!(likeness > 0.99, "{likeness}");
}

#[test]
fn a_picture_is_stretched_or_cut_or_left_as_it_is() {
    let folder = Folder::new();
    let path = folder.path("halves.png");
    // 40 x 20: a dark left half, a light right half with a border of dark.
    let grey = |x: usize, y: usize| if (20..39).contains(&x) && (1..19).contains(&y) { 200 } else { 10 };
    let pixels: Vec<u8> = (0..800).map(|at| grey(at % 40, at / 40)).collect();
    std::fs::write(&path, encode_png(40, 20, Colour::Grey, &pixels).unwrap()).unwrap();
    let seen = |fit, polarity: Option<Polarity>| {
        let form = Form { height: 10, width: 10, channels: 1, polarity, fit };
        image::read(&path, &form).unwrap().pixels
    };
    let (dark, light) = (Some(Polarity::LightOnDark), Some(Polarity::DarkOnLight));
    let stretched = seen(Fit::Stretch, dark);
    assert_eq!((stretched[51], stretched[57]), (10, 200));
    let cut = seen(Fit::Crop, dark);
    // The middle 20 x 20: its left half is dark.
    assert_eq!((cut[52], cut[57]), (10, 200));
    let turned = seen(Fit::Stretch, light);
    assert_eq!((turned[51], turned[57]), (245, 55));
    assert_eq!(seen(Fit::Stretch, None), stretched);
}
