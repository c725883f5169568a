//! What the golden files are computed from.

/// The scripts' `noise`: uniform in [-1, 1), from the bits of a 32-bit mixer.
pub fn noise(seed: u32, len: usize) -> Vec<f32> {
    let value = |i: usize| {
        let mut x = (i as u32).wrapping_add(seed.wrapping_mul(0x9E37_79B1));
        for (shift, factor) in [(16, 0x7FEB_352D), (15, 0x846C_A68B)] {
            x ^= x >> shift;
            x = x.wrapping_mul(factor);
        }
        x ^= x >> 16;
        (f64::from(x >> 8) / 8_388_608.0 - 1.0) as f32
    };
    (0..len).map(value).collect()
}
