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

    /// The parts of a line inside the frame's height, in picture coordinates.
    pub fn clip(&self, points: &[(f64, f64)]) -> Vec<Vec<(f32, f32)>> {
        let (top, bottom) = (self.top, self.bottom());
        let inside = |p: (f32, f32)| p.1 >= top - 0.5 && p.1 <= bottom + 0.5;
        let mut parts: Vec<Vec<(f32, f32)>> = Vec::new();
        let mut open = false;
        let placed: Vec<(f32, f32)> = points.iter().map(|&p| self.at(p)).collect();
        for (i, &p) in placed.iter().enumerate() {
            let before = i.checked_sub(1).map(|j| placed[j]);
            let crossing = |q: (f32, f32), edge: f32| {
                let t = (edge - q.1) / (p.1 - q.1);
                (q.0 + t * (p.0 - q.0), edge)
            };
            let edges = |q: (f32, f32)| {
                let mut cut: Vec<(f32, f32)> = [top, bottom]
                    .into_iter()
                    .filter(|&e| (q.1 - e) * (p.1 - e) < 0.0)
                    .map(|e| crossing(q, e))
                    .collect();
                cut.sort_by(|a, b| a.0.total_cmp(&b.0));
                cut
            };
            match (before, open, inside(p)) {
                (None, _, true) => parts.push(vec![p]),
                (Some(q), false, true) => {
                    let mut part: Vec<_> = edges(q).into_iter().take(1).collect();
                    part.push(p);
                    parts.push(part);
                }
                (Some(_), true, true) => {
                    if let Some(part) = parts.last_mut() {
                        part.push(p);
                    }
                }
                (Some(q), true, false) => {
                    if let (Some(part), Some(cut)) = (parts.last_mut(), edges(q).first()) {
                        part.push(*cut);
                    }
                }
                (Some(q), false, false) => {
                    let cut = edges(q);
                    if cut.len() == 2 {
                        parts.push(cut);
                    }
                }
                (None, _, false) => {}
            }
            open = inside(p);
        }
        parts
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

    #[test]
    fn a_line_is_cut_at_the_frame() {
        let frame =
            Frame { left: 0.0, top: 0.0, width: 100.0, height: 100.0, x: (0.0, 4.0), y: (0.0, 10.0), log: false };
        // Below, inside, inside, below again.
        let parts = frame.clip(&[(0.0, -10.0), (1.0, 10.0), (2.0, 5.0), (3.0, -5.0)]);
        assert_eq!(parts, [vec![(12.5, 100.0), (25.0, 0.0), (50.0, 50.0), (62.5, 100.0)]]);
        assert!(frame.clip(&[(0.0, -1.0), (1.0, -2.0)]).is_empty());
        assert_eq!(frame.clip(&[(0.0, -10.0), (4.0, 20.0)])[0].len(), 2);
    }
}
