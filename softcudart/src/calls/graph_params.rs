//! Parameters of nodes, between the runtime's form and the driver's.

use super::copy::Copy3DParameters;
use crate::abi::*;
use crate::context::{current, primary, running};
use crate::driver::{Fill, HostCall, KernelNode};
use crate::program::{function, stub_of};

/// `cudaKernelNodeParams`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Kernel<'a> {
    stub: usize,
    grid: Dim3,
    block: Dim3,
    shared: u32,
    params: Given<'a>,
    extra: Given<'a>,
}

impl<'a> Kernel<'a> {
    /// As the driver has it: the function of the current context.
    pub fn for_driver(&self) -> Answer<KernelNode<'a>> {
        let [grid, block] = [self.grid, self.block].map(|d| [d.x, d.y, d.z]);
        let function = function(self.stub)?;
        let (kernel, context) = (Handle::NULL, Handle::NULL);
        Ok(KernelNode {
            function,
            grid,
            block,
            shared: self.shared,
            params: self.params,
            extra: self.extra,
            kernel,
            context,
        })
    }

    /// From the driver's.
    pub fn of(node: &KernelNode<'a>) -> Answer<Kernel<'a>> {
        let [grid, block] = [node.grid, node.block].map(|[x, y, z]| Dim3 { x, y, z });
        let function = if node.function.is_null() { node.kernel } else { node.function };
        let stub = stub_of(function)?;
        Ok(Kernel { stub, grid, block, shared: node.shared, params: node.params, extra: node.extra })
    }
}

/// The context for a copy or a fill of a graph: the current one.
pub fn context() -> Answer<Handle> {
    let mut context = Handle::NULL;
    current()?.cuCtxGetCurrent(Out::of(&mut context))?;
    if context.is_null() { primary(running()?, 0) } else { Ok(context) }
}

/// `cudaMemcpyNodeParams`: flags and a context that are none of the copy's, 16 bytes in CUDA 12 and 13.
#[repr(C)]
#[derive(Clone, Copy)]
struct CopyNode {
    before: [usize; 2],
    copy: Copy3DParameters,
}

/// `cudaGraphNodeParams`: the kind of a node, and what it takes.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Any<'a> {
    kind: i32,
    reserved: [i32; 3],
    what: What<'a>,
}

#[repr(C)]
#[derive(Clone, Copy)]
union What<'a> {
    kernel: Kernel<'a>,
    copy: CopyNode,
    fill: Fill,
    host: HostCall,
    graph: Handle,
    event: Handle,
    words: [usize; 29],
}

/// The parameters of a node, by its kind.
pub enum Parameters<'a> {
    Kernel(Kernel<'a>),
    Copy(Copy3DParameters),
    Fill(Fill),
    Host(HostCall),
    Graph(Handle),
    Empty,
    EventWait(Handle),
    EventRecord(Handle),
}

impl<'a> Any<'a> {
    pub fn get(&self) -> Answer<Parameters<'a>> {
        // SAFETY: the kind says which it is (`cudaGraphNodeType`).
        unsafe {
            Ok(match self.kind {
                0 => Parameters::Kernel(self.what.kernel),
                1 => Parameters::Copy(self.what.copy.copy),
                2 => Parameters::Fill(self.what.fill),
                3 => Parameters::Host(self.what.host),
                4 => Parameters::Graph(self.what.graph),
                5 => Parameters::Empty,
                6 => Parameters::EventWait(self.what.event),
                7 => Parameters::EventRecord(self.what.event),
                kind => return refuse(NOT_SUPPORTED, format_args!("nodes of kind {kind} in this form")),
            })
        }
    }
}
