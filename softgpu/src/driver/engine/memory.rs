//! Making and freeing allocations.

use crate::driver::abi::*;
use crate::driver::objects::*;
use crate::memory::MemoryError;

fn refusal(error: MemoryError) -> Refusal {
    let code = match error {
        MemoryError::OutOfMemory { .. } | MemoryError::NotShared { .. } => OUT_OF_MEMORY,
        _ => INVALID_VALUE,
    };
    Refusal { code, message: error.to_string() }
}

/// What an allocation is made by.
#[derive(Clone, Copy)]
pub enum Origin {
    Plain,
    Pool(Handle),
    Managed,
}

impl Session {
    /// Makes an allocation in the current context.
    pub fn allocate(&mut self, bytes: usize, origin: Origin) -> Answer<u64> {
        let (call, pool) = match origin {
            Origin::Plain => ("cuMemAlloc", None),
            Origin::Pool(pool) => ("cuMemAllocAsync", Some(pool)),
            Origin::Managed => ("cuMemAllocManaged", None),
        };
        let label = format!("{call} of {bytes} bytes");
        let bytes = bytes as u64;
        let address = match origin {
            Origin::Managed => self.driver.memory.alloc_managed(bytes, &label),
            _ => self.driver.memory.alloc(bytes, &label),
        }
        .map_err(refusal)?;
        if let Some(pool) = pool.and_then(|p| self.pools.get_mut(&p)) {
            pool.used += bytes;
            pool.high = pool.high.max(pool.used);
        }
        let entry = Linear { context: self.context, bytes, pool, freeing: false, of_graph: false, label };
        self.linear.insert(address, entry);
        Ok(address)
    }

    /// Keeps an address for an allocation node.
    pub fn reserve(&mut self, bytes: usize) -> Answer<GraphMemory> {
        let label = format!("{bytes} bytes of a graph's allocation node");
        let address = self.driver.memory.reserve(bytes as u64, &label).map_err(refusal)?;
        Ok(GraphMemory { memory: &self.driver.memory, context: self.context, address, bytes, label })
    }

    /// Makes the allocation of a node.
    pub fn wake(&mut self, memory: &GraphMemory) -> Answer {
        self.driver.memory.wake(memory.address).map_err(refusal)?;
        let (bytes, pool) = (memory.bytes as u64, Some(self.default_pool));
        let entry = Linear {
            context: memory.context,
            bytes,
            pool,
            freeing: false,
            of_graph: true,
            label: memory.label.clone(),
        };
        self.linear.insert(memory.address, entry);
        self.graph_used += bytes;
        self.graph_most = self.graph_most.max(self.graph_used);
        Ok(())
    }

    /// The allocation that starts at an address and that no queued work frees.
    pub fn live(&self, address: u64) -> Answer<&Linear> {
        let place = self.driver.memory.describe(address);
        let message = format_args!("{address:#x} is not the start of an allocation ({place})");
        let entry = self.linear.get(&address).or_refuse(INVALID_VALUE, message)?;
        let message = format_args!("{address:#x} was freed before with cuMemFreeAsync: a double free");
        valid(!entry.freeing, message)?;
        Ok(entry)
    }

    /// Gives an allocation back now.
    pub fn release(&mut self, address: u64) -> Answer {
        let entry = self.linear.remove(&address).or_refuse(INVALID_VALUE, "it was freed already")?;
        if entry.of_graph {
            self.graph_used -= entry.bytes;
        } else if let Some(pool) = entry.pool.and_then(|p| self.pools.get_mut(&p)) {
            pool.used -= entry.bytes;
        }
        self.driver.memory.free(address).map_err(refusal)
    }
}
