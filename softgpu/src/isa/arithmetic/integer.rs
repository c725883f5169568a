//! Integer arithmetic, logic, shifts and bit fields.

use crate::isa::arithmetic::alu::{Combine, Three, alu2, alu3};
use crate::isa::arithmetic::bits;
use crate::isa::arithmetic::carry::{carrying, carrying_mad};
use crate::isa::arithmetic::integers::{Integer, integers};
use crate::isa::decoder::{Decoded, Decoder, Found, Lanes, Refusal, Row, lanes, row};
use crate::machine::op::{Frame, Op};
use crate::machine::operand::{Pred, PredDst, operands};
use crate::machine::program::Class;
use crate::machine::row::Isa;
use crate::ptx::{Operand, Type};

const fn int(form: &'static str, make: fn(&Found<'_, '_>) -> Option<Lanes>) -> Row {
    lanes(Class::Integer, form, make)
}

/// A dot product, whose operands both are unsigned, the second signed, the first, both.
macro_rules! dots {
    ($name:ident $(, $from:literal)?) => {
        [
            alu3(|a, b, c| bits::$name(a, b, c, false, false $(, $from)?)),
            alu3(|a, b, c| bits::$name(a, b, c, false, true $(, $from)?)),
            alu3(|a, b, c| bits::$name(a, b, c, true, false $(, $from)?)),
            alu3(|a, b, c| bits::$name(a, b, c, true, true $(, $from)?)),
        ]
    };
}
pub const ROWS: &[Row] = &[
    int("add.INT d, a, b", |x| integers!(x.ty(), INT, |a, b| a.wrapping_add(b))),
    int("sub.INT d, a, b", |x| integers!(x.ty(), INT, |a, b| a.wrapping_sub(b))),
    int("div.INT d, a, b", |x| integers!(x.ty(), INT, |a, b| a.quotient(b))),
    int("rem.INT d, a, b", |x| integers!(x.ty(), INT, |a, b| a.remainder(b))),
    int("min.INT d, a, b", |x| integers!(x.ty(), INT, |a, b| a.min(b))),
    int("max.INT d, a, b", |x| integers!(x.ty(), INT, |a, b| a.max(b))),
    int("add.sat.s32 d, a, b", |x| integers!(x.ty(), SIGNED, |a, b| a.saturating_add(b))),
    int("sub.sat.s32 d, a, b", |x| integers!(x.ty(), SIGNED, |a, b| a.saturating_sub(b))),
    int("min.relu.s32 d, a, b", |x| integers!(x.ty(), SIGNED, |a, b| a.min(b).max(0))).since(90),
    int("max.relu.s32 d, a, b", |x| integers!(x.ty(), SIGNED, |a, b| a.max(b).max(0))).since(90),
    int("mul(.lo)?.INT d, a, b", |x| integers!(x.ty(), INT, |a, b| a.wrapping_mul(b))),
    int("mul.hi.INT d, a, b", |x| integers!(x.ty(), INT, |a, b| a.high(b))),
    int("mad(.lo)?.INT d, a, b, c", |x| integers!(x.ty(), INT, |a, b, c| a.wrapping_mul(b).wrapping_add(c))),
    int("mad.hi.INT d, a, b, c", |x| integers!(x.ty(), INT, |a, b, c| a.high(b).wrapping_add(c))),
    int("mad.hi.sat.s32 d, a, b, c", |x| integers!(x.ty(), SIGNED, |a, b, c| a.high(b).saturating_add(c))),
    int("mul.wide.(u16|s16) %r3, a, b", |x| match x.ty() {
        Type::U16 => Some(alu2(|a: u32, b: u32| a.wrapping_mul(b))),
        _ => Some(alu2(bits::wide_s16)),
    }),
    int("mul.wide.WORD %rd3, a, b", |x| match x.ty() {
        Type::U32 => Some(alu2(|a: u32, b: u32| u64::from(a) * u64::from(b))),
        _ => Some(alu2(bits::wide_s32)),
    }),
    int("mad.wide.(u16|s16) %r3, a, b, %r4", |x| match x.ty() {
        Type::U16 => Some(alu3(|a: u32, b: u32, c: u32| a.wrapping_mul(b).wrapping_add(c))),
        _ => Some(alu3(|a: u32, b: u32, c: u32| bits::wide_s16(a, b).wrapping_add(c))),
    }),
    int("mad.wide.WORD %rd3, a, b, %rd4", |x| match x.ty() {
        Type::U32 => Some(alu3(|a: u32, b: u32, c: u64| (u64::from(a) * u64::from(b)).wrapping_add(c))),
        _ => Some(alu3(|a: u32, b: u32, c: u64| bits::wide_s32(a, b).wrapping_add(c))),
    }),
    int("mul24.(lo|hi).WORD d, a, b", |x| {
        Some(match (x.has("lo"), x.ty()) {
            (true, Type::U32) => alu2(bits::lo24_u),
            (true, _) => alu2(bits::lo24_s),
            (false, Type::U32) => alu2(bits::hi24_u),
            (false, _) => alu2(bits::hi24_s),
        })
    }),
    int("mad24.(lo|hi).WORD d, a, b, c", |x| {
        Some(match (x.has("lo"), x.ty()) {
            (true, Type::U32) => alu3(|a, b, c: u32| bits::lo24_u(a, b).wrapping_add(c)),
            (true, _) => alu3(|a, b, c: u32| bits::lo24_s(a, b).wrapping_add(c)),
            (false, Type::U32) => alu3(|a, b, c: u32| bits::hi24_u(a, b).wrapping_add(c)),
            (false, _) => alu3(|a, b, c: u32| bits::hi24_s(a, b).wrapping_add(c)),
        })
    }),
    row("(add|sub).cc.(WORD|LONG) d, a, b", carrying),
    row("(addc|subc)(.cc)?.(WORD|LONG) d, a, b", carrying),
    row("mad.(lo|hi).cc.(WORD|LONG) d, a, b, c", carrying_mad),
    row("madc.(lo|hi)(.cc)?.(WORD|LONG) d, a, b, c", carrying_mad),
    int("abs.SIGNED d, a", |x| integers!(x.ty(), SIGNED, |a| a.wrapping_abs())),
    int("neg.SIGNED d, a", |x| integers!(x.ty(), SIGNED, |a| a.wrapping_neg())),
    int("sad.INT d, a, b, c", |x| integers!(x.ty(), INT, |a, b, c| c.wrapping_add(a.abs_diff(b) as _))),
    int("dp4a.WORD.WORD d, a, b, c", |x| by_sign(x, dots!(dp4a))),
    int("dp2a.lo.WORD.WORD d, a, b, c", |x| by_sign(x, dots!(dp2a, 0))),
    int("dp2a.hi.WORD.WORD d, a, b, c", |x| by_sign(x, dots!(dp2a, 16))),
    row("(and|or|xor).pred %p1, %p2, !%p3", logic),
    row("not.pred %p1, %p2", logic),
    int("and.BITS d, a, b", |x| integers!(x.ty(), BITS, |a, b| a & b)),
    int("or.BITS d, a, b", |x| integers!(x.ty(), BITS, |a, b| a | b)),
    int("xor.BITS d, a, b", |x| integers!(x.ty(), BITS, |a, b| a ^ b)),
    int("not.BITS d, a", |x| integers!(x.ty(), BITS, |a| !a)),
    int("cnot.BITS d, a", |x| integers!(x.ty(), BITS, |a| a == 0)),
    int("popc.(b32|b64) %r3, a", |x| integers!(x.ty(), BITS as u32, |a| a.count_ones())),
    int("clz.(b32|b64) %r3, a", |x| integers!(x.ty(), BITS as u32, |a| a.leading_zeros())),
    int("bfind.(WORD|LONG) %r3, a", |x| integers!(x.ty(), INT as u32, |a| a.highest())),
    int("bfind.shiftamt.(WORD|LONG) %r3, a", |x| integers!(x.ty(), INT as u32, |a| a.shift_amount())),
    int("brev.(b32|b64) d, a", |x| integers!(x.ty(), BITS, |a| a.reverse_bits())),
    int("shl.BITS d, a, %r4", |x| integers!(x.ty(), BITS, |a; n| a.checked_shl(n).unwrap_or(0))),
    int("shr.SIGNED d, a, %r4", |x| integers!(x.ty(), SIGNED, |a; n| a >> n.min(8 * size_of_val(&a) as u32 - 1))),
    int("shr.(u16|u32|u64|BITS) d, a, %r4", |x| integers!(x.ty(), ALL, |a; n| a.checked_shr(n).unwrap_or(0))),
    int("shf.l.(wrap|clamp).b32 d, a, b, c", |x| match x.has("wrap") {
        true => Some(alu3(|a: u32, b: u32, n: u32| bits::funnel_left(a, b, n & 31))),
        false => Some(alu3(|a: u32, b: u32, n: u32| bits::funnel_left(a, b, n.min(32)))),
    }),
    int("shf.r.(wrap|clamp).b32 d, a, b, c", |x| match x.has("wrap") {
        true => Some(alu3(|a: u32, b: u32, n: u32| bits::funnel_right(a, b, n & 31))),
        false => Some(alu3(|a: u32, b: u32, n: u32| bits::funnel_right(a, b, n.min(32)))),
    }),
    int("prmt.b32 d, a, b, c", |_| Some(alu3(bits::prmt))),
    int("prmt.b32.(f4e|b4e|rc8|ecl|ecr|rc16) d, a, b, c", |x| {
        Some(match x.one_of(&["f4e", "b4e", "rc8", "ecl", "ecr"]) {
            Some("f4e") => alu3(|a: u32, b: u32, s: u32| bits::prmt_mode(a, b, s, 0x3210, 0x1111)),
            Some("b4e") => alu3(bits::prmt_b4e),
            Some("rc8") => alu3(|a: u32, b: u32, s: u32| bits::prmt_mode(a, b, s, 0, 0x1111)),
            Some("ecl") => alu3(bits::prmt_ecl),
            Some("ecr") => alu3(bits::prmt_ecr),
            _ => alu3(|a: u32, b: u32, s: u32| bits::prmt(a, b, 0x1010 + (s & 1) * 0x2222)),
        })
    }),
    row("lop3.b32 d, a, b, c, n", lop3),
    int("bfe.u32 d, a, %r4, %r5", |_| Some(alu3(bits::bfe_u32))),
    int("bfe.s32 d, a, %r4, %r5", |_| Some(alu3(bits::bfe_s32))),
    int("bfe.u64 d, a, %r4, %r5", |_| Some(alu3(bits::bfe_u64))),
    int("bfe.s64 d, a, %r4, %r5", |_| Some(alu3(bits::bfe_s64))),
    row("bfi.b32 d, a, b, %r6, %r7", |c, x| {
        let data = bits::Insertion::of(c.registers(x)?)?;
        c.straight::<bits::Bfi<u32>>(Class::Integer, data);
        Ok(())
    }),
    row("bfi.b64 d, a, b, %r6, %r7", |c, x| {
        let data = bits::Insertion::of(c.registers(x)?)?;
        c.straight::<bits::Bfi<u64>>(Class::Integer, data);
        Ok(())
    }),
    int("fns.b32 d, a, b, c", |_| Some(alu3(bits::fns))),
    int("bmsk(.clamp)?.b32 d, a, b", |_| Some(alu2(bits::bmsk))),
    int("bmsk.wrap.b32 d, a, b", |_| Some(alu2(|a: u32, b: u32| bits::bmsk(a & 31, b & 31)))),
    int("szext(.clamp)?.WORD d, a, b", |x| match x.ty() {
        Type::U32 => Some(alu2(|a: u32, n: u32| bits::bfe_u32(a, 0, n.min(32)))),
        _ => Some(alu2(|a: u32, n: u32| bits::bfe_s32(a, 0, n.min(32)))),
    }),
    int("szext.wrap.WORD d, a, b", |x| match x.ty() {
        Type::U32 => Some(alu2(|a: u32, n: u32| bits::bfe_u32(a, 0, n & 31))),
        _ => Some(alu2(|a: u32, n: u32| bits::bfe_s32(a, 0, n & 31))),
    }),
];

