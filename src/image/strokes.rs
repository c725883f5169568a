//! Which ink of a picture is the digit.

use super::grey::Grey;

/// Share of the largest piece's ink that a piece has which may belong to it, as a stroke of its own.
const STROKE: f32 = 0.1;
/// Share of the largest piece's larger side that another piece may lie away from it.
const NEAR: f32 = 0.3;
/// Share of the largest piece's ink from which another piece is something beside it.
const BESIDE: f32 = 0.3;
/// Share of its box that a written digit covers at most.
const FULL: f32 = 0.75;

/// A connected piece of ink.
#[derive(Clone, Copy)]
struct Piece {
    ink: f32,
    pixels: usize,
    top: usize,
    bottom: usize,
    left: usize,
    right: usize,
}

impl Piece {
    fn side(&self) -> usize {
        (self.bottom - self.top).max(self.right - self.left) + 1
    }

    /// Pixels between the boxes of two pieces.
    fn away(&self, o: &Piece) -> usize {
        let gap = |low: usize, high: usize| low.saturating_sub(high);
        let down = gap(self.top, o.bottom).max(gap(o.top, self.bottom));
        let across = gap(self.left, o.right).max(gap(o.left, self.right));
        down.max(across)
    }
}

/// Leaves the largest connected piece of ink, and the strokes near it that may belong to it. Says why what is left may
/// be no digit, if so.
pub fn largest(ink: &mut Grey, edge: f32) -> Option<&'static str> {
    let (names, pieces) = pieces(ink, edge);
    let largest = *pieces.iter().max_by(|a, b| a.ink.total_cmp(&b.ink))?;
    let near = |p: &Piece| p.away(&largest) as f32 <= NEAR * largest.side() as f32;
    let kept: Vec<bool> = pieces.iter().map(|p| p.ink >= STROKE * largest.ink && near(p)).collect();
    let own = |at: usize| names[at] != 0 && kept[names[at] as usize - 1];
    // Faint ink stays where it borders on what is kept: the soft edge of a stroke.
    let (height, width) = (ink.height, ink.width);
    let beside = |at: usize| around(at, height, width).any(own);
    let stays: Vec<bool> = (0..names.len()).map(|at| own(at) || names[at] == 0 && beside(at)).collect();
    ink.values.iter_mut().zip(stays).filter(|(_, stays)| !stays).for_each(|(value, _)| *value = 0.0);

    let kept = || pieces.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(p, _)| p);
    let cut = |p: &Piece| p.top == 0 || p.left == 0 || p.bottom + 1 == height || p.right + 1 == width;
    let boxed = (largest.bottom + 1 - largest.top) * (largest.right + 1 - largest.left);
    if pieces.iter().any(|p| p.ink >= BESIDE * largest.ink && !near(p)) || kept().count() > 3 {
        Some("more than one thing is in it")
    } else if kept().any(cut) {
        Some("it goes on past the edge of the picture")
    } else if largest.pixels as f32 > FULL * boxed as f32 && largest.side() < 4 * (boxed / largest.side()) {
        Some("it is a filled shape and no strokes")
    } else {
        None
    }
}

/// The connected pieces of clear ink, and for each pixel the number of its piece, from 1.
fn pieces(ink: &Grey, edge: f32) -> (Vec<u32>, Vec<Piece>) {
    let (height, width) = (ink.height, ink.width);
    let mut names = vec![0u32; ink.values.len()];
    let mut pieces: Vec<Piece> = Vec::new();
    let mut open = Vec::new();
    for start in 0..names.len() {
        if names[start] != 0 || ink.values[start] < edge {
            continue;
        }
        let mut piece = Piece { ink: 0.0, pixels: 0, top: height, bottom: 0, left: width, right: 0 };
        let name = pieces.len() as u32 + 1;
        names[start] = name;
        open.push(start);
        while let Some(at) = open.pop() {
            let (y, x) = (at / width, at % width);
            (piece.top, piece.bottom) = (piece.top.min(y), piece.bottom.max(y));
            (piece.left, piece.right) = (piece.left.min(x), piece.right.max(x));
            piece.ink += ink.values[at];
            piece.pixels += 1;
            for next in around(at, height, width).filter(|&n| ink.values[n] >= edge) {
                if names[next] == 0 {
                    names[next] = name;
                    open.push(next);
                }
            }
        }
        pieces.push(piece);
    }
    (names, pieces)
}

/// The pixel and those around it.
fn around(at: usize, height: usize, width: usize) -> impl Iterator<Item = usize> {
    let (y, x) = (at / width, at % width);
    let (rows, columns) = (y.saturating_sub(1)..=(y + 1).min(height - 1), x.saturating_sub(1)..=(x + 1).min(width - 1));
    rows.flat_map(move |y| columns.clone().map(move |x| y * width + x))
}
