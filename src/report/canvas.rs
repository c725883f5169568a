//! A picture being drawn: shapes with smooth edges, text, and pictures enlarged without blur.

use super::palette::{Marker, Rgb, Style, Theme, mix};
use crate::error::{Error, Result};
use crate::image::{Colour, encode_png};
use ab_glyph::{Font, FontRef, Glyph, PxScale, ScaleFont, point};
use std::f32::consts::TAU;
use tiny_skia::{FillRule, Mask, Paint, Path, PathBuilder, Pixmap, Rect, Stroke, StrokeDash, Transform};

/// Where a text stands to its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    Left,
    Centre,
    Right,
}

/// How a text looks; `size` is the em in pixels.
#[derive(Clone, Copy, Debug)]
pub struct Type {
    pub size: f32,
    pub bold: bool,
    pub colour: Rgb,
}

/// A text's looks in one line.
pub fn kind(size: f32, bold: bool, colour: Rgb) -> Type {
    Type { size, bold, colour }
}

/// A picture being drawn.
pub struct Canvas {
    pub theme: Theme,
    pixmap: Pixmap,
    regular: FontRef<'static>,
    bold: FontRef<'static>,
}

impl Canvas {
    /// A picture of the theme's background.
    ///
    /// # Errors
    /// A size of zero, or beyond what a picture may have.
    pub fn new(width: usize, height: usize, theme: Theme) -> Result<Canvas> {
        let sizes = [width, height].map(|n| u32::try_from(n).unwrap_or(0));
        let pixmap = Pixmap::new(sizes[0], sizes[1])
            .ok_or_else(|| Error::Invalid(format!("a picture of {width}x{height} pixels cannot be drawn")))?;
        let font = |bytes| {
            FontRef::try_from_slice(bytes)
                .map_err(|e| Error::Invalid(format!("the font of the pictures cannot be read: {e}")))
        };
        let mut canvas =
            Canvas { theme, pixmap, regular: font(notosans::REGULAR_TTF)?, bold: font(notosans::BOLD_TTF)? };
        let [r, g, b] = theme.background;
        canvas.pixmap.fill(tiny_skia::Color::from_rgba8(r, g, b, 255));
        Ok(canvas)
    }

    pub fn width(&self) -> f32 {
        self.pixmap.width() as f32
    }

    pub fn height(&self) -> f32 {
        self.pixmap.height() as f32
    }

    /// The finished picture as the bytes of a PNG file.
    pub fn png(&self) -> Result<Vec<u8>> {
        let pixels: Vec<u8> = self.pixmap.data().chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
        let (w, h) = (self.pixmap.width(), self.pixmap.height());
        encode_png(w as usize, h as usize, Colour::Rgb, &pixels)
    }

    /// A filled rectangle; nothing where it has no area.
    pub fn rect(&mut self, x: f32, y: f32, w: f32, h: f32, colour: Rgb) {
        if let Some(rect) = Rect::from_xywh(x, y, w, h) {
            let paint = paint(colour);
            self.pixmap.fill_rect(rect, &paint, Transform::identity(), None);
        }
    }

    /// The outline of a rectangle, one pixel wide, inside it.
    pub fn frame(&mut self, x: f32, y: f32, w: f32, h: f32, colour: Rgb) {
        self.rect(x, y, w, 1.0, colour);
        self.rect(x, y + h - 1.0, w, 1.0, colour);
        self.rect(x, y, 1.0, h, colour);
        self.rect(x + w - 1.0, y, 1.0, h, colour);
    }

    /// A line through points; dashes in line widths. Of a line that leaves `within`, a range of y, the rest is not
    /// drawn.
    pub fn line(&mut self, points: &[(f32, f32)], width: f32, dash: &[f32], colour: Rgb, within: Option<(f32, f32)>) {
        let Some(path) = through(points, false) else {
            return;
        };
        let stroke = Stroke {
            width,
            line_join: tiny_skia::LineJoin::Round,
            dash: StrokeDash::new(dash.iter().map(|d| d * width).collect(), 0.0),
            ..Stroke::default()
        };
        let mask = within.and_then(|(top, bottom)| {
            // A line along the edge keeps its full width.
            let rect = Rect::from_ltrb(0.0, top - width, self.width(), bottom + width)?;
            let mut mask = Mask::new(self.pixmap.width(), self.pixmap.height())?;
            mask.fill_path(&PathBuilder::from_rect(rect), FillRule::Winding, true, Transform::identity());
            Some(mask)
        });
        self.pixmap.stroke_path(&path, &paint(colour), &stroke, Transform::identity(), mask.as_ref());
    }

