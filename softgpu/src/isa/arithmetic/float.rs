//! Floating-point arithmetic.

use crate::isa::arithmetic::alu::{alu1, alu2, alu3};
use crate::isa::arithmetic::scalar::{self, Settings};
use crate::isa::decoder::{Decoded, Decoder, Found, Lanes, Refusal, Row, row};
use crate::machine::program::Class;
use crate::numerics::float::{approximate_quotient, f, flush, flush_out, least, most, saturate, tidy};
use crate::ptx::Type;

pub const ROWS: &[Row] = &[
    row("(add|sub|mul)(.rn)?(.ftz)?(.sat)?.f32 d, a, b", vectors),
    row("(add|sub|mul).(rz|rm|rp)(.ftz)?(.sat)?.f32 d, a, b", rare),
    row("(fma|mad)(.rn)?(.ftz)?(.sat)?.f32 d, a, b, c", vectors),
    row("(fma|mad).(rz|rm|rp)(.ftz)?(.sat)?.f32 d, a, b, c", rare),
    row("div(.rn|.full|.approx)?(.ftz)?.f32 d, a, b", vectors),
    row("div.(rz|rm|rp)(.ftz)?.f32 d, a, b", rare),
    row("(rcp|sqrt)(.rn)?(.ftz)?.f32 d, a", vectors),
    row("(rcp|sqrt).(rz|rm|rp|approx)(.ftz)?.f32 d, a", rare),
    row("(rsqrt|sin|cos|lg2|ex2).approx(.ftz)?.f32 d, a", rare),
    row("tanh.approx.f32 d, a", rare),
    row("(abs|neg)(.ftz)?.f32 d, a", vectors),
    row("(min|max)(.ftz)?(.NaN)?.f32 d, a, b", vectors),
    row("(min|max)(.ftz)?(.NaN)?.xorsign.abs.f32 d, a, b", rare),
    row("copysign.(f32|f64) d, a, b", vectors),
    row("(add|sub|mul|div)(.rn)?.f64 d, a, b", vectors),
    row("(add|sub|mul|div).(rz|rm|rp).f64 d, a, b", rare),
    row("(fma|mad)(.rn)?.f64 d, a, b, c", vectors),
    row("(fma|mad).(rz|rm|rp).f64 d, a, b, c", rare),
    row("(rcp|sqrt)(.rn)?.f64 d, a", vectors),
    row("(rcp|sqrt).(rz|rm|rp).f64 d, a", rare),
    row("(rcp|rsqrt).approx.ftz.f64 d, a", rare),
    row("rsqrt.approx.f64 d, a", rare),
    row("(abs|neg).f64 d, a", vectors),
    row("(min|max).f64 d, a, b", rare),
    row("(add|sub|mul)(.rn)?(.ftz)?(.sat)?.(HALF|HALVES) d, a, b", rare),
    row("fma(.rn)?(.ftz)?(.sat|.relu)?.(HALF|HALVES) d, a, b, c", rare),
    row("(min|max)(.ftz)?(.NaN)?(.xorsign.abs)?.(HALF|HALVES) d, a, b", rare),
    row("(abs|neg)(.ftz)?.(HALF|HALVES) d, a", rare),
    row("(ex2|tanh).approx(.ftz)?.(HALF|HALVES) d, a", rare),
];

/// An operation on f32 with `.ftz`.
fn one<F: Fn(f32) -> f32 + Copy + 'static>(ftz: bool, op: F) -> Lanes {
    match ftz {
        false => alu1(move |a| tidy(op(f(a)))),
        true => alu1(move |a| flush_out(op(f(flush(a))))),
    }
}

/// An operation on two f32 with `.ftz` and `.sat`.
fn two<F: Fn(f32, f32) -> f32 + Copy + 'static>(ftz: bool, sat: bool, op: F) -> Lanes {
    match (ftz, sat) {
        (false, false) => alu2(move |a, b| tidy(op(f(a), f(b)))),
        (true, false) => alu2(move |a, b| flush_out(op(f(flush(a)), f(flush(b))))),
        (false, true) => alu2(move |a, b| saturate(op(f(a), f(b)))),
        (true, true) => alu2(move |a, b| saturate(f(flush_out(op(f(flush(a)), f(flush(b))))))),
    }
}

/// An operation on three f32 with `.ftz` and `.sat`.
fn three<F: Fn(f32, f32, f32) -> f32 + Copy + 'static>(ftz: bool, sat: bool, op: F) -> Lanes {
    match (ftz, sat) {
        (false, false) => alu3(move |a, b, c| tidy(op(f(a), f(b), f(c)))),
        (true, false) => alu3(move |a, b, c| flush_out(op(f(flush(a)), f(flush(b)), f(flush(c))))),
        (false, true) => alu3(move |a, b, c| saturate(op(f(a), f(b), f(c)))),
        (true, true) => alu3(move |a, b, c| saturate(f(flush_out(op(f(flush(a)), f(flush(b)), f(flush(c))))))),
    }
}

