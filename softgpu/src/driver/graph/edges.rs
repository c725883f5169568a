//! Dependencies, and asking for nodes and edges.

use super::*;

pub(super) fn dependencies(graph: Handle, from: *const Handle, to: *const Handle, count: usize, add: bool) -> Answer {
    let (_, mut state, _) = enter()?;
    known_graph(&state, graph)?;
    let nodes = &mut state.graphs.get_mut(&graph).expect("known").nodes;
    for (from, to) in list(from, count).into_iter().zip(list(to, count)) {
        if !nodes.contains_key(&from) || !nodes.contains_key(&to) || from == to {
            return refuse(INVALID_VALUE, "an edge needs two different nodes of this graph");
        }
        let after = &mut nodes.get_mut(&to).expect("checked").after;
        let at = after.iter().position(|n| *n == from);
        match (add, at) {
            (true, None) => after.push(from),
            (false, Some(i)) => {
                after.remove(i);
            }
            _ => return refuse(INVALID_VALUE, "the edge exists already, or does not"),
        }
    }
    Ok(())
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphAddDependencies(
    graph: Handle,
    from: *const Handle,
    to: *const Handle,
    count: usize,
) -> CuResult {
    call("cuGraphAddDependencies", || dependencies(graph, from, to, count, true))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphAddDependencies_v2(
    graph: Handle,
    from: *const Handle,
    to: *const Handle,
    edges: *const c_void,
    count: usize,
) -> CuResult {
    call("cuGraphAddDependencies_v2", || {
        if !edges.is_null() {
            return refuse(NOT_SUPPORTED, "softgpu has no programmatic edges");
        }
        dependencies(graph, from, to, count, true)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphRemoveDependencies(
    graph: Handle,
    from: *const Handle,
    to: *const Handle,
    count: usize,
) -> CuResult {
    call("cuGraphRemoveDependencies", || dependencies(graph, from, to, count, false))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphDestroyNode(node: Handle) -> CuResult {
    call("cuGraphDestroyNode", || {
        let mut state = driver()?.lock();
        let graph = graph_of(&mut state, node)?;
        graph.nodes.remove(&node);
        for other in graph.nodes.values_mut() {
            other.after.retain(|n| *n != node);
        }
        Ok(())
    })
}

/// Gives a list as the API does: the count alone when there is no room, else as much as fits.
pub(super) fn give(found: &[Handle], out: *mut Handle, count: *mut usize) -> Answer {
    if count.is_null() {
        return refuse(INVALID_VALUE, "the count is a null pointer");
    }
    if !out.is_null() {
        // SAFETY: `count` says how many fit.
        let room = unsafe { *count };
        for i in 0..room {
            let node = found.get(i).copied().unwrap_or(0);
            // SAFETY: below the room.
            unsafe { out.add(i).write(node) };
        }
        return store(count, room.min(found.len()), "count");
    }
    store(count, found.len(), "count")
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphGetNodes(graph: Handle, out: *mut Handle, count: *mut usize) -> CuResult {
    call("cuGraphGetNodes", || {
        let state = driver()?.lock();
        let nodes: Vec<Handle> = known_graph(&state, graph)?.nodes.keys().copied().collect();
        give(&nodes, out, count)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphGetRootNodes(graph: Handle, out: *mut Handle, count: *mut usize) -> CuResult {
    call("cuGraphGetRootNodes", || {
        let state = driver()?.lock();
        let nodes = known_graph(&state, graph)?.nodes.iter();
        let roots: Vec<Handle> = nodes.filter(|n| n.1.after.is_empty()).map(|n| *n.0).collect();
        give(&roots, out, count)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphGetEdges(graph: Handle, from: *mut Handle, to: *mut Handle, count: *mut usize) -> CuResult {
    call("cuGraphGetEdges", || {
        let state = driver()?.lock();
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for (handle, node) in &known_graph(&state, graph)?.nodes {
            for after in &node.after {
                a.push(*after);
                b.push(*handle);
            }
        }
        if !to.is_null() {
            // SAFETY: count is checked by the second `give`.
            let mut room = if count.is_null() { 0 } else { unsafe { *count } };
            give(&b, to, &mut room)?;
        }
        give(&a, from, count)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphNodeGetDependencies(node: Handle, out: *mut Handle, count: *mut usize) -> CuResult {
    call("cuGraphNodeGetDependencies", || {
        let mut state = driver()?.lock();
        let after = graph_of(&mut state, node)?.nodes[&node].after.clone();
        give(&after, out, count)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphNodeGetType(node: Handle, out: *mut i32) -> CuResult {
    call("cuGraphNodeGetType", || {
        let mut state = driver()?.lock();
        store(out, kind(&graph_of(&mut state, node)?.nodes[&node]), "type")
    })
}
