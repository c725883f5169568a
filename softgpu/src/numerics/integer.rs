//! Integer arithmetic.
//!
//! Operands and results are `u64` holding the low `bits` of a value (8, 16, 32 or 64);
//! signed operations read them as two's complement. Widths the ISA does not offer for an
//! instruction are the caller's to refuse.

/// Mask of the low `bits` bits.
#[inline]
pub const fn mask(bits: u32) -> u64 {
    if bits >= 64 { !0 } else { (1 << bits) - 1 }
}

/// Reads the low `bits` as a signed number.
#[inline]
pub const fn signed(x: u64, bits: u32) -> i64 {
    ((x << (64 - bits)) as i64) >> (64 - bits)
}

/// Low part of a product.
pub fn mul_lo(a: u64, b: u64, bits: u32) -> u64 {
    a.wrapping_mul(b) & mask(bits)
}

/// High part of a product: bits `bits..2*bits`.
pub fn mul_hi(a: u64, b: u64, bits: u32, is_signed: bool) -> u64 {
    let product = if is_signed {
        signed(a, bits) as i128 * signed(b, bits) as i128
    } else {
        ((a & mask(bits)) as u128 * (b & mask(bits)) as u128) as i128
    };
    (product >> bits) as u64 & mask(bits)
}

/// Whole product of two 16- or 32-bit values, `2*bits` wide.
pub fn mul_wide(a: u64, b: u64, bits: u32, is_signed: bool) -> u64 {
    let product = if is_signed {
        (signed(a, bits) as i128 * signed(b, bits) as i128) as u64
    } else {
        (a & mask(bits)).wrapping_mul(b & mask(bits))
    };
    product & mask(2 * bits)
}

/// `mul24.lo`: low 32 bits of the 48-bit product of two 24-bit values.
pub fn mul24_lo(a: u32, b: u32, is_signed: bool) -> u32 {
    product24(a, b, is_signed) as u32
}

/// `mul24.hi`: bits 16 to 47 of the 48-bit product of two 24-bit values.
pub fn mul24_hi(a: u32, b: u32, is_signed: bool) -> u32 {
    (product24(a, b, is_signed) >> 16) as u32
}

fn product24(a: u32, b: u32, is_signed: bool) -> i64 {
    if is_signed {
        signed(a as u64, 24) * signed(b as u64, 24)
    } else {
        (a as i64 & 0xff_ffff) * (b as i64 & 0xff_ffff)
    }
}

/// `add.sat.s32`: clamps instead of wrapping.
pub fn add_sat_s32(a: i32, b: i32) -> i32 {
    a.saturating_add(b)
}

/// `sub.sat.s32`: clamps instead of wrapping.
pub fn sub_sat_s32(a: i32, b: i32) -> i32 {
    a.saturating_sub(b)
}

/// `mad.hi.sat.s32`: high half of the product plus `c`, clamped.
pub fn mad_hi_sat_s32(a: i32, b: i32, c: i32) -> i32 {
    (((a as i64 * b as i64) >> 32) as i32).saturating_add(c)
}

/// `mad24.hi.sat.s32`: bits 16..48 of the 24-bit product plus `c`, clamped.
pub fn mad24_hi_sat_s32(a: u32, b: u32, c: i32) -> i32 {
    (mul24_hi(a, b, true) as i32).saturating_add(c)
}

/// `sad`: `c + |a - b|`, wrapping.
pub fn sad(a: u64, b: u64, c: u64, bits: u32, is_signed: bool) -> u64 {
    let difference = if less(a, b, bits, is_signed) { b.wrapping_sub(a) } else { a.wrapping_sub(b) };
    c.wrapping_add(difference) & mask(bits)
}

/// `div`: towards zero. A zero divisor gives all ones, which is what the device's own
/// division routine leaves (the ISA leaves it unspecified); MIN / -1 wraps to MIN.
pub fn div(a: u64, b: u64, bits: u32, is_signed: bool) -> u64 {
    let m = mask(bits);
    if b & m == 0 {
        return m;
    }
    let quotient = if is_signed { signed(a, bits).wrapping_div(signed(b, bits)) as u64 } else { (a & m) / (b & m) };
    quotient & m
}

