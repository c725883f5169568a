//! What is plotted: accuracy, loss and time over the epochs, and the training loss over the steps.

use super::axis::{label, log_ticks, nice_step, ticks};
use super::chart::{Chart, Line, Mark, Panel};
use super::palette::{DOTS, Theme};
use super::run::Run;
use super::text::duration;
use crate::train::metrics::{Epoch, losses};

/// The curves of a report, each with its file's name.
pub fn all(runs: &[Run], theme: &Theme) -> Vec<(&'static str, Chart)> {
    let mut all = vec![("accuracy", accuracy(runs, theme)), ("loss", loss(runs, theme)), ("time", time(runs, theme))];
    // Runs of before it was recorded have none.
    all.extend(steps(runs, theme).map(|chart| ("steps", chart)));
    all
}

fn points(run: &Run, value: &dyn Fn(&Epoch) -> f64) -> Vec<(f64, f64)> {
    let all = run.epochs.iter().map(|e| (e.epoch as f64, value(e)));
    all.filter(|(_, v)| v.is_finite()).collect()
}

fn epochs(runs: &[Run]) -> (f64, f64) {
    let all = || runs.iter().flat_map(|r| &r.epochs).map(|e| e.epoch);
    let (first, last) = (all().min().unwrap_or(1), all().max().unwrap_or(1));
    // Half an epoch of room where there are few, so that the first point is not on the axis.
    let room = (0.02 * (last - first) as f64).clamp(0.15, 5.0);
    (first as f64 - room, last as f64 + room)
}

/// How a line of a run differs from its others.
#[derive(Clone, Copy)]
enum Rank {
    Test,
    Training,
    /// Images held out of the training images.
    Validation,
}

fn lines(runs: &[Run], theme: &Theme, rank: Rank, value: &dyn Fn(&Epoch) -> f64) -> Vec<Line> {
    let line = |(i, run): (usize, &Run)| {
        let mut style = theme.run(i);
        let (images, thin) = match rank {
            Rank::Test => ("test", false),
            Rank::Training => ("training", true),
            Rank::Validation => ("held out", true),
        };
        if matches!(rank, Rank::Validation) {
            style.dash = DOTS;
        }
        Line { name: format!("{}, {images}", run.label), points: points(run, value), style, thin }
    };
    let lines = runs.iter().enumerate().map(line);
    lines.filter(|l| !l.points.is_empty()).collect()
}

fn marks(runs: &[Run], theme: &Theme, value: &dyn Fn(&Epoch) -> f64, text: &dyn Fn(&Epoch) -> String) -> Vec<Mark> {
    let mut marks = Vec::new();
    for (i, run) in runs.iter().enumerate() {
        if let Some(best) = run.best_epoch() {
            marks.push(Mark { at: (best.epoch as f64, value(best)), text: text(best), style: theme.run(i) });
        }
    }
    marks
}

/// A chart without panels; `text` is what the legend says of a run, if an epoch of it is over.
fn chart(runs: &[Run], theme: &Theme, title: &str, subtitle: &str, text: &dyn Fn(&Run) -> Option<String>) -> Chart {
    let entry = |(i, run): (usize, &Run)| {
        let text = text(run).unwrap_or_else(|| "no epoch yet".into());
        (theme.run(i), format!("{}: {text}", run.label))
    };
    Chart {
        title: title.into(),
        subtitle: subtitle.into(),
        entries: runs.iter().enumerate().map(entry).collect(),
        panels: Vec::new(),
        note: "no epoch is over yet".into(),
        axis: "epoch",
        x: epochs(runs),
    }
}

/// Says in words what one epoch has: a single point makes no curve. Whether it is so.
fn said(chart: &mut Chart, runs: &[Run], words: &dyn Fn(&Epoch) -> String) -> bool {
    let is_point = runs.iter().all(|run| run.epochs.len() <= 1);
    let lines: Vec<String> =
        runs.iter().filter_map(|run| Some(format!("{}: {}", run.label, words(run.epochs.first()?)))).collect();
    if is_point && !lines.is_empty() {
        chart.note = format!("{}\nOne epoch makes no curve.", lines.join("\n"));
    }
    is_point
}

type Format = fn(f64) -> String;

/// A plot on a linear axis.
fn panel((label, format): (&str, Format), y: (f64, f64), share: f32, lines: Vec<Line>, marks: Vec<Mark>) -> Panel {
    let count = if share > 0.5 { 6 } else { 3 };
    let step = nice_step(y.0, y.1, count);
    Panel {
        share,
        label: label.into(),
        y,
        log: false,
        ticks: ticks(y.0, y.1, step).into_iter().map(|t| (t, self::label(t, step))).collect(),
        format,
        lines,
        marks,
    }
}

