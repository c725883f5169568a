//! Line charts: a title, a legend that wraps, panels one above the other that share the axis below.

use super::axis::{Frame, nice_step, ticks};
use super::canvas::{Align, Canvas, kind};
use super::palette::{Style, Theme};
use crate::error::Result;
use serde::Serialize;

/// A picture's size and its em, all in pixels. Every distance in a chart is measured in ems.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub width: usize,
    pub height: usize,
    pub em: f32,
}

/// For files and wide screens.
pub const WIDE: Size = Size { width: 1200, height: 800, em: 18.0 };

/// For a phone, at two pixels a CSS pixel.
pub const NARROW: Size = Size { width: 720, height: 760, em: 25.0 };

/// A line through epochs.
pub struct Line {
    /// What it is, for who points at it.
    pub name: String,
    pub points: Vec<(f64, f64)>,
    pub style: Style,
    /// A line of second rank: thinner, without markers.
    pub thin: bool,
}

/// A starred point with a few words.
pub struct Mark {
    pub at: (f64, f64),
    pub text: String,
    pub style: Style,
}

/// A plot of its own height range.
pub struct Panel {
    /// Share of the chart's height.
    pub share: f32,
    pub label: String,
    pub y: (f64, f64),
    pub log: bool,
    pub ticks: Vec<(f64, String)>,
    /// A value of it in words.
    pub format: fn(f64) -> String,
    pub lines: Vec<Line>,
    pub marks: Vec<Mark>,
}

/// A picture of curves.
pub struct Chart {
    pub title: String,
    pub subtitle: String,
    /// The legend.
    pub entries: Vec<(Style, String)>,
    pub panels: Vec<Panel>,
    /// What is said where there are no panels.
    pub note: String,
    /// What runs from left to right, and from where to where.
    pub axis: &'static str,
    pub x: (f64, f64),
}

/// A point of a chart that can be pointed at: its place as shares of the picture's width and height, and its words.
#[derive(Clone, Debug, Serialize)]
pub struct Spot(pub f32, pub f32, pub String);

/// A picture of a chart, and the points in it.
pub struct Drawn {
    pub canvas: Canvas,
    pub spots: Vec<Spot>,
}

/// Markers are drawn where a line has no more points than this.
const MARKED: usize = 40;

/// Draws a chart. One without panels says that there is nothing to show yet.
pub fn draw(chart: &Chart, size: Size, theme: Theme) -> Result<Drawn> {
    let mut canvas = Canvas::new(size.width, size.height, theme)?;
    let em = size.em;
    let margin = 1.5 * em;
    let room = canvas.width() - 2.0 * margin;
    let title = kind(1.55 * em, true, theme.ink);
    let text = canvas.fit(title, &chart.title, room);
    canvas.text((margin, margin + 1.2 * em), title, Align::Left, &text);
    let mut y = margin + 1.5 * em;
    let small = kind(em, false, theme.muted);
    for line in canvas.wrap(small, &chart.subtitle, room) {
        y += 1.35 * em;
        canvas.text((margin, y), small, Align::Left, &line);
    }
    y = legend(&mut canvas, chart, em, y + 0.75 * em);
    if chart.panels.is_empty() {
        let (w, h) = (canvas.width(), canvas.height());
        let words = kind(1.2 * em, false, theme.ink);
        let mut y = (y + h) / 2.0;
        let lines: Vec<String> = chart.note.lines().flat_map(|line| canvas.wrap(words, line, room)).collect();
        for line in lines {
            canvas.text((w / 2.0, y), words, Align::Centre, &line);
            y += 1.7 * em;
        }
        return Ok(Drawn { canvas, spots: Vec::new() });
    }
    let labels = chart.panels.iter().flat_map(|p| &p.ticks);
    let widest = labels.map(|(_, text)| canvas.text_width(small, text)).fold(0.0, f32::max);
    let left = margin + 1.6 * em + widest + 0.5 * em;
    let (top, bottom) = (y + 0.9 * em, canvas.height() - 3.4 * em);
    let gap = 1.7 * em;
    let height = bottom - top - gap * (chart.panels.len() - 1) as f32;
    let (mut at, mut spots) = (top, Vec::new());
    for panel in &chart.panels {
        let frame = Frame {
            left,
            top: at,
            width: canvas.width() - margin - left,
            height: height * panel.share,
            x: chart.x,
            y: panel.y,
            log: panel.log,
        };
        draw_panel(&mut canvas, panel, &frame, em, margin);
        spots.extend(spots_of(chart, panel, &frame, &canvas));
        at += frame.height + gap;
        if at > bottom {
            x_axis(&mut canvas, &frame, em, chart.axis);
        }
    }
    Ok(Drawn { canvas, spots })
}

/// The points of a panel that are inside it.
fn spots_of(chart: &Chart, panel: &Panel, frame: &Frame, canvas: &Canvas) -> Vec<Spot> {
    let mut spots = Vec::new();
    for line in &panel.lines {
        for &point in &line.points {
            let (x, y) = frame.at(point);
            if (frame.top - 1.0..=frame.bottom() + 1.0).contains(&y) {
                let text = format!("{}, {} {}: {}", line.name, chart.axis, point.0, (panel.format)(point.1));
                spots.push(Spot(x / canvas.width(), y / canvas.height(), text));
            }
        }
    }
    spots
}

