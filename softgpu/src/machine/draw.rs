//! Draws from a seed.

/// A 64-bit mixing function (splitmix64).
pub fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The block that is started as the `n`-th: a permutation drawn from the seed.
pub fn nth_block(seed: u64, n: u64, blocks: u64) -> u64 {
    if seed == 0 || blocks < 2 {
        return n;
    }
    // a Feistel network over the next even power of two, walked until inside
    let bits = (64 - (blocks - 1).leading_zeros()).next_multiple_of(2).max(2);
    let half = bits / 2;
    let low = (1u64 << half) - 1;
    let mut x = n;
    loop {
        let (mut l, mut r) = (x >> half, x & low);
        for round in 0..4u64 {
            (l, r) = (r, l ^ (mix(seed ^ (round << 56) ^ r) & low));
        }
        x = (l << half) | r;
        if x < blocks {
            return x;
        }
    }
}
