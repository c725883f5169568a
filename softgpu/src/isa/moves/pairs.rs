//! `set` of packed halves: two comparisons in a register.

use crate::isa::arithmetic::alu::{Combine, Third};
use crate::isa::decoder::{Decoded, Decoder, Found, Refusal, Row, row};
use crate::machine::op::{Frame, Op};
use crate::machine::operand::{Dst, Src, operands};
use crate::machine::program::Class;
use crate::machine::row::Isa;
use crate::numerics::half::{bf16_to_f32, f16_to_f32};
use crate::numerics::soft::{self, BF16, F16};
use crate::ptx::Type;

pub const ROWS: &[Row] = &[
    row("set.COMPARE(.ftz)?.(f16x2|WORD).f16x2 d, x, y", set),
    row("set.COMPARE.(and|or|xor)(.ftz)?.(f16x2|WORD).f16x2 d, x, y, !%p3", set),
    row("set.COMPARE.(bf16x2|WORD).bf16x2 d, x, y", set).since(90),
    row("set.COMPARE.(and|or|xor).(bf16x2|WORD).bf16x2 d, x, y, !%p3", set).since(90),
];

/// A comparison of floats.
type Holds = fn(f32, f32) -> bool;

/// The value of a half.
type Value = fn(u32) -> f32;

#[derive(Clone, Copy)]
struct Pairs {
    holds: Holds,
    value: Value,
    /// What a half becomes where the comparison holds; it is zero elsewhere.
    yes: u32,
    d: Dst<u32>,
    a: Src<u32>,
    b: Src<u32>,
    with: Option<Third>,
}
operands!(unsafe Holds, Value, Third);
operands!(Pairs { holds, value, yes, d, a, b, with });

struct Set;

impl Op for Set {
    type Data = Pairs;
    const VECTORS: bool = false;
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &Pairs, mask: u32) {
        let (a, b) = (cx.read(i.a), cx.read(i.b));
        let [low, high] = [0, 16].map(|shift| {
            let holds = |l: usize| (i.holds)((i.value)(a[l] >> shift & 0xffff), (i.value)(b[l] >> shift & 0xffff));
            let lanes = (0..32).fold(0, |lanes, l| lanes | u32::from(holds(l)) << l);
            i.with.map_or(lanes, |third| third.how.of(lanes, cx.predicate(third.pred)))
        });
        let half = |lanes: u32, l: usize| i.yes * (lanes >> l & 1);
        cx.write(i.d, &std::array::from_fn(|l| half(low, l) | half(high, l) << 16), mask);
    }
}

fn set<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    let value: Value = match (x.type_at(1), x.has("ftz")) {
        (Type::Bf16x2, _) => |bits| bf16_to_f32(bits as u16),
        (_, false) => |bits| f16_to_f32(bits as u16),
        (_, true) => |bits| f16_to_f32(soft::flush(bits.into(), F16) as u16),
    };
    let yes = match x.ty() {
        Type::F16x2 => F16.one() as u32,
        Type::Bf16x2 => BF16.one() as u32,
        _ => 0xffff,
    };
    let with = match x.one_of(&["and", "or", "xor"]) {
        Some(how) => Some(Third { how: Combine::named(how), pred: c.pred_src(x.operand(3)?)? }),
        None => None,
    };
    let (d, a, b) = (x.operand(0)?, x.operand(1)?, x.operand(2)?);
    let (d, a, b) = (c.dst(d, Type::B32)?.write()?, c.src(a, Type::B32)?.read()?, c.src(b, Type::B32)?.read()?);
    let holds = holds(x).ok_or_else(Refusal::wrong_type)?;
    c.straight::<Set>(Class::Compare, Pairs { holds, value, yes, d, a, b, with });
    Ok(())
}

// "unordered or less" is "not greater or equal": the negation is meant
#[allow(clippy::neg_cmp_op_on_partial_ord)]
fn holds(x: &Found<'_, '_>) -> Option<Holds> {
    const ALL: [(&str, Holds); 14] = [
        ("eq", |a, b| a == b),
        ("ne", |a, b| a != b && !a.is_nan() && !b.is_nan()),
        ("lt", |a, b| a < b),
        ("le", |a, b| a <= b),
        ("gt", |a, b| a > b),
        ("ge", |a, b| a >= b),
        ("equ", |a, b| a == b || a.is_nan() || b.is_nan()),
        ("neu", |a, b| a != b),
        ("ltu", |a, b| !(a >= b)),
        ("leu", |a, b| !(a > b)),
        ("gtu", |a, b| !(a <= b)),
        ("geu", |a, b| !(a < b)),
        ("num", |a, b| !a.is_nan() && !b.is_nan()),
        ("nan", |a, b| a.is_nan() || b.is_nan()),
    ];
    ALL.into_iter().find(|(name, _)| x.has(name)).map(|(_, holds)| holds)
}
