//! Instantiating, launching, updating.

use super::*;

/// Flags: 1 free memory at launch, 2 upload, 4 launch from the device, 8 node priorities.
pub(super) fn instantiate(out: *mut Handle, graph: Handle, flags: u64) -> Answer {
    let (_, mut state, context) = enter()?;
    if flags & !15 != 0 || flags & 5 == 5 {
        return refuse(INVALID_VALUE, format!("flags {flags} can't be combined or are unknown"));
    }
    if flags & 4 != 0 {
        return refuse(NOT_SUPPORTED, "softgpu can't launch graphs from kernels");
    }
    let graph = known_graph(&state, graph)?.clone();
    let Some(plan) = graph.plan() else {
        return refuse(INVALID_VALUE, "the graph's nodes wait for one another in a circle");
    };
    let handle = state.handle(Kind::Exec);
    let exec = Exec { context, graph, plan: Arc::new(plan), last: None };
    state.execs.insert(handle, exec);
    store(out, handle, "executable graph")
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphInstantiateWithFlags(out: *mut Handle, graph: Handle, flags: u64) -> CuResult {
    call("cuGraphInstantiateWithFlags", || instantiate(out, graph, flags))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphInstantiateWithParams(out: *mut Handle, graph: Handle, params: *mut u64) -> CuResult {
    call("cuGraphInstantiateWithParams", || {
        // SAFETY: CUDA_GRAPH_INSTANTIATE_PARAMS begins with its flags; result_out is its fourth word.
        let Some(flags) = (unsafe { params.as_ref() }).copied() else {
            return refuse(INVALID_VALUE, "no parameters");
        };
        let result = instantiate(out, graph, flags);
        // SAFETY: as above.
        unsafe { params.add(3).cast::<i32>().write(result.is_err() as i32) };
        result
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphExecDestroy(exec: Handle) -> CuResult {
    call("cuGraphExecDestroy", || {
        let mut state = driver()?.lock();
        known_exec(&mut state, exec)?;
        state.execs.remove(&exec);
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphUpload(exec: Handle, stream: Handle) -> CuResult {
    call("cuGraphUpload", || {
        let (_, mut state, context) = enter()?;
        resolve(&mut state, context, stream)?;
        known_exec(&mut state, exec).map(|_| ())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphLaunch(exec: Handle, stream: Handle) -> CuResult {
    call("cuGraphLaunch", || {
        let (driver, mut state, context) = enter()?;
        let stream = resolve(&mut state, context, stream)?;
        let entry = known_exec(&mut state, exec)?;
        let (plan, before) = (entry.plan.clone(), entry.last);
        if state.capture_of(stream)?.is_some() {
            let copy = Plan { nodes: plan.nodes.clone() };
            return submit(driver, state, context, stream, Work::Graph(copy), "a graph").map(|_| ());
        }
        if let Some(before) = before {
            state.push(stream, Arc::new(Work::Nothing), vec![before]);
        }
        let copy = Plan { nodes: plan.nodes.clone() };
        let (mut state, id) = submit(driver, state, context, stream, Work::Graph(copy), "a graph")?;
        if let Ok(entry) = known_exec(&mut state, exec) {
            entry.last = id;
        }
        Ok(())
    })
}

/// Takes the parameters of a graph of the same shape: the same kinds of nodes with the same edges, in the order
/// of their making.
pub(super) fn update(exec: Handle, graph: Handle, result: *mut i32) -> Answer {
    let (_, mut state, _) = enter()?;
    let fresh = known_graph(&state, graph)?.clone();
    let entry = known_exec(&mut state, exec)?;
    let shape = |g: &Graph| -> Vec<BTreeSet<usize>> {
        let position: HashMap<Handle, usize> = g.nodes.keys().enumerate().map(|(i, h)| (*h, i)).collect();
        let sets = g.nodes.values().map(|n| n.after.iter().map(|h| position[h]).collect());
        sets.collect()
    };
    let mut outcome = 0;
    if shape(&fresh) != shape(&entry.graph) {
        outcome = 2;
    } else {
        for (old, new) in entry.graph.nodes.values().zip(fresh.nodes.values()) {
            if kind(old) != kind(new) {
                outcome = 3;
            }
        }
    }
    store_if(result, outcome);
    if outcome != 0 {
        let why = ["its shape changed", "the kind of a node changed"][outcome as usize - 2];
        return refuse(
            GRAPH_EXEC_UPDATE_FAILURE,
            format!("the graph can't replace the instantiated one: {why}; instantiate it anew"),
        );
    }
    for (old, new) in entry.graph.nodes.values_mut().zip(fresh.nodes.values()) {
        old.work = new.work.clone();
        old.child = new.child.clone();
    }
    match entry.graph.plan() {
        Some(plan) => entry.plan = Arc::new(plan),
        None => {
            return refuse(INVALID_VALUE, "a child graph's nodes wait for one another in a circle");
        }
    }
    Ok(())
}

/// The result structure begins with the outcome; the two nodes after it stay null.
#[unsafe(no_mangle)]
pub extern "C" fn cuGraphExecUpdate_v2(exec: Handle, graph: Handle, result: *mut i32) -> CuResult {
    call("cuGraphExecUpdate_v2", || {
        if !result.is_null() {
            // SAFETY: CUgraphExecUpdateResultInfo has three words.
            unsafe { result.cast::<[usize; 3]>().write([0; 3]) };
        }
        update(exec, graph, result)
    })
}
