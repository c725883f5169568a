//! Plans recorded as graphs. A recording is found again by what was recorded: the operations with their memory, and the
//! choice of kernels. It is forgotten with the memory it uses.

use super::memory::Memory;
use super::settings::Choices;
use crate::device::View;
use crate::ops::operation::Planned;
use cudarc::driver::CudaGraph;
use std::sync::Arc;

/// A recorded plan.
pub struct Recording {
    pub name: String,
    pub plan: Vec<Planned>,
    pub choices: Choices,
    /// All memory that the graph has addresses of.
    pub uses: Vec<View>,
    pub graph: CudaGraph,
    /// Kernel launches in it.
    pub launches: u64,
    /// What an error calls it.
    pub title: Arc<str>,
}

/// The recordings of a device.
#[derive(Default)]
pub struct Recordings {
    pub all: Vec<Recording>,
}

impl Recordings {
    /// The recording of a plan by these choices.
    pub fn find(&self, plan: &[Planned], choices: Choices) -> Option<&Recording> {
        self.all.iter().find(|r| r.choices == choices && r.plan == plan)
    }

    /// Frees the memory whose owners are gone, after the recordings that use it.
    pub fn sweep(&mut self, memory: &mut Memory) {
        if memory.has_orphans() {
            self.all.retain(|r| r.uses.iter().all(|v| memory.holds(*v)));
            memory.sweep();
        }
    }
}
