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
    add(out, graph, after, count, |state| Ok((Work::Nothing, Some(Arc::new(state.graphs.known(child)?.clone())))))
});

entry!(cuGraphAddHostNode, |out: Out<Handle>, graph: Handle, after: Nodes, count: Count, p: Option<&HostCall>| {
    add(out, graph, after, count, |_| {
        let call = p.filter(|call| call.has_function()).or_refuse(INVALID_VALUE, "no function")?;
        Ok((Work::Host(*call), None))
    })
});

entry!(cuGraphAddMemcpyNode, |out: Out<Handle>,
                              graph: Handle,
                              after: Nodes,
                              count: Count,
                              p: Option<&Memcpy3D>,
                              _context: Handle| {
    add(out, graph, after, count, |state| {
        let copy = p.or_refuse(INVALID_VALUE, "no description of the copy")?.to_copy(state.driver)?;
        copy.check(&state.driver.memory)?;
        Ok((Work::Copy(copy), None))
    })
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

entry!(cuGraphAddMemsetNode, |out: Out<Handle>,
                              graph: Handle,
                              after: Nodes,
                              count: Count,
                              p: Option<&MemsetNode>,
                              _context: Handle| {
    add(out, graph, after, count, |state| {
        let p = p.or_refuse(INVALID_VALUE, "no description of the fill")?;
        valid(matches!(p.size, 1 | 2 | 4), format_args!("elements of {} bytes; 1, 2 or 4 are possible", p.size))?;
        let fill = Fill {
            address: p.address,
            pitch: p.pitch as u64,
            pattern: p.value.to_le_bytes()[..p.size as usize].to_vec(),
            width: p.width as u64,
            height: p.height as u64,
        };
        fill.check(&state.driver.memory)?;
        Ok((Work::Fill(fill), None))
    })
});
