//! Parameters of nodes that are no kernels, in graphs and in executable ones.

use super::graph_nodes::{MemsetNode, copy_work, fill_work, host_work};
use super::strided::Memcpy3D;
use crate::driver::abi::*;
use crate::driver::objects::*;
use std::sync::Arc;

/// Gives a node of a graph other work of the same kind.
fn set(node: Handle, make: impl FnOnce(&mut Session) -> Answer<Work>) -> Answer {
    let mut state = enter()?;
    let work = make(&mut state)?;
    let entry = state.node(node)?;
    same_kind(&entry.work, &work)?;
    entry.work = Arc::new(work);
    Ok(())
}

/// The same in an executable graph, for its launches from now on.
fn set_exec(exec: Handle, node: Handle, make: impl FnOnce(&mut Session) -> Answer<Work>) -> Answer {
    let mut state = enter()?;
    let work = make(&mut state)?;
    let entry = state.execs.known_mut(exec)?;
    let message = format_args!("{node:#x} is no node of the graph this was made from");
    let found = entry.graph.nodes.get_mut(&node).or_refuse(INVALID_VALUE, message)?;
    same_kind(&found.work, &work)?;
    found.work = Arc::new(work);
    entry.plan = Arc::new(entry.graph.plan().expect("had a plan before"));
    Ok(())
}

fn same_kind(old: &Work, new: &Work) -> Answer {
    let same = std::mem::discriminant(old) == std::mem::discriminant(new);
    valid(same, "the node is of another kind")
}

entry!(cuGraphMemcpyNodeGetParams, |node: Handle, out: Out<Memcpy3D>| {
    let mut state = lock()?;
    match &*state.node(node)?.work {
        Work::Copy(copy) => out.set(Memcpy3D::of(copy), "parameters"),
        _ => refuse(INVALID_VALUE, "the node is no copy"),
    }
});

entry!(cuGraphMemcpyNodeSetParams, |node: Handle, p: Option<&Memcpy3D>| set(node, |state| copy_work(state, p)));

entry!(cuGraphExecMemcpyNodeSetParams, |exec: Handle, node: Handle, p: Option<&Memcpy3D>, _context: Handle| {
    set_exec(exec, node, |state| copy_work(state, p))
});

entry!(cuGraphMemsetNodeGetParams, |node: Handle, out: Out<MemsetNode>| {
    let mut state = lock()?;
    match &*state.node(node)?.work {
        Work::Fill(fill) => out.set(MemsetNode::of(fill), "parameters"),
        _ => refuse(INVALID_VALUE, "the node is no fill"),
    }
});

entry!(cuGraphMemsetNodeSetParams, |node: Handle, p: Option<&MemsetNode>| set(node, |state| fill_work(state, p)));

entry!(cuGraphExecMemsetNodeSetParams, |exec: Handle, node: Handle, p: Option<&MemsetNode>, _context: Handle| {
    set_exec(exec, node, |state| fill_work(state, p))
});

entry!(cuGraphHostNodeGetParams, |node: Handle, out: Out<HostCall>| {
    let mut state = lock()?;
    match &*state.node(node)?.work {
        Work::Host(call) => out.set(*call, "parameters"),
        _ => refuse(INVALID_VALUE, "the node is no host function"),
    }
});

entry!(cuGraphHostNodeSetParams, |node: Handle, p: Option<&HostCall>| set(node, |_| host_work(p)));

entry!(cuGraphExecHostNodeSetParams, |exec: Handle, node: Handle, p: Option<&HostCall>| {
    set_exec(exec, node, |_| host_work(p))
});
