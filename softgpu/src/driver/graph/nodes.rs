//! Adding nodes.

use super::*;

/// Adds a node after checking what it is to wait for.
pub(super) fn add(
    out: *mut Handle,
    graph: Handle,
    after: *const Handle,
    count: usize,
    make: impl FnOnce(&'static Driver, &State, Handle) -> Answer<(Work, Option<Arc<Graph>>)>,
) -> Answer {
    let (driver, mut state, context) = enter()?;
    known_graph(&state, graph)?;
    let after = list(after, count);
    if let Some(odd) = after.iter().find(|n| !state.graphs[&graph].nodes.contains_key(n)) {
        return refuse(INVALID_VALUE, format!("the node is to wait for {odd:#x}, which is no node of this graph"));
    }
    if out.is_null() {
        return refuse(INVALID_VALUE, "node is a null pointer");
    }
    let (work, child) = make(driver, &state, context)?;
    let node = state.handle(Kind::Node);
    let entry = Node { work: Arc::new(work), after, child, kernel_params: None };
    state.graphs.get_mut(&graph).expect("known").nodes.insert(node, entry);
    store(out, node, "node")
}

pub(super) fn list(from: *const Handle, count: usize) -> Vec<Handle> {
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

pub(super) fn kernel(p: *const KernelNode, driver: &Driver, state: &State, context: Handle) -> Answer<Work> {
    if p.is_null() {
        return refuse(INVALID_VALUE, "no parameters of the node");
    }
    // SAFETY: not null; as the API says.
    let p = unsafe { &*p };
    let shape = Shape { grid: p.grid, block: p.block, shared: p.shared };
    let profile = driver.config().profile;
    // SAFETY: passed on.
    let launch = unsafe { Launch::prepare(state, &profile, context, p.function, shape, p.params, p.extra)? };
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
    call("cuGraphAddKernelNode_v2", || add(out, graph, after, count, |d, s, c| Ok((kernel(p, d, s, c)?, None))))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphAddKernelNode(
    out: *mut Handle,
    graph: Handle,
    after: *const Handle,
    count: usize,
    p: *const KernelNode,
) -> CuResult {
    call("cuGraphAddKernelNode", || add(out, graph, after, count, |d, s, c| Ok((kernel(p, d, s, c)?, None))))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphAddEmptyNode(out: *mut Handle, graph: Handle, after: *const Handle, count: usize) -> CuResult {
    call("cuGraphAddEmptyNode", || add(out, graph, after, count, |_, _, _| Ok((Work::Nothing, None))))
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
                return refuse(INVALID_VALUE, format!("elements of {} bytes; 1, 2 or 4 are possible", p.size));
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
