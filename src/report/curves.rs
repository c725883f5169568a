//! What is plotted over the epochs: accuracy, loss, time.

use super::axis::{label, log_ticks, nice_step, ticks};
use super::chart::{Chart, Line, Mark, Panel};
use super::palette::Theme;
use super::run::Run;
use crate::train::metrics::Epoch;

/// The curves of a report, each with its file's name.
pub fn all(runs: &[Run], theme: &Theme) -> [(&'static str, Chart); 3] {
    [("accuracy", accuracy(runs, theme)), ("loss", loss(runs, theme)), ("time", time(runs, theme))]
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

fn lines(runs: &[Run], theme: &Theme, thin: bool, value: &dyn Fn(&Epoch) -> f64) -> Vec<Line> {
    let line = |(i, run): (usize, &Run)| Line { points: points(run, value), style: theme.run(i), thin };
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
        epochs: epochs(runs),
    }
}

fn panel(label: &str, y: (f64, f64), share: f32, lines: Vec<Line>, marks: Vec<Mark>) -> Panel {
    let count = if share > 0.5 { 6 } else { 3 };
    let step = nice_step(y.0, y.1, count);
    Panel {
        share,
        label: label.into(),
        y,
        log: false,
        ticks: ticks(y.0, y.1, step).into_iter().map(|t| (t, self::label(t, step))).collect(),
        lines,
        marks,
    }
}

/// Runs whose best accuracy is within this of the best run's share its panel, in percentage points.
const NEAR: f64 = 2.0;

/// Test accuracy. The upper panel shows the range where the runs' best epochs differ; where epochs lie below it, a
/// lower panel shows the whole range.
fn accuracy(runs: &[Run], theme: &Theme) -> Chart {
    let percent = |e: &Epoch| 100.0 * e.test_accuracy;
    let text = |e: &Epoch| format!("{:.2} % in epoch {}", percent(e), e.epoch);
    let subtitle = "per epoch; a star marks each run's best epoch";
    let mut chart = chart(runs, theme, "Test accuracy", subtitle, &|run| {
        let best = run.best_epoch()?;
        Some(format!("best {:.2} %", percent(best)))
    });
    let all: Vec<f64> = runs.iter().flat_map(|r| &r.epochs).map(percent).collect();
    let Some(lowest) = all.iter().copied().reduce(f64::min) else {
        return chart;
    };
    let tops: Vec<f64> = runs.iter().filter_map(|r| r.epochs.iter().map(percent).reduce(f64::max)).collect();
    let high = tops.iter().copied().fold(f64::MIN, f64::max);
    // A run far below the others would flatten what tells these apart: it is seen in the lower panel.
    let near = tops.iter().copied().filter(|t| *t >= high - NEAR);
    let low_best = near.fold(high, f64::min);
    let span = 0.5f64.max(2.5 * (high - low_best)).max(1.5 * (100.0 - high));
    let floor = (low_best - span).max(0.0);
    let (lines, marks) = (|| lines(runs, theme, false, &percent), marks(runs, theme, &percent, &text));
    // A little below, the one panel reaches down; further, a second one shows the rest.
    let cut = high - lowest > 2.0 * (high - floor);
    let low = if cut { floor } else { lowest };
    // Room above for the star and its words.
    let room = 0.12 * (high - low).max(0.1);
    let bottom = if cut { low } else { (low - 0.5 * room).max(0.0) };
    let zoomed = (bottom, high + room);
    if cut {
        let (above, below) = marks.into_iter().partition(|m: &Mark| m.at.1 >= bottom);
        let upper = panel("accuracy, %", zoomed, 0.7, lines(), above);
        let all = ((lowest - 0.05 * (100.0 - lowest)).max(0.0), 100.0);
        let lower = panel("all, %", all, 0.3, lines(), below);
        chart.panels.extend([upper, lower]);
    } else {
        chart.panels.push(panel("accuracy, %", zoomed, 1.0, lines(), marks));
    }
    chart
}

/// Training and test loss on a logarithmic axis.
fn loss(runs: &[Run], theme: &Theme) -> Chart {
    // A loss of exactly 0 has no logarithm; it lies on the lower edge.
    const LEAST: f64 = 1e-7;
    let test = |e: &Epoch| e.test_loss.max(LEAST);
    let train = |e: &Epoch| e.train_loss.max(LEAST);
    let subtitle =
        "mean cross-entropy, log scale; thick: test images, thin: training images as trained on; star: best epoch";
    let mut chart = chart(runs, theme, "Loss", subtitle, &|run| {
        let last = run.epochs.last()?;
        Some(format!("last {:.4} test, {:.4} training", last.test_loss, last.train_loss))
    });
    let mut lines_of = lines(runs, theme, true, &train);
    lines_of.extend(lines(runs, theme, false, &test));
    let values = || lines_of.iter().flat_map(|l| &l.points).map(|p| p.1);
    let (Some(low), Some(high)) = (values().reduce(f64::min), values().reduce(f64::max)) else {
        return chart;
    };
    let (low, high) = (low / 1.15, high * 1.15);
    let ticks = log_ticks(low, high).into_iter().map(|t| {
        let text = if t < 1e-4 { format!("{t:e}") } else { format!("{t}") };
        (t, text)
    });
    chart.panels.push(Panel {
        share: 1.0,
        label: "loss".into(),
        y: (low, high),
        log: true,
        ticks: ticks.collect(),
        lines: lines_of,
        marks: marks(runs, theme, &test, &|_| String::new()),
    });
    chart
}

/// Time since the start, evaluations included.
fn time(runs: &[Run], theme: &Theme) -> Chart {
    let longest = runs.iter().flat_map(|r| &r.epochs).map(|e| e.seconds).fold(0.0, f64::max);
    let (unit, name) = match longest {
        s if s >= 2.0 * 3600.0 => (3600.0, "hours"),
        s if s >= 180.0 => (60.0, "minutes"),
        _ => (1.0, "seconds"),
    };
    let elapsed = |e: &Epoch| e.seconds / unit;
    let subtitle = "since the start of training, evaluations included; a star marks each run's best epoch";
    let mut chart = chart(runs, theme, "Time", subtitle, &|run| {
        let last = run.epochs.last()?;
        Some(format!("{} an epoch", super::text::duration(last.seconds / last.epoch as f64)))
    });
    if longest > 0.0 {
        let (_, last) = chart.epochs;
        chart.epochs.0 = 0.0 - 0.01 * last;
        let y = (0.0, 1.1 * longest / unit);
        let text = |e: &Epoch| super::text::duration(e.seconds);
        let marks = marks(runs, theme, &elapsed, &text);
        let mut lines = lines(runs, theme, false, &elapsed);
        for line in &mut lines {
            line.points.insert(0, (0.0, 0.0));
        }
        chart.panels.push(panel(name, y, 1.0, lines, marks));
    }
    chart
}
