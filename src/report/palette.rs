//! Colours and line styles: the Okabe-Ito palette, safe for colour-blind readers (Okabe and Ito, "Color universal
//! design", 2008). Runs differ in dash and marker too, so that a picture can be read in greys.

/// Red, green, blue.
pub type Rgb = [u8; 3];

/// The colours of a picture.
#[derive(Clone, Copy, Debug)]
pub struct Theme {
    pub background: Rgb,
    pub ink: Rgb,
    pub muted: Rgb,
    pub grid: Rgb,
    /// Bars of wrong classes, and axes.
    pub faint: Rgb,
    /// The true class.
    pub truth: Rgb,
    /// The answer given, where it is wrong.
    pub wrong: Rgb,
    /// A label known to be wrong.
    pub doubt: Rgb,
    runs: [Rgb; 6],
}

pub const LIGHT: Theme = Theme {
    background: [255, 255, 255],
    ink: [28, 30, 33],
    muted: [92, 97, 104],
    grid: [226, 229, 233],
    faint: [176, 182, 190],
    truth: [0, 114, 178],
    // Darker than the palette's, so that words in it have a contrast of 4.5 on white and on grey.
    wrong: [184, 74, 0],
    doubt: [162, 68, 124],
    runs: [[0, 114, 178], [184, 74, 0], [0, 130, 95], [162, 68, 124], [40, 44, 52], [140, 96, 0]],
};

pub const DARK: Theme = Theme {
    background: [24, 26, 29],
    ink: [236, 238, 241],
    muted: [165, 171, 179],
    grid: [52, 56, 62],
    faint: [104, 110, 119],
    truth: [86, 180, 233],
    wrong: [255, 148, 77],
    doubt: [229, 151, 197],
    runs: [[86, 180, 233], [255, 148, 77], [46, 204, 160], [229, 151, 197], [236, 238, 241], [240, 200, 70]],
};

/// The shape that marks a run's points: a regular polygon with so many corners, turned by a share of the angle between
/// two of them, and its size, so that all shapes look equally large.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Marker {
    pub corners: usize,
    pub turn: f32,
    pub size: f32,
}

/// How a run's lines look.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    pub colour: Rgb,
    /// Lengths of dashes and gaps in line widths; empty for a whole line.
    pub dash: &'static [f32],
    pub marker: Marker,
}

const DASHES: [&[f32]; 4] = [&[], &[6.0, 2.5], &[2.5, 1.5], &[7.0, 2.0, 1.5, 2.0]];
/// A line of points.
pub const DOTS: &[f32] = &[0.6, 2.2];
/// Circle, square, triangle, diamond.
const MARKERS: [Marker; 4] = [
    Marker { corners: 48, turn: 0.0, size: 1.0 },
    Marker { corners: 4, turn: 0.5, size: 1.25 },
    Marker { corners: 3, turn: 0.0, size: 1.4 },
    Marker { corners: 4, turn: 0.0, size: 1.3 },
];

impl Theme {
    /// The style of run `index`. Twelve runs in a row differ from each other.
    pub fn run(&self, index: usize) -> Style {
        Style {
            colour: self.runs[index % self.runs.len()],
            dash: DASHES[index % DASHES.len()],
            marker: MARKERS[index % MARKERS.len()],
        }
    }
}

/// The colour `share` of the way from `a` to `b`.
pub fn mix(a: Rgb, b: Rgb, share: f64) -> Rgb {
    let share = share.clamp(0.0, 1.0);
    std::array::from_fn(|i| (f64::from(a[i]) + (f64::from(b[i]) - f64::from(a[i])) * share).round() as u8)
}
