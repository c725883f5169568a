//! Graphs: from captures and built by hand, instantiated, launched, updated.

use super::capture::submit;
use super::copy::{Copy, Fill};
use super::entry::*;
use super::errors::*;
use super::launch::{Launch, Shape};
use super::queue::{HostFn, Plan, Work, resolve};
use super::state::*;
use super::transfer::Memcpy3D;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::c_void;
use std::sync::Arc;

/// A graph that can still be changed.
#[derive(Clone)]
pub struct Graph {
    pub context: Handle,
    pub nodes: BTreeMap<Handle, Node>,
}

/// One node and the nodes it waits for.
#[derive(Clone)]
pub struct Node {
    pub work: Arc<Work>,
    pub after: Vec<Handle>,
    /// A child graph's nodes, when it is one.
    pub child: Option<Arc<Graph>>,
    /// Storage behind the pointers that `cuGraphKernelNodeGetParams` gives out.
    pub kernel_params: Option<Arc<KernelParams>>,
}

/// A copy of a kernel node's arguments with an array of pointers to them.
pub struct KernelParams {
    _bytes: Box<[u8]>,
    pointers: Box<[usize]>,
}

/// An instantiated graph.
pub struct Exec {
    pub context: Handle,
    pub graph: Graph,
    pub plan: Arc<Plan>,
    /// Its launch before: launches of one executable graph follow one another.
    pub last: Option<OpId>,
}

impl Graph {
    pub fn new(context: Handle) -> Graph {
        Graph {
            context,
            nodes: BTreeMap::new(),
        }
    }

    /// The nodes as work with positions for handles, or `None` when they go round in a circle.
    fn plan(&self) -> Option<Plan> {
        let position: HashMap<Handle, usize> = self
            .nodes
            .keys()
            .enumerate()
            .map(|(i, h)| (*h, i))
            .collect();
        let mut nodes = Vec::new();
        for node in self.nodes.values() {
            let after = node.after.iter().filter_map(|h| position.get(h).copied());
            let work = match &node.child {
                Some(child) => Arc::new(Work::Graph(child.plan()?)),
                None => node.work.clone(),
            };
            nodes.push((work, after.collect::<Vec<usize>>()));
        }
        let mut done = vec![false; nodes.len()];
        while let Some(i) =
            (0..nodes.len()).find(|&i| !done[i] && nodes[i].1.iter().all(|&d| done[d]))
        {
            done[i] = true;
        }
        done.iter().all(|d| *d).then_some(Plan { nodes })
    }
}

/// A `CUgraphNodeType`.
fn kind(node: &Node) -> i32 {
    match (&node.child, &*node.work) {
        (Some(_), _) => 4,
        (_, Work::Kernel(_)) => 0,
        (_, Work::Copy(_)) => 1,
        (_, Work::Fill(_)) => 2,
        (_, Work::Host(..)) => 3,
        _ => 5,
    }
}

fn known_graph(state: &State, graph: Handle) -> Answer<&Graph> {
    match state.graphs.get(&graph) {
        Some(graph) => Ok(graph),
        None => refuse(
            INVALID_VALUE,
            format!("{graph:#x} is no graph, or a destroyed one"),
        ),
    }
}

fn known_exec(state: &mut State, exec: Handle) -> Answer<&mut Exec> {
    match state.execs.get_mut(&exec) {
        Some(exec) => Ok(exec),
        None => refuse(
            INVALID_VALUE,
            format!("{exec:#x} is no executable graph, or a destroyed one"),
        ),
    }
}

