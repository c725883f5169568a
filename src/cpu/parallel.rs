//! Work spread over rayon's threads.

use rayon::prelude::*;

/// Elements in a piece of an elementwise pass: small enough to balance, large enough to hide the splitting.
pub const CHUNK: usize = 1 << 15;

/// Runs `body(number, task)` for every task, each one a piece of work of its own.
pub fn for_each<T: IntoParallelIterator>(tasks: T, body: impl Fn(usize, T::Item) + Sync + Send)
where
    T::Iter: IndexedParallelIterator,
{
    tasks.into_par_iter().with_max_len(1).enumerate().for_each(|(number, task)| body(number, task));
}
