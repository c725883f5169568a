//! Making, copying and destroying graphs; dependencies, and asking for nodes and edges.

use crate::driver::abi::*;
use crate::driver::objects::*;
use std::collections::HashMap;
use std::ffi::c_void;

entry!(cuGraphCreate, |out: Out<Handle>, flags: u32| {
    let mut state = enter()?;
    valid(flags == 0, "flags must be 0")?;
    let graph = Graph::new(state.context);
    out.set(state.graphs.add(graph), "graph")
});

entry!(cuGraphDestroy, |graph: Handle| lock()?.graphs.take(graph));

// A copy with new node handles, in the order of the old.
entry!(cuGraphClone, |out: Out<Handle>, graph: Handle| {
    let mut state = enter()?;
    let mut copy = state.graphs.known(graph)?.clone();
    ensure(!copy.has_memory(), NOT_SUPPORTED, "a graph with memory nodes can't be cloned")?;
    let fresh: HashMap<Handle, Handle> = copy.nodes.keys().map(|old| (*old, Kind::Node.fresh())).collect();
    let nodes = std::mem::take(&mut copy.nodes).into_iter();
    copy.nodes = nodes.map(|(old, node)| (fresh[&old], Node { copy_of: old, ..node })).collect();
    for after in copy.nodes.values_mut().flat_map(|node| &mut node.after) {
        *after = fresh[after];
    }
    out.set(state.graphs.add(copy), "graph")
});

entry!(cuGraphNodeFindInClone, |out: Out<Handle>, original: Handle, clone: Handle| {
    let state = lock()?;
    let found = state.graphs.known(clone)?.nodes.iter().find(|(_, node)| node.copy_of == original);
    out.set(*found.or_refuse(INVALID_VALUE, "the graph has no copy of that node")?.0, "node")
});

fn dependencies(graph: Handle, from: &[Handle], to: &[Handle], add: bool) -> Answer {
    let mut state = enter()?;
    let nodes = &mut state.graphs.known_mut(graph)?.nodes;
    for (from, to) in from.iter().zip(to) {
        let different = nodes.contains_key(from) && from != to;
        let to = nodes.get_mut(to).filter(|_| different);
        let after = &mut to.or_refuse(INVALID_VALUE, "an edge needs two different nodes of this graph")?.after;
        valid(after.contains(from) != add, "the edge exists already, or does not")?;
        match add {
            true => after.push(*from),
            false => after.retain(|node| node != from),
        }
    }
    Ok(())
}

entry!(cuGraphAddDependencies, |graph: Handle, from: Nodes, to: Nodes, count: Count| {
    dependencies(graph, from.of(count), to.of(count), true)
});

entry!(cuGraphAddDependencies_v2, |graph: Handle, from: Nodes, to: Nodes, edges: Array<c_void>, count: Count| {
    ensure(!edges.is_given(), NOT_SUPPORTED, "softgpu has no programmatic edges")?;
    dependencies(graph, from.of(count), to.of(count), true)
});

entry!(cuGraphRemoveDependencies, |graph: Handle, from: Nodes, to: Nodes, count: Count| {
    dependencies(graph, from.of(count), to.of(count), false)
});

entry!(cuGraphDestroyNode, |node: Handle| {
    let mut state = lock()?;
    let graph = state.graph_of(node)?;
    ensure(!graph.nodes[&node].is_memory(), NOT_SUPPORTED, "a memory node can't be removed from its graph")?;
    graph.nodes.remove(&node);
    for other in graph.nodes.values_mut() {
        other.after.retain(|n| *n != node);
    }
    Ok(())
});

/// Gives a list as the API does: the count alone when there is no room, else as much as fits.
fn give(found: &[Handle], out: Room<Handle>, count: Option<&mut Count>) -> Answer {
    let count = count.or_refuse(INVALID_VALUE, "the count is a null pointer")?;
    let number = if out.is_given() { count.get().min(found.len()) } else { found.len() };
    for (place, node) in out.of(*count).iter_mut().zip(found.iter().copied().chain(std::iter::repeat(0))) {
        place.write(node);
    }
    // SAFETY: where there is room, it is no more than before.
    unsafe { count.set(number) };
    Ok(())
}

/// Gives the nodes of a graph that are wanted.
fn nodes(graph: Handle, out: Room<Handle>, count: Option<&mut Count>, wanted: fn(&Node) -> bool) -> Answer {
    let state = lock()?;
    let nodes = state.graphs.known(graph)?.nodes.iter().filter(|n| wanted(n.1));
    give(&nodes.map(|n| *n.0).collect::<Vec<Handle>>(), out, count)
}

entry!(cuGraphGetNodes, |graph: Handle, out: Room<Handle>, count: Option<&mut Count>| {
    nodes(graph, out, count, |_| true)
});

entry!(cuGraphGetRootNodes, |graph: Handle, out: Room<Handle>, count: Option<&mut Count>| {
    nodes(graph, out, count, |node| node.after.is_empty())
});

entry!(cuGraphGetEdges, |graph: Handle, from: Room<Handle>, to: Room<Handle>, count: Option<&mut Count>| {
    let state = lock()?;
    let nodes = state.graphs.known(graph)?.nodes.iter();
    let edges = nodes.flat_map(|(to, node)| node.after.iter().map(|from| (*from, *to)));
    let (a, b): (Vec<Handle>, Vec<Handle>) = edges.unzip();
    if to.is_given() {
        give(&b, to, count.as_deref().copied().as_mut())?;
    }
    give(&a, from, count)
});

entry!(cuGraphNodeGetDependencies, |node: Handle, out: Room<Handle>, count: Option<&mut Count>| {
    give(&lock()?.node(node)?.after, out, count)
});

entry!(cuGraphNodeGetDependentNodes, |node: Handle, out: Room<Handle>, count: Option<&mut Count>| {
    let mut state = lock()?;
    let nodes = state.graph_of(node)?.nodes.iter().filter(|other| other.1.after.contains(&node));
    let found: Vec<Handle> = nodes.map(|other| *other.0).collect();
    give(&found, out, count)
});

entry!(cuGraphNodeGetType, |node: Handle, out: Out<i32>| out.set(lock()?.node(node)?.kind(), "type"));
