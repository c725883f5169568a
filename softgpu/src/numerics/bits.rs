//! Bit fields, permutation, counting.

use super::integer::mask;

/// `bfe`: extracts `length` bits from `position` (both read from their low 8 bits).
///
/// Bits past the top read as zero (unsigned) or as the sign; the sign of a signed field is
/// its top bit, or the operand's top bit where the field reaches past it; length 0 gives 0.
pub fn bfe(a: u64, position: u32, length: u32, bits: u32, is_signed: bool) -> u64 {
    let (position, length) = (position & 0xff, length & 0xff);
    let a = a & mask(bits);
    if length == 0 {
        return 0;
    }
    let sign = if is_signed {
        let top = (position + length - 1).min(bits - 1);
        (a >> top) & 1
    } else {
        0
    };
    let shifted = if position >= bits { 0 } else { a >> position };
    let available = bits.saturating_sub(position);
    let taken = length.min(available);
    let field = if taken == 0 { 0 } else { shifted & mask(taken) };
    let fill = if sign != 0 { if taken == 0 { mask(bits) } else { mask(bits) & !mask(taken) } } else { 0 };
    field | fill
}

/// `bfi`: `b` with the low `length` bits of `a` put at `position` (both read from their
/// low 8 bits); what would land past the top is lost.
pub fn bfi(a: u64, b: u64, position: u32, length: u32, bits: u32) -> u64 {
    let (position, length) = (position & 0xff, length & 0xff);
    let b = b & mask(bits);
    if length == 0 || position >= bits {
        return b;
    }
    let field = (mask(length.min(bits)) << position) & mask(bits);
    b & !field | (a << position) & field
}

/// `bfind`: position of the highest bit that is set (unsigned) or differs from the sign
/// (signed), `0xffffffff` if there is none. With `shift_amount` the left shift that brings
/// it to the top instead.
pub fn bfind(a: u64, bits: u32, is_signed: bool, shift_amount: bool) -> u32 {
    let mut a = a & mask(bits);
    if is_signed && (a >> (bits - 1)) & 1 != 0 {
        a = !a & mask(bits);
    }
    if a == 0 {
        return u32::MAX;
    }
    let position = 63 - a.leading_zeros();
    if shift_amount { bits - 1 - position } else { position }
}

/// `brev`: the bits in reverse order.
pub fn brev(a: u64, bits: u32) -> u64 {
    (a << (64 - bits)).reverse_bits()
}

/// `clz`: number of leading zeros, the width for zero.
pub fn clz(a: u64, bits: u32) -> u32 {
    (a & mask(bits)).leading_zeros() - (64 - bits)
}

/// `popc`: number of ones.
pub fn popc(a: u64, bits: u32) -> u32 {
    (a & mask(bits)).count_ones()
}

/// `fns.b32`: position of the `offset`-th set bit of `mask` seen from `base`: upwards from
/// `base` (inclusive) for positive offsets, downwards for negative ones; offset 0 asks
/// whether bit `base` itself is set. `0xffffffff` if there is none.
///
/// # Errors
/// `base` above 31 is undefined in the ISA; it gives `0xffffffff` here.
pub fn fns(mask: u32, base: u32, offset: i32) -> u32 {
    if base > 31 {
        return u32::MAX;
    }
    let set = |position: &u32| mask >> position & 1 != 0;
    let found = match offset {
        0 => Some(base).filter(set),
        1.. => (base..32).filter(set).nth(offset as usize - 1),
        _ => (0..=base).rev().filter(set).nth(offset.unsigned_abs() as usize - 1),
    };
    found.unwrap_or(u32::MAX)
}

/// `bmsk.{clamp,wrap}.b32`: `length` ones starting at `position`.
pub fn bmsk(position: u32, length: u32, wrap: bool) -> u32 {
    let (position, length) = if wrap { (position & 31, length & 31) } else { (position, length.min(32)) };
    if position > 31 {
        return 0;
    }
    ((mask(length)) << position) as u32
}

/// `szext.{clamp,wrap}.{u32,s32}`: `a` truncated to `width` bits and extended again.
pub fn szext(a: u32, width: u32, is_signed: bool, wrap: bool) -> u32 {
    let width = if wrap { width & 31 } else { width.min(32) };
    if width == 0 {
        return 0;
    }
    if width == 32 {
        return a;
    }
    if is_signed { super::integer::signed(a as u64, width) as u32 } else { a & mask(width) as u32 }
}

/// Mode of `prmt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permute {
    /// Four selectors, one a nibble, each with a sign-replicate bit.
    Index,
    /// `.f4e`: four bytes forward from the selector.
    Forward4,
    /// `.b4e`: four bytes backward from the selector.
    Backward4,
    /// `.rc8`: one byte everywhere.
    Replicate8,
    /// `.ecl`: edge clamp left.
    EdgeLeft,
    /// `.ecr`: edge clamp right.
    EdgeRight,
    /// `.rc16`: one 16-bit half twice.
    Replicate16,
}

/// `prmt.b32`: four bytes picked from the eight of `{b, a}` (byte 0 is the lowest of `a`).
pub fn prmt(a: u32, b: u32, selector: u32, mode: Permute) -> u32 {
    let bytes = (a as u64 | (b as u64) << 32).to_le_bytes();
    let c = selector & 3;
    let pick: [u32; 4] = match mode {
        Permute::Index => {
            return u32::from_le_bytes(std::array::from_fn(|i| {
                let nibble = selector >> (4 * i) & 15;
                let byte = bytes[nibble as usize & 7];
                if nibble & 8 != 0 { (byte as i8 >> 7) as u8 } else { byte }
            }));
        }
        Permute::Forward4 => std::array::from_fn(|i| c + i as u32),
        Permute::Backward4 => std::array::from_fn(|i| c.wrapping_sub(i as u32) & 7),
        Permute::Replicate8 => [c; 4],
        Permute::EdgeLeft => std::array::from_fn(|i| (i as u32).max(c)),
        Permute::EdgeRight => std::array::from_fn(|i| (i as u32).min(c)),
        Permute::Replicate16 => {
            let low = 2 * (c & 1);
            [low, low + 1, low, low + 1]
        }
    };
    u32::from_le_bytes(pick.map(|i| bytes[i as usize]))
}

/// `lop3.b32`: the boolean function of three inputs whose truth table is `table`, with
/// `a`, `b`, `c` contributing 0xf0, 0xcc, 0xaa.
#[inline]
pub fn lop3(a: u32, b: u32, c: u32, table: u8) -> u32 {
    let mut result = 0;
    for row in 0..8 {
        if table >> row & 1 != 0 {
            let x = if row & 4 != 0 { a } else { !a };
            let y = if row & 2 != 0 { b } else { !b };
            let z = if row & 1 != 0 { c } else { !c };
            result |= x & y & z;
        }
    }
    result
}

/// `shf.{l,r}.{clamp,wrap}.b32`: funnel shift of the 64 bits `{b, a}` (`a` is the low
/// word); left returns the upper word, right the lower. The amount is taken modulo 32
/// (`wrap`) or clamped to 32.
#[inline]
pub fn shf(a: u32, b: u32, amount: u32, left: bool, wrap: bool) -> u32 {
    let amount = if wrap { amount & 31 } else { amount.min(32) };
    let both = a as u64 | (b as u64) << 32;
    if left { ((both << amount) >> 32) as u32 } else { (both >> amount) as u32 }
}