/// The graph a node is in.
fn graph_of(state: &mut State, node: Handle) -> Answer<&mut Graph> {
    match state
        .graphs
        .values_mut()
        .find(|g| g.nodes.contains_key(&node))
    {
        Some(graph) => Ok(graph),
        None => refuse(INVALID_VALUE, format!("{node:#x} is a node of no graph")),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphCreate(out: *mut Handle, flags: u32) -> CuResult {
    call("cuGraphCreate", || {
        let (_, mut state, context) = enter()?;
        if flags != 0 {
            return refuse(INVALID_VALUE, "flags must be 0");
        }
        let handle = state.handle(Kind::Graph);
        state.graphs.insert(handle, Graph::new(context));
        store(out, handle, "graph")
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphDestroy(graph: Handle) -> CuResult {
    call("cuGraphDestroy", || {
        let mut state = driver()?.lock();
        known_graph(&state, graph)?;
        state.graphs.remove(&graph);
        Ok(())
    })
}

/// A copy with new node handles, in the order of the old.
#[unsafe(no_mangle)]
pub extern "C" fn cuGraphClone(out: *mut Handle, graph: Handle) -> CuResult {
    call("cuGraphClone", || {
        let (_, mut state, _) = enter()?;
        let old = known_graph(&state, graph)?.clone();
        let mut fresh = HashMap::new();
        for node in old.nodes.keys() {
            fresh.insert(*node, state.handle(Kind::Node));
        }
        let nodes = old.nodes.iter().map(|(handle, node)| {
            let mut node = node.clone();
            for after in &mut node.after {
                *after = fresh[after];
            }
            (fresh[handle], node)
        });
        let copy = Graph {
            context: old.context,
            nodes: nodes.collect(),
        };
        let handle = state.handle(Kind::Graph);
        state.graphs.insert(handle, copy);
        store(out, handle, "graph")
    })
}

/// Adds a node after checking what it is to wait for.
fn add(
    out: *mut Handle,
    graph: Handle,
    after: *const Handle,
    count: usize,
    make: impl FnOnce(&'static Driver, &State, Handle) -> Answer<(Work, Option<Arc<Graph>>)>,
) -> Answer {
    let (driver, mut state, context) = enter()?;
    known_graph(&state, graph)?;
    let after = list(after, count);
    if let Some(odd) = after
        .iter()
        .find(|n| !state.graphs[&graph].nodes.contains_key(n))
    {
        return refuse(
            INVALID_VALUE,
            format!("the node is to wait for {odd:#x}, which is no node of this graph"),
        );
    }
    if out.is_null() {
        return refuse(INVALID_VALUE, "node is a null pointer");
    }
    let (work, child) = make(driver, &state, context)?;
    let node = state.handle(Kind::Node);
    let entry = Node {
        work: Arc::new(work),
        after,
        child,
        kernel_params: None,
    };
    state
        .graphs
        .get_mut(&graph)
        .expect("known")
        .nodes
        .insert(node, entry);
    store(out, node, "node")
}

fn list(from: *const Handle, count: usize) -> Vec<Handle> {
    if from.is_null() || count == 0 {
        return Vec::new();
    }
    // SAFETY: `count` handles, by the API.
    unsafe { std::slice::from_raw_parts(from, count) }.to_vec()
}

/// `CUDA_KERNEL_NODE_PARAMS` (the second version has two more members at the end).
#[repr(C)]
pub struct KernelNode {
    pub function: Handle,
    pub grid: [u32; 3],
    pub block: [u32; 3],
    pub shared: u32,
    pub params: *const *const c_void,
    pub extra: *const *const c_void,
}

fn kernel(p: *const KernelNode, driver: &Driver, state: &State, context: Handle) -> Answer<Work> {
    if p.is_null() {
        return refuse(INVALID_VALUE, "no parameters of the node");
    }
    // SAFETY: not null; as the API says.
    let p = unsafe { &*p };
    let shape = Shape {
        grid: p.grid,
        block: p.block,
        shared: p.shared,
    };
    let profile = driver.config().profile;
    // SAFETY: passed on.
    let launch = unsafe {
        Launch::prepare(
            state, &profile, context, p.function, shape, p.params, p.extra,
        )?
    };
    Ok(Work::Kernel(launch))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphAddKernelNode_v2(
    out: *mut Handle,
    graph: Handle,
    after: *const Handle,
    count: usize,
    p: *const KernelNode,
) -> CuResult {
    call("cuGraphAddKernelNode_v2", || {
        add(out, graph, after, count, |d, s, c| {
            Ok((kernel(p, d, s, c)?, None))
        })
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphAddKernelNode(
    out: *mut Handle,
    graph: Handle,
    after: *const Handle,
    count: usize,
    p: *const KernelNode,
) -> CuResult {
    call("cuGraphAddKernelNode", || {
        add(out, graph, after, count, |d, s, c| {
            Ok((kernel(p, d, s, c)?, None))
        })
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphAddEmptyNode(
    out: *mut Handle,
    graph: Handle,
    after: *const Handle,
    count: usize,
) -> CuResult {
    call("cuGraphAddEmptyNode", || {
        add(out, graph, after, count, |_, _, _| {
            Ok((Work::Nothing, None))
        })
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphAddChildGraphNode(
    out: *mut Handle,
    graph: Handle,
    after: *const Handle,
    count: usize,
    child: Handle,
) -> CuResult {
    call("cuGraphAddChildGraphNode", || {
        add(out, graph, after, count, |_, state, _| {
            let child = Arc::new(known_graph(state, child)?.clone());
            Ok((Work::Nothing, Some(child)))
        })
    })
}

/// `CUDA_HOST_NODE_PARAMS`.
#[repr(C)]
pub struct HostNode {
    pub function: Option<HostFn>,
    pub data: usize,
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphAddHostNode(
    out: *mut Handle,
    graph: Handle,
    after: *const Handle,
    count: usize,
    p: *const HostNode,
) -> CuResult {
    call("cuGraphAddHostNode", || {
        add(out, graph, after, count, |_, _, _| {
            // SAFETY: null or what the API says.
            match unsafe { p.as_ref() }.map(|p| (p.function, p.data)) {
                Some((Some(function), data)) => Ok((Work::Host(function, data), None)),
                _ => refuse(INVALID_VALUE, "no function"),
            }
        })
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphAddMemcpyNode(
    out: *mut Handle,
    graph: Handle,
    after: *const Handle,
    count: usize,
    p: *const Memcpy3D,
    _context: Handle,
) -> CuResult {
    call("cuGraphAddMemcpyNode", || {
        add(out, graph, after, count, |driver, _, _| {
            let Some(p) = (unsafe { p.as_ref() }) else {
                return refuse(INVALID_VALUE, "no description of the copy");
            };
            let copy: Copy = p.to_copy(driver)?;
            copy.check(&driver.memory)?;
            Ok((Work::Copy(copy), None))
        })
    })
}

/// `CUDA_MEMSET_NODE_PARAMS`.
#[repr(C)]
pub struct MemsetNode {
    pub address: u64,
    pub pitch: usize,
    pub value: u32,
    pub size: u32,
    pub width: usize,
    pub height: usize,
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphAddMemsetNode(
    out: *mut Handle,
    graph: Handle,
    after: *const Handle,
    count: usize,
    p: *const MemsetNode,
    _context: Handle,
) -> CuResult {
    call("cuGraphAddMemsetNode", || {
        add(out, graph, after, count, |driver, _, _| {
            let Some(p) = (unsafe { p.as_ref() }) else {
                return refuse(INVALID_VALUE, "no description of the fill");
            };
            if !matches!(p.size, 1 | 2 | 4) {
                return refuse(
                    INVALID_VALUE,
                    format!("elements of {} bytes; 1, 2 or 4 are possible", p.size),
                );
            }
            let fill = Fill {
                address: p.address,
                pitch: p.pitch as u64,
                pattern: p.value.to_le_bytes()[..p.size as usize].to_vec(),
                width: p.width as u64,
                height: p.height as u64,
            };
            fill.check(&driver.memory)?;
            Ok((Work::Fill(fill), None))
        })
    })
}

fn dependencies(
    graph: Handle,
    from: *const Handle,
    to: *const Handle,
    count: usize,
    add: bool,
) -> Answer {
    let (_, mut state, _) = enter()?;
    known_graph(&state, graph)?;
    let nodes = &mut state.graphs.get_mut(&graph).expect("known").nodes;
    for (from, to) in list(from, count).into_iter().zip(list(to, count)) {
        if !nodes.contains_key(&from) || !nodes.contains_key(&to) || from == to {
            return refuse(
                INVALID_VALUE,
                "an edge needs two different nodes of this graph",
            );
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
    call("cuGraphAddDependencies", || {
        dependencies(graph, from, to, count, true)
    })
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
    call("cuGraphRemoveDependencies", || {
        dependencies(graph, from, to, count, false)
    })
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
fn give(found: &[Handle], out: *mut Handle, count: *mut usize) -> Answer {
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
pub extern "C" fn cuGraphGetRootNodes(
    graph: Handle,
    out: *mut Handle,
    count: *mut usize,
) -> CuResult {
    call("cuGraphGetRootNodes", || {
        let state = driver()?.lock();
        let nodes = known_graph(&state, graph)?.nodes.iter();
        let roots: Vec<Handle> = nodes
            .filter(|n| n.1.after.is_empty())
            .map(|n| *n.0)
            .collect();
        give(&roots, out, count)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphGetEdges(
    graph: Handle,
    from: *mut Handle,
    to: *mut Handle,
    count: *mut usize,
) -> CuResult {
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
            let mut room = if count.is_null() {
                0
            } else {
                unsafe { *count }
            };
            give(&b, to, &mut room)?;
        }
        give(&a, from, count)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphNodeGetDependencies(
    node: Handle,
    out: *mut Handle,
    count: *mut usize,
) -> CuResult {
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

/// The parameters of a kernel node; the pointers live as long as the node and until the next call.
#[unsafe(no_mangle)]
pub extern "C" fn cuGraphKernelNodeGetParams(node: Handle, out: *mut KernelNode) -> CuResult {
    call("cuGraphKernelNodeGetParams", || {
        let mut state = driver()?.lock();
        let entry = graph_of(&mut state, node)?
            .nodes
            .get_mut(&node)
            .expect("its graph");
        let Work::Kernel(launch) = &*entry.work else {
            return refuse(INVALID_VALUE, "the node is no kernel");
        };
        let bytes: Box<[u8]> = launch.config.params.clone().into();
        let at = bytes.as_ptr() as usize;
        let pointers: Box<[usize]> = launch
            .info
            .params
            .iter()
            .map(|p| at + p.offset as usize)
            .collect();
        let given = KernelNode {
            function: launch.function,
            grid: launch.config.grid,
            block: launch.config.block,
            shared: launch.config.dynamic_shared,
            params: pointers.as_ptr().cast(),
            extra: std::ptr::null(),
        };
        entry.kernel_params = Some(Arc::new(KernelParams {
            _bytes: bytes,
            pointers,
        }));
        debug_assert!(
            entry
                .kernel_params
                .as_ref()
                .is_some_and(|k| k.pointers.as_ptr().cast() == given.params)
        );
        store(out, given, "parameters")
    })
}

/// As [`cuGraphKernelNodeGetParams`], with no `CUkernel` and the graph's context.
#[unsafe(no_mangle)]
pub extern "C" fn cuGraphKernelNodeGetParams_v2(node: Handle, out: *mut KernelNode) -> CuResult {
    let code = cuGraphKernelNodeGetParams(node, out);
    if code == 0 {
        // SAFETY: the second version has two more pointers behind the first version's members.
        unsafe { out.add(1).cast::<[usize; 2]>().write([0, 0]) };
    }
    code
}

fn set_kernel(node: Handle, p: *const KernelNode) -> Answer {
    let (driver, mut state, context) = enter()?;
    let was = graph_of(&mut state, node)?.nodes[&node].work.clone();
    if !matches!(*was, Work::Kernel(_)) {
        return refuse(INVALID_VALUE, "the node is no kernel");
    }
    let work = kernel(p, driver, &state, context)?;
    let entry = graph_of(&mut state, node)?
        .nodes
        .get_mut(&node)
        .expect("its graph");
    entry.work = Arc::new(work);
    Ok(())
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphKernelNodeSetParams(node: Handle, p: *const KernelNode) -> CuResult {
    call("cuGraphKernelNodeSetParams", || set_kernel(node, p))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphKernelNodeSetParams_v2(node: Handle, p: *const KernelNode) -> CuResult {
    call("cuGraphKernelNodeSetParams_v2", || set_kernel(node, p))
}

fn set_exec_kernel(exec: Handle, node: Handle, p: *const KernelNode) -> Answer {
    let (driver, mut state, context) = enter()?;
    let work = kernel(p, driver, &state, context)?;
    let entry = known_exec(&mut state, exec)?;
    match entry.graph.nodes.get_mut(&node) {
        Some(n) if matches!(*n.work, Work::Kernel(_)) => n.work = Arc::new(work),
        _ => {
            return refuse(
                INVALID_VALUE,
                format!("{node:#x} is no kernel node of the graph this was made from"),
            );
        }
    }
    entry.plan = Arc::new(entry.graph.plan().expect("had a plan before"));
    Ok(())
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphExecKernelNodeSetParams(
    exec: Handle,
    node: Handle,
    p: *const KernelNode,
) -> CuResult {
    call("cuGraphExecKernelNodeSetParams", || {
        set_exec_kernel(exec, node, p)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphExecKernelNodeSetParams_v2(
    exec: Handle,
    node: Handle,
    p: *const KernelNode,
) -> CuResult {
    call("cuGraphExecKernelNodeSetParams_v2", || {
        set_exec_kernel(exec, node, p)
    })
}

/// Flags: 1 free memory at launch, 2 upload, 4 launch from the device, 8 node priorities.
fn instantiate(out: *mut Handle, graph: Handle, flags: u64) -> Answer {
    let (_, mut state, context) = enter()?;
    if flags & !15 != 0 || flags & 5 == 5 {
        return refuse(
            INVALID_VALUE,
            format!("flags {flags} can't be combined or are unknown"),
        );
    }
    if flags & 4 != 0 {
        return refuse(NOT_SUPPORTED, "softgpu can't launch graphs from kernels");
    }
    let graph = known_graph(&state, graph)?.clone();
    let Some(plan) = graph.plan() else {
        return refuse(
            INVALID_VALUE,
            "the graph's nodes wait for one another in a circle",
        );
    };
    let handle = state.handle(Kind::Exec);
    let exec = Exec {
        context,
        graph,
        plan: Arc::new(plan),
        last: None,
    };
    state.execs.insert(handle, exec);
    store(out, handle, "executable graph")
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphInstantiateWithFlags(
    out: *mut Handle,
    graph: Handle,
    flags: u64,
) -> CuResult {
    call("cuGraphInstantiateWithFlags", || {
        instantiate(out, graph, flags)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphInstantiateWithParams(
    out: *mut Handle,
    graph: Handle,
    params: *mut u64,
) -> CuResult {
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
            let copy = Plan {
                nodes: plan.nodes.clone(),
            };
            return submit(driver, state, context, stream, Work::Graph(copy), "a graph")
                .map(|_| ());
        }
        if let Some(before) = before {
            state.push(stream, Arc::new(Work::Nothing), vec![before]);
        }
        let copy = Plan {
            nodes: plan.nodes.clone(),
        };
        let (mut state, id) = submit(driver, state, context, stream, Work::Graph(copy), "a graph")?;
        if let Ok(entry) = known_exec(&mut state, exec) {
            entry.last = id;
        }
        Ok(())
    })
}

/// Takes the parameters of a graph of the same shape: the same kinds of nodes with the same edges, in the order
/// of their making.
fn update(exec: Handle, graph: Handle, result: *mut i32) -> Answer {
    let (_, mut state, _) = enter()?;
    let fresh = known_graph(&state, graph)?.clone();
    let entry = known_exec(&mut state, exec)?;
    let shape = |g: &Graph| -> Vec<BTreeSet<usize>> {
        let position: HashMap<Handle, usize> =
            g.nodes.keys().enumerate().map(|(i, h)| (*h, i)).collect();
        let sets = g
            .nodes
            .values()
            .map(|n| n.after.iter().map(|h| position[h]).collect());
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
            return refuse(
                INVALID_VALUE,
                "a child graph's nodes wait for one another in a circle",
            );
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
