//! Loads from global and shared memory, and of kernel parameters.

use crate::isa::memory::data::Loading;
use crate::isa::memory::local;
use crate::isa::memory::place::place;
use crate::kernel::Fault;
use crate::machine::access::{GENERIC, Kind, Order, SHARED};
use crate::machine::op::{Frame, Op};
use crate::machine::operand::{AnyDst, Width};
use crate::machine::place::Place;
use crate::machine::row::Isa;
use crate::watch::{self, Access};

/// A load of `BYTES` bytes in elements of `SIZE` bytes.
pub struct Load<const SPACE: u8, const SIZE: usize, const BYTES: usize>;

impl<const SPACE: u8, const SIZE: usize, const BYTES: usize> Op for Load<SPACE, SIZE, BYTES> {
    type Data = Loading;
    const APART: bool = true;
    #[inline(always)]
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &Loading, mask: u32) {
        let (mut a, mut mask) = (i.at.of(cx, mask), mask);
        let inst = cx.inst();
        let strong = inst.head.order != Order::Weak;
        cx.polls += u64::from(strong);
        if SPACE == GENERIC {
            mask = local::part(cx, &mut a, mask, |cx, a, mask| local::load(cx, i, a, mask));
            if mask == 0 {
                return;
            }
        }
        if cx.watch {
            mask = watch::observe(cx, Access::of(inst, Kind::Load, BYTES), &mut a, mask, SPACE);
        }
        let seen = mask;
        while mask != 0 {
            let Some(p) = place::<I, SPACE, BYTES>(cx, &a, mask, Kind::Load) else { return };
            load_from::<I, SIZE, BYTES>(cx, i, &p);
            mask = p.rest();
        }
        if SPACE != SHARED && cx.watch && strong {
            watch::global::acquired(cx, &a, seen);
        }
    }
}

#[inline(always)]
fn load_from<I: Isa, const SIZE: usize, const BYTES: usize>(cx: &mut Frame<I>, i: &Loading, p: &Place<I, BYTES>) {
    let mask = p.mask();
    match (SIZE, BYTES) {
        (4, 4) => i.put_words(cx, 0, &p.words(), mask),
        (4, 8) => {
            let t = p.longs(0);
            i.put_words(cx, 0, &t.map(|v| v as u32), mask);
            i.put_words(cx, 1, &t.map(|v| (v >> 32) as u32), mask);
        }
        (4, _) => {
            let t = p.quads();
            for n in 0..4 {
                i.put_words(cx, n, &t[n], mask);
            }
        }
        (8, _) => {
            for n in 0..BYTES / 8 {
                if let Some(Width::Double(d)) = i.to[n].map(AnyDst::width) {
                    cx.write(d, &p.longs(8 * n), mask);
                }
            }
        }
        _ => {
            for n in 0..BYTES / SIZE {
                let byte = |l| u64::from(p.read::<u8>(l, n));
                let half = |l| u64::from(p.read::<u16>(l, 2 * n));
                i.put(cx, n, mask, |_, l| if SIZE == 1 { byte(l) } else { half(l) });
            }
        }
    }
}

/// A load of kernel parameters.
pub struct ParamLoad;

impl Op for ParamLoad {
    type Data = Loading;
    const APART: bool = true;
    #[inline(always)]
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &Loading, mask: u32) {
        let a = i.at.of(cx, mask);
        let params = cx.launch().params;
        let room = params.len().checked_sub(i.bytes() as usize);
        if let Some(lane) = a.iter().position(|&v| room.is_none_or(|r| v > r as u64)) {
            let id = cx.inst().head.id;
            cx.fail(Fault::IllegalAddress, id, lane as u32, "a read outside the kernel's parameters");
            return;
        }
        let size = usize::from(i.elements.bytes);
        let uniform = a == [a[0]; 32];
        for n in 0..usize::from(i.elements.count) {
            let value = |l: usize| {
                let mut bits = [0; 8];
                bits[..size].copy_from_slice(&params[a[l] as usize + n * size..][..size]);
                u64::from_le_bytes(bits)
            };
            let first = value(0);
            i.put(cx, n, mask, |_, l| if uniform { first } else { value(l) });
        }
    }
}
