//! Finding the ink of a picture, scaling it and placing it.

use super::grey::Grey;

/// The least difference between the lightest and the darkest part of a picture of something.
pub const LEAST_CONTRAST: f32 = 0.06;
/// Ink below this is background: paper is never of one grey only.
const INK_FLOOR: f32 = 0.12;
/// Ink from here on counts for the digit's outline.
pub const INK_EDGE: f32 = 0.3;
/// The digit's box within the frame: 20 of 28.
const BOX: (usize, usize) = (20, 28);

/// The median of the outermost pixels: the grey of the background.
pub fn border_median(picture: &Grey) -> f32 {
    let rows: Vec<&[f32]> = picture.rows().collect();
    let mut border = [rows[0], rows[rows.len() - 1]].concat();
    border.extend(rows.iter().flat_map(|row| [row[0], row[row.len() - 1]]));
    border.sort_by(f32::total_cmp);
    border[border.len() / 2]
}

/// Ink from 0 to 1: the distance from the background towards black on a light background and
/// towards white on a dark one, stretched so that the strongest ink is 1.
pub fn ink(picture: &Grey, background: f32) -> Grey {
    let sign = if background >= 0.5 { -1.0 } else { 1.0 };
    let values = picture.values.iter().map(|v| sign * (v - background));
    stretched(Grey { height: picture.height, width: picture.width, values: values.collect() })
}

/// Crops to the ink, scales it into the box, and places it with its centre of mass in the
/// middle pixel of a `height x width` frame. None where there is no ink.
pub fn place(ink: &Grey, height: usize, width: usize) -> Option<Grey> {
    let cut = crop(ink)?;
    let box_height = (height * BOX.0 / BOX.1).max(1);
    let box_width = (width * BOX.0 / BOX.1).max(1);
    let scale = (box_height as f32 / cut.height as f32).min(box_width as f32 / cut.width as f32);
    let scaled = |size: usize, most: usize| ((size as f32 * scale).round() as usize).clamp(1, most);
    let digit = resize(&cut, scaled(cut.height, box_height), scaled(cut.width, box_width));
    // Thin strokes in a large picture become faint when they are scaled down.
    let digit = stretched(digit);

    let (centre_y, centre_x) = centre_of_mass(&digit);
    let top = offset(centre_y, digit.height, height);
    let left = offset(centre_x, digit.width, width);
    let mut frame = vec![0.0; height * width];
    for (y, row) in digit.rows().enumerate() {
        frame[(top + y) * width + left..][..digit.width].copy_from_slice(row);
    }
    Some(Grey { height, width, values: frame })
}

/// The largest part of the frame's shape from the middle of a picture.
pub fn middle(picture: &Grey, height: usize, width: usize) -> Grey {
    let rows = picture.height.min((picture.width * height / width).max(1));
    let columns = picture.width.min((picture.height * width / height).max(1));
    let (top, left) = ((picture.height - rows) / 2, (picture.width - columns) / 2);
    let values = picture.rows().skip(top).take(rows).flat_map(|row| &row[left..left + columns]).copied().collect();
    Grey { height: rows, width: columns, values }
}

/// Divides by the greatest value, and drops what is below the floor.
fn stretched(mut picture: Grey) -> Grey {
    let most = picture.range().1.max(f32::MIN_POSITIVE);
    for value in &mut picture.values {
        *value /= most;
        if *value < INK_FLOOR {
            *value = 0.0;
        }
    }
    picture
}

/// The rectangle of all clear ink.
fn crop(ink: &Grey) -> Option<Grey> {
    let (mut top, mut bottom, mut left, mut right) = (usize::MAX, 0, usize::MAX, 0);
    for (y, row) in ink.rows().enumerate() {
        for (x, _) in row.iter().enumerate().filter(|(_, value)| **value >= INK_EDGE) {
            (top, bottom) = (top.min(y), bottom.max(y));
            (left, right) = (left.min(x), right.max(x));
        }
    }
    let height = (bottom + 1).checked_sub(top)?;
    let values = ink.rows().skip(top).take(height).flat_map(|row| &row[left..=right]).copied().collect();
    Some(Grey { height, width: right + 1 - left, values })
}

/// Scales both ways: averages over the area that an output pixel covers when it shrinks, and
/// interpolates between pixel centres when it grows.
pub fn resize(picture: &Grey, height: usize, width: usize) -> Grey {
    let columns = weights(picture.width, width);
    let mut rows = Vec::with_capacity(picture.height * width);
    for row in picture.rows() {
        rows.extend(columns.iter().map(|taps| taps.iter().map(|&(x, weight)| weight * row[x]).sum::<f32>()));
    }
    let mut values = Vec::with_capacity(height * width);
    for taps in weights(picture.height, height) {
        let value = |x: usize| taps.iter().map(|&(y, weight)| weight * rows[y * width + x]).sum::<f32>();
        values.extend((0..width).map(value));
    }
    Grey { height, width, values }
}

/// For each of `to` output positions, the input positions of `from` and their weights, of sum 1.
fn weights(from: usize, to: usize) -> Vec<Vec<(usize, f32)>> {
    let (step, last) = (from as f64 / to as f64, from - 1);
    let grown = |i: usize| {
        let centre = ((i as f64 + 0.5) * step - 0.5).clamp(0.0, last as f64);
        let low = centre.floor() as usize;
        let share = (centre - low as f64) as f32;
        vec![(low, 1.0 - share), ((low + 1).min(last), share)]
    };
    let shrunk = |i: usize| {
        let (start, end) = (i as f64 * step, (i + 1) as f64 * step);
        let covered = |x: usize| (x as f64 + 1.0).min(end) - (x as f64).max(start);
        let pixels = start.floor() as usize..=(end.ceil() as usize - 1).min(last);
        pixels.map(|x| (x, (covered(x) / step) as f32)).collect()
    };
    (0..to).map(|i| if step <= 1.0 { grown(i) } else { shrunk(i) }).collect()
}

/// Centre of mass in pixels from the top left corner: a pixel's own centre is at +0.5.
fn centre_of_mass(picture: &Grey) -> (f32, f32) {
    let (mut mass, mut sum_y, mut sum_x) = (0.0f64, 0.0f64, 0.0f64);
    for (y, row) in picture.rows().enumerate() {
        for (x, &value) in row.iter().enumerate() {
            let value = f64::from(value);
            mass += value;
            sum_y += value * (y as f64 + 0.5);
            sum_x += value * (x as f64 + 0.5);
        }
    }
    ((sum_y / mass) as f32, (sum_x / mass) as f32)
}

/// Where a digit starts so that its centre of mass lies in the pixel `frame / 2`, as it does in
/// every image of MNIST looked at (14 to 15 pixels from the edge); never outside the frame.
fn offset(centre: f32, size: usize, frame: usize) -> usize {
    let start = ((frame / 2) as f32 - centre).ceil().max(0.0) as usize;
    start.min(frame - size)
}
