//! `features.png`: the first layer's filters, and one digit on its way through the blocks.

use super::canvas::{Align, Canvas, kind};
use super::palette::{Rgb, Theme, mix};
use super::run::{Run, Tested};
use super::sheet::{self, MARGIN, WIDTH};
use super::text::percent;
use crate::error::Result;
use crate::model::{Layer, Model};
use crate::train::Activation;

/// Side of a map in the picture.
const MAP: usize = 112;
const SPACE: f32 = 13.0;
/// Filters in a row, side of one, and how far they are apart.
const COLUMNS: usize = 16;
const FILTER: usize = 60;
const PITCH: f32 = 68.0;
/// Maps of a block that fit beside each other.
const MAPS: usize = 11;

/// Dark blue over grey to yellow, even in brightness and safe for colour-blind readers: stops of cividis (Nunez,
/// Anderton, Renslow, 2018).
const HEAT: [Rgb; 6] = [[0, 32, 77], [40, 67, 110], [96, 100, 112], [148, 139, 119], [203, 183, 102], [255, 234, 70]];

fn heat(share: f32) -> Rgb {
    let at = f64::from(share.clamp(0.0, 1.0)) * (HEAT.len() - 1) as f64;
    let below = (at as usize).min(HEAT.len() - 2);
    mix(HEAT[below], HEAT[below + 1], at - below as f64)
}

pub fn draw(run: &Run, tested: &Tested, theme: Theme) -> Result<Canvas> {
    let model = run.config.model()?;
    let blocks = block_ends(&model, tested);
    let filters = tested.filters.as_ref();
    let grid = filters.map_or(0, |(p, _)| p.shape[3].div_ceil(COLUMNS));
    let top = 176.0;
    let above = (grid as f32 * PITCH).max(200.0);
    let block = MAP as f32 + 74.0;
    let height = top + above + 40.0 + blocks.len() as f32 * block;
    let guess = &tested.guesses[tested.shown];
    let title = format!("{}: what the network sees", run.config.model);
    let mut canvas = sheet::new(theme, height, &title, &sheet::origin(run, tested))?;
    let head = kind(19.0, true, canvas.theme.ink);
    let small = kind(17.0, false, canvas.theme.muted);

    // As high as the filters beside it, with its caption.
    canvas.text((MARGIN, top - 18.0), head, Align::Left, "The picture");
    let (_, h) = sheet::digit(&mut canvas, (MARGIN, top), tested, tested.shown, above as usize - 32)?;
    let answer = format!("read as {}, {}", run.classes.name(guess.answer()), percent(f64::from(guess.sureness())));
    canvas.text((MARGIN, top + h + 24.0), small, Align::Left, &answer);

    if let Some((parameter, values)) = filters {
        let &[kh, kw, depth, count] = &parameter.shape[..] else {
            return Ok(canvas);
        };
        let left = WIDTH as f32 - MARGIN + 10.0 - COLUMNS as f32 * PITCH;
        let text = format!("The first layer's {count} filters, {kh}x{kw}");
        canvas.text((left, top - 18.0), head, Align::Left, &text);
        let x = left + canvas.text_width(head, &text) + 18.0;
        let text = if depth == 3 { "in their colours" } else { "blue: ink counts for it, orange: against it" };
        canvas.text((x, top - 18.0), small, Align::Left, text);
        let largest = values.iter().fold(1e-20f32, |m, v| m.max(v.abs()));
        let side = (FILTER / kh.max(kw)).max(1);
        for filter in 0..count {
            // HWIO; of several input channels their mean.
            let taps: Vec<f32> = (0..kh * kw)
                .map(|tap| {
                    let own = (0..depth).map(|c| values[(tap * depth + c) * count + filter]);
                    own.sum::<f32>() / depth as f32 / largest
                })
                .collect();
            let x = left + (filter % COLUMNS) as f32 * PITCH;
            let y = top + (filter / COLUMNS) as f32 * PITCH;
            if depth == 3 {
                // Grey where the weight is 0.
                let byte = |v: f32| (128.0 + 127.0 * v / largest).round() as u8;
                let own = (0..kh * kw * 3).map(|tap| byte(values[tap * count + filter]));
                canvas.picture((x, y), side, (kw, 3), &own.collect::<Vec<_>>());
            } else {
                canvas.cells((x, y), side, kw, &taps, &|share| signed(theme, share));
            }
            let (w, h) = ((side * kw) as f32, (side * kh) as f32);
            canvas.frame(x - 1.0, y - 1.0, w + 2.0, h + 2.0, canvas.theme.grid);
        }
    }
    let mut y = top + above + 62.0;
    for (number, activation) in blocks.iter().enumerate() {
        draw_block(&mut canvas, number + 1, activation, y);
        y += block;
    }
    Ok(canvas)
}

