//! Operations written once for every integer type.

/// An operation on integers of the instruction's type: lanes are read as values of the type, and the bits of the result
/// are written. `integers!(x, INT, |a, b| a.min(b))` is one for the types of a class; `as u32` behind the class gives
/// the lanes of the result where they are not those of the operands, `as bool` is a comparison; after `;` an operand is
/// a `u32` whatever the type.
macro_rules! integers {
    ($x:expr, INT $($rest:tt)*) => { integers!(@of $x, [U16 S16 U32 S32 U64 S64] ($($rest)*)) };
    ($x:expr, SIGNED $($rest:tt)*) => { integers!(@of $x, [S16 S32 S64] ($($rest)*)) };
    ($x:expr, BITS $($rest:tt)*) => { integers!(@of $x, [B16 B32 B64] ($($rest)*)) };
    ($x:expr, ALL $($rest:tt)*) => { integers!(@of $x, [B16 U16 S16 B32 U32 S32 B64 U64 S64] ($($rest)*)) };
    (@of $x:expr, [$($name:ident)*] $rest:tt) => {
        match $x {
            $(Type::$name => Some(integers!(@$name $rest)),)*
            _ => None,
        }
    };
    (@U16 $rest:tt) => { integers!(@form u16 u16 u32 $rest) };
    (@B16 $rest:tt) => { integers!(@form u16 u16 u32 $rest) };
    (@S16 $rest:tt) => { integers!(@form i16 u16 u32 $rest) };
    (@U32 $rest:tt) => { integers!(@form u32 u32 u32 $rest) };
    (@B32 $rest:tt) => { integers!(@form u32 u32 u32 $rest) };
    (@S32 $rest:tt) => { integers!(@form i32 u32 u32 $rest) };
    (@U64 $rest:tt) => { integers!(@form u64 u64 u64 $rest) };
    (@B64 $rest:tt) => { integers!(@form u64 u64 u64 $rest) };
    (@S64 $rest:tt) => { integers!(@form i64 u64 u64 $rest) };
    (@form $t:ident $bits:ident $lane:ident (, |$a:ident| $result:expr)) => {
        $crate::isa::arithmetic::alu::alu1(|x: $lane| {
            let $a = x as $t;
            ($result) as $bits as $lane
        })
    };
    (@form $t:ident $bits:ident $lane:ident (, |$a:ident, $b:ident| $result:expr)) => {
        $crate::isa::arithmetic::alu::alu2(|x: $lane, y: $lane| {
            let ($a, $b) = (x as $t, y as $t);
            ($result) as $bits as $lane
        })
    };
    (@form $t:ident $bits:ident $lane:ident (, |$a:ident, $b:ident, $c:ident| $result:expr)) => {
        $crate::isa::arithmetic::alu::alu3(|x: $lane, y: $lane, z: $lane| {
            let ($a, $b, $c) = (x as $t, y as $t, z as $t);
            ($result) as $bits as $lane
        })
    };
    (@form $t:ident $bits:ident $lane:ident (as u32, |$a:ident| $result:expr)) => {
        $crate::isa::arithmetic::alu::alu1(|x: $lane| -> u32 {
            let $a = x as $t;
            $result
        })
    };
    (@form $t:ident $bits:ident $lane:ident (, |$a:ident; $n:ident| $result:expr)) => {
        $crate::isa::arithmetic::alu::alu2(|x: $lane, $n: u32| {
            let $a = x as $t;
            ($result) as $bits as $lane
        })
    };
    (@form $t:ident $bits:ident $lane:ident (as bool, |$a:ident, $b:ident| $result:expr)) => {
        $crate::isa::arithmetic::alu::pred2(|x: $lane, y: $lane| {
            let ($a, $b) = (x as $t, y as $t);
            $result
        })
    };
}
pub(crate) use integers;

/// Operations that integers of every width and sign have.
pub trait Integer: Copy {
    /// The upper half of the product.
    fn high(self, b: Self) -> Self;
    /// The quotient as the hardware gives it: all ones when `b` is 0, the smallest by -1 itself.
    fn quotient(self, b: Self) -> Self;
    /// The remainder, all ones when `b` is 0.
    fn remainder(self, b: Self) -> Self;
    /// The position of the highest bit that is not the sign; all ones when there is none.
    fn highest(self) -> u32;
    /// How far to shift that bit to the top; all ones when there is none.
    fn shift_amount(self) -> u32;
}

macro_rules! implement {
    ($($t:ident $wide:ident $negative:expr;)*) => {
        $(impl Integer for $t {
            #[inline(always)]
            fn high(self, b: $t) -> $t {
                ((self as $wide * b as $wide) >> $t::BITS) as $t
            }
            #[inline(always)]
            fn quotient(self, b: $t) -> $t {
                if b == 0 { !0 } else { self.wrapping_div(b) }
            }
            #[inline(always)]
            fn remainder(self, b: $t) -> $t {
                if b == 0 { !0 } else { self.wrapping_rem(b) }
            }
            #[inline(always)]
            fn highest(self) -> u32 {
                let v = if $negative(self) { !self } else { self };
                ($t::BITS - 1).wrapping_sub(v.leading_zeros())
            }
            #[inline(always)]
            fn shift_amount(self) -> u32 {
                let v = if $negative(self) { !self } else { self };
                if v == 0 { !0 } else { v.leading_zeros() }
            }
        })*
    };
}

implement! {
    u16 u32 |_| false;
    i16 i32 |v| v < 0;
    u32 u64 |_| false;
    i32 i64 |v| v < 0;
    u64 u128 |_| false;
    i64 i128 |v| v < 0;
}