fn by_sign(x: &Found<'_, '_>, forms: [Lanes; 4]) -> Option<Lanes> {
    Some(forms[2 * usize::from(x.ty().signed()) + usize::from(x.type_at(1).signed())])
}

/// `lop3`: any logic function of three words, as a table.
fn lop3<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    let [d, a, b, third] = [0, 1, 2, 3].map(|n| x.i.operands[n].clone());
    let Operand::Integer(table) = x.i.operands[4] else {
        return Err(Refusal::new("the table must be a constant"));
    };
    let d = c.dst(&d, Type::B32)?.write()?;
    let (a, b) = (c.src(&a, Type::B32)?.read()?, c.src(&b, Type::B32)?.read()?);
    let words = Three { d, a, b, c: c.src(&third, Type::B32)?.read()? };
    c.straight::<bits::Lop3>(Class::Integer, bits::Logic { words, table: table as u8 });
    Ok(())
}

/// Logic of predicates.
fn logic<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    let (d, a) = (c.pred_dst(x.operand(0)?)?, c.pred_src(x.operand(1)?)?);
    let data = match x.i.op {
        "not" => PredLogic { how: Combine::And, d, a: a.not(), b: Pred::TRUE },
        op => PredLogic { how: Combine::named(op), d, a, b: c.pred_src(x.operand(2)?)? },
    };
    c.straight::<CombinePreds>(Class::Integer, data);
    Ok(())
}

/// `and`, `or`, `xor` of predicates.
pub struct CombinePreds;

/// The operands of [`CombinePreds`].
#[derive(Clone, Copy)]
pub struct PredLogic {
    pub how: Combine,
    pub d: PredDst,
    pub a: Pred,
    pub b: Pred,
}
operands!(unsafe PredLogic);

impl Op for CombinePreds {
    type Data = PredLogic;
    const VECTORS: bool = false;
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &PredLogic, mask: u32) {
        let (a, b) = (cx.predicate(i.a), cx.predicate(i.b));
        cx.set_predicate(i.d, i.how.of(a, b), mask);
    }
}
