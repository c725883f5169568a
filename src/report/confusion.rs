//! `confusion.png`: how often each class was taken for which, with recall and precision at the edges.

use super::canvas::{Align, Canvas, kind};
use super::guesses::{ClassCounts, class_counts, confusion, shown_classes};
use super::palette::{LIGHT, mix};
use super::run::{Run, Tested};
use super::text::{count, percent_of, thousands};
use crate::error::Result;

/// The widest that a class's name is drawn.
const LONGEST: f32 = 150.0;

pub fn draw(run: &Run, tested: &Tested) -> Result<Canvas> {
    let all = confusion(&tested.guesses, tested.evaluation.classes);
    let shown = shown_classes(&all);
    let table: Vec<Vec<usize>> = shown.iter().map(|&i| shown.iter().map(|&j| all[i][j]).collect()).collect();
    // Few classes get large cells.
    let side = (900 / shown.len().max(1)).clamp(40, 72) as f32;
    let font = (0.3 * side).clamp(13.0, 20.0);
    let label = kind(font, true, LIGHT.ink);
    let measure = Canvas::new(1, 1, LIGHT)?;
    let names: Vec<String> = shown.iter().map(|&c| measure.fit(label, run.classes.name(c), LONGEST)).collect();
    let longest = names.iter().map(|name| measure.text_width(label, name)).fold(0.0, f32::max);
    // Names that are wider than a cell stand upright above it.
    let upright = longest > side - 4.0;
    let (left, top) = (84.0 + longest.max(20.0), 164.0 + if upright { longest } else { 0.0 });
    let edge = 6.2 * font;
    let matrix = side * shown.len() as f32;
    let width = (left + matrix + edge + 24.0).max(760.0);
    let height = top + matrix + 3.0 * font + 12.0;
    let mut canvas = Canvas::new(width as usize, height as usize, LIGHT)?;
    let large = kind(28.0, true, LIGHT.ink);
    let small = kind(17.0, false, LIGHT.muted);
    let title = format!(
        "{}: {}, {} in {}",
        run.config.model,
        tested.accuracy(),
        count(tested.errors.len(), "error", "errors"),
        thousands(tested.guesses.len())
    );
    canvas.text((24.0, 54.0), large, Align::Left, &title);
    let mut origin = super::sheet::origin(run, tested);
    if shown.len() < all.len() {
        origin += &format!("; the {} of {} classes with the most mistakes", shown.len(), all.len());
    }
    let origin = canvas.fit(small, &origin, width - 48.0);
    canvas.text((24.0, 82.0), small, Align::Left, &origin);

    let middle = matrix / 2.0;
    canvas.text((left + middle, 164.0 - 44.0), small, Align::Centre, "the network's answer");
    canvas.text_upwards((46.0, top + middle), small, "true class");
    let wrong = table.iter().enumerate().flat_map(|(i, row)| row.iter().enumerate().filter(move |(j, _)| *j != i));
    let most = wrong.map(|(_, n)| *n).max().unwrap_or(0).max(1) as f64;
    let edge = kind(font, false, LIGHT.muted);
    let counts = class_counts(&all);
    let counts: Vec<ClassCounts> = shown.iter().map(|&class| counts[class]).collect();
    for (i, row) in table.iter().enumerate() {
        let y = top + side * i as f32;
        let base = y + side / 2.0 + 0.36 * font;
        canvas.text((left - 14.0, base), label, Align::Right, &names[i]);
        let x = left + side * i as f32;
        if upright {
            let middle = top - 12.0 - canvas.text_width(label, &names[i]) / 2.0;
            canvas.text_upwards((x + side / 2.0 + 0.36 * font, middle), label, &names[i]);
        } else {
            canvas.text((x + side / 2.0, top - 12.0), label, Align::Centre, &names[i]);
        }
        for (j, &n) in row.iter().enumerate() {
            let x = left + side * j as f32;
            let share = (n as f64 / most).sqrt();
            let fill = match n {
                _ if i == j => mix(LIGHT.background, LIGHT.truth, 0.16),
                0 => mix(LIGHT.background, LIGHT.grid, 0.45),
                _ => mix(LIGHT.background, LIGHT.wrong, 0.15 + 0.75 * share),
            };
            canvas.rect(x, y, side - 1.0, side - 1.0, fill);
            if n > 0 || i == j {
                let number = kind(font, i == j || share > 0.75, LIGHT.ink);
                let text = n.to_string();
                canvas.text((x + side / 2.0, base), canvas.shrunk(number, &[&text], side - 4.0), Align::Centre, &text);
            }
        }
        let recall = if counts[i].images == 0 { "-".into() } else { percent_of(row[i], counts[i].images) };
        canvas.text((left + matrix + 14.0, base), edge, Align::Left, &recall);
    }
    canvas.text((left + matrix + 14.0, top - 12.0), edge, Align::Left, "recall");
    // Below, which share of the answers of a class were right, as whole and tenth percents.
    let precision = |c: &ClassCounts| match c.answers {
        0 => "-".into(),
        n if n == c.right => "100".into(),
        n => format!("{:.1}", (100.0 * c.right as f64 / n as f64).min(99.9)),
    };
    let texts: Vec<String> = counts.iter().map(precision).collect();
    let narrow = canvas.shrunk(edge, &texts, side - 3.0);
    let base = top + matrix + 1.6 * font;
    for (j, text) in texts.iter().enumerate() {
        canvas.text((left + side * (j as f32 + 0.5), base), narrow, Align::Centre, text);
    }
    canvas.text((left + matrix + 14.0, base), edge, Align::Left, "precision, %");
    Ok(canvas)
}
