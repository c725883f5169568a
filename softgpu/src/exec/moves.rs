//! Operations that move, compare and convert.

use super::alu::{alu1, alu2, pred2};
use super::cx::{Cx, LOCAL_WINDOW, PARAM_WINDOW, SHARED_WINDOW, WINDOW};
use super::inst::{Handler, Inst, NONE, Op};
use super::real;
use super::row::{Isa, Lane};
use crate::numerics::half;
use crate::ptx::Type;
use std::marker::PhantomData;

/// The generic window of a space; global and constant addresses are generic as they are.
pub fn window(space: &str) -> u64 {
    match space {
        "shared" | "shared::cta" => SHARED_WINDOW,
        "local" => LOCAL_WINDOW,
        "param" | "param::entry" => PARAM_WINDOW,
        _ => 0,
    }
}

/// Integers that 64-bit values can be cut to.
pub trait Cut: Lane {
    fn cut(v: u64) -> Self;
    fn grow(self) -> u64;
}
impl Cut for u32 {
    #[inline(always)]
    fn cut(v: u64) -> u32 {
        v as u32
    }
    #[inline(always)]
    fn grow(self) -> u64 {
        u64::from(self)
    }
}
impl Cut for u64 {
    #[inline(always)]
    fn cut(v: u64) -> u64 {
        v
    }
    #[inline(always)]
    fn grow(self) -> u64 {
        self
    }
}

/// Address of a local variable: the frame's address in `a` plus `imm`.
pub struct FrameAddress<D>(PhantomData<D>);
impl<D: Cut> Op for FrameAddress<D> {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        unsafe {
            let a = cx.row::<u32>(i.a);
            let t: [D; 32] = a.map(|v| D::cut(u64::from(v).wrapping_add(i.imm as u64)));
            cx.put(i.d, &t, mask);
        }
    }
}

/// `d = a + imm`.
pub struct AddConstant;
impl Op for AddConstant {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        unsafe {
            let a = cx.row::<u64>(i.a);
            let mut t = [0; 32];
            for l in 0..32 {
                t[l] = a[l].wrapping_add(i.imm as u64);
            }
            cx.put(i.d, &t, mask);
        }
    }
}

/// `isspacep`: the window in `imm`, 0 for global, -1 for none.
pub struct IsSpace;
impl Op for IsSpace {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        unsafe {
            let a = cx.row::<u64>(i.a);
            let mut m = 0;
            for l in 0..32 {
                let inside = match i.imm {
                    -1 => false,
                    0 => a[l].wrapping_sub(SHARED_WINDOW) >= 4 * WINDOW,
                    w => a[l].wrapping_sub(w as u64) < WINDOW,
                };
                m |= u32::from(inside) << l;
            }
            cx.put_pred(i.p, m, mask);
        }
    }
}

/// Instructions executed, as a clock.
pub struct Clock<D>(PhantomData<D>);
impl<D: Cut> Op for Clock<D> {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        let now = if i.aux != 0 { cx.clock >> 32 } else { cx.clock };
        unsafe { cx.put(i.d, &[D::cut(now); 32], mask) };
    }
}

/// Nanoseconds of the host.
pub struct Timer<D>(PhantomData<D>);
impl<D: Cut> Op for Timer<D> {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = since.map_or(0, |d| d.as_nanos() as u64);
        let now = if i.aux != 0 { now >> 32 } else { now };
        unsafe { cx.put(i.d, &[D::cut(now); 32], mask) };
    }
}

/// Parts `a, b, c, e` to one value.
pub struct Pack<D, const N: usize>(PhantomData<D>);
impl<D: Cut, const N: usize> Op for Pack<D, N> {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        unsafe {
            let rows = [i.a, i.b, i.c, i.e];
            let bits = 32 * D::ROWS / N as u32;
            let keep = !0u64 >> (64 - bits);
            let mut t = [0u64; 32];
            for n in 0..N {
                let part = cx.row::<u32>(rows[n]);
                for l in 0..32 {
                    t[l] |= (u64::from(part[l]) & keep) << (n as u32 * bits);
                }
            }
            cx.put(i.d, &t.map(D::cut), mask);
        }
    }
}

/// Two bytes to 16 bits.
pub struct Pack16;
impl Op for Pack16 {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        unsafe {
            let (a, b) = (cx.row::<u32>(i.a), cx.row::<u32>(i.b));
            let mut t = [0; 32];
            for l in 0..32 {
                t[l] = (a[l] & 0xff) | (b[l] & 0xff) << 8;
            }
            cx.put(i.d, &t, mask);
        }
    }
}

