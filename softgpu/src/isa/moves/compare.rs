//! Comparisons.

use crate::isa::arithmetic::alu::pred2;
use crate::isa::arithmetic::real::{f, flush};
use crate::machine::inst::Handler;
use crate::ptx::Type;

/// The handler of a comparison of floats, which `$value` makes of the lanes' bits.
macro_rules! floats {
    ($cmp:expr, $bits:ty, $value:path) => {
        match $cmp {
            "eq" => pred2(|a: $bits, b: $bits| $value(a) == $value(b)),
            "ne" => pred2(|a: $bits, b: $bits| $value(a) < $value(b) || $value(a) > $value(b)),
            "lt" => pred2(|a: $bits, b: $bits| $value(a) < $value(b)),
            "le" => pred2(|a: $bits, b: $bits| $value(a) <= $value(b)),
            "gt" => pred2(|a: $bits, b: $bits| $value(a) > $value(b)),
            "ge" => pred2(|a: $bits, b: $bits| $value(a) >= $value(b)),
            "equ" => pred2(|a: $bits, b: $bits| !($value(a) < $value(b) || $value(a) > $value(b))),
            "neu" => pred2(|a: $bits, b: $bits| $value(a) != $value(b)),
            "ltu" => pred2(|a: $bits, b: $bits| !($value(a) >= $value(b))),
            "leu" => pred2(|a: $bits, b: $bits| !($value(a) > $value(b))),
            "gtu" => pred2(|a: $bits, b: $bits| !($value(a) <= $value(b))),
            "geu" => pred2(|a: $bits, b: $bits| !($value(a) < $value(b))),
            "num" => pred2(|a: $bits, b: $bits| !$value(a).is_nan() && !$value(b).is_nan()),
            "nan" => pred2(|a: $bits, b: $bits| $value(a).is_nan() || $value(b).is_nan()),
            _ => return None,
        }
    };
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
    // "unordered or less" is "not greater or equal": the negation is meant
    #[allow(clippy::neg_cmp_op_on_partial_ord)]
    let handler = match (unsigned, ty) {
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
        (cmp, F32) if ftz => floats!(cmp, u32, flushed),
        (cmp, F32) => floats!(cmp, u32, f),
        (cmp, F64) => floats!(cmp, u64, f64::from_bits),
        _ => return None,
    };
    Some(handler)
}

#[inline(always)]
fn flushed(a: u32) -> f32 {
    f(flush(a))
}
