//! `correct.png`: for each class the right answer given most surely, and beside it the least sure one.

use super::canvas::{Align, Canvas, kind};
use super::guesses::{Guess, confusion, shown_classes, surest};
use super::palette::Theme;
use super::run::{Run, Tested};
use super::sheet::{self, CELL, COLUMNS, DIGIT, TOP};
use super::text::percent;
use crate::error::Result;

const ROW: f32 = 214.0;

pub fn draw(run: &Run, tested: &Tested, theme: Theme) -> Result<Canvas> {
    let classes = tested.evaluation.classes;
    let pairs = surest(&tested.guesses, classes);
    let shown = shown_classes(&confusion(&tested.guesses, classes));
    let rows = shown.len().div_ceil(COLUMNS);
    let top = TOP - 20.0;
    let height = top + rows as f32 * ROW + 4.0;
    let title = format!("{}: the surest and the least sure right answer of each class", run.config.model);
    let mut canvas = sheet::new(theme, height, &title, &sheet::origin(run, tested))?;
    for (at, &class) in shown.iter().enumerate() {
        let (most, least) = &pairs[class];
        let (x, y) = sheet::cell(at, ROW);
        let y = y - 20.0;
        let name = kind(20.0, true, canvas.theme.ink);
        let text = canvas.fit(name, run.classes.name(class), CELL);
        canvas.text((x, y + 14.0), name, Align::Left, &text);
        let second = x + DIGIT as f32 + 16.0;
        for (x, guess, what) in [(x, most, "surest"), (second, least, "least sure")] {
            draw_guess(&mut canvas, (x, y + 26.0), run, tested, (guess.as_ref(), what))?;
        }
    }
    Ok(canvas)
}

fn draw_guess(
    canvas: &mut Canvas,
    (x, y): (f32, f32),
    run: &Run,
    tested: &Tested,
    (guess, what): (Option<&Guess>, &str),
) -> Result<()> {
    let small = kind(15.0, false, canvas.theme.muted);
    let Some(guess) = guess else {
        let side = DIGIT as f32;
        canvas.frame(x, y, side, side, canvas.theme.grid);
        canvas.text((x + side / 2.0, y + side / 2.0 + 5.0), small, Align::Centre, "none");
        return Ok(());
    };
    let (_, h) = sheet::digit(canvas, (x, y), tested, guess.image, DIGIT)?;
    let number = kind(16.0, true, canvas.theme.ink);
    canvas.text((x, y + h + 20.0), small, Align::Left, what);
    canvas.text((x, y + h + 40.0), number, Align::Left, &percent(f64::from(guess.sureness())));
    // The rival, where it comes into sight at all.
    if let Some(&(class, p)) = guess.top.get(1)
        && p >= 0.001
    {
        let text = format!("{}: {}", run.classes.name(class), percent(f64::from(p)));
        let text = canvas.fit(small, &text, DIGIT as f32 + 14.0);
        canvas.text((x, y + h + 59.0), small, Align::Left, &text);
    }
    Ok(())
}