#[inline(always)]
unsafe fn unpack<A: Cut, const N: usize>(cx: &mut Cx, i: &Inst, mask: u32, bits: u32) {
    unsafe {
        let rows = [i.d, i.b, i.c, i.e];
        let keep = !0u64 >> (64 - bits);
        let a = *cx.row::<A>(i.a);
        for n in 0..N {
            if rows[n] != NONE {
                let t = a.map(|v| ((v.grow() >> (n as u32 * bits)) & keep) as u32);
                cx.put(rows[n], &t, mask);
            }
        }
    }
}

/// One value to parts `d, b, c, e`.
pub struct Unpack<A, const N: usize>(PhantomData<A>);
impl<A: Cut, const N: usize> Op for Unpack<A, N> {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        unsafe { unpack::<A, N>(cx, i, mask, 32 * A::ROWS / N as u32) }
    }
}

/// 16 bits to two bytes.
pub struct Unpack16;
impl Op for Unpack16 {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        unsafe { unpack::<u32, 2>(cx, i, mask, 8) }
    }
}

/// The handler of a comparison; `None` when there is no such one.
pub fn comparison(cmp: &str, ty: Type, ftz: bool) -> Option<Handler> {
    use Type::*;
    let unsigned = match cmp {
        "lo" => "lt",
        "ls" => "le",
        "hi" => "gt",
        "hs" => "ge",
        other => other,
    };
    if unsigned != cmp && !matches!(ty, U16 | U32 | U64) || ftz && ty != F32 {
        return None;
    }
    Some(match (unsigned, ty) {
        ("eq", B16 | U16 | S16 | B32 | U32 | S32) => pred2(|a: u32, b: u32| a == b),
        ("ne", B16 | U16 | S16 | B32 | U32 | S32) => pred2(|a: u32, b: u32| a != b),
        ("lt", U16 | U32) => pred2(|a: u32, b: u32| a < b),
        ("le", U16 | U32) => pred2(|a: u32, b: u32| a <= b),
        ("gt", U16 | U32) => pred2(|a: u32, b: u32| a > b),
        ("ge", U16 | U32) => pred2(|a: u32, b: u32| a >= b),
        ("lt", S32) => pred2(|a: u32, b: u32| (a as i32) < b as i32),
        ("le", S32) => pred2(|a: u32, b: u32| a as i32 <= b as i32),
        ("gt", S32) => pred2(|a: u32, b: u32| a as i32 > b as i32),
        ("ge", S32) => pred2(|a: u32, b: u32| a as i32 >= b as i32),
        ("lt", S16) => pred2(|a: u32, b: u32| (a as i16) < b as i16),
        ("le", S16) => pred2(|a: u32, b: u32| a as i16 <= b as i16),
        ("gt", S16) => pred2(|a: u32, b: u32| a as i16 > b as i16),
        ("ge", S16) => pred2(|a: u32, b: u32| a as i16 >= b as i16),
        ("eq", B64 | U64 | S64) => pred2(|a: u64, b: u64| a == b),
        ("ne", B64 | U64 | S64) => pred2(|a: u64, b: u64| a != b),
        ("lt", U64) => pred2(|a: u64, b: u64| a < b),
        ("le", U64) => pred2(|a: u64, b: u64| a <= b),
        ("gt", U64) => pred2(|a: u64, b: u64| a > b),
        ("ge", U64) => pred2(|a: u64, b: u64| a >= b),
        ("lt", S64) => pred2(|a: u64, b: u64| (a as i64) < b as i64),
        ("le", S64) => pred2(|a: u64, b: u64| a as i64 <= b as i64),
        ("gt", S64) => pred2(|a: u64, b: u64| a as i64 > b as i64),
        ("ge", S64) => pred2(|a: u64, b: u64| a as i64 >= b as i64),
        (cmp, F32) if ftz => single(cmp, true)?,
        (cmp, F32) => single(cmp, false)?,
        (cmp, F64) => double(cmp)?,
        _ => return None,
    })
}

