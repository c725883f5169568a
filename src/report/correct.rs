//! `correct.png`: for each class the right answer given most surely, and beside it the least sure one.

use super::canvas::{Align, Canvas, kind};
use super::guesses::{Guess, surest};
use super::palette::LIGHT;
use super::run::{Run, Tested};
use super::sheet::{self, COLUMNS, DIGIT, TOP};
use super::text::percent;
use crate::error::Result;

const ROW: f32 = 214.0;

pub fn draw(run: &Run, tested: &Tested) -> Result<Canvas> {
    let pairs = surest(&tested.guesses, tested.evaluation.classes);
    let rows = pairs.len().div_ceil(COLUMNS);
    let top = TOP - 20.0;
    let height = top + rows as f32 * ROW + 4.0;
    let title = format!("{}: the surest and the least sure right answer of each class", run.config.model);
    let mut canvas = sheet::new(height, &title, &sheet::origin(run, tested))?;
    for (class, (most, least)) in pairs.iter().enumerate() {
        let (x, y) = sheet::cell(class, ROW);
        let y = y - 20.0;
        let name = kind(20.0, true, LIGHT.ink);
        canvas.text((x, y + 14.0), name, Align::Left, &class.to_string());
        let second = x + DIGIT as f32 + 16.0;
        for (x, guess, what) in [(x, most, "surest"), (second, least, "least sure")] {
            draw_guess(&mut canvas, (x, y + 26.0), tested, guess.as_ref(), what);
        }
    }
    Ok(canvas)
}

fn draw_guess(canvas: &mut Canvas, (x, y): (f32, f32), tested: &Tested, guess: Option<&Guess>, what: &str) {
    let small = kind(15.0, false, LIGHT.muted);
    let Some(guess) = guess else {
        let side = DIGIT as f32;
        canvas.frame(x, y, side, side, LIGHT.grid);
        canvas.text((x + side / 2.0, y + side / 2.0 + 5.0), small, Align::Centre, "none");
        return;
    };
    let (_, h) = sheet::digit(canvas, (x, y), tested, guess.image, DIGIT);
    let number = kind(16.0, true, LIGHT.ink);
    canvas.text((x, y + h + 20.0), small, Align::Left, what);
    canvas.text((x, y + h + 40.0), number, Align::Left, &percent(f64::from(guess.sureness())));
    // The rival, where it comes into sight at all.
    if let Some(&(class, p)) = guess.top.get(1)
        && p >= 0.001
    {
        let text = format!("{class}: {}", percent(f64::from(p)));
        canvas.text((x, y + h + 59.0), small, Align::Left, &text);
    }
}
