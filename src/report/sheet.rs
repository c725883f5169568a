//! What all sheets share: a headline, and a grid of cells below it.

use super::canvas::{Align, Canvas, kind};
use super::palette::Theme;
use super::run::{Run, Tested};
use crate::error::Result;

pub const WIDTH: usize = 1440;
pub const MARGIN: f32 = 36.0;
pub const COLUMNS: usize = 5;
pub const GAP: f32 = 24.0;
/// Width of a cell: five of them and the gaps between fill the sheet.
pub const CELL: f32 = 254.0;
/// Side of an enlarged digit.
pub const DIGIT: usize = 112;
/// Where the headline ends.
pub const TOP: f32 = 150.0;

/// An empty sheet with a headline and a line below it.
pub fn new(theme: Theme, height: f32, title: &str, subtitle: &str) -> Result<Canvas> {
    let mut canvas = Canvas::new(WIDTH, height.ceil() as usize, theme)?;
    let room = WIDTH as f32 - 2.0 * MARGIN;
    let large = kind(32.0, true, canvas.theme.ink);
    let text = canvas.fit(large, title, room);
    canvas.text((MARGIN, 62.0), large, Align::Left, &text);
    let small = kind(18.0, false, canvas.theme.muted);
    let text = canvas.fit(small, subtitle, room);
    canvas.text((MARGIN, 92.0), small, Align::Left, &text);
    Ok(canvas)
}

/// Upper left corner of cell `index` in rows of [`COLUMNS`], `height` apart.
pub fn cell(index: usize, height: f32) -> (f32, f32) {
    let (row, column) = (index / COLUMNS, index % COLUMNS);
    (MARGIN + column as f32 * (CELL + GAP), TOP + row as f32 * height)
}

/// Draws a test image in a frame, enlarged by a whole number to fill `side`, or made smaller; returns its width and
/// height.
///
/// # Errors
/// A picture on disk that cannot be read.
pub fn digit(
    canvas: &mut Canvas,
    (x, y): (f32, f32),
    tested: &Tested,
    index: usize,
    side: usize,
) -> Result<(f32, f32)> {
    let images = &tested.test.images;
    let (height, width, pixels) = images.within(index, side)?;
    let scale = (side / height.max(width).max(1)).max(1);
    canvas.picture((x, y), scale, (width, images.channels), &pixels);
    let (w, h) = ((scale * width) as f32, (scale * height) as f32);
    canvas.frame(x - 1.0, y - 1.0, w + 2.0, h + 2.0, canvas.theme.grid);
    Ok((w, h))
}

/// `epoch 8 of 10, recipe robust, mnist`.
pub fn origin(run: &Run, tested: &Tested) -> String {
    let recipe = &run.config.recipe;
    let when = match tested.epoch {
        Some(epoch) => format!("epoch {epoch} of {}", recipe.epochs),
        None => format!("after {} steps", tested.step),
    };
    format!("{when}, recipe {}, dataset {}{}", recipe.name, run.config.dataset, tested.part())
}