// "unordered or less" is "not greater or equal": the negation is meant
#[allow(clippy::neg_cmp_op_on_partial_ord)]
fn single(cmp: &str, ftz: bool) -> Option<Handler> {
    use real::{f, flush};
    Some(match (cmp, ftz) {
        ("eq", false) => pred2(|a: u32, b: u32| f(a) == f(b)),
        ("ne", false) => pred2(|a: u32, b: u32| f(a) < f(b) || f(a) > f(b)),
        ("lt", false) => pred2(|a: u32, b: u32| f(a) < f(b)),
        ("le", false) => pred2(|a: u32, b: u32| f(a) <= f(b)),
        ("gt", false) => pred2(|a: u32, b: u32| f(a) > f(b)),
        ("ge", false) => pred2(|a: u32, b: u32| f(a) >= f(b)),
        ("equ", false) => pred2(|a: u32, b: u32| !(f(a) < f(b) || f(a) > f(b))),
        ("neu", false) => pred2(|a: u32, b: u32| f(a) != f(b)),
        ("ltu", false) => pred2(|a: u32, b: u32| !(f(a) >= f(b))),
        ("leu", false) => pred2(|a: u32, b: u32| !(f(a) > f(b))),
        ("gtu", false) => pred2(|a: u32, b: u32| !(f(a) <= f(b))),
        ("geu", false) => pred2(|a: u32, b: u32| !(f(a) < f(b))),
        ("num", _) => pred2(|a: u32, b: u32| !f(a).is_nan() && !f(b).is_nan()),
        ("nan", _) => pred2(|a: u32, b: u32| f(a).is_nan() || f(b).is_nan()),
        ("eq", true) => pred2(|a: u32, b: u32| f(flush(a)) == f(flush(b))),
        ("ne", true) => {
            pred2(|a: u32, b: u32| f(flush(a)) < f(flush(b)) || f(flush(a)) > f(flush(b)))
        }
        ("lt", true) => pred2(|a: u32, b: u32| f(flush(a)) < f(flush(b))),
        ("le", true) => pred2(|a: u32, b: u32| f(flush(a)) <= f(flush(b))),
        ("gt", true) => pred2(|a: u32, b: u32| f(flush(a)) > f(flush(b))),
        ("ge", true) => pred2(|a: u32, b: u32| f(flush(a)) >= f(flush(b))),
        ("equ", true) => {
            pred2(|a: u32, b: u32| !(f(flush(a)) < f(flush(b)) || f(flush(a)) > f(flush(b))))
        }
        ("neu", true) => pred2(|a: u32, b: u32| f(flush(a)) != f(flush(b))),
        ("ltu", true) => pred2(|a: u32, b: u32| !(f(flush(a)) >= f(flush(b)))),
        ("leu", true) => pred2(|a: u32, b: u32| !(f(flush(a)) > f(flush(b)))),
        ("gtu", true) => pred2(|a: u32, b: u32| !(f(flush(a)) <= f(flush(b)))),
        ("geu", true) => pred2(|a: u32, b: u32| !(f(flush(a)) < f(flush(b)))),
        _ => return None,
    })
}

#[inline(always)]
fn g(a: u64) -> f64 {
    f64::from_bits(a)
}

#[allow(clippy::neg_cmp_op_on_partial_ord)]
fn double(cmp: &str) -> Option<Handler> {
    Some(match cmp {
        "eq" => pred2(|a: u64, b: u64| g(a) == g(b)),
        "ne" => pred2(|a: u64, b: u64| g(a) < g(b) || g(a) > g(b)),
        "lt" => pred2(|a: u64, b: u64| g(a) < g(b)),
        "le" => pred2(|a: u64, b: u64| g(a) <= g(b)),
        "gt" => pred2(|a: u64, b: u64| g(a) > g(b)),
        "ge" => pred2(|a: u64, b: u64| g(a) >= g(b)),
        "equ" => pred2(|a: u64, b: u64| !(g(a) < g(b) || g(a) > g(b))),
        "neu" => pred2(|a: u64, b: u64| g(a) != g(b)),
        "ltu" => pred2(|a: u64, b: u64| !(g(a) >= g(b))),
        "leu" => pred2(|a: u64, b: u64| !(g(a) > g(b))),
        "gtu" => pred2(|a: u64, b: u64| !(g(a) <= g(b))),
        "geu" => pred2(|a: u64, b: u64| !(g(a) < g(b))),
        "num" => pred2(|a: u64, b: u64| !g(a).is_nan() && !g(b).is_nan()),
        "nan" => pred2(|a: u64, b: u64| g(a).is_nan() || g(b).is_nan()),
        _ => return None,
    })
}