fn signed(theme: Theme, share: f32) -> Rgb {
    let end = if share < 0.0 { theme.wrong } else { theme.truth };
    mix(theme.background, end, f64::from(share.abs()).sqrt())
}

/// The last convolution before each pool.
fn block_ends<'a>(model: &Model, tested: &'a Tested) -> Vec<&'a Activation> {
    let pairs = model.layers.windows(2);
    let ends = pairs.filter(|p| matches!((p[0].1, p[1].1), (Layer::Conv { .. }, Layer::Pool)));
    let ends: Vec<&str> = ends.map(|p| p[0].0.as_str()).collect();
    let all = tested.activations.iter();
    all.filter(|a| ends.contains(&a.layer.as_str())).collect()
}

fn draw_block(canvas: &mut Canvas, number: usize, activation: &Activation, y: f32) {
    let shape = activation.shape;
    let channel = |c: usize| -> Vec<f32> { activation.values.iter().skip(c).step_by(shape.c).copied().collect() };
    let peak = |c: usize| channel(c).into_iter().fold(0.0, f32::max);
    let mut order: Vec<(usize, f32)> = (0..shape.c).map(|c| (c, peak(c))).collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    order.truncate(MAPS);
    let largest = order.first().map_or(1.0, |o| o.1).max(1e-20);
    let head = kind(19.0, true, canvas.theme.ink);
    let small = kind(17.0, false, canvas.theme.muted);
    let text = format!("Block {number}: {}", activation.layer);
    canvas.text((MARGIN, y), head, Align::Left, &text);
    let x = MARGIN + canvas.text_width(head, &text) + 18.0;
    let text = format!(
        "{}x{} pixels, the {} strongest of {} maps; their channels below",
        shape.h,
        shape.w,
        order.len(),
        shape.c
    );
    canvas.text((x, y), small, Align::Left, &text);
    let (scale, by) = ((MAP / shape.h.max(shape.w).max(1)).max(1), shape.h.max(shape.w).div_ceil(MAP).max(1));
    for (i, (c, _)) in order.iter().enumerate() {
        let x = MARGIN + i as f32 * (MAP as f32 + SPACE);
        let values: Vec<f32> = channel(*c).into_iter().map(|v| v / largest).collect();
        let (width, values) = peaks(&values, shape.h, shape.w, by);
        canvas.cells((x, y + 14.0), scale, width, &values, &heat);
        let note = kind(14.0, false, canvas.theme.muted);
        canvas.text((x, y + 14.0 + MAP as f32 + 18.0), note, Align::Left, &c.to_string());
    }
}

/// The largest values of squares of `by` pixels, and how many there are in a row.
fn peaks(values: &[f32], height: usize, width: usize, by: usize) -> (usize, Vec<f32>) {
    let (rows, columns) = (height.div_ceil(by), width.div_ceil(by));
    let mut out = vec![0.0f32; rows * columns];
    for (at, &v) in values.iter().enumerate() {
        let place = at / width / by * columns + at % width / by;
        out[place] = out[place].max(v);
    }
    (columns, out)
}
