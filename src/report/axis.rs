//! Axes: which numbers to mark, and where a value lies in the plot.

/// Round numbers from `low` to `high`, about `count` of them: steps of 1, 2, 2.5 or 5 times a power of ten.
pub fn linear_ticks(low: f64, high: f64, count: usize) -> Vec<f64> {
    let step = nice_step(low, high, count);
    let first = (low / step - 1e-6).ceil() as i64;
    let last = (high / step + 1e-6).floor() as i64;
    (first..=last).map(|i| i as f64 * step).collect()
}

/// The distance of [`linear_ticks`].
pub fn nice_step(low: f64, high: f64, count: usize) -> f64 {
    let raw = ((high - low) / count.max(1) as f64).max(1e-12);
    let power = 10f64.powf(raw.log10().floor());
    let nice = [1.0, 2.0, 2.5, 5.0, 10.0];
    nice.into_iter().map(|n| n * power).find(|&s| s >= raw * (1.0 - 1e-9)).unwrap_or(10.0 * power)
}

/// Whole numbers only, at least one apart.
pub fn whole_ticks(low: f64, high: f64, count: usize) -> Vec<f64> {
    let step = nice_step(low, high, count);
    let step = if step < 1.0 { 1.0 } else { step.ceil() };
    let first = (low / step).ceil() as i64;
    let last = (high / step).floor() as i64;
    (first..=last).map(|i| i as f64 * step).collect()
}

/// 1, 2, 5 times powers of ten, or powers alone where these are many.
pub fn log_ticks(low: f64, high: f64) -> Vec<f64> {
    let decades = (high / low).log10();
    let marks: &[f64] = if decades > 4.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let mut ticks = Vec::new();
    for power in low.log10().floor() as i32..=high.log10().ceil() as i32 {
        ticks.extend(marks.iter().map(|m| m * 10f64.powi(power)));
    }
    ticks.retain(|&t| t >= low * (1.0 - 1e-9) && t <= high * (1.0 + 1e-9));
    ticks
}

/// A number with as many decimals as `step` needs.
pub fn label(value: f64, step: f64) -> String {
    let decimals = (0..6)
        .find(|&d| {
            let scaled = step * 10f64.powi(d);
            (scaled - scaled.round()).abs() < 1e-6 * scaled.max(1.0)
        })
        .unwrap_or(6);
    format!("{value:.*}", decimals as usize)
}

/// A rectangle of the picture and the values at its edges.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    pub left: f32,
    pub top: f32,
    pub width: f32,
    pub height: f32,
    /// Values at the left and the right edge.
    pub x: (f64, f64),
    /// Values at the lower and the upper edge.
    pub y: (f64, f64),
    pub log: bool,
}

impl Frame {
    pub fn right(&self) -> f32 {
        self.left + self.width
    }

    pub fn bottom(&self) -> f32 {
        self.top + self.height
    }

    /// Where a point lies in the picture.
    pub fn at(&self, (x, y): (f64, f64)) -> (f32, f32) {
        let share = |v: f64, (a, b): (f64, f64)| (v - a) / (b - a);
        let v = if self.log {
            let (a, b) = (self.y.0.ln(), self.y.1.ln());
            share(y.max(f64::MIN_POSITIVE).ln(), (a, b))
        } else {
            share(y, self.y)
        };
        (self.left + share(x, self.x) as f32 * self.width, self.bottom() - v as f32 * self.height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let ticks = linear_ticks(98.84, 99.7, 5);
        let texts: Vec<String> = ticks.iter().map(|&t| label(t, 0.2)).collect();
        assert_eq!(texts, ["99.0", "99.2", "99.4", "99.6"]);
        assert_eq!(whole_ticks(0.5, 3.5, 8), [1.0, 2.0, 3.0]);
        assert_eq!(whole_ticks(1.0, 500.0, 6), [100.0, 200.0, 300.0, 400.0, 500.0]);
        assert_eq!(log_ticks(0.009, 2.5), [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0]);
        assert_eq!(log_ticks(1e-6, 1.0).len(), 7);
        assert_eq!(label(99.2, 0.2), "99.2");
        assert_eq!(label(0.25, 0.25), "0.25");
        assert_eq!(label(300.0, 100.0), "300");
    }
}