/// `rem`: takes the sign of the dividend. A zero divisor gives all ones, as the device's
/// own routine does (the ISA leaves it unspecified); MIN % -1 is 0.
pub fn rem(a: u64, b: u64, bits: u32, is_signed: bool) -> u64 {
    let m = mask(bits);
    if b & m == 0 {
        return m;
    }
    let remainder = if is_signed { signed(a, bits).wrapping_rem(signed(b, bits)) as u64 } else { (a & m) % (b & m) };
    remainder & m
}

/// `min` of two values of the given width.
pub fn min(a: u64, b: u64, bits: u32, is_signed: bool) -> u64 {
    if less(b, a, bits, is_signed) { b } else { a }
}

/// `max` of two values of the given width.
pub fn max(a: u64, b: u64, bits: u32, is_signed: bool) -> u64 {
    if less(a, b, bits, is_signed) { b } else { a }
}

fn less(a: u64, b: u64, bits: u32, is_signed: bool) -> bool {
    if is_signed { signed(a, bits) < signed(b, bits) } else { a & mask(bits) < b & mask(bits) }
}

/// `abs`: wraps for the most negative value.
pub fn abs(a: u64, bits: u32) -> u64 {
    signed(a, bits).wrapping_abs() as u64 & mask(bits)
}

/// `neg`: two's complement.
pub fn neg(a: u64, bits: u32) -> u64 {
    a.wrapping_neg() & mask(bits)
}

/// `shl`: amounts (unsigned 32 bits) past the width give zero.
pub fn shl(a: u64, amount: u32, bits: u32) -> u64 {
    if amount >= bits { 0 } else { (a << amount) & mask(bits) }
}

/// `shr.u`: amounts past the width give zero.
pub fn shr_unsigned(a: u64, amount: u32, bits: u32) -> u64 {
    if amount >= bits { 0 } else { (a & mask(bits)) >> amount }
}

/// `shr.s`: amounts past the width give the sign everywhere.
pub fn shr_signed(a: u64, amount: u32, bits: u32) -> u64 {
    (signed(a, bits) >> amount.min(bits - 1)) as u64 & mask(bits)
}

/// `add.cc`/`addc`: sum and carry out of the top bit.
pub fn add_carry(a: u64, b: u64, carry: bool, bits: u32) -> (u64, bool) {
    let m = mask(bits);
    let sum = (a & m) as u128 + (b & m) as u128 + carry as u128;
    (sum as u64 & m, sum >> bits != 0)
}

/// `sub.cc`/`subc`: `a - b - borrow` and the borrow out of the top bit.
///
/// The ISA's `CC.CF` after a subtraction is this borrow: `subc` computes `a - (b + CF)`.
pub fn sub_borrow(a: u64, b: u64, borrow: bool, bits: u32) -> (u64, bool) {
    let m = mask(bits);
    let difference = (a & m) as i128 - (b & m) as i128 - borrow as i128;
    (difference as u64 & m, difference < 0)
}

/// `dp4a`: `c` plus the four byte products; each side signed or not.
pub fn dp4a(a: u32, b: u32, c: u32, a_signed: bool, b_signed: bool) -> u32 {
    let byte = |x: u32, i: usize, is_signed| {
        let x = x.to_le_bytes()[i];
        if is_signed { x as i8 as i32 } else { x as i32 }
    };
    (0..4).fold(c, |sum, i| sum.wrapping_add((byte(a, i, a_signed) * byte(b, i, b_signed)) as u32))
}

/// `dp2a.lo`/`dp2a.hi`: `c` plus two products of 16-bit parts of `a` with bytes 0, 1
/// (`lo`) or 2, 3 (`hi`) of `b`.
pub fn dp2a(a: u32, b: u32, c: u32, a_signed: bool, b_signed: bool, high: bool) -> u32 {
    let word = |i: u32| {
        let x = (a >> (16 * i)) as u16;
        if a_signed { x as i16 as i32 } else { x as i32 }
    };
    let byte = |i: u32| {
        let x = (b >> (8 * (i + 2 * high as u32))) as u8;
        if b_signed { x as i8 as i32 } else { x as i32 }
    };
    (0..2).fold(c, |sum, i| sum.wrapping_add(word(i).wrapping_mul(byte(i)) as u32))
}