    /// A run's marker of radius `r`, filled, with a rim of the background.
    pub fn marker(&mut self, style: Style, at: (f32, f32), r: f32) {
        let Marker { corners, turn, size } = style.marker;
        for (r, colour) in [(r + 1.5, self.theme.background), (r, style.colour)] {
            self.polygon(&ring(at, corners, turn, |_| size * r), colour);
        }
    }

    /// A five-pointed star, filled, with a rim of the background.
    pub fn star(&mut self, at: (f32, f32), r: f32, colour: Rgb) {
        for (r, colour) in [(r + 3.0, self.theme.background), (r, colour)] {
            self.polygon(&ring(at, 10, 0.0, |i| if i % 2 == 0 { r } else { 0.45 * r }), colour);
        }
    }

    /// A filled polygon, such as the triangle in a picture's corner: a mark that needs no letter.
    pub fn polygon(&mut self, points: &[(f32, f32)], colour: Rgb) {
        if let Some(path) = through(points, true) {
            self.pixmap.fill_path(&path, &paint(colour), FillRule::Winding, Transform::identity(), None);
        }
    }

    /// Square pixels of `side`, one a value; `colour` says which.
    pub fn cells(
        &mut self,
        (x, y): (f32, f32),
        side: usize,
        width: usize,
        values: &[f32],
        colour: &dyn Fn(f32) -> Rgb,
    ) {
        // On whole pixels, or the cells' edges would show.
        let (x, y) = (x.round(), y.round());
        for (i, &value) in values.iter().enumerate() {
            let (column, row) = ((i % width * side) as f32, (i / width * side) as f32);
            let side = side as f32;
            self.rect(x + column, y + row, side, side, colour(value));
        }
    }

    /// An image enlarged `scale` times: a grey one as ink on the background, one of three channels in its colours.
    pub fn picture(&mut self, at: (f32, f32), scale: usize, (width, channels): (usize, usize), pixels: &[u8]) {
        if channels == 3 {
            let (x, y, side) = (at.0.round(), at.1.round(), scale as f32);
            for (i, &[r, g, b]) in pixels.as_chunks().0.iter().enumerate() {
                let (column, row) = ((i % width * scale) as f32, (i / width * scale) as f32);
                self.rect(x + column, y + row, side, side, [r, g, b]);
            }
            return;
        }
        let Theme { background, ink, .. } = self.theme;
        let values: Vec<f32> = pixels.iter().map(|&p| f32::from(p)).collect();
        let colour = |v: f32| mix(background, ink, f64::from(v) / 255.0);
        self.cells(at, scale, width, &values, &colour);
    }

