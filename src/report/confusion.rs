//! `confusion.png`: how often each class was taken for which, with recall and precision at the edges.

use super::canvas::{Align, Canvas};
use super::guesses::confusion;
use super::palette::{LIGHT, mix};
use super::run::{Run, Tested};
use super::sheet::kind;
use super::text::{count, percent_of, thousands};
use crate::error::Result;

pub fn draw(run: &Run, tested: &Tested) -> Result<Canvas> {
    let classes = tested.evaluation.classes;
    let table = confusion(&tested.guesses, classes);
    // Few classes get large cells.
    let side = (900 / classes.max(1)).clamp(40, 72) as f32;
    let font = (0.3 * side).clamp(13.0, 20.0);
    let (left, top) = (104.0, 164.0);
    let edge = 6.2 * font;
    let matrix = side * classes as f32;
    let width = (left + matrix + edge + 24.0).max(760.0);
    let height = top + matrix + 3.0 * font + 12.0;
    let mut canvas = Canvas::new(width as usize, height as usize, LIGHT)?;
    let large = kind(28.0, true, LIGHT.ink);
    let small = kind(17.0, false, LIGHT.muted);
    let right = tested.guesses.len() - tested.errors.len();
    let title = format!(
        "{}: {}, {} in {}",
        run.config.model,
        percent_of(right, tested.guesses.len()),
        count(tested.errors.len(), "error", "errors"),
        thousands(tested.guesses.len())
    );
    canvas.text((24.0, 54.0), large, Align::Left, &title);
    let origin = super::sheet::origin(run, tested);
    let origin = canvas.fit(small, &origin, width - 48.0);
    canvas.text((24.0, 82.0), small, Align::Left, &origin);

    let middle = matrix / 2.0;
    canvas.text((left + middle, top - 44.0), small, Align::Centre, "the network's answer");
    canvas.text_upwards((46.0, top + middle), small, "true class");
    let most = off_diagonal(&table).max().unwrap_or(0).max(1) as f64;
    let label = kind(font, true, LIGHT.ink);
    for (i, row) in table.iter().enumerate() {
        let y = top + side * i as f32;
        let base = y + side / 2.0 + 0.36 * font;
        canvas.text((left - 14.0, base), label, Align::Right, &i.to_string());
        let x = left + side * i as f32;
        canvas.text((x + side / 2.0, top - 12.0), label, Align::Centre, &i.to_string());
        for (j, &n) in row.iter().enumerate() {
            let x = left + side * j as f32;
            let share = (n as f64 / most).sqrt();
            let fill = match n {
                _ if i == j => mix(LIGHT.background, LIGHT.truth, 0.16),
                0 => mix(LIGHT.background, LIGHT.grid, 0.45),
                _ => mix(LIGHT.background, LIGHT.wrong, 0.15 + 0.75 * share),
            };
            canvas.rect(x, y, side - 1.0, side - 1.0, fill);
            if n == 0 && i != j {
                continue;
            }
            let mut number = kind(font, i == j || share > 0.75, LIGHT.ink);
            let text = n.to_string();
            while canvas.text_width(number, &text) > side - 4.0 && number.size > 9.0 {
                number.size -= 1.0;
            }
            canvas.text((x + side / 2.0, base), number, Align::Centre, &text);
        }
        let all: usize = row.iter().sum();
        let share = if all == 0 { "-".into() } else { percent_of(row[i], all) };
        let edge = kind(font, false, LIGHT.muted);
        canvas.text((left + matrix + 14.0, base), edge, Align::Left, &share);
    }
    let edge = kind(font, false, LIGHT.muted);
    canvas.text((left + matrix + 14.0, top - 12.0), edge, Align::Left, "recall");
    precision(&mut canvas, &table, (left, top + matrix), side, font);
    Ok(canvas)
}

fn off_diagonal(table: &[Vec<usize>]) -> impl Iterator<Item = usize> + '_ {
    let cells = table.iter().enumerate();
    cells.flat_map(|(i, row)| row.iter().enumerate().filter(move |(j, _)| *j != i).map(|(_, n)| *n))
}

/// The row below the matrix: which share of the answers of a class were right, as whole and tenth percents.
fn precision(canvas: &mut Canvas, table: &[Vec<usize>], (left, y): (f32, f32), side: f32, font: f32) {
    let mut kind = kind(font, false, LIGHT.muted);
    let texts: Vec<String> = (0..table.len())
        .map(|j| {
            let all: usize = table.iter().map(|row| row[j]).sum();
            match all {
                0 => "-".into(),
                _ if table[j][j] == all => "100".into(),
                _ => format!("{:.1}", (100.0 * table[j][j] as f64 / all as f64).min(99.9)),
            }
        })
        .collect();
    let widest = |canvas: &Canvas, kind| texts.iter().map(|t| canvas.text_width(kind, t)).fold(0.0, f32::max);
    while widest(canvas, kind) > side - 3.0 && kind.size > 9.0 {
        kind.size -= 1.0;
    }
    for (j, text) in texts.iter().enumerate() {
        let x = left + side * (j as f32 + 0.5);
        canvas.text((x, y + 1.6 * font), kind, Align::Centre, text);
    }
    let x = left + side * table.len() as f32 + 14.0;
    kind.size = font;
    canvas.text((x, y + 1.6 * font), kind, Align::Left, "precision, %");
}
