//! Loads from global and shared memory, and of kernel parameters.

use crate::isa::memory::local;
use crate::isa::memory::place::{Address, place};
use crate::kernel::Fault;
use crate::machine::access::{GENERIC, Kind, Order, SHARED};
use crate::machine::op::{Frame, Op};
use crate::machine::operand::{AnyDst, Width, operands};
use crate::machine::place::Place;
use crate::machine::row::Isa;
use crate::watch::{self, Access};

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
    fn put_words<I: Isa>(&self, cx: &mut Frame<I>, n: usize, t: &[u32; 32], mask: u32) {
        match self.to[n].map(AnyDst::width) {
            Some(Width::Single(d)) => cx.write(d, t, mask),
            Some(Width::Double(_)) => self.put(cx, n, mask, |_, l| u64::from(t[l])),
            None => {}
        }
    }
}

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
