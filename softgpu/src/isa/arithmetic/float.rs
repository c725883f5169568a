//! Floating-point arithmetic.

use crate::isa::arithmetic::alu::{Form, alu1, alu2, alu3};
use crate::isa::arithmetic::halves::half_function;
use crate::isa::arithmetic::real::{approximate_quotient, f, flush, flush_out, least, most, saturate, tidy};
use crate::isa::arithmetic::scalar;
use crate::isa::decoder::{Decoded, Decoder, Mods, Refusal};
use crate::machine::operand::Register;
use crate::machine::program::Class;
use crate::numerics::Rounding;
use crate::ptx::{Instr, Type};

/// The rounding a modifier names.
pub fn rounding(word: &str) -> Rounding {
    match word.trim_end_matches('i') {
        "rz" => Rounding::Zero,
        "rm" => Rounding::Down,
        "rp" => Rounding::Up,
        "rna" => Rounding::NearestAway,
        _ => Rounding::NearestEven,
    }
}

/// An operation on f32 with `.ftz`.
fn one<F: Fn(f32) -> f32 + Copy + 'static>(ftz: bool, op: F) -> Form {
    match ftz {
        false => alu1(move |a| tidy(op(f(a)))),
        true => alu1(move |a| flush_out(op(f(flush(a))))),
    }
}

/// An operation on two f32 with `.ftz` and `.sat`.
fn two<F: Fn(f32, f32) -> f32 + Copy + 'static>(ftz: bool, sat: bool, op: F) -> Form {
    match (ftz, sat) {
        (false, false) => alu2(move |a, b| tidy(op(f(a), f(b)))),
        (true, false) => alu2(move |a, b| flush_out(op(f(flush(a)), f(flush(b))))),
        (false, true) => alu2(move |a, b| saturate(op(f(a), f(b)))),
        (true, true) => alu2(move |a, b| saturate(f(flush_out(op(f(flush(a)), f(flush(b))))))),
    }
}

/// An operation on three f32 with `.ftz` and `.sat`.
fn three<F: Fn(f32, f32, f32) -> f32 + Copy + 'static>(ftz: bool, sat: bool, op: F) -> Form {
    match (ftz, sat) {
        (false, false) => alu3(move |a, b, c| tidy(op(f(a), f(b), f(c)))),
        (true, false) => alu3(move |a, b, c| flush_out(op(f(flush(a)), f(flush(b)), f(flush(c))))),
        (false, true) => alu3(move |a, b, c| saturate(op(f(a), f(b), f(c)))),
        (true, true) => alu3(move |a, b, c| saturate(f(flush_out(op(f(flush(a)), f(flush(b)), f(flush(c))))))),
    }
}

/// An operation on two f64.
fn two_doubles<F: Fn(f64, f64) -> f64 + Copy + 'static>(op: F) -> Form {
    alu2(move |a, b| op(f64::from_bits(a), f64::from_bits(b)).to_bits())
}

/// An operation on the bits of an f32 with `.ftz`.
fn flushed<F: Fn(u32) -> u32 + Copy + 'static>(ftz: bool, op: F) -> Form {
    if ftz { alu1(move |a| op(flush(a))) } else { alu1(op) }
}

/// An operation on the bits of two f32 with `.ftz`.
fn both_flushed<F: Fn(u32, u32) -> u32 + Copy + 'static>(ftz: bool, op: F) -> Form {
    if ftz { alu2(move |a, b| op(flush(a), flush(b))) } else { alu2(op) }
}

/// Floating-point operations that a lane does.
fn flops(op: &str) -> u32 {
    match op {
        "fma" | "mad" => 2,
        "add" | "sub" | "mul" | "div" => 1,
        _ => 0,
    }
}

