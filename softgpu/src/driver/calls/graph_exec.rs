//! Instantiating, launching, updating.

use crate::driver::abi::*;
use crate::driver::engine::stream::enter_on;
use crate::driver::objects::*;
use std::sync::Arc;

/// Flags: 1 free memory at launch, 2 upload, 4 launch from the device, 8 node priorities.
fn instantiate(out: Out<Handle>, graph: Handle, flags: u64) -> Answer {
    let mut state = enter()?;
    valid(flags & !15 == 0 && flags & 5 != 5, format_args!("flags {flags} can't be combined or are unknown"))?;
    ensure(flags & 4 == 0, NOT_SUPPORTED, "softgpu can't launch graphs from kernels")?;
    let graph = state.graphs.known(graph)?.clone();
    let same = |exec: &Exec| graph.nodes.iter().any(|(n, node)| node.is_memory() && exec.graph.nodes.contains_key(n));
    let message = "a graph with memory nodes is instantiated already; destroy that first";
    ensure(!state.execs.values().any(same), NOT_SUPPORTED, message)?;
    let plan = graph.plan().or_refuse(INVALID_VALUE, "the graph's nodes wait for one another in a circle")?;
    let exec = Exec { context: state.context, flags, graph, plan: Arc::new(plan), last: None };
    out.set(state.execs.add(exec), "executable graph")
}

entry!(cuGraphInstantiateWithFlags, |out: Out<Handle>, graph: Handle, flags: u64| instantiate(out, graph, flags));

// As before CUDA 12. What is wrong with a graph is in the log of softgpu: the node and the text stay empty.
entry!(
    cuGraphInstantiate,
    cuGraphInstantiate_v2,
    |out: Out<Handle>, graph: Handle, node: Out<Handle>, text: Room<u8>, length: Count<usize>| {
        node.set_if_given(0);
        write_text(text.of(length), "");
        instantiate(out, graph, 0)
    }
);

/// `CUDA_GRAPH_INSTANTIATE_PARAMS`.
#[repr(C)]
pub struct InstantiateParams {
    flags: u64,
    upload_stream: Handle,
    error_node: Handle,
    result: i32,
}

entry!(
    cuGraphInstantiateWithParams,
    cuGraphInstantiateWithParams_ptsz,
    |out: Out<Handle>, graph: Handle, params: Option<&mut InstantiateParams>| {
        let params = params.or_refuse(INVALID_VALUE, "no parameters")?;
        let outcome = instantiate(out, graph, params.flags);
        params.result = outcome.is_err() as i32;
        outcome
    }
);

entry!(cuGraphExecGetFlags, |exec: Handle, flags: Out<u64>| { flags.set(lock()?.execs.known(exec)?.flags, "flags") });

entry!(cuGraphExecDestroy, |exec: Handle| lock()?.execs.take(exec));

entry!(cuGraphUpload, cuGraphUpload_ptsz, |exec: Handle, stream: Handle| enter_on(stream)?
    .0
    .execs
    .known(exec)
    .map(|_| ()));

entry!(cuGraphLaunch, cuGraphLaunch_ptsz, |exec: Handle, stream: Handle| {
    let (mut state, stream) = enter_on(stream)?;
    let entry = state.execs.known(exec)?;
    let (plan, before, frees) = (entry.plan.clone(), entry.last, entry.flags & 1 != 0);
    let (made, left) = plan.allocations();
    if !made.is_empty() {
        state.complete(&Vec::from_iter(before));
        for memory in made.iter().filter(|memory| state.live(memory.address).is_ok()).collect::<Vec<_>>() {
            let message = format_args!(
                "{} at {:#x} is there already from a launch before; free it, or instantiate \
                the graph with CU_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH",
                memory.label, memory.address
            );
            valid(frees, message)?;
            state.submit(stream, Work::Free(memory.address), "a graph")?;
        }
    }
    let escapes = !left.is_empty();
    if let (None, Some(before)) = (state.capture_of(stream)?, before) {
        state.push(stream, Work::Nothing, vec![before]);
    }
    let id = state.submit(stream, Work::Graph(plan.clone()), "a graph")?;
    if let (true, Some(id)) = (escapes, id) {
        // the program may use what it allocates
        state.complete(&[id]);
    }
    if let (Some(id), Ok(entry)) = (id, state.execs.known_mut(exec)) {
        entry.last = Some(id);
    }
    Ok(())
});

/// `CUgraphExecUpdateResultInfo`; softgpu names no nodes in it.
#[repr(C)]
#[derive(Default)]
pub struct UpdateResult {
    outcome: i32,
    error_node: Handle,
    error_from: Handle,
}

// Takes the parameters of a graph of the same shape: the same kinds of nodes with the same edges, in the order
// of their making.
entry!(cuGraphExecUpdate_v2, |exec: Handle, graph: Handle, result: Out<UpdateResult>| {
    result.set_if_given(UpdateResult::default());
    let mut state = enter()?;
    let fresh = state.graphs.known(graph)?.clone();
    let entry = state.execs.known_mut(exec)?;
    let mut pairs = entry.graph.nodes.values().zip(fresh.nodes.values());
    let (outcome, why) = match pairs.any(|(old, new)| old.kind() != new.kind()) {
        _ if fresh.edges() != entry.graph.edges() => (2, "its shape changed"),
        true => (3, "the kind of a node changed"),
        false => (0, ""),
    };
    result.set_if_given(UpdateResult { outcome, ..UpdateResult::default() });
    let why = format_args!("the graph can't replace the instantiated one: {why}; instantiate it anew");
    ensure(outcome == 0, GRAPH_EXEC_UPDATE_FAILURE, why)?;
    for (old, new) in entry.graph.nodes.values_mut().zip(fresh.nodes.values()) {
        old.work = new.work.clone();
        old.child = new.child.clone();
    }
    let plan = entry.graph.plan();
    entry.plan = Arc::new(plan.or_refuse(INVALID_VALUE, "a child graph's nodes wait for one another in a circle")?);
    Ok(())
});
