//! What can be queued on a stream.

use super::code::ModuleData;
use super::copy::{Copy, Fill};
use super::handle::Handle;
use crate::kernel::{KernelInfo, LaunchConfig};
use crate::memory::Memory;
use std::ffi::c_void;
use std::sync::Arc;

/// One operation.
pub enum Work {
    /// Orders other operations and does nothing itself.
    Nothing,
    Kernel(Launch),
    Copy(Copy),
    Fill(Fill),
    Host(HostCall),
    Record(Handle),
    /// Makes the allocation of a graph's node.
    Allocate(GraphMemory),
    Free(u64),
    Graph(Arc<Plan>),
}

/// The nodes of an instantiated graph with the nodes each waits for.
pub struct Plan {
    pub nodes: Vec<(Arc<Work>, Vec<usize>)>,
}

impl Work {
    /// True when running it changes or reads nothing but the device.
    pub fn device_only(&self) -> bool {
        match self {
            Work::Nothing | Work::Kernel(_) | Work::Fill(_) | Work::Record(_) => true,
            Work::Copy(copy) => copy.device_only(),
            Work::Host(_) | Work::Free(_) | Work::Allocate(_) => false,
            Work::Graph(plan) => plan.nodes.iter().all(|(work, _)| work.device_only()),
        }
    }

    /// True when a function of the program runs in it.
    pub fn calls_host(&self) -> bool {
        match self {
            Work::Host(_) => true,
            Work::Graph(plan) => plan.nodes.iter().any(|(work, _)| work.calls_host()),
            _ => false,
        }
    }
}

impl Plan {
    /// Allocations that it makes, and those of them that it doesn't free.
    pub fn allocations(&self) -> (Vec<&GraphMemory>, Vec<&GraphMemory>) {
        let works = || self.nodes.iter().map(|(work, _)| &**work);
        let freed = |address: u64| works().any(|work| matches!(work, Work::Free(a) if *a == address));
        let made: Vec<&GraphMemory> = works()
            .filter_map(|work| match work {
                Work::Allocate(memory) => Some(memory),
                _ => None,
            })
            .collect();
        let left = made.iter().copied().filter(|memory| !freed(memory.address)).collect();
        (made, left)
    }
}

/// The memory of an allocation node: at one address in each launch, which is its own as long as the graph or an
/// instantiated one is there.
pub struct GraphMemory {
    pub memory: &'static Memory,
    pub context: Handle,
    pub address: u64,
    pub bytes: usize,
    pub label: String,
}

impl Drop for GraphMemory {
    fn drop(&mut self) {
        self.memory.forget(self.address);
    }
}

/// A launch with its arguments copied.
#[derive(Clone)]
pub struct Launch {
    pub function: Handle,
    pub info: Arc<KernelInfo>,
    pub data: Arc<ModuleData>,
    pub config: LaunchConfig,
    /// Its blocks run together and may wait for one another.
    pub cooperative: bool,
}

/// Grid, block and dynamic shared memory as a call gives them.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Shape {
    pub grid: [u32; 3],
    pub block: [u32; 3],
    pub shared: u32,
}

/// A function of the program that runs on a stream.
pub type HostFn = unsafe extern "C" fn(*mut c_void);

/// A call of a function of the program (`CUDA_HOST_NODE_PARAMS`): that the function can be called with the argument is
/// the program's promise, so that it is made by C, or by [`HostCall::new`].
#[repr(C)]
#[derive(Clone, Copy)]
pub struct HostCall {
    function: Option<HostFn>,
    argument: usize,
}

impl HostCall {
    /// # Safety
    /// The program asked for the function to be called with that argument.
    pub unsafe fn new(function: Option<HostFn>, argument: usize) -> HostCall {
        HostCall { function, argument }
    }

    pub fn has_function(&self) -> bool {
        self.function.is_some()
    }

    /// Calls it.
    pub fn run(&self) {
        if let Some(function) = self.function {
            // SAFETY: the promise of the type.
            unsafe { function(self.argument as *mut c_void) };
        }
    }
}