impl<'a> Decoder<'a> {
    /// Decodes an instruction of this family; false when it belongs to another.
    pub fn float(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<bool> {
        let Some(ty) = m.words.iter().filter_map(|w| Type::named(w)).find(|t| t.float()) else {
            return Ok(false);
        };
        match i.op {
            "add" | "sub" | "mul" | "fma" | "mad" | "div" | "min" | "max" | "abs" | "neg" | "rcp" | "sqrt"
            | "rsqrt" | "sin" | "cos" | "lg2" | "ex2" | "tanh" | "copysign" => {}
            _ => return Ok(false),
        }
        let ftz = m.take("ftz");
        let sat = m.take("sat");
        m.ty()?;
        match ty {
            Type::F32 => self.single(i, m, ftz, sat)?,
            Type::F64 => self.double(i, m, ftz, sat)?,
            _ => self.half(i, m, ty, ftz, sat)?,
        }
        Ok(true)
    }

    fn single(&mut self, i: &Instr<'a>, m: &mut Mods<'a>, ftz: bool, sat: bool) -> Decoded<()> {
        let approx = m.one_of(&["approx", "full"]);
        let round = m.one_of(&["rn", "rz", "rm", "rp"]).unwrap_or("rn");
        let nan = m.take("NaN");
        let xorsign = m.take("xorsign");
        let abs = m.take("abs");
        if xorsign != abs {
            return Err(Refusal::new("'.xorsign' and '.abs' belong together"));
        }
        let rare = if approx.is_some() && !matches!(i.op, "div") {
            scalar::approximate(i.op)
        } else if round != "rn" || xorsign {
            scalar::single_function(i.op)
        } else {
            None
        };
        if let Some(function) = rare {
            let mut settings = scalar::Settings::new(Type::F32, Type::F32);
            settings.mode = rounding(round);
            (settings.ftz, settings.sat, settings.nan, settings.xorsign) = (ftz, sat, nan, xorsign);
            return self.rare(i, Type::F32, function, settings);
        }
        if round != "rn" || xorsign {
            return Err(Refusal::new("these modifiers don't go together"));
        }
        let form = match i.op {
            "add" => two(ftz, sat, |a, b| a + b),
            "sub" => two(ftz, sat, |a, b| a - b),
            "mul" => two(ftz, sat, |a, b| a * b),
            "fma" | "mad" => three(ftz, sat, f32::mul_add),
            _ if sat => return Err(Refusal::new("'.sat' is not possible here")),
            "div" if approx == Some("approx") && ftz => {
                alu2(|a: u32, b: u32| flush(approximate_quotient(a, b, f(flush(a)) / f(flush(b)))))
            }
            "div" if approx == Some("approx") => alu2(|a: u32, b: u32| approximate_quotient(a, b, f(a) / f(b))),
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
            _ => return Err(Refusal::wrong_type()),
        };
        let flops = flops(i.op);
        let class =
            if approx.is_some() || matches!(i.op, "rcp" | "sqrt" | "div") { Class::Special } else { Class::Float32 };
        self.same_type(i, Type::F32, class, form, flops)
    }

    fn double(&mut self, i: &Instr<'a>, m: &mut Mods<'a>, ftz: bool, sat: bool) -> Decoded<()> {
        if let ("rcp" | "rsqrt", true) = (i.op, ftz && m.take("approx")) {
            let function = if i.op == "rcp" { scalar::coarse_rcp } else { scalar::coarse_rsqrt };
            let settings = scalar::Settings::new(Type::F64, Type::F64);
            return self.rare(i, Type::F64, function, settings);
        }
        if ftz || sat {
            return Err(Refusal::new("'.ftz' and '.sat' don't exist for this .f64 instruction"));
        }
        let round = m.one_of(&["rn", "rz", "rm", "rp"]).unwrap_or("rn");
        m.take("approx");
        let rare = matches!(i.op, "min" | "max" | "rsqrt") || round != "rn";
        if let (true, Some(function)) = (rare, scalar::double_function(i.op)) {
            let mut settings = scalar::Settings::new(Type::F64, Type::F64);
            settings.mode = rounding(round);
            return self.rare(i, Type::F64, function, settings);
        }
        let form = match i.op {
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
            _ => return Err(Refusal::wrong_type()),
        };
        let flops = flops(i.op);
        self.same_type(i, Type::F64, Class::Float64, form, flops)
    }

    fn half(&mut self, i: &Instr<'a>, m: &mut Mods<'a>, ty: Type, ftz: bool, sat: bool) -> Decoded<()> {
        if m.one_of(&["rz", "rm", "rp"]).is_some() {
            return Err(Refusal::new("half precision rounds to nearest only"));
        }
        m.take("rn");
        m.take("approx");
        let mut settings = scalar::Settings::new(ty, ty);
        (settings.ftz, settings.sat) = (ftz, sat);
        settings.relu = m.take("relu");
        settings.nan = m.take("NaN");
        settings.xorsign = m.take("xorsign");
        if settings.xorsign != m.take("abs") {
            return Err(Refusal::new("'.xorsign' and '.abs' belong together"));
        }
        let function = half_function(i.op).ok_or_else(Refusal::wrong_type)?;
        self.rare(i, ty, function, settings)
    }

    /// Emits an operation that is done lane by lane.
    fn rare(&mut self, i: &Instr<'a>, ty: Type, function: scalar::Function, settings: scalar::Settings) -> Decoded<()> {
        let halves = if matches!(ty, Type::F16x2 | Type::Bf16x2) { 2 } else { 1 };
        let flops = halves * flops(i.op);
        let class = match ty {
            _ if matches!(i.op, "ex2" | "lg2" | "sin" | "cos" | "tanh" | "rsqrt") => Class::Special,
            Type::F64 => Class::Float64,
            Type::F32 => Class::Float32,
            _ => Class::Half,
        };
        let (d, sources) = self.operands_of(i, ty)?;
        self.scalar(class, function, settings, d, &sources).info.flops = flops;
        Ok(())
    }

    /// Emits an instruction whose operands all have one type.
    fn same_type(&mut self, i: &Instr<'a>, ty: Type, class: Class, form: Form, flops: u32) -> Decoded<()> {
        let (d, sources) = self.operands_of(i, ty)?;
        self.lanes(class, form, d, &sources)?.info.flops = flops;
        Ok(())
    }

    /// A destination and sources of one type.
    fn operands_of(&mut self, i: &Instr<'a>, ty: Type) -> Decoded<(Register, Vec<Register>)> {
        let (first, others) = i.operands.split_first().ok_or_else(|| Refusal::new("operands are missing"))?;
        let d = self.dst(first, ty)?;
        let want = match i.op {
            "fma" | "mad" => 3,
            "add" | "sub" | "mul" | "div" | "min" | "max" | "copysign" => 2,
            _ => 1,
        };
        if others.len() != want {
            return Err(Refusal::new(format!("{} sources where {want} belong", others.len())));
        }
        let sources: Decoded<Vec<Register>> = others.iter().map(|o| self.src(o, ty)).collect();
        Ok((d, sources?))
    }
}