/// Runs whose best accuracy is within this of the best run's share its panel, in percentage points.
const NEAR: f64 = 2.0;

/// Accuracy on the test images, on the training images as trained on, and on held-out ones. The upper panel shows the
/// range where the runs' best epochs differ; where epochs lie below it, a lower panel shows the whole range.
fn accuracy(runs: &[Run], theme: &Theme) -> Chart {
    let percent = |e: &Epoch| 100.0 * e.test_accuracy;
    let training = |e: &Epoch| 100.0 * e.train_accuracy;
    let held_out = |e: &Epoch| 100.0 * e.val_accuracy.unwrap_or(f64::NAN);
    let text = |e: &Epoch| format!("{:.2} % in epoch {}", percent(e), e.epoch);
    let dots = if runs.iter().any(|r| r.config.validation > 0) { ", dots: held-out images" } else { "" };
    let subtitle = format!(
        "thick: test images, thin: training images, deformed and with dropout{dots}; star: each run's best epoch"
    );
    let mut chart = chart(runs, theme, "Accuracy", &subtitle, &|run| {
        let best = run.best_epoch()?;
        Some(format!("best {:.2} %", percent(best)))
    });
    let words = |e: &Epoch| format!("test accuracy {:.2} %, in training {:.2} %", percent(e), training(e));
    if said(&mut chart, runs, &words) {
        return chart;
    }
    let lines = || {
        let mut lines_of = lines(runs, theme, Rank::Training, &training);
        lines_of.extend(lines(runs, theme, Rank::Validation, &held_out));
        lines_of.extend(lines(runs, theme, Rank::Test, &percent));
        lines_of
    };
    let all = lines().into_iter().flat_map(|l| l.points).map(|p| p.1);
    let lowest = all.fold(100.0, f64::min);
    let tops: Vec<f64> = runs.iter().filter_map(|r| r.epochs.iter().map(percent).reduce(f64::max)).collect();
    let high = tops.iter().copied().fold(f64::MIN, f64::max);
    // A run far below the others would flatten what tells these apart: it is seen in the lower panel.
    let near = tops.iter().copied().filter(|t| *t >= high - NEAR);
    let low_best = near.fold(high, f64::min);
    let span = 0.5f64.max(2.5 * (high - low_best)).max(1.5 * (100.0 - high));
    let floor = (low_best - span).max(0.0);
    let marks = marks(runs, theme, &percent, &text);
    // A little below, the one panel reaches down; further, a second one shows the rest.
    let cut = high - lowest > 2.0 * (high - floor);
    let low = if cut { floor } else { lowest };
    // Room above for the star and its words.
    let room = 0.12 * (high - low).max(0.1);
    let bottom = if cut { low } else { (low - 0.5 * room).max(0.0) };
    let zoomed = (bottom, high + room);
    if cut {
        let (above, below) = marks.into_iter().partition(|m: &Mark| m.at.1 >= bottom);
        let upper = panel(("accuracy, %", in_percent), zoomed, 0.7, lines(), above);
        let all = ((lowest - 0.05 * (100.0 - lowest)).max(0.0), 100.0);
        let lower = panel(("all, %", in_percent), all, 0.3, lines(), below);
        chart.panels.extend([upper, lower]);
    } else {
        chart.panels.push(panel(("accuracy, %", in_percent), zoomed, 1.0, lines(), marks));
    }
    chart
}

fn in_percent(value: f64) -> String {
    format!("{value:.2} %")
}

/// A plot on a logarithmic axis around the lines' values.
fn logarithmic(share: f32, lines: Vec<Line>, marks: Vec<Mark>) -> Option<Panel> {
    let values = || lines.iter().flat_map(|l| &l.points).map(|p| p.1);
    let (low, high) = (values().reduce(f64::min)? / 1.15, values().reduce(f64::max)? * 1.15);
    let ticks = log_ticks(low, high).into_iter().map(|t| {
        let text = if t < 1e-4 { format!("{t:e}") } else { format!("{t}") };
        (t, text)
    });
    let (label, ticks) = ("loss".into(), ticks.collect());
    Some(Panel { share, label, y: (low, high), log: true, ticks, format: |v| format!("{v:.4}"), lines, marks })
}

/// A loss of exactly 0 has no logarithm; it lies on the lower edge.
const LEAST: f64 = 1e-7;

