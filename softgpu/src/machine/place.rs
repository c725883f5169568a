//! Where the lanes of an access to memory lie.

use crate::machine::row::{FULL, Isa, any, gather, gather_quad, gather64, lanes};

/// A part of a memory, of at most 2^31 bytes; it begins at a multiple of 128.
#[derive(Clone, Copy)]
pub struct Span {
    base: *mut u8,
    bytes: u64,
}

impl Span {
    /// # Safety
    /// So many bytes from `base` on may be read and written as long as the span and what comes of it is used. Host
    /// threads may do so at once, as blocks on a device do.
    pub unsafe fn new(base: *mut u8, bytes: u64) -> Span {
        debug_assert!(base.addr().is_multiple_of(128));
        assert!(bytes <= 1 << 31);
        Span { base, bytes }
    }

    /// Its length.
    #[inline(always)]
    pub fn bytes(self) -> u64 {
        self.bytes
    }

    /// Accesses of `BYTES` bytes at addresses counted from `low`, if all lanes, also those outside the mask, lie inside
    /// and are aligned.
    #[inline(always)]
    pub fn all<I: Isa, const BYTES: usize>(
        self,
        host: I,
        a: &[u64; 32],
        low: u64,
        mask: u32,
    ) -> Option<Place<I, BYTES>> {
        let most = self.bytes.checked_sub(BYTES as u64)?;
        let (mut bad, mut offsets) = ([0u32; 32], [0u32; 32]);
        for l in 0..32 {
            let offset = a[l].wrapping_sub(low);
            bad[l] = u32::from(offset > most) | (offset as u32 & (BYTES as u32 - 1));
            offsets[l] = offset as u32;
        }
        (!any(host, &bad)).then_some(Place { host, base: self.base, offsets, mask, rest: 0 })
    }

    /// The same for those lanes of a mask that lie inside; the others are left for further rounds.
    pub fn some<I: Isa, const BYTES: usize>(
        self,
        host: I,
        a: &[u64; 32],
        low: u64,
        mask: u32,
    ) -> Option<Place<I, BYTES>> {
        let most = self.bytes.checked_sub(BYTES as u64)?;
        let mut offsets = a.map(|v| v.wrapping_sub(low));
        let inside = (0..32).fold(0, |m, l| m | u32::from(offsets[l] <= most) << l) & mask;
        let first = *offsets.get(inside.trailing_zeros() as usize)?;
        for l in (0..32).filter(|l| inside >> l & 1 == 0) {
            offsets[l] = first;
        }
        let offsets = offsets.map(|o| o as u32);
        Some(Place { host, base: self.base, offsets, mask: inside, rest: mask & !inside })
    }
}

/// The lanes' places of an access of `BYTES` bytes: from each lane's offset on so many bytes belong to the memory that
/// begins at `base`.
pub struct Place<I, const BYTES: usize> {
    host: I,
    base: *mut u8,
    offsets: [u32; 32],
    mask: u32,
    rest: u32,
}

/// Values of which any bits will do.
pub trait Plain: Copy {}
impl Plain for u8 {}
impl Plain for u16 {}
impl Plain for u32 {}
impl Plain for u64 {}
impl<T: Plain, const N: usize> Plain for [T; N] {}

impl<I: Isa, const BYTES: usize> Place<I, BYTES> {
    /// Lanes that have a place; the others have that of one of these.
    #[inline(always)]
    pub fn mask(&self) -> u32 {
        self.mask
    }

    /// Lanes for further rounds.
    #[inline(always)]
    pub fn rest(&self) -> u32 {
        self.rest
    }

    /// Where the lanes' bytes lie in their memory.
    #[inline(always)]
    pub fn offsets(&self) -> &[u32; 32] {
        &self.offsets
    }

    /// Address of `size` bytes behind the first `skip` of a lane's.
    #[inline(always)]
    fn at(&self, lane: usize, skip: usize, size: usize) -> *mut u8 {
        assert!(skip + size <= BYTES);
        self.base.wrapping_add(self.offsets[lane] as usize + skip)
    }

    /// A value of a lane, behind its first `skip` bytes.
    #[inline(always)]
    pub fn read<T: Plain>(&self, lane: usize, skip: usize) -> T {
        // SAFETY: `at` has looked that these bytes belong to the lane.
        unsafe { self.at(lane, skip, size_of::<T>()).cast::<T>().read_unaligned() }
    }

    /// Writes a value of a lane, behind its first `skip` bytes.
    #[inline(always)]
    pub fn write<T: Plain>(&self, lane: usize, skip: usize, value: T) {
        // SAFETY: as in `read`.
        unsafe { self.at(lane, skip, size_of::<T>()).cast::<T>().write_unaligned(value) }
    }

    /// A lane's aligned place, for an atomic of `size` bytes.
    pub fn aligned(&self, lane: usize, size: usize) -> *mut u8 {
        let at = self.at(lane, 0, size);
        assert!(at.addr().is_multiple_of(size));
        at
    }

    /// A 32-bit word of each lane.
    #[inline(always)]
    pub fn words(&self) -> [u32; 32] {
        let o = &self.offsets;
        let step = o[1].wrapping_sub(o[0]);
        if step == 4 && o[31].wrapping_sub(o[0]) == 124 && is_run(o, 4) {
            // SAFETY: the lanes' words lie one behind the other.
            return unsafe { self.at(0, 0, 4).cast::<[u32; 32]>().read_unaligned() };
        }
        if step == 0 && is_run(o, 0) {
            return [self.read(0, 0); 32];
        }
        assert!(BYTES >= 4);
        // SAFETY: every lane has four bytes, below 2^31.
        unsafe { gather(self.host, self.base, o) }
    }

    /// Writes a 32-bit word of each lane.
    #[inline(always)]
    pub fn set_words(&self, t: &[u32; 32]) {
        let o = &self.offsets;
        if self.mask == FULL && o[1].wrapping_sub(o[0]) == 4 && is_run(o, 4) {
            // SAFETY: the lanes' words lie one behind the other.
            unsafe { self.at(0, 0, 4).cast::<[u32; 32]>().write_unaligned(*t) }
        } else {
            lanes(self.mask, |l| self.write(l, 0, t[l]));
        }
    }

    /// A 64-bit word of each lane, behind the first `skip` bytes.
    #[inline(always)]
    pub fn longs(&self, skip: usize) -> [u64; 32] {
        assert!(skip + 8 <= BYTES);
        // SAFETY: every lane has these bytes, below 2^31.
        unsafe { gather64(self.host, self.base.wrapping_add(skip), &self.offsets) }
    }

    /// Four 32-bit words of each lane: word `w` of lane `l` at `[w][l]`.
    #[inline(always)]
    pub fn quads(&self) -> [[u32; 32]; 4] {
        assert!(BYTES >= 16);
        // SAFETY: as in `longs`.
        unsafe { gather_quad(self.host, self.base, &self.offsets) }
    }
}

/// Lanes lie one behind the other, `step` bytes apart.
#[inline(always)]
fn is_run(o: &[u32; 32], step: u32) -> bool {
    let mut bad = 0;
    for l in 0..32 {
        bad |= o[l] ^ o[0].wrapping_add(l as u32 * step);
    }
    bad == 0
}
