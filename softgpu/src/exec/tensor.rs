//! `mma.sync`.
//!
//! The fragments of the 32 lanes are gathered into small matrices, multiplied, and spread again. Sums
//! follow the shape of the hardware's: the products of a step (eight, for tf32 four) and the accumulator
//! are added exactly (in double precision, which holds them but for extreme ranges) and the sum is cut
//! (rounded towards zero) to single precision once a step.

use super::cx::Cx;
use super::inst::{Handler, Inst, Op, handler, table};
use super::row::Isa;
use crate::numerics::half::{f16_to_f32, f32_to_f16};

/// What the matrices a and b hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    F16,
    Bf16,
    Tf32,
    F64,
    /// Bytes: signedness of a and of b.
    Byte(bool, bool),
}

/// A matrix instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub m: usize,
    pub k: usize,
    pub element: Element,
    /// The accumulator is f16.
    pub half_accumulator: bool,
}

impl Shape {
    /// The instruction with that shape and those types, when it is supported.
    pub fn find(shape: &str, d: &str, a: &str, b: &str, c: &str) -> Option<Shape> {
        if d != c {
            return None;
        }
        let (m, k) = match shape {
            "m16n8k4" => (16, 4),
            "m16n8k8" => (16, 8),
            "m16n8k16" => (16, 16),
            "m16n8k32" => (16, 32),
            "m8n8k4" => (8, 4),
            _ => return None,
        };
        let element = match (a, d, m, k) {
            ("f16", "f32" | "f16", 16, 8 | 16) => Element::F16,
            ("bf16", "f32", 16, 8 | 16) => Element::Bf16,
            ("tf32", "f32", 16, 4 | 8) => Element::Tf32,
            ("f64", "f64", 8, 4) => Element::F64,
            ("s8" | "u8", "s32", 16, 16 | 32) => Element::Byte(a == "s8", b == "s8"),
            _ => return None,
        };
        Some(Shape {
            m,
            k,
            element,
            half_accumulator: d == "f16",
        })
    }

    fn per_register(self) -> usize {
        match self.element {
            Element::F16 | Element::Bf16 => 2,
            Element::Tf32 | Element::F64 => 1,
            Element::Byte(..) => 4,
        }
    }

    pub fn a_registers(self) -> usize {
        self.m * self.k / 32 / self.per_register()
    }

    pub fn b_registers(self) -> usize {
        8 * self.k / 32 / self.per_register()
    }

    pub fn c_registers(self) -> usize {
        self.m * 8 / 32 / if self.half_accumulator { 2 } else { 1 }
    }

    /// Multiply-adds of the whole warp.
    pub fn multiply_adds(self) -> u32 {
        (self.m * 8 * self.k) as u32
    }
}

/// The handler of an instruction; its table holds the rows of d, a, b, c.
pub fn handler_of(s: Shape) -> Handler {
    match (s.element, s.k, s.half_accumulator) {
        (Element::F16, 16, false) => handler::<Floating<16, 0, false>>(),
        (Element::F16, _, false) => handler::<Floating<8, 0, false>>(),
        (Element::F16, 16, true) => handler::<Floating<16, 0, true>>(),
        (Element::F16, _, true) => handler::<Floating<8, 0, true>>(),
        (Element::Bf16, 16, _) => handler::<Floating<16, 1, false>>(),
        (Element::Bf16, _, _) => handler::<Floating<8, 1, false>>(),
        (Element::Tf32, 8, _) => handler::<Floating<8, 2, false>>(),
        (Element::Tf32, _, _) => handler::<Floating<4, 2, false>>(),
        (Element::F64, _, _) => handler::<Double>(),
        (Element::Byte(false, false), 16, _) => handler::<Bytes<16, false, false>>(),
        (Element::Byte(false, true), 16, _) => handler::<Bytes<16, false, true>>(),
        (Element::Byte(true, false), 16, _) => handler::<Bytes<16, true, false>>(),
        (Element::Byte(true, true), 16, _) => handler::<Bytes<16, true, true>>(),
        (Element::Byte(false, false), _, _) => handler::<Bytes<32, false, false>>(),
        (Element::Byte(false, true), _, _) => handler::<Bytes<32, false, true>>(),
        (Element::Byte(true, false), _, _) => handler::<Bytes<32, true, false>>(),
        (Element::Byte(true, true), _, _) => handler::<Bytes<32, true, true>>(),
    }
}

/// f16 (0), bf16 (1) or tf32 (2) with an accumulator of f32 or f16.
struct Floating<const K: usize, const KIND: u8, const HALF: bool>;

#[inline(always)]
fn widen<const KIND: u8>(v: u32, half: u32) -> f32 {
    match KIND {
        0 => f16_to_f32((v >> (16 * half)) as u16),
        1 => f32::from_bits(if half == 0 { v << 16 } else { v & 0xffff_0000 }),
        _ => f32::from_bits(v & 0xffff_e000),
    }
}

/// Towards zero to single precision.
#[inline(always)]
fn cut(x: f64) -> f32 {
    let r = x as f32;
    let over = f64::from(r).abs() > x.abs();
    f32::from_bits(r.to_bits() - u32::from(over))
}

