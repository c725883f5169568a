//! Making, copying and destroying graphs.

use crate::driver::abi::*;
use crate::driver::objects::*;
use std::collections::HashMap;

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
