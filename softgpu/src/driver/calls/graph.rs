//! Making, copying and destroying graphs; dependencies, and asking for nodes and edges.

use crate::driver::abi::*;
use crate::driver::objects::*;
use std::collections::HashMap;
use std::ffi::c_void;

entry!(cuGraphCreate, |out: Out<Handle>, flags: u32| {
    let mut state = enter()?;
    if flags != 0 {
        return refuse(INVALID_VALUE, "flags must be 0");
    }
    let (handle, graph) = (state.handle(Kind::Graph), Graph::new(state.context));
    state.graphs.insert(handle, graph);
    out.set(handle, "graph")
});

entry!(cuGraphDestroy, |graph: Handle| lock()?.graphs.take(graph).map(|_| ()));

// A copy with new node handles, in the order of the old.
entry!(cuGraphClone, |out: Out<Handle>, graph: Handle| {
    let mut state = enter()?;
    let mut copy = state.graphs.known(graph)?.clone();
    let fresh: HashMap<Handle, Handle> = copy.nodes.keys().map(|old| (*old, state.handle(Kind::Node))).collect();
    copy.nodes = std::mem::take(&mut copy.nodes).into_iter().map(|(old, node)| (fresh[&old], node)).collect();
    for after in copy.nodes.values_mut().flat_map(|node| &mut node.after) {
        *after = fresh[after];
    }
    let handle = state.handle(Kind::Graph);
    state.graphs.insert(handle, copy);
    out.set(handle, "graph")
});

fn dependencies(graph: Handle, from: Nodes, to: Nodes, count: usize, add: bool) -> Answer {
    let mut state = enter()?;
    let nodes = &mut state.graphs.known_mut(graph)?.nodes;
    // SAFETY: the count that came with both.
    let (from, to) = unsafe { (from.of(count), to.of(count)) };
    for (from, to) in from.iter().zip(to) {
        if !nodes.contains_key(from) || !nodes.contains_key(to) || from == to {
            return refuse(INVALID_VALUE, "an edge needs two different nodes of this graph");
        }
        let after = &mut nodes.get_mut(to).expect("checked").after;
        let at = after.iter().position(|n| n == from);
        match (add, at) {
            (true, None) => after.push(*from),
            (false, Some(i)) => {
                after.remove(i);
            }
            _ => return refuse(INVALID_VALUE, "the edge exists already, or does not"),
        }
    }
    Ok(())
}

entry!(cuGraphAddDependencies, |graph: Handle, from: Nodes, to: Nodes, count: usize| {
    dependencies(graph, from, to, count, true)
});

entry!(cuGraphAddDependencies_v2, |graph: Handle, from: Nodes, to: Nodes, edges: Array<c_void>, count: usize| {
    if edges.is_given() {
        return refuse(NOT_SUPPORTED, "softgpu has no programmatic edges");
    }
    dependencies(graph, from, to, count, true)
});

entry!(cuGraphRemoveDependencies, |graph: Handle, from: Nodes, to: Nodes, count: usize| {
    dependencies(graph, from, to, count, false)
});

entry!(cuGraphDestroyNode, |node: Handle| {
    let mut state = lock()?;
    let graph = state.graph_of(node)?;
    graph.nodes.remove(&node);
    for other in graph.nodes.values_mut() {
        other.after.retain(|n| *n != node);
    }
    Ok(())
});

/// Gives a list as the API does: the count alone when there is no room, else as much as fits.
fn give(found: &[Handle], out: Room<Handle>, count: Option<&mut usize>) -> Answer {
    let count = required(count, "the count is a null pointer")?;
    if !out.is_given() {
        *count = found.len();
        return Ok(());
    }
    // SAFETY: the count that came with the room.
    let room = unsafe { out.of(*count) };
    for (place, node) in room.iter_mut().zip(found.iter().copied().chain(std::iter::repeat(0))) {
        place.write(node);
    }
    *count = room.len().min(found.len());
    Ok(())
}

entry!(cuGraphGetNodes, |graph: Handle, out: Room<Handle>, count: Option<&mut usize>| {
    let nodes: Vec<Handle> = lock()?.graphs.known(graph)?.nodes.keys().copied().collect();
    give(&nodes, out, count)
});

entry!(cuGraphGetRootNodes, |graph: Handle, out: Room<Handle>, count: Option<&mut usize>| {
    let state = lock()?;
    let nodes = state.graphs.known(graph)?.nodes.iter();
    let roots: Vec<Handle> = nodes.filter(|n| n.1.after.is_empty()).map(|n| *n.0).collect();
    give(&roots, out, count)
});

entry!(cuGraphGetEdges, |graph: Handle, from: Room<Handle>, to: Room<Handle>, count: Option<&mut usize>| {
    let state = lock()?;
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for (handle, node) in &state.graphs.known(graph)?.nodes {
        for after in &node.after {
            a.push(*after);
            b.push(*handle);
        }
    }
    if to.is_given() {
        let mut room = count.as_deref().copied().unwrap_or(0);
        give(&b, to, Some(&mut room))?;
    }
    give(&a, from, count)
});

entry!(cuGraphNodeGetDependencies, |node: Handle, out: Room<Handle>, count: Option<&mut usize>| {
    give(&lock()?.node(node)?.after, out, count)
});

entry!(cuGraphNodeGetType, |node: Handle, out: Out<i32>| out.set(lock()?.node(node)?.kind(), "type"));
