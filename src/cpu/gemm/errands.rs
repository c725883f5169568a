//! What a product does on the way, so that memory is asked for before it is used.

use super::pack::Packing;
use crate::cpu::isa::Isa;
use crate::cpu::matrix::Matrix;
use crate::cpu::vector::Vector;

/// What a product does on the way, for those that follow: bring matrices near, and pack one.
#[derive(Default)]
pub struct Errands<'a> {
    pub near: [Option<Matrix<'a>>; 2],
    pub pack: Option<Packing<'a>>,
}

/// Errands under way.
pub(super) struct OnTheWay<'a> {
    near: [Near; 2],
    pack: Option<Packing<'a>>,
    /// Vectors to pack at a time.
    each: usize,
}

impl<'a> OnTheWay<'a> {
    /// Those of a product that has `groups` times for them.
    pub(super) fn new(isa: Isa, errands: Errands<'a>, groups: usize) -> OnTheWay<'a> {
        let Errands { near, pack } = errands;
        let each = pack.as_ref().map_or(0, |pack| (pack.len() / isa.lanes()).div_ceil(groups.max(1)));
        OnTheWay { near: near.map(|matrix| Near::new(matrix, groups)), pack, each }
    }

    /// A little of each.
    #[inline(always)]
    pub(super) fn go<V: Vector>(&mut self, zero: V) {
        self.near.iter_mut().for_each(|near| near.ask(zero));
        if let Some(pack) = &mut self.pack {
            for _ in 0..self.each {
                pack.step(zero);
            }
        }
    }

    /// What must be done and is not yet.
    pub(super) fn finish(self, isa: Isa) {
        if let Some(pack) = self.pack {
            pack.finish(isa);
        }
    }
}

/// Memory that is asked for while a product runs.
struct Near {
    at: *const f32,
    /// Numbers of a row, and those up to the next line to ask for.
    width: usize,
    column: usize,
    step: usize,
    /// From row to row.
    row: usize,
    rows: usize,
}

impl Near {
    /// A matrix, as a product asks `groups` times.
    fn new(matrix: Option<Matrix>, groups: usize) -> Near {
        const LINE: usize = 16;
        let Some(m) = matrix.filter(|m| m.rows() > 0 && m.columns() > 0 && groups > 0) else {
            return Near { at: std::ptr::null(), width: 0, column: 0, step: 0, row: 0, rows: 0 };
        };
        let (rows, width, row) = match m.strides() {
            (row, 1) => (m.rows(), m.columns(), row),
            (_, column) => (m.columns(), m.rows(), column),
        };
        // Rows without gaps are one.
        let (rows, width) = if row == width { (1, rows * width) } else { (rows, width) };
        let lines = rows * width.div_ceil(LINE);
        Near { at: m.as_ptr(), width, column: 0, step: LINE * lines.div_ceil(groups), row, rows }
    }

    /// Asks for one more line.
    #[inline(always)]
    fn ask<V: Vector>(&mut self, zero: V) {
        if self.rows > 0 {
            zero.prefetch(self.at.wrapping_add(self.column));
            self.column += self.step;
            if self.column >= self.width {
                (self.column, self.rows) = (0, self.rows - 1);
                self.at = self.at.wrapping_add(self.row);
            }
        }
    }
}