/// An operation on two f64.
fn two_doubles<F: Fn(f64, f64) -> f64 + Copy + 'static>(op: F) -> Lanes {
    alu2(move |a, b| op(f64::from_bits(a), f64::from_bits(b)).to_bits())
}

/// An operation on the bits of an f32 with `.ftz`.
fn flushed<F: Fn(u32) -> u32 + Copy + 'static>(ftz: bool, op: F) -> Lanes {
    if ftz { alu1(move |a| op(flush(a))) } else { alu1(op) }
}

/// An operation on the bits of two f32 with `.ftz`.
fn both_flushed<F: Fn(u32, u32) -> u32 + Copy + 'static>(ftz: bool, op: F) -> Lanes {
    if ftz { alu2(move |a, b| op(flush(a), flush(b))) } else { alu2(op) }
}

fn single(x: &Found<'_, '_>) -> Option<Lanes> {
    let (ftz, sat, nan) = (x.has("ftz"), x.has("sat"), x.has("NaN"));
    Some(match x.i.op {
        "add" => two(ftz, sat, |a, b| a + b),
        "sub" => two(ftz, sat, |a, b| a - b),
        "mul" => two(ftz, sat, |a, b| a * b),
        "fma" | "mad" => three(ftz, sat, f32::mul_add),
        "div" if x.has("approx") && ftz => {
            alu2(|a: u32, b: u32| flush(approximate_quotient(a, b, f(flush(a)) / f(flush(b)))))
        }
        "div" if x.has("approx") => alu2(|a: u32, b: u32| approximate_quotient(a, b, f(a) / f(b))),
        "div" => two(ftz, false, |a, b| a / b),
        "rcp" => one(ftz, |a| 1.0 / a),
        "sqrt" => one(ftz, f32::sqrt),
        "abs" => flushed(ftz, |a| a & 0x7fff_ffff),
        "neg" => flushed(ftz, |a| a ^ 0x8000_0000),
        "copysign" => alu2(|a: u32, b: u32| (a & 0x8000_0000) | (b & 0x7fff_ffff)),
        "min" if nan => both_flushed(ftz, |a, b| least(a, b, true)),
        "min" => both_flushed(ftz, |a, b| least(a, b, false)),
        "max" if nan => both_flushed(ftz, |a, b| most(a, b, true)),
        "max" => both_flushed(ftz, |a, b| most(a, b, false)),
        _ => return None,
    })
}

fn double(x: &Found<'_, '_>) -> Option<Lanes> {
    Some(match x.i.op {
        "add" => two_doubles(|a, b| a + b),
        "sub" => two_doubles(|a, b| a - b),
        "mul" => two_doubles(|a, b| a * b),
        "div" => two_doubles(|a, b| a / b),
        "fma" | "mad" => alu3(|a, b, c| f64::from_bits(a).mul_add(f64::from_bits(b), f64::from_bits(c)).to_bits()),
        "rcp" => alu1(|a| (1.0 / f64::from_bits(a)).to_bits()),
        "sqrt" => alu1(|a| f64::from_bits(a).sqrt().to_bits()),
        "abs" => alu1(|a: u64| a & !(1 << 63)),
        "neg" => alu1(|a: u64| a ^ (1 << 63)),
        "copysign" => alu2(|a: u64, b: u64| (a & (1 << 63)) | (b & !(1 << 63))),
        _ => return None,
    })
}

/// Floating-point operations that a lane does.
fn flops(x: &Found<'_, '_>) -> u32 {
    let values = if matches!(x.ty(), Type::F16x2 | Type::Bf16x2) { 2 } else { 1 };
    match x.i.op {
        "fma" | "mad" => 2 * values,
        "add" | "sub" | "mul" | "div" => values,
        _ => 0,
    }
}

/// An operation of the host, on all lanes at once.
fn vectors<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    let operation = if x.ty() == Type::F64 { double(x) } else { single(x) };
    let special = x.has("approx") || x.has("full") || matches!(x.i.op, "rcp" | "sqrt" | "div");
    let class = match x.ty() {
        Type::F64 => Class::Float64,
        _ if special => Class::Special,
        _ => Class::Float32,
    };
    c.lanes(class, operation.ok_or_else(Refusal::wrong_type)?, x)?.info.flops = flops(x);
    Ok(())
}

/// An operation that is done lane by lane.
fn rare<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    let (op, ty) = (x.i.op, x.ty());
    let function = if x.has("approx") { scalar::approximate(op, ty, x.has("ftz")) } else { scalar::rounded(op) };
    let class = match ty {
        _ if matches!(op, "ex2" | "lg2" | "sin" | "cos" | "tanh" | "rsqrt") => Class::Special,
        Type::F64 => Class::Float64,
        Type::F32 => Class::Float32,
        _ => Class::Half,
    };
    let settings = Settings::of(x, ty, ty);
    c.rare(class, function.ok_or_else(Refusal::wrong_type)?, settings, x)?.info.flops = flops(x);
    Ok(())
}