/// The handler of `cvt`; `None` when there is no such conversion. `wide` tells that the register is 64
/// bits wide whatever the type.
pub fn conversion(
    to: Type,
    to_wide: bool,
    from: Type,
    from_wide: bool,
    round: Option<&str>,
    ftz: bool,
    sat: bool,
) -> Option<Handler> {
    use Type::*;
    if !to.float() && !from.float() {
        if round.is_some() || ftz || sat {
            return None;
        }
        return integers(to, to_wide, from, from_wide);
    }
    match (from, to, round) {
        (F32, F64, None) if !sat => {
            return Some(if ftz {
                alu1(|a: u32| f64::from(real::f(real::flush(a))).to_bits())
            } else {
                alu1(|a: u32| f64::from(real::f(a)).to_bits())
            });
        }
        (F64, F32, Some("rn")) if !sat => {
            return Some(if ftz {
                alu1(|a: u64| real::flush_out(g(a) as f32))
            } else {
                alu1(|a: u64| real::tidy(g(a) as f32))
            });
        }
        _ => {}
    }
    if sat || to_wide != (to.bytes() == 8) || from_wide != (from.bytes() == 8) {
        return None;
    }
    Some(match (from, to, round) {
        (S32, F32, Some("rn")) => alu1(|a: u32| (a as i32 as f32).to_bits()),
        (U32, F32, Some("rn")) => alu1(|a: u32| (a as f32).to_bits()),
        (U8, F32, Some("rn")) => alu1(|a: u32| (a as u8 as f32).to_bits()),
        (S8, F32, Some("rn")) => alu1(|a: u32| (a as i8 as f32).to_bits()),
        (U16, F32, Some("rn")) => alu1(|a: u32| (a as u16 as f32).to_bits()),
        (S16, F32, Some("rn")) => alu1(|a: u32| (a as i16 as f32).to_bits()),
        (U64, F32, Some("rn")) => alu1(|a: u64| (a as f32).to_bits()),
        (S64, F32, Some("rn")) => alu1(|a: u64| (a as i64 as f32).to_bits()),
        (S32, F64, Some("rn")) => alu1(|a: u32| (a as i32 as f64).to_bits()),
        (U32, F64, Some("rn")) => alu1(|a: u32| (a as f64).to_bits()),
        (S16, F64, Some("rn")) => alu1(|a: u32| (a as i16 as f64).to_bits()),
        (U16, F64, Some("rn")) => alu1(|a: u32| (a as u16 as f64).to_bits()),
        (S64, F64, Some("rn")) => alu1(|a: u64| (a as i64 as f64).to_bits()),
        (U64, F64, Some("rn")) => alu1(|a: u64| (a as f64).to_bits()),
        (F32, S32, Some("rzi")) => alu1(|a: u32| {
            if real::f(a).is_nan() {
                0
            } else {
                real::f(a) as i32 as u32
            }
        }),
        (F32, U32, Some("rzi")) => alu1(|a: u32| real::f(a) as u32),
        (F32, U16 | S16 | U8 | S8 | U64 | S64, _) | (F64, _, _) if ftz => return None,
        (F16, F32, None) => alu1(|a: u32| half::f16_to_f32(a as u16).to_bits()),
        (Bf16, F32, None) => alu1(|a: u32| real::tidy(f32::from_bits(a << 16))),
        (F32, F16, Some("rn")) if !ftz => alu1(|a: u32| u32::from(half::f32_to_f16(real::f(a)))),
        (F32, Bf16, Some("rn")) if !ftz => alu1(bf16),
        (F32, F32, Some("rni")) if !ftz => alu1(|a: u32| real::tidy(real::f(a).round_ties_even())),
        (F32, F32, Some("rzi")) if !ftz => alu1(|a: u32| real::tidy(real::f(a).trunc())),
        (F32, F32, Some("rmi")) if !ftz => alu1(|a: u32| real::tidy(real::f(a).floor())),
        (F32, F32, Some("rpi")) if !ftz => alu1(|a: u32| real::tidy(real::f(a).ceil())),
        (F32, S32, Some("rmi" | "rpi")) if ftz => return None,
        (F32, S32, Some("rni")) => alu1(|a: u32| real::f(a).round_ties_even() as i32 as u32),
        (F32, S32, Some("rmi")) => alu1(|a: u32| real::f(a).floor() as i32 as u32),
        (F32, S32, Some("rpi")) => alu1(|a: u32| real::f(a).ceil() as i32 as u32),
        _ => return None,
    })
}