impl<const K: usize, const KIND: u8, const HALF: bool> Op for Floating<K, KIND, HALF> {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        let rows = table(cx, i);
        let per = if KIND == 2 { 1 } else { 2 };
        let (na, nb) = (16 * K / 32 / per, 8 * K / 32 / per);
        let nc = if HALF { 2 } else { 4 };
        // a by column (16 lanes a vector), b by row, sums by column
        let mut a = [[0f32; 16]; K];
        let mut b = [[0f32; 8]; K];
        let mut c = [[0f32; 16]; 8];
        unsafe {
            for r in 0..na {
                let row = cx.row::<u32>(rows[nc + r]);
                for half in 0..per {
                    for l in 0..32 {
                        let (g, t) = (l / 4, l % 4);
                        let k = if KIND == 2 {
                            t + 4 * (r / 2)
                        } else {
                            2 * t + half + 8 * (r / 2)
                        };
                        a[k][g + 8 * (r % 2)] = widen::<KIND>(row[l], half as u32);
                    }
                }
            }
            for r in 0..nb {
                let row = cx.row::<u32>(rows[nc + na + r]);
                for half in 0..per {
                    for l in 0..32 {
                        let (g, t) = (l / 4, l % 4);
                        let k = if KIND == 2 {
                            t + 4 * r
                        } else {
                            2 * t + half + 8 * r
                        };
                        b[k][g] = widen::<KIND>(row[l], half as u32);
                    }
                }
            }
            for r in 0..nc {
                let row = cx.row::<u32>(rows[nc + na + nb + r]);
                for l in 0..32 {
                    let (g, t) = (l / 4, l % 4);
                    if HALF {
                        c[2 * t][g + 8 * r] = f16_to_f32(row[l] as u16);
                        c[2 * t + 1][g + 8 * r] = f16_to_f32((row[l] >> 16) as u16);
                    } else {
                        c[2 * t + r % 2][g + 8 * (r / 2)] = f32::from_bits(row[l]);
                    }
                }
            }
            let step = if KIND == 2 { 4 } else { 8 };
            for k0 in (0..K).step_by(step) {
                for n in 0..8 {
                    let mut sum = [0f64; 16];
                    for m in 0..16 {
                        sum[m] = f64::from(c[n][m]);
                    }
                    for k in k0..k0 + step {
                        let y = f64::from(b[k][n]);
                        for m in 0..16 {
                            sum[m] += f64::from(a[k][m]) * y;
                        }
                    }
                    for m in 0..16 {
                        c[n][m] = cut(sum[m]);
                    }
                }
            }
            for r in 0..nc {
                let mut out = [0u32; 32];
                for l in 0..32 {
                    let (g, t) = (l / 4, l % 4);
                    out[l] = if HALF {
                        u32::from(f32_to_f16(c[2 * t][g + 8 * r]))
                            | u32::from(f32_to_f16(c[2 * t + 1][g + 8 * r])) << 16
                    } else {
                        let x = c[2 * t + r % 2][g + 8 * (r / 2)];
                        if x.is_nan() { 0x7fff_ffff } else { x.to_bits() }
                    };
                }
                cx.put(rows[r], &out, mask);
            }
        }
    }
}

/// m8n8k4 of f64.
struct Double;

impl Op for Double {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        let rows = table(cx, i);
        unsafe {
            let (a, b) = (*cx.row::<u64>(rows[2]), *cx.row::<u64>(rows[3]));
            let c = [*cx.row::<u64>(rows[4]), *cx.row::<u64>(rows[5])];
            for r in 0..2 {
                let mut out = [0u64; 32];
                for l in 0..32 {
                    let (g, n) = (l / 4, 2 * (l % 4) + r);
                    let mut sum = f64::from_bits(c[r][l]);
                    for k in 0..4 {
                        sum =
                            f64::from_bits(a[4 * g + k]).mul_add(f64::from_bits(b[4 * n + k]), sum);
                    }
                    out[l] = sum.to_bits();
                }
                cx.put(rows[r], &out, mask);
            }
        }
    }
}

/// Bytes with 32-bit sums that wrap.
struct Bytes<const K: usize, const SA: bool, const SB: bool>;

impl<const K: usize, const SA: bool, const SB: bool> Op for Bytes<K, SA, SB> {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        let rows = table(cx, i);
        let (na, nb) = (K / 8, K / 16);
        let byte = |v: u32, n: usize, signed: bool| {
            let v = (v >> (8 * n)) as u8;
            if signed {
                i32::from(v as i8)
            } else {
                i32::from(v)
            }
        };
        let mut a = [[0i32; K]; 16];
        let mut b = [[0i32; K]; 8];
        unsafe {
            for r in 0..na {
                let row = cx.row::<u32>(rows[4 + r]);
                for l in 0..32 {
                    for n in 0..4 {
                        a[l / 4 + 8 * (r % 2)][4 * (l % 4) + n + 16 * (r / 2)] =
                            byte(row[l], n, SA);
                    }
                }
            }
            for r in 0..nb {
                let row = cx.row::<u32>(rows[4 + na + r]);
                for l in 0..32 {
                    for n in 0..4 {
                        b[l / 4][4 * (l % 4) + n + 16 * r] = byte(row[l], n, SB);
                    }
                }
            }
            let mut out = [[0u32; 32]; 4];
            for (r, o) in out.iter_mut().enumerate() {
                let c = cx.row::<u32>(rows[4 + na + nb + r]);
                for l in 0..32 {
                    let (m, n) = (l / 4 + 8 * (r / 2), 2 * (l % 4) + r % 2);
                    let mut sum = c[l] as i32;
                    for k in 0..K {
                        sum = sum.wrapping_add(a[m][k] * b[n][k]);
                    }
                    o[l] = sum as u32;
                }
            }
            for (r, o) in out.iter().enumerate() {
                cx.put(rows[r], o, mask);
            }
        }
    }
}
