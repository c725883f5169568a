//! The data of loads and stores.

use crate::isa::memory::place::Address;
use crate::machine::op::Frame;
use crate::machine::operand::{AnyDst, AnySrc, Width, operands};
use crate::machine::row::Isa;

/// The elements of a load.
#[derive(Clone, Copy)]
pub struct Elements {
    pub bytes: u8,
    pub count: u8,
    /// They fill wider registers with their sign.
    pub signed: bool,
    /// Registers have 16 bits: the upper half of their lanes stays zero.
    pub narrow: bool,
}

/// The data of a load.
#[derive(Clone, Copy)]
pub struct Loading {
    pub at: Address,
    pub to: [Option<AnyDst>; 4],
    pub elements: Elements,
}
operands!(unsafe Elements);
operands!(Loading { at, to, elements });

impl Loading {
    /// Bytes of a lane.
    pub fn bytes(&self) -> u32 {
        u32::from(self.elements.bytes) * u32::from(self.elements.count)
    }

    /// Writes the `n`-th elements of the lanes, whose bits `element` gives.
    pub fn put<I: Isa>(&self, cx: &mut Frame<I>, n: usize, mask: u32, element: impl Fn(&Frame<I>, usize) -> u64) {
        let Some(to) = self.to[n] else { return };
        let Elements { bytes, signed, narrow, .. } = self.elements;
        let (above, keep) = (64 - 8 * u32::from(bytes), if narrow { 0xffff } else { !0 });
        let mut t = [0u64; 32];
        for l in 0..32 {
            let bits = element(cx, l) << above;
            t[l] = if signed { (bits as i64 >> above) as u64 } else { bits >> above };
        }
        match to.width() {
            Width::Single(d) => cx.write(d, &t.map(|v| v as u32 & keep), mask),
            Width::Double(d) => cx.write(d, &t, mask),
        }
    }

    /// Writes the `n`-th elements of the lanes, 32 bits.
    #[inline(always)]
    pub fn put_words<I: Isa>(&self, cx: &mut Frame<I>, n: usize, t: &[u32; 32], mask: u32) {
        match self.to[n].map(AnyDst::width) {
            Some(Width::Single(d)) => cx.write(d, t, mask),
            Some(Width::Double(_)) => self.put(cx, n, mask, |_, l| u64::from(t[l])),
            None => {}
        }
    }
}

/// The data of a store.
#[derive(Clone, Copy)]
pub struct Storing {
    pub at: Address,
    pub from: [Option<AnySrc>; 4],
    /// Of an element.
    pub bytes: u8,
}
operands!(Storing { at, from, bytes });

impl Storing {
    /// Elements of a lane.
    pub fn count(&self) -> u32 {
        self.from.iter().flatten().count() as u32
    }
}