/// f32 to bf16, to nearest even.
#[inline(always)]
pub fn bf16(a: u32) -> u32 {
    let rounded = a.wrapping_add(0x7fff + (a >> 16 & 1)) >> 16;
    if a & 0x7fff_ffff > 0x7f80_0000 {
        0x7fff
    } else {
        rounded
    }
}

/// `cvt.rn.bf16x2.f32`.
pub fn pack_bf16() -> Handler {
    alu2(|a: u32, b: u32| bf16(a) << 16 | bf16(b))
}

/// `cvt.rn.f16x2.f32`.
pub fn pack_f16() -> Handler {
    alu2(|a: u32, b: u32| {
        u32::from(half::f32_to_f16(real::f(a))) << 16 | u32::from(half::f32_to_f16(real::f(b)))
    })
}

/// Between integers: the source is read at its width and sign, the result cut to the destination
/// type, then extended to the destination register.
fn integers(to: Type, to_wide: bool, from: Type, from_wide: bool) -> Option<Handler> {
    use Type::*;
    macro_rules! pairs {
        ($($from:pat => $f:ident),*) => {
            match from {
                $($from => match (from_wide, to_wide, to) {
                    (false, false, U8 | B8) => alu1(|a: u32| $f(u64::from(a)) as u8 as u32),
                    (false, false, S8) => alu1(|a: u32| $f(u64::from(a)) as i8 as u32),
                    (false, false, U16 | B16) => alu1(|a: u32| $f(u64::from(a)) as u16 as u32),
                    (false, false, S16) => alu1(|a: u32| $f(u64::from(a)) as i16 as u32),
                    (false, false, U32 | S32 | B32) => alu1(|a: u32| $f(u64::from(a)) as u32),
                    (true, false, U8 | B8) => alu1(|a: u64| $f(a) as u8 as u32),
                    (true, false, S8) => alu1(|a: u64| $f(a) as i8 as u32),
                    (true, false, U16 | B16) => alu1(|a: u64| $f(a) as u16 as u32),
                    (true, false, S16) => alu1(|a: u64| $f(a) as i16 as u32),
                    (true, false, U32 | S32 | B32) => alu1(|a: u64| $f(a) as u32),
                    (false, true, U8 | B8) => alu1(|a: u32| $f(u64::from(a)) as u8 as u64),
                    (false, true, S8) => alu1(|a: u32| $f(u64::from(a)) as i8 as u64),
                    (false, true, U16 | B16) => alu1(|a: u32| $f(u64::from(a)) as u16 as u64),
                    (false, true, S16) => alu1(|a: u32| $f(u64::from(a)) as i16 as u64),
                    (false, true, U32 | B32) => alu1(|a: u32| $f(u64::from(a)) as u32 as u64),
                    (false, true, S32) => alu1(|a: u32| $f(u64::from(a)) as i32 as u64),
                    (false, true, _) => alu1(|a: u32| $f(u64::from(a)) as u64),
                    (true, true, U8 | B8) => alu1(|a: u64| $f(a) as u8 as u64),
                    (true, true, S8) => alu1(|a: u64| $f(a) as i8 as u64),
                    (true, true, U16 | B16) => alu1(|a: u64| $f(a) as u16 as u64),
                    (true, true, S16) => alu1(|a: u64| $f(a) as i16 as u64),
                    (true, true, U32 | B32) => alu1(|a: u64| $f(a) as u32 as u64),
                    (true, true, S32) => alu1(|a: u64| $f(a) as i32 as u64),
                    (true, true, _) => alu1(|a: u64| $f(a) as u64),
                    _ => return None,
                },)*
                _ => return None,
            }
        };
    }
    Some(pairs!(
        U8 | B8 => from_u8, S8 => from_s8, U16 | B16 => from_u16, S16 => from_s16,
        U32 | B32 => from_u32, S32 => from_s32, U64 | B64 => from_64, S64 => from_64
    ))
}

#[inline(always)]
fn from_u8(a: u64) -> i64 {
    i64::from(a as u8)
}
#[inline(always)]
fn from_s8(a: u64) -> i64 {
    i64::from(a as i8)
}
#[inline(always)]
fn from_u16(a: u64) -> i64 {
    i64::from(a as u16)
}
#[inline(always)]
fn from_s16(a: u64) -> i64 {
    i64::from(a as i16)
}
#[inline(always)]
fn from_u32(a: u64) -> i64 {
    i64::from(a as u32)
}
#[inline(always)]
fn from_s32(a: u64) -> i64 {
    i64::from(a as i32)
}
#[inline(always)]
fn from_64(a: u64) -> i64 {
    a as i64
}
