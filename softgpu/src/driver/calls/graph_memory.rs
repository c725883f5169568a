//! Nodes of graphs that allocate and free, and what is asked about their memory.

use super::graph_nodes::add;
use super::managed::Location;
use crate::driver::abi::*;
use crate::driver::objects::*;
use std::ffi::c_void;

/// `CUDA_MEM_ALLOC_NODE_PARAMS`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct AllocationNode {
    /// The allocation's type, handles to other processes, and where it lies.
    kind: i32,
    handles: i32,
    place: Location,
    rest: [u64; 9],
    access: u64,
    access_count: usize,
    bytes: usize,
    address: u64,
}

impl AllocationNode {
    fn of(memory: &GraphMemory) -> AllocationNode {
        let place = Location { kind: 1, id: 0 };
        let (bytes, address) = (memory.bytes, memory.address);
        AllocationNode { kind: 1, handles: 0, place, rest: [0; 9], access: 0, access_count: 0, bytes, address }
    }
}

entry!(cuGraphAddMemAllocNode, |out: Out<Handle>,
                                graph: Handle,
                                after: Nodes,
                                count: Count,
                                p: Option<&mut AllocationNode>| {
    let p = p.or_refuse(INVALID_VALUE, "no description of the allocation")?;
    valid((p.kind, p.place) == (1, Location { kind: 1, id: 0 }), "softgpu allocates pinned-type memory on device 0")?;
    ensure(p.handles == 0, NOT_SUPPORTED, "softgpu's memory can't be shared with other processes")?;
    add(out, graph, after, count, |state| {
        let memory = state.reserve(p.bytes)?;
        p.address = memory.address;
        Ok((Work::Allocate(memory), None))
    })
});

entry!(cuGraphAddMemFreeNode, |out: Out<Handle>, graph: Handle, after: Nodes, count: Count, address: u64| {
    add(out, graph, after, count, |state| {
        let found = state.driver.memory.find_reserved(address).filter(|a| a.base == address);
        found.or_refuse(INVALID_VALUE, format_args!("{address:#x} is not the start of an allocation"))?;
        state.graphs.known(graph)?.may_free(address)?;
        Ok((Work::Free(address), None))
    })
});

entry!(cuGraphMemAllocNodeGetParams, |node: Handle, out: Out<AllocationNode>| {
    match &*lock()?.node(node)?.work {
        Work::Allocate(memory) => out.set(AllocationNode::of(memory), "parameters"),
        _ => refuse(INVALID_VALUE, "the node does not allocate"),
    }
});

entry!(cuGraphMemFreeNodeGetParams, |node: Handle, out: Out<u64>| {
    match *lock()?.node(node)?.work {
        Work::Free(address) => out.set(address, "address"),
        _ => refuse(INVALID_VALUE, "the node does not free"),
    }
});

// 0 and 1 are the bytes in use and the most there were, 2 and 3 the same of what is reserved.
entry!(cuDeviceGetGraphMemAttribute, |device: i32, attribute: i32, out: Out<c_void>| {
    let state = lock_device(device)?;
    let value = match attribute {
        0 | 2 => state.graph_used,
        1 | 3 => state.graph_most,
        _ => return refuse(INVALID_VALUE, format_args!("{attribute} is no attribute of graphs' memory")),
    };
    // SAFETY: the attributes have values of that size, by the API.
    unsafe { out.set_value(Value::Long(value), "value") }
});

entry!(cuDeviceSetGraphMemAttribute, |device: i32, attribute: i32, _value: Array<u8>| {
    let mut state = lock_device(device)?;
    valid(matches!(attribute, 1 | 3), format_args!("{attribute} can't be set; 1 and 3 are set back"))?;
    state.graph_most = state.graph_used;
    Ok(())
});

// Nothing is kept that could be given back.
entry!(cuDeviceGraphMemTrim, |device: i32| lock_device(device).map(|_| ()));
