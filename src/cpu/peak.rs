//! What a processor can do at most: fused multiply-adds from register to register, and numbers in memory changed in
//! place.

use super::isa::Isa;
use super::vector::{Job, Vector};
use rayon::prelude::*;
use std::hint::black_box;
use std::time::Instant;

/// Sums side by side: more than the latency of a multiply-add times the number that start in a cycle.
const SUMS: usize = 12;
/// Rounds of a measurement: some milliseconds.
const ROUNDS: usize = 2_000_000;

/// Floating-point operations a second of one thread (a fused multiply-add is two of them).
pub fn flops(isa: Isa) -> f64 {
    let start = Instant::now();
    let lanes = isa.run(Rounds);
    (2 * lanes * SUMS * ROUNDS) as f64 / start.elapsed().as_secs_f64()
}

/// Numbers that a thread changes: more than its caches hold.
const CHANGED: usize = 32 << 20;

/// Streams that a thread changes side by side: with one alone, less is fetched ahead.
const STREAMS: usize = 4;

/// Bytes a second, read and written, where all threads at once change numbers in place: the fastest of a few rounds.
/// Reading alone leaves the way back idle.
pub fn bandwidth(pool: &rayon::ThreadPool) -> f64 {
    let mut numbers = vec![1u32; CHANGED * pool.current_num_threads()];
    let bytes = (2 * size_of_val(&numbers[..])) as f64;
    let mut change = || {
        let start = Instant::now();
        let pieces = numbers.par_chunks_exact_mut(CHANGED / 16);
        pool.install(|| pieces.for_each(change_in_streams));
        bytes / start.elapsed().as_secs_f64()
    };
    (0..5).map(|_| change()).fold(0.0, f64::max)
}

fn change_in_streams(numbers: &mut [u32]) {
    let mut streams = numbers.chunks_exact_mut(numbers.len() / STREAMS);
    let [a, b, c, d]: [&mut [u32]; STREAMS] = std::array::from_fn(|_| streams.next().expect("so many streams"));
    for (((a, b), c), d) in a.iter_mut().zip(b).zip(c).zip(d) {
        for n in [a, b, c, d] {
            *n = n.wrapping_mul(3);
        }
    }
}

/// Gives the number of lanes.
struct Rounds;

impl Job for Rounds {
    type Output = usize;

    #[inline(always)]
    fn run<V: Vector>(self, zero: V) -> usize {
        let (factor, term) = (zero.splat(black_box(0.5)), zero.splat(black_box(1.0)));
        let mut sums = [zero; SUMS];
        for _ in 0..ROUNDS {
            for sum in &mut sums {
                *sum = term.plus_product(*sum, factor);
            }
        }
        for sum in sums {
            black_box(sum);
        }
        V::LANES
    }
}
