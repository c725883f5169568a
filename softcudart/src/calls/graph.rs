//! Graphs: making, copying and destroying them, their nodes and edges.

use super::launch::needed;
use crate::abi::*;
use crate::context::current;

entry!(cudaGraphCreate, |graph: Out<Handle>, flags: u32| current()?.cuGraphCreate(graph, flags));
entry!(cudaGraphDestroy, |graph: Handle| current()?.cuGraphDestroy(graph));
entry!(cudaGraphClone, |clone: Out<Handle>, graph: Handle| current()?.cuGraphClone(clone, graph));

entry!(cudaGraphNodeFindInClone, |node: Out<Handle>, original: Handle, clone: Handle| {
    current()?.cuGraphNodeFindInClone(node, original, clone)
});

entry!(cudaGraphDebugDotPrint, |graph: Handle, path: Given, flags: u32| {
    current()?.cuGraphDebugDotPrint(graph, path, flags)
});

entry!(cudaGraphGetNodes, |graph: Handle, nodes: Room, count: Room| current()?.cuGraphGetNodes(graph, nodes, count));
entry!(cudaGraphGetRootNodes, |graph: Handle, nodes: Room, count: Room| {
    current()?.cuGraphGetRootNodes(graph, nodes, count)
});

entry!(cudaGraphDestroyNode, |node: Handle| current()?.cuGraphDestroyNode(node));
entry!(cudaGraphNodeGetType, |node: Handle, kind: Out<i32>| current()?.cuGraphNodeGetType(node, kind));

/// Bytes of `cudaGraphEdgeData`; all zeros is an edge as they always were.
pub const EDGE: usize = 8;

/// Edge data, none where it says nothing.
pub fn telling(edges: Given<'_>, count: usize) -> Given<'_> {
    // SAFETY: as many as there are edges.
    let plain = unsafe { edges.values::<u8>(count * EDGE) }.iter().all(|byte| *byte == 0);
    if plain { Given::none() } else { edges }
}

fn add(graph: Handle, from: Given, to: Given, edges: Given, count: usize) -> Answer {
    match telling(edges, count) {
        edges if edges.is_given() => current()?.cuGraphAddDependencies_v2(graph, from, to, edges, count),
        _ => current()?.cuGraphAddDependencies(graph, from, to, count),
    }
}

// CUDA 12's has no edge data, here and below: what follows is one place earlier.
entry!(cudaGraphAddDependencies, |graph: Handle, from: Given, to: Given, edges: Given, count: usize| {
    match major() {
        12 => add(graph, from, to, Given::none(), edges.number()),
        _ => add(graph, from, to, edges, count),
    }
});

entry!(cudaGraphAddDependencies_v2, |graph: Handle, from: Given, to: Given, edges: Given, count: usize| {
    add(graph, from, to, edges, count)
});

fn remove(graph: Handle, from: Given, to: Given, edges: Given, count: usize) -> Answer {
    match telling(edges, count) {
        edges if edges.is_given() => current()?.cuGraphRemoveDependencies_v2(graph, from, to, edges, count),
        _ => current()?.cuGraphRemoveDependencies(graph, from, to, count),
    }
}

entry!(cudaGraphRemoveDependencies, |graph: Handle, from: Given, to: Given, edges: Given, count: usize| {
    match major() {
        12 => remove(graph, from, to, Given::none(), edges.number()),
        _ => remove(graph, from, to, edges, count),
    }
});

entry!(cudaGraphRemoveDependencies_v2, |graph: Handle, from: Given, to: Given, edges: Given, count: usize| {
    remove(graph, from, to, edges, count)
});

/// Asks the driver for edges, whose data are zeros: it refuses to tell edges that have other data in this form.
fn listed(edges: Room, count: Room, ask: impl FnOnce(Room) -> Answer) -> Answer {
    // SAFETY: a count is a size_t.
    let room = unsafe { count.value::<usize>() };
    let room = *needed(room)?;
    // SAFETY: room for so many edges.
    unsafe { edges.clear(room * EDGE) };
    ask(count)
}

entry!(cudaGraphGetEdges, |graph: Handle, from: Room, to: Room, edges: Room, count: Room| {
    let (edges, count) = if major() == 12 { (Room::none(), edges) } else { (edges, count) };
    listed(edges, count, |count| current()?.cuGraphGetEdges(graph, from, to, count))
});

entry!(cudaGraphGetEdges_v2, |graph: Handle, from: Room, to: Room, edges: Room, count: Room| {
    listed(edges, count, |count| current()?.cuGraphGetEdges(graph, from, to, count))
});

entry!(cudaGraphNodeGetDependencies, |node: Handle, nodes: Room, edges: Room, count: Room| {
    let (edges, count) = if major() == 12 { (Room::none(), edges) } else { (edges, count) };
    listed(edges, count, |count| current()?.cuGraphNodeGetDependencies(node, nodes, count))
});

entry!(cudaGraphNodeGetDependencies_v2, |node: Handle, nodes: Room, edges: Room, count: Room| {
    listed(edges, count, |count| current()?.cuGraphNodeGetDependencies(node, nodes, count))
});

entry!(cudaGraphNodeGetDependentNodes, |node: Handle, nodes: Room, edges: Room, count: Room| {
    let (edges, count) = if major() == 12 { (Room::none(), edges) } else { (edges, count) };
    listed(edges, count, |count| current()?.cuGraphNodeGetDependentNodes(node, nodes, count))
});

entry!(cudaGraphNodeGetDependentNodes_v2, |node: Handle, nodes: Room, edges: Room, count: Room| {
    listed(edges, count, |count| current()?.cuGraphNodeGetDependentNodes(node, nodes, count))
});

entry!(cudaUserObjectCreate, |object: Out<Handle>, argument: Given, destroy: Given, count: u32, flags: u32| {
    current()?.cuUserObjectCreate(object, argument, destroy, count, flags)
});
entry!(cudaUserObjectRetain, |object: Handle, count: u32| current()?.cuUserObjectRetain(object, count));
entry!(cudaUserObjectRelease, |object: Handle, count: u32| current()?.cuUserObjectRelease(object, count));
entry!(cudaGraphRetainUserObject, |graph: Handle, object: Handle, count: u32, flags: u32| {
    current()?.cuGraphRetainUserObject(graph, object, count, flags)
});
entry!(cudaGraphReleaseUserObject, |graph: Handle, object: Handle, count: u32| {
    current()?.cuGraphReleaseUserObject(graph, object, count)
});
