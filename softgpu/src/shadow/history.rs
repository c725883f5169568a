//! Releases and acquires of a launch's blocks, and the chains they form.

use std::collections::{HashMap, HashSet};

/// A release: when, and in which epoch of its block (the epochs of a block grow with time).
type Release = (u64, u32);

/// Times grow within each list.
#[derive(Default)]
pub struct History {
    /// By address and block.
    releases: HashMap<u64, HashMap<u32, Vec<Release>>>,
    /// By block and address: when the block had acquired it, as far as a release of the block came after.
    acquires: HashMap<u32, HashMap<u64, Vec<u64>>>,
    /// Blocks that are no longer followed.
    lost: HashSet<u32>,
}

impl History {
    /// A block has released an address.
    pub fn released(&mut self, block: u32, address: u64, time: u64, epoch: u32) {
        let by_block = self.releases.entry(address).or_default();
        by_block.entry(block).or_default().push((time, epoch));
    }

    /// A block has acquired an address, and releases now.
    pub fn acquired(&mut self, block: u32, address: u64, time: u64) {
        let by_address = self.acquires.entry(block).or_default();
        by_address.entry(address).or_default().push(time);
    }

    /// A block synchronises on more addresses than are followed: whatever leads through it is taken as ordered.
    pub fn lost(&mut self, block: u32) {
        self.lost.insert(block);
    }

    /// Whether a chain leads from a release of block `from` in `epoch` or later to one of these acquires (address and
    /// time): a release before the acquire, of a block that had before acquired what was released before, and so on.
    ///
    /// Of each block only its latest release before an acquire matters: it knows all that earlier ones knew.
    pub fn leads(&self, from: u32, epoch: u32, acquired: Vec<(u64, u64)>) -> bool {
        let mut reached: HashMap<u32, u64> = HashMap::new();
        let mut open = acquired;
        while let Some((address, time)) = open.pop() {
            let Some(by_block) = self.releases.get(&address) else {
                continue;
            };
            let latest = |list: &Vec<Release>| {
                let before = list.partition_point(|r| r.0 < time);
                before.checked_sub(1).map(|i| list[i])
            };
            if let Some((_, at)) = by_block.get(&from).and_then(latest)
                && at >= epoch
            {
                return true;
            }
            for (&block, list) in by_block {
                let Some((when, _)) = latest(list) else {
                    continue;
                };
                if self.lost.contains(&block) {
                    return true;
                }
                let known = reached.entry(block).or_default();
                if *known >= when {
                    continue;
                }
                *known = when;
                for (&address, times) in self.acquires.get(&block).into_iter().flatten() {
                    let before = times.partition_point(|&t| t < when);
                    if let Some(i) = before.checked_sub(1) {
                        open.push((address, times[i]));
                    }
                }
            }
        }
        false
    }
}
