//! `errors.png`: every misread test image.

use super::canvas::{Align, Canvas, kind};
use super::guesses::Guess;
use super::palette::{LIGHT, Rgb, Theme};
use super::run::{Run, Tested};
use super::sheet::{self, CELL, DIGIT, MARGIN, TOP};
use super::text::{count, percent, thousands};
use crate::error::Result;

/// Most images on a page.
const PAGE: usize = 100;
/// Most pages; a network with more errors shows its surest ones.
pub const PAGES: usize = 10;
const ROW: f32 = 162.0;

/// The pages, the surest error first. A network without errors gives one page that says so.
pub fn draw(run: &Run, tested: &Tested) -> Result<Vec<Canvas>> {
    let errors = &tested.errors;
    let shown = &errors[..errors.len().min(PAGE * PAGES)];
    if shown.is_empty() {
        let mut canvas = start(run, tested, TOP + 110.0, 0, None)?;
        let at = (MARGIN, TOP + 30.0);
        let text = kind(22.0, false, canvas.theme.ink);
        canvas.text(at, text, Align::Left, "No test image is misread.");
        return Ok(vec![canvas]);
    }
    let pages = shown.len().div_ceil(PAGE);
    // Pages of equal length, in whole rows.
    let each = shown.len().div_ceil(pages).next_multiple_of(sheet::COLUMNS);
    let mut out = Vec::new();
    for (page, part) in shown.chunks(each).enumerate() {
        let rows = part.len().div_ceil(sheet::COLUMNS);
        let height = TOP + rows as f32 * ROW + 8.0;
        let place = (pages > 1).then_some((page + 1, shown.len().div_ceil(each)));
        let mut canvas = start(run, tested, height, shown.len(), place)?;
        for (i, guess) in part.iter().enumerate() {
            draw_guess(&mut canvas, sheet::cell(i, ROW), run, tested, guess)?;
        }
        out.push(canvas);
    }
    Ok(out)
}

fn start(run: &Run, tested: &Tested, height: f32, shown: usize, page: Option<(usize, usize)>) -> Result<Canvas> {
    let errors = tested.errors.len();
    let all = thousands(tested.guesses.len());
    let title = format!(
        "{}: {} of the test images right, {} in {all}",
        run.config.model,
        tested.accuracy(),
        count(errors, "error", "errors")
    );
    let mut subtitle = sheet::origin(run, tested);
    if shown > 0 {
        subtitle += "; the surest wrong answer first";
    }
    if shown < errors {
        subtitle += &format!("; the first {}", thousands(shown));
    }
    if let Some((page, pages)) = page {
        subtitle += &format!("; page {page} of {pages}");
    }
    let mut canvas = sheet::new(LIGHT, height, &title, &subtitle)?;
    if shown > 0 {
        let doubts = tested.errors.iter().any(|g| run.doubted(tested, g).is_some());
        legend(&mut canvas, doubts);
    }
    Ok(canvas)
}

fn legend(canvas: &mut Canvas, doubts: bool) {
    let small = kind(16.0, false, canvas.theme.ink);
    let mut x = MARGIN;
    let (y, side) = (122.0, 13.0);
    let entries = [
        (canvas.theme.wrong, "the answer"),
        (canvas.theme.truth, "the true class"),
        (canvas.theme.faint, "other classes"),
    ];
    for (colour, text) in entries {
        canvas.rect(x, y - side + 1.0, side, side, colour);
        canvas.text((x + side + 8.0, y), small, Align::Left, text);
        x += side + 8.0 + canvas.text_width(small, text) + 28.0;
    }
    if doubts {
        corner(canvas, x, y - side + 1.0, side);
        let text = "a label known to be wrong, and what people see";
        canvas.text((x + side + 8.0, y), small, Align::Left, text);
    }
}

fn corner(canvas: &mut Canvas, x: f32, y: f32, side: f32) {
    canvas.polygon(&[(x, y), (x + side, y), (x + side, y + side)], canvas.theme.doubt);
}

/// The colour of a class's bar in the answer to an image.
fn colour_of(guess: &Guess, class: usize, theme: Theme) -> Rgb {
    match class {
        c if c == guess.label => theme.truth,
        c if c == guess.answer() => theme.wrong,
        _ => theme.faint,
    }
}

fn draw_guess(canvas: &mut Canvas, (x, y): (f32, f32), run: &Run, tested: &Tested, guess: &Guess) -> Result<()> {
    let (w, h) = sheet::digit(canvas, (x, y), tested, guess.image, DIGIT)?;
    let below = (x + w / 2.0, y + h + 22.0);
    let label =
        canvas.fit(kind(19.0, true, canvas.theme.truth), run.classes.name(guess.label), w.max(DIGIT as f32) + 8.0);
    let bold = kind(19.0, true, canvas.theme.truth);
    match run.doubted(tested, guess) {
        None => canvas.text(below, bold, Align::Centre, &label),
        Some(seen) => {
            corner(canvas, x + w - 18.0, y, 18.0);
            let small = kind(15.0, false, canvas.theme.muted);
            let more = format!("  people: {seen}");
            let (a, b) = (canvas.text_width(bold, &label), canvas.text_width(small, &more));
            let left = below.0 - (a + b) / 2.0;
            canvas.text((left, below.1), bold, Align::Left, &label);
            canvas.text((left + a, below.1), small, Align::Left, &more);
        }
    }
    let left = x + w.max(DIGIT as f32) + 16.0;
    let room = x + CELL - left;
    for (i, &(class, p)) in guess.top.iter().enumerate() {
        let y = y + 26.5 * i as f32;
        let colour = colour_of(guess, class, canvas.theme);
        let strong = class == guess.label || i == 0;
        let ink = if strong { colour } else { canvas.theme.muted };
        let name = kind(16.0, strong, ink);
        let number = kind(15.0, false, canvas.theme.ink);
        let share = percent(f64::from(p));
        // A short name leaves room; a long one is cut, and the number stands at the right edge.
        let own = run.classes.name(class);
        let narrow = canvas.text_width(name, own) <= 26.0;
        let end = if narrow { left + 32.0 } else { x + CELL - canvas.text_width(number, &share) };
        let text = canvas.fit(name, own, end - left - 6.0);
        canvas.text((left, y + 13.0), name, Align::Left, &text);
        canvas.text((end, y + 13.0), number, Align::Left, &share);
        canvas.rect(left, y + 17.0, room, 5.0, canvas.theme.grid);
        canvas.rect(left, y + 17.0, (room * p).max(1.0), 5.0, colour);
    }
    Ok(())
}

/// The name of page `index`'s file.
pub fn file_name(index: usize) -> String {
    if index == 0 { "errors.png".into() } else { format!("errors-{}.png", index + 1) }
}
