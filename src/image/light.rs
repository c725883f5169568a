//! Pictures taken with a camera: shadows on the paper, and the lines that are printed on it.

use super::grey::Grey;

/// Pieces of the background along each side.
const PIECES: usize = 8;
/// A background whose pieces differ by less is taken as one.
const UNEVEN: f32 = 0.08;
/// A picture of fewer pixels along a side is no photograph.
const PHOTOGRAPH: usize = 64;
/// Share of a row that is ink where a line is printed.
const LINE: f32 = 0.6;
/// Share of the picture's height that a printed line has at most.
const THICK: f32 = 0.03;

/// Whether a picture is large enough to be a photograph.
pub fn is_photograph(picture: &Grey) -> bool {
    picture.height.min(picture.width) >= PHOTOGRAPH
}

/// Evens out the light where the background differs over the picture; what the background is then, 1 or 0.
///
/// Most of a piece of the picture is background, and ink differs from it to one side: to the dark one where the third
/// moment of the differences is negative. Paper is then what all but a tenth of a piece's pixels are darker than, and
/// pixels are divided by it, as in a shadow ink is darker too; a dark ground is subtracted.
pub fn evened(picture: &Grey) -> Option<(Grey, f32)> {
    let middle = ground(picture, 0.5);
    let (low, high) = middle.iter().fold((1.0f32, 0.0f32), |(l, h), &v| (l.min(v), h.max(v)));
    if high - low < UNEVEN {
        return None;
    }
    let here = |ground: &[f32], at: usize| {
        between(ground, at / picture.width, picture.height, at % picture.width, picture.width)
    };
    let values = || picture.values.iter().enumerate();
    let skew: f64 = values().map(|(at, v)| f64::from(v - here(&middle, at)).powi(3)).sum();
    let (share, background) = if skew < 0.0 { (0.9, 1.0) } else { (0.1, 0.0) };
    let ground = ground(picture, share);
    let even = |(at, v): (usize, &f32)| {
        let here = here(&ground, at);
        if background == 1.0 { (v / here.max(0.05)).min(1.0) } else { (v - here).max(0.0) }
    };
    let values = values().map(even).collect();
    Some((Grey { height: picture.height, width: picture.width, values }, background))
}

/// For each of [`PIECES`] x [`PIECES`] pieces the grey that `share` of its pixels are darker than; the median of a
/// piece and its neighbours, as a piece may be full of ink.
fn ground(picture: &Grey, share: f32) -> Vec<f32> {
    let bound = |i: usize, side: usize| i * side / PIECES;
    let piece = |at: usize| {
        let (i, j) = (at / PIECES, at % PIECES);
        let rows = picture.rows().take(bound(i + 1, picture.height)).skip(bound(i, picture.height));
        let columns = bound(j, picture.width)..bound(j + 1, picture.width);
        let mut values: Vec<f32> = rows.flat_map(|row| &row[columns.clone()]).copied().collect();
        let at = (values.len() as f32 * share) as usize;
        *values.select_nth_unstable_by(at, f32::total_cmp).1
    };
    let pieces: Vec<f32> = (0..PIECES * PIECES).map(piece).collect();
    // As many on each side, so that a slope stays one up to the edge.
    let near = |at: usize| if at == 0 || at == PIECES - 1 { at..=at } else { at - 1..=at + 1 };
    let middle = |at: usize| {
        let rows = near(at / PIECES).flat_map(|i| near(at % PIECES).map(move |j| i * PIECES + j));
        let mut values: Vec<f32> = rows.map(|at| pieces[at]).collect();
        values.sort_unstable_by(f32::total_cmp);
        values[values.len() / 2]
    };
    (0..pieces.len()).map(middle).collect()
}

/// The ground between the middles of its pieces, and on in a line to the edges.
fn between(ground: &[f32], y: usize, height: usize, x: usize, width: usize) -> f32 {
    let place = |at: usize, side: usize| {
        let place = (at as f32 + 0.5) * PIECES as f32 / side as f32 - 0.5;
        let low = (place.max(0.0) as usize).min(PIECES - 2);
        (low, low + 1, place - low as f32)
    };
    let ((top, bottom, down), (left, right, across)) = (place(y, height), place(x, width));
    let row = |i: usize| ground[i * PIECES + left] * (1.0 - across) + ground[i * PIECES + right] * across;
    row(top) * (1.0 - down) + row(bottom) * down
}

/// Wipes out printed lines, both ways: bands of rows that are ink almost from edge to edge and thin. Where ink goes on
/// above and below, a stroke crosses the line and stays.
pub fn without_lines(ink: &mut Grey, edge: f32) {
    wipe_rows(ink, edge);
    *ink = turned(ink);
    wipe_rows(ink, edge);
    *ink = turned(ink);
}

fn wipe_rows(ink: &mut Grey, edge: f32) {
    let (height, width) = (ink.height, ink.width);
    let is_line = |row: &[f32]| row.iter().filter(|&&v| v >= edge).count() as f32 >= LINE * width as f32;
    let lines: Vec<bool> = ink.rows().map(is_line).collect();
    let mut y = 0;
    while y < height {
        let end = (y..height).find(|&i| !lines[i]).unwrap_or(height);
        if end > y && (end - y) as f32 <= (THICK * height as f32).max(2.0) {
            // A line is drawn with soft edges.
            let (top, bottom) = (y.saturating_sub(2), (end + 2).min(height));
            // A stroke that crosses it goes on above and below, at most as far aside as the line is high.
            let aside = bottom - top;
            let goes_on = |row: Option<usize>, x: usize| {
                let near = x.saturating_sub(aside)..(x + aside + 1).min(width);
                row.filter(|&y| y < height).is_some_and(|y| ink.values[y * width..][near].iter().any(|&v| v >= edge))
            };
            let stays: Vec<bool> =
                (0..width).map(|x| goes_on(top.checked_sub(1), x) && goes_on(Some(bottom), x)).collect();
            for (x, _) in stays.iter().enumerate().filter(|(_, stays)| !**stays) {
                (top..bottom).for_each(|y| ink.values[y * width + x] = 0.0);
            }
        }
        y = end.max(y + 1);
    }
}

/// Rows as columns.
fn turned(picture: &Grey) -> Grey {
    let (height, width) = (picture.width, picture.height);
    let values = (0..height * width).map(|at| picture.values[at % width * height + at / width]).collect();
    Grey { height, width, values }
}
