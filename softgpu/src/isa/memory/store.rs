//! Stores to global and shared memory.

use crate::isa::memory::data::Storing;
use crate::isa::memory::local;
use crate::isa::memory::place::place;
use crate::machine::access::{GENERIC, Kind};
use crate::machine::op::{Frame, Op};
use crate::machine::operand::{AnySrc, Width};
use crate::machine::place::Place;
use crate::machine::row::{Isa, lanes};
use crate::watch::{self, Access};

/// A store of `BYTES` bytes in elements of `SIZE` bytes.
pub struct Store<const SPACE: u8, const SIZE: usize, const BYTES: usize>;

impl<const SPACE: u8, const SIZE: usize, const BYTES: usize> Op for Store<SPACE, SIZE, BYTES> {
    type Data = Storing;
    #[inline(always)]
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &Storing, mask: u32) {
        let (mut a, mut mask) = (i.at.of(cx, mask), mask);
        if SPACE == GENERIC {
            mask = local::part(cx, &mut a, mask, |cx, a, mask| local::store(cx, i, a, mask));
            if mask == 0 {
                return;
            }
        }
        if cx.watch {
            let access = Access { stored: &i.from, element: SIZE as u32, ..Access::of(cx.inst(), Kind::Store, BYTES) };
            mask = watch::observe(cx, access, &mut a, mask, SPACE);
        }
        while mask != 0 {
            let Some(p) = place::<I, SPACE, BYTES>(cx, &a, mask, Kind::Store) else { return };
            store_to::<I, SIZE, BYTES>(cx, i, &p);
            mask = p.rest();
        }
    }
}

#[inline(always)]
fn store_to<I: Isa, const SIZE: usize, const BYTES: usize>(cx: &Frame<I>, i: &Storing, p: &Place<I, BYTES>) {
    if SIZE == 4 && BYTES != 8 {
        let words = i.from.map(|row| match row.map(AnySrc::width) {
            Some(Width::Single(row)) => Some(cx.read(row)),
            _ => None,
        });
        match words {
            [Some(t), ..] if BYTES == 4 => return p.set_words(t),
            [Some(x), Some(y), Some(z), Some(w)] => {
                let mut t = [[0u32; 4]; 32];
                for l in 0..32 {
                    t[l] = [x[l], y[l], z[l], w[l]];
                }
                return lanes(p.mask(), |l| p.write(l, 0, t[l]));
            }
            _ => {}
        }
    }
    for (n, row) in i.from.iter().flatten().enumerate() {
        let put = |l: usize, v: u64| match SIZE {
            1 => p.write(l, n, v as u8),
            2 => p.write(l, 2 * n, v as u16),
            4 => p.write(l, 4 * n, v as u32),
            _ => p.write(l, 8 * n, v),
        };
        match row.width() {
            Width::Single(row) => {
                let t = cx.read(row);
                lanes(p.mask(), |l| put(l, t[l].into()));
            }
            Width::Double(row) => {
                let t = cx.read(row);
                lanes(p.mask(), |l| put(l, t[l]));
            }
        }
    }
}
