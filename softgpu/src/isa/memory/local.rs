//! Local memory: 32-bit word `w` of a lane lies in row `w`.

use crate::isa::memory::data::{Loading, Storing};
use crate::machine::access::Kind;
use crate::machine::cx::{Cx, LOCAL_WINDOW, WINDOW};
use crate::machine::inst::Inst;
use crate::machine::op::{Frame, Op};
use crate::machine::row::{Isa, fill, lanes};
use crate::watch::{self, Access};

pub struct LocalLoad;

impl Op for LocalLoad {
    type Data = Loading;
    const APART: bool = true;
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &Loading, mask: u32) {
        load(cx, i, i.at.of(cx, mask), mask);
    }
}

pub struct LocalStore;

impl Op for LocalStore {
    type Data = Storing;
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &Storing, mask: u32) {
        store(cx, i, i.at.of(cx, mask), mask);
    }
}

/// Does the lanes of a generic access that lie in local memory; gives the others.
#[inline(always)]
pub fn part<I: Isa>(
    cx: &mut Frame<I>,
    a: &mut [u64; 32],
    mask: u32,
    access: impl FnOnce(&mut Frame<I>, [u64; 32], u32),
) -> u32 {
    let here = (0..32).fold(0, |m, l| m | u32::from(a[l].wrapping_sub(LOCAL_WINDOW) < WINDOW) << l) & mask;
    if here == 0 {
        return mask;
    }
    let mut local = a.map(|v| v.wrapping_sub(LOCAL_WINDOW));
    fill(&mut local, here);
    access(cx, local, here);
    let rest = mask & !here;
    if rest != 0 {
        fill(a, rest);
    }
    rest
}

/// Looks at an access; gives the lanes that may do it, whose addresses the others get.
fn look(cx: &mut Cx, inst: &Inst, kind: Kind, a: &mut [u64; 32], mask: u32, bytes: u32) -> u32 {
    let (room, mut ok) = (4 * cx.own_memories().local.len() as u64, mask);
    lanes(mask, |l| {
        let fits = a[l] <= room.wrapping_sub(u64::from(bytes)) && u64::from(bytes) <= room;
        if !fits || a[l] & u64::from(bytes - 1) != 0 {
            watch::bad_local(cx, inst, a[l], l as u32, bytes, fits);
            ok &= !(1 << l);
        }
    });
    if ok != 0 {
        fill(a, ok);
        if cx.watch {
            watch::observe_local(cx, Access::of(inst, kind, bytes as usize), a, ok);
        }
    }
    ok
}

/// Loads from addresses in local memory.
#[inline(never)]
pub fn load<I: Isa>(cx: &mut Frame<I>, i: &Loading, mut a: [u64; 32], mask: u32) {
    let inst = cx.inst();
    let ok = look(cx, inst, Kind::Load, &mut a, mask, i.bytes());
    if ok == 0 {
        return;
    }
    for n in 0..usize::from(i.elements.count) {
        let mut t = [0; 32];
        let local = cx.own_memories().local;
        for l in 0..32 {
            let at = a[l] as usize + n * usize::from(i.elements.bytes);
            let low = u64::from(local[at / 4].0[l]) >> (8 * (at % 4));
            t[l] = if i.elements.bytes == 8 { low | u64::from(local[at / 4 + 1].0[l]) << 32 } else { low };
        }
        i.put(cx, n, ok, |_, l| t[l]);
    }
}

/// Stores to addresses in local memory.
#[inline(never)]
pub fn store<I: Isa>(cx: &mut Frame<I>, i: &Storing, mut a: [u64; 32], mask: u32) {
    let (inst, bytes) = (cx.inst(), usize::from(i.bytes));
    let ok = look(cx, inst, Kind::Store, &mut a, mask, i.count() * bytes as u32);
    for (n, row) in i.from.iter().flatten().enumerate() {
        let t = cx.bits(*row);
        let local = cx.own_memories().local;
        lanes(ok, |l| {
            let at = a[l] as usize + n * bytes;
            let word = &mut local[at / 4].0[l];
            let (shift, all) = (8 * (at % 4), !0 >> (32 - 8 * bytes.min(4)));
            *word = *word & !(all << shift) | (t[l] as u32 & all) << shift;
            if bytes == 8 {
                local[at / 4 + 1].0[l] = (t[l] >> 32) as u32;
            }
        });
    }
}
