//! Philox4x32-10, the counter-based random generator every random number of the project comes from.
//!
//! A number is a pure function of (seed, purpose, step, index, sub-index): the same on every backend, in any order,
//! and after a resume. Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

/// What a stream of random numbers is used for; streams of different purposes never meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Purpose {
    Init = 1,
    Shuffle = 2,
    Dropout = 3,
    Augment = 4,
}

/// Ten rounds of Philox4x32: a bijection of the counter for each key.
pub fn philox4x32(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let a = u64::from(counter[0]) * 0xD251_1F53;
        let b = u64::from(counter[2]) * 0xCD9E_8D57;
        counter = [(b >> 32) as u32 ^ counter[1] ^ key[0], b as u32, (a >> 32) as u32 ^ counter[3] ^ key[1], a as u32];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    counter
}

/// The random numbers of one purpose at one step.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    pub seed: u64,
    pub purpose: Purpose,
    /// Training step (or epoch, or layer, as the purpose needs); below 2^56.
    pub step: u64,
}

impl Stream {
    /// Four random words. `index` and `sub` are free for the caller: element and layer, image and draw, ...
    pub fn block(&self, index: u32, sub: u32) -> [u32; 4] {
        let high = (self.step >> 32) as u32 | ((self.purpose as u32) << 24);
        philox4x32([index, sub, self.step as u32, high], [self.seed as u32, (self.seed >> 32) as u32])
    }
}

/// Maps a random word to [0, 1): the upper 24 bits, so that every value is exact in float32.
pub fn uniform(word: u32) -> f32 {
    (word >> 8) as f32 * (1.0 / 16_777_216.0)
}
