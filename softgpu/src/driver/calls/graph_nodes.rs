//! Adding nodes of all kinds but kernels.

use super::strided::Memcpy3D;
use crate::driver::abi::*;
use crate::driver::objects::*;
use std::sync::Arc;

/// Adds a node after checking what it is to wait for.
pub fn add(
    out: Out<Handle>,
    graph: Handle,
    after: Nodes,
    count: Count,
    make: impl FnOnce(&mut Session) -> Answer<(Work, Option<Arc<Graph>>)>,
) -> Answer {
    let mut state = enter()?;
    let nodes = &state.graphs.known(graph)?.nodes;
    let after = after.of(count).to_vec();
    for node in &after {
        let message = format_args!("the node is to wait for {node:#x}, which is no node of this graph");
        valid(nodes.contains_key(node), message)?;
    }
    out.required("node")?;
    let (work, child) = make(&mut state)?;
    let node = Kind::Node.fresh();
    state.graphs.at(graph).nodes.insert(node, Node { child, ..Node::new(work, after) });
    out.set(node, "node")
}

entry!(cuGraphAddEmptyNode, |out: Out<Handle>, graph: Handle, after: Nodes, count: Count| {
    add(out, graph, after, count, |_| Ok((Work::Nothing, None)))
});

entry!(cuGraphAddChildGraphNode, |out: Out<Handle>, graph: Handle, after: Nodes, count: Count, child: Handle| {
    add(out, graph, after, count, |state| {
        let child = state.graphs.known(child)?.clone();
        ensure(!child.has_memory(), NOT_SUPPORTED, "a graph with memory nodes can't be part of another")?;
        Ok((Work::Nothing, Some(Arc::new(child))))
    })
});

/// The call of a host node.
pub fn host_work(p: Option<&HostCall>) -> Answer<Work> {
    let call = p.filter(|call| call.has_function()).or_refuse(INVALID_VALUE, "no function")?;
    Ok(Work::Host(*call))
}

entry!(cuGraphAddHostNode, |out: Out<Handle>, graph: Handle, after: Nodes, count: Count, p: Option<&HostCall>| {
    add(out, graph, after, count, |_| Ok((host_work(p)?, None)))
});

/// The copy of a node.
pub fn copy_work(state: &Session, p: Option<&Memcpy3D>) -> Answer<Work> {
    let mut copy = p.or_refuse(INVALID_VALUE, "no description of the copy")?.to_copy(state.driver)?;
    copy.take_managed(&state.driver.memory);
    copy.check(&state.driver.memory, true)?;
    Ok(Work::Copy(copy))
}

entry!(cuGraphAddMemcpyNode, |out: Out<Handle>,
                              graph: Handle,
                              after: Nodes,
                              count: Count,
                              p: Option<&Memcpy3D>,
                              _context: Handle| {
    add(out, graph, after, count, |state| Ok((copy_work(state, p)?, None)))
});

/// `CUDA_MEMSET_NODE_PARAMS`.
#[repr(C)]
pub struct MemsetNode {
    address: u64,
    pitch: usize,
    value: u32,
    size: u32,
    width: usize,
    height: usize,
}

impl MemsetNode {
    pub fn of(fill: &Fill) -> MemsetNode {
        let value = fill.pattern.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte));
        let (size, pitch) = (fill.pattern.len() as u32, fill.pitch as usize);
        MemsetNode {
            address: fill.address,
            pitch,
            value,
            size,
            width: fill.width as usize,
            height: fill.height as usize,
        }
    }
}

/// The fill of a node.
pub fn fill_work(state: &Session, p: Option<&MemsetNode>) -> Answer<Work> {
    let p = p.or_refuse(INVALID_VALUE, "no description of the fill")?;
    valid(matches!(p.size, 1 | 2 | 4), format_args!("elements of {} bytes; 1, 2 or 4 are possible", p.size))?;
    let fill = Fill {
        address: p.address,
        pitch: p.pitch as u64,
        pattern: p.value.to_le_bytes()[..p.size as usize].to_vec(),
        width: p.width as u64,
        height: p.height as u64,
    };
    fill.check(&state.driver.memory, true)?;
    Ok(Work::Fill(fill))
}

entry!(cuGraphAddMemsetNode, |out: Out<Handle>,
                              graph: Handle,
                              after: Nodes,
                              count: Count,
                              p: Option<&MemsetNode>,
                              _context: Handle| {
    add(out, graph, after, count, |state| Ok((fill_work(state, p)?, None)))
});