    fn font(&self, bold: bool) -> &FontRef<'static> {
        if bold { &self.bold } else { &self.regular }
    }

    fn scale(&self, kind: Type) -> PxScale {
        let font = self.font(kind.bold);
        let em = font.units_per_em().unwrap_or(1000.0);
        PxScale::from(kind.size * font.height_unscaled() / em)
    }

    /// Width of a text in pixels.
    pub fn text_width(&self, kind: Type, text: &str) -> f32 {
        let font = self.font(kind.bold).as_scaled(self.scale(kind));
        text.chars().map(|c| font.h_advance(font.glyph_id(c))).sum()
    }

    /// The same looks, smaller where needed for each of the texts to fit into `width`.
    pub fn shrunk(&self, mut kind: Type, texts: &[impl AsRef<str>], width: f32) -> Type {
        while kind.size > 9.0 && texts.iter().any(|text| self.text_width(kind, text.as_ref()) > width) {
            kind.size -= 1.0;
        }
        kind
    }

    /// The text, or as much of its start as fits into `width` with an ellipsis.
    pub fn fit(&self, kind: Type, text: &str, width: f32) -> String {
        if self.text_width(kind, text) <= width {
            return text.to_string();
        }
        let mut kept: Vec<char> = text.chars().collect();
        while kept.pop().is_some() {
            let short: String = kept.iter().collect::<String>().trim_end().to_string() + "\u{2026}";
            if self.text_width(kind, &short) <= width {
                return short;
            }
        }
        String::new()
    }

    /// The text in lines that fit into `width`, broken at spaces.
    pub fn wrap(&self, kind: Type, text: &str, width: f32) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for word in text.split_whitespace() {
            match lines.last_mut() {
                Some(line) if self.text_width(kind, &format!("{line} {word}")) <= width => {
                    line.push(' ');
                    line.push_str(word);
                }
                _ => lines.push(self.fit(kind, word, width)),
            }
        }
        lines
    }

    /// A text whose base line is at `y`.
    pub fn text(&mut self, (x, y): (f32, f32), kind: Type, align: Align, text: &str) {
        let width = self.text_width(kind, text);
        let left = match align {
            Align::Left => x,
            Align::Centre => x - width / 2.0,
            Align::Right => x - width,
        };
        // Whole pixels, so that equal words look equal.
        self.glyphs(kind, text, left.round(), y.round(), false);
    }

    /// A text that runs upwards, its base line at `x`, centred on `y`.
    pub fn text_upwards(&mut self, (x, y): (f32, f32), kind: Type, text: &str) {
        let width = self.text_width(kind, text);
        self.glyphs(kind, text, (y + width / 2.0).round(), x.round(), true);
    }

    /// Draws along the base line from `start`; upwards, `start` and `base` are a y and an x.
    fn glyphs(&mut self, kind: Type, text: &str, start: f32, base: f32, upwards: bool) {
        let scale = self.scale(kind);
        let font = self.font(kind.bold).clone();
        let scaled = font.as_scaled(scale);
        let mut along = 0.0;
        for c in text.chars() {
            let id = scaled.glyph_id(c);
            let glyph: Glyph = id.with_scale_and_position(scale, point(along, 0.0));
            along += scaled.h_advance(id);
            let Some(outlined) = font.outline_glyph(glyph) else {
                continue;
            };
            let bounds = outlined.px_bounds();
            outlined.draw(|gx, gy, cover| {
                let (dx, dy) = (bounds.min.x + gx as f32, bounds.min.y + gy as f32);
                let (x, y) = if upwards { (base + dy, start - dx - 1.0) } else { (start + dx, base + dy) };
                self.blend(x, y, kind.colour, cover);
            });
        }
    }

    fn blend(&mut self, x: f32, y: f32, colour: Rgb, cover: f32) {
        let (w, h) = (self.pixmap.width() as f32, self.pixmap.height() as f32);
        if x < 0.0 || y < 0.0 || x >= w || y >= h {
            return;
        }
        let at = 4 * (y as usize * w as usize + x as usize);
        let pixel = &mut self.pixmap.data_mut()[at..at + 3];
        let under = [pixel[0], pixel[1], pixel[2]];
        pixel.copy_from_slice(&mix(under, colour, f64::from(cover)));
    }
}

fn paint([r, g, b]: Rgb) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color_rgba8(r, g, b, 255);
    paint
}

/// Straight lines through points, back to the first where closed.
fn through(points: &[(f32, f32)], closed: bool) -> Option<Path> {
    let mut builder = PathBuilder::new();
    for (i, &(x, y)) in points.iter().enumerate() {
        if i == 0 {
            builder.move_to(x, y);
        } else {
            builder.line_to(x, y);
        }
    }
    if closed {
        builder.close();
    }
    builder.finish()
}

/// Points around a centre from the top on, `turn` of the distance between two of them further.
fn ring((x, y): (f32, f32), points: usize, turn: f32, radius: impl Fn(usize) -> f32) -> Vec<(f32, f32)> {
    let angle = |i: usize| TAU * ((i as f32 + turn) / points as f32 - 0.25);
    (0..points).map(|i| (x + radius(i) * angle(i).cos(), y + radius(i) * angle(i).sin())).collect()
}