/// Returns where it ends.
fn legend(canvas: &mut Canvas, chart: &Chart, em: f32, top: f32) -> f32 {
    let words = kind(em, false, canvas.theme.ink);
    let margin = 1.5 * em;
    let sample = 2.6 * em;
    let right = canvas.width() - margin;
    let (mut x, mut y) = (margin, top + em);
    for (style, text) in &chart.entries {
        let text = canvas.fit(words, text, right - margin - sample - 0.6 * em);
        let width = sample + 0.6 * em + canvas.text_width(words, &text);
        if x > margin && x + width > right {
            (x, y) = (margin, y + 1.5 * em);
        }
        let middle = y - 0.35 * em;
        stroke(canvas, &[(x, middle), (x + sample, middle)], *style, false, em, None);
        canvas.marker(*style, (x + sample / 2.0, middle), 0.34 * em);
        canvas.text((x + sample + 0.6 * em, y), words, Align::Left, &text);
        x += width + 1.8 * em;
    }
    if chart.entries.is_empty() { top } else { y + 0.4 * em }
}

fn stroke(canvas: &mut Canvas, points: &[(f32, f32)], style: Style, thin: bool, em: f32, within: Option<(f32, f32)>) {
    let width = if thin { 0.09 * em } else { 0.16 * em };
    canvas.line(points, width, style.dash, style.colour, within);
}

fn draw_panel(canvas: &mut Canvas, panel: &Panel, frame: &Frame, em: f32, margin: f32) {
    let theme = canvas.theme;
    let small = kind(em, false, theme.muted);
    for (value, text) in &panel.ticks {
        let (_, y) = frame.at((frame.x.0, *value));
        canvas.rect(frame.left, y.round(), frame.width, 1.0, theme.grid);
        let at = (frame.left - 0.5 * em, y + 0.36 * em);
        canvas.text(at, small, Align::Right, text);
    }
    canvas.rect(frame.left, frame.top, 1.0, frame.height, theme.faint);
    canvas.rect(frame.left, frame.bottom(), frame.width, 1.0, theme.faint);
    let middle = frame.top + frame.height / 2.0;
    canvas.text_upwards((margin + 0.9 * em, middle), small, &panel.label);
    for line in &panel.lines {
        let points: Vec<(f32, f32)> = line.points.iter().map(|&p| frame.at(p)).collect();
        stroke(canvas, &points, line.style, line.thin, em, Some((frame.top, frame.bottom())));
    }
    for line in panel.lines.iter().filter(|l| !l.thin) {
        let lone = line.points.len() == 1;
        for &point in line.points.iter().filter(|_| line.points.len() <= MARKED) {
            let (x, y) = frame.at(point);
            if y >= frame.top - 1.0 && y <= frame.bottom() + 1.0 {
                let r = if lone { 0.45 * em } else { 0.3 * em };
                canvas.marker(line.style, (x, y), r);
            }
        }
    }
    draw_marks(canvas, panel, frame, em);
}

/// Stars first, then their words, each where it hides no star and no other words.
fn draw_marks(canvas: &mut Canvas, panel: &Panel, frame: &Frame, em: f32) {
    let mut taken: Vec<[f32; 4]> = Vec::new();
    for mark in &panel.marks {
        let (x, y) = frame.at(mark.at);
        canvas.star((x, y), 0.75 * em, mark.style.colour);
        taken.push([x - 0.7 * em, y - 0.7 * em, x + 0.7 * em, y + 0.7 * em]);
    }
    for mark in panel.marks.iter().filter(|m| !m.text.is_empty()) {
        let words = kind(em, true, mark.style.colour);
        let (x, y) = frame.at(mark.at);
        let half = canvas.text_width(words, &mark.text) / 2.0;
        let within = |x: f32| x.clamp(frame.left + half + 4.0, frame.right() - half);
        let beside = half + 1.1 * em;
        let tries = [
            (within(x), y - 1.0 * em),
            (within(x), y + 1.8 * em),
            (x - beside, y + 0.36 * em),
            (x + beside, y + 0.36 * em),
            (within(x), y + 3.2 * em),
        ];
        for (cx, base) in tries {
            let area = [cx - half, base - 0.8 * em, cx + half, base + 0.25 * em];
            let inside = area[0] >= frame.left
                && area[2] <= frame.right() + 1.0
                && area[1] >= frame.top - 0.9 * em
                && area[3] <= frame.bottom();
            let free = taken.iter().all(|t| area[2] < t[0] || area[0] > t[2] || area[3] < t[1] || area[1] > t[3]);
            if inside && free {
                let (w, h) = (area[2] - area[0], area[3] - area[1]);
                canvas.rect(area[0], area[1], w, h, canvas.theme.background);
                canvas.text((cx, base), words, Align::Centre, &mark.text);
                taken.push(area);
                break;
            }
        }
    }
}

fn x_axis(canvas: &mut Canvas, frame: &Frame, em: f32, name: &str) {
    let theme = canvas.theme;
    let small = kind(em, false, theme.muted);
    let count = ((frame.width / (4.0 * em)) as usize).min(12);
    // Epochs and steps are whole numbers.
    let step = nice_step(frame.x.0, frame.x.1, count).ceil();
    for value in ticks(frame.x.0, frame.x.1, step) {
        let (x, _) = frame.at((value, frame.y.0));
        canvas.rect(x.round(), frame.bottom(), 1.0, 0.3 * em, theme.faint);
        let at = (x, frame.bottom() + 1.45 * em);
        canvas.text(at, small, Align::Centre, &format!("{value}"));
    }
    let at = (frame.left + frame.width / 2.0, frame.bottom() + 2.75 * em);
    canvas.text(at, small, Align::Centre, name);
}
