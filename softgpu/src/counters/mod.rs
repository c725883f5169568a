//! What a profiler would show, exactly repeatable.

use serde::Serialize;

/// Counts of one launch, or summed over the launches of a kernel.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Counters {
    pub kernel: String,
    pub launches: u64,
}

impl Counters {
    /// Adds the counts of another launch of the same kernel.
    pub fn add(&mut self, other: &Counters) {
        self.launches += other.launches;
    }

    /// The counts as a table for people.
    pub fn table(&self) -> String {
        format!("{}: {} launches\n", self.kernel, self.launches)
    }
}