/// Training and test loss on a logarithmic axis.
fn loss(runs: &[Run], theme: &Theme) -> Chart {
    let test = |e: &Epoch| e.test_loss.max(LEAST);
    let train = |e: &Epoch| e.train_loss.max(LEAST);
    let subtitle =
        "mean cross-entropy, log scale; thick: test images, thin: training images as trained on; star: best epoch";
    let mut chart = chart(runs, theme, "Loss", subtitle, &|run| {
        let last = run.epochs.last()?;
        Some(format!("last {:.4} test, {:.4} training", last.test_loss, last.train_loss))
    });
    let words = |e: &Epoch| format!("loss {:.4} on the test images, {:.4} in training", e.test_loss, e.train_loss);
    if said(&mut chart, runs, &words) {
        return chart;
    }
    let mut lines_of = lines(runs, theme, Rank::Training, &train);
    lines_of.extend(lines(runs, theme, Rank::Test, &test));
    chart.panels.extend(logarithmic(1.0, lines_of, marks(runs, theme, &test, &|_| String::new())));
    chart
}

/// The training loss inside the epochs, and the learning rate below it.
fn steps(runs: &[Run], theme: &Theme) -> Option<Chart> {
    let subtitle = "training images as trained on, mean between two points; log scale; below: the learning rate";
    let mut chart = chart(runs, theme, "Training loss by step", subtitle, &|run| {
        let (point, loss) = losses(&run.points).pop()?;
        Some(format!("{loss:.4} at step {}", point.step))
    });
    let mut recorded = runs.iter().map(|run| !run.points.is_empty());
    chart.entries.retain(|_| recorded.next().unwrap_or_default());
    let line = |value: &dyn Fn(f64, f32) -> f64| -> Vec<Line> {
        let of = |(i, run): (usize, &Run)| {
            let points = losses(&run.points).into_iter().map(|(p, loss)| (p.step as f64, value(loss, p.lr)));
            let points = points.filter(|(_, v)| v.is_finite()).collect();
            Line { name: run.label.clone(), points, style: theme.run(i), thin: true }
        };
        runs.iter().enumerate().map(of).filter(|l| l.points.len() > 1).collect()
    };
    let (loss, rate) = (line(&|loss, _| loss.max(LEAST)), line(&|_, lr| f64::from(lr)));
    let last = loss.iter().flat_map(|l| l.points.last()).map(|p| p.0).fold(0.0, f64::max);
    let highest = rate.iter().flat_map(|l| &l.points).map(|p| p.1).fold(0.0, f64::max);
    (chart.axis, chart.x) = ("step", (0.0, 1.01 * last));
    chart.panels.push(logarithmic(0.72, loss, Vec::new())?);
    let format = |v| format!("{v:.2e}");
    chart.panels.push(panel(("rate", format), (0.0, 1.1 * highest), 0.28, rate, Vec::new()));
    Some(chart)
}

/// Time since the start, evaluations included.
fn time(runs: &[Run], theme: &Theme) -> Chart {
    let longest = runs.iter().flat_map(|r| &r.epochs).map(|e| e.seconds).fold(0.0, f64::max);
    let (unit, name, format): (f64, &str, Format) = match longest {
        s if s >= 2.0 * 3600.0 => (3600.0, "hours", |v| duration(3600.0 * v)),
        s if s >= 180.0 => (60.0, "minutes", |v| duration(60.0 * v)),
        _ => (1.0, "seconds", duration),
    };
    let elapsed = |e: &Epoch| e.seconds / unit;
    let subtitle = "since the start of training, evaluations included; a star marks each run's best epoch";
    let mut chart = chart(runs, theme, "Time", subtitle, &|run| {
        let last = run.epochs.last()?;
        Some(format!("{} an epoch", duration(last.seconds / last.epoch as f64)))
    });
    let is_said = said(&mut chart, runs, &|e| format!("{} in all", duration(e.seconds)));
    if longest > 0.0 && !is_said {
        let (_, last) = chart.x;
        chart.x.0 = 0.0 - 0.01 * last;
        let y = (0.0, 1.1 * longest / unit);
        let text = |e: &Epoch| duration(e.seconds);
        let marks = marks(runs, theme, &elapsed, &text);
        let mut lines = lines(runs, theme, Rank::Test, &elapsed);
        for (line, run) in lines.iter_mut().zip(runs) {
            line.name = run.label.clone();
            line.points.insert(0, (0.0, 0.0));
        }
        chart.panels.push(panel((name, format), y, 1.0, lines, marks));
    }
    chart
}
