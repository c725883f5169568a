//! Axes: which numbers to mark, and where a value lies in the plot.

/// The multiples of `step` from `low` to `high`.
pub fn ticks(low: f64, high: f64, step: f64) -> Vec<f64> {
    let (first, last) = ((low / step - 1e-6).ceil() as i64, (high / step + 1e-6).floor() as i64);
    (first..=last).map(|i| i as f64 * step).collect()
}

/// A step of 1, 2, 2.5 or 5 times a power of ten that gives about `count` ticks.
pub fn nice_step(low: f64, high: f64, count: usize) -> f64 {
    let raw = ((high - low) / count.max(1) as f64).max(1e-12);
    let power = 10f64.powf(raw.log10().floor());
    let nice = [1.0, 2.0, 2.5, 5.0, 10.0].map(|n| n * power);
    nice.into_iter().find(|&step| step >= raw * (1.0 - 1e-9)).unwrap_or(nice[4])
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
    let enough = |decimals: &i32| {
        let scaled = step * 10f64.powi(*decimals);
        (scaled - scaled.round()).abs() < 1e-6 * scaled.max(1.0)
    };
    format!("{value:.*}", (0..6).find(enough).unwrap_or(6) as usize)
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
