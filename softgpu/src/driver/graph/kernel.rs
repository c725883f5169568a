//! Parameters of kernel nodes.

use super::{kernel as kernel_work, *};

/// The parameters of a kernel node; the pointers live as long as the node and until the next call.
#[unsafe(no_mangle)]
pub extern "C" fn cuGraphKernelNodeGetParams(node: Handle, out: *mut KernelNode) -> CuResult {
    call("cuGraphKernelNodeGetParams", || {
        let mut state = driver()?.lock();
        let entry = graph_of(&mut state, node)?.nodes.get_mut(&node).expect("its graph");
        let Work::Kernel(launch) = &*entry.work else {
            return refuse(INVALID_VALUE, "the node is no kernel");
        };
        let bytes: Box<[u8]> = launch.config.params.clone().into();
        let at = bytes.as_ptr() as usize;
        let pointers: Box<[usize]> = launch.info.params.iter().map(|p| at + p.offset as usize).collect();
        let given = KernelNode {
            function: launch.function,
            grid: launch.config.grid,
            block: launch.config.block,
            shared: launch.config.dynamic_shared,
            params: pointers.as_ptr().cast(),
            extra: std::ptr::null(),
        };
        entry.kernel_params = Some(Arc::new(KernelParams { _bytes: bytes, pointers }));
        debug_assert!(entry.kernel_params.as_ref().is_some_and(|k| k.pointers.as_ptr().cast() == given.params));
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

pub(super) fn set_kernel(node: Handle, p: *const KernelNode) -> Answer {
    let (driver, mut state, context) = enter()?;
    let was = graph_of(&mut state, node)?.nodes[&node].work.clone();
    if !matches!(*was, Work::Kernel(_)) {
        return refuse(INVALID_VALUE, "the node is no kernel");
    }
    let work = kernel_work(p, driver, &state, context)?;
    let entry = graph_of(&mut state, node)?.nodes.get_mut(&node).expect("its graph");
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

pub(super) fn set_exec_kernel(exec: Handle, node: Handle, p: *const KernelNode) -> Answer {
    let (driver, mut state, context) = enter()?;
    let work = kernel_work(p, driver, &state, context)?;
    let entry = known_exec(&mut state, exec)?;
    match entry.graph.nodes.get_mut(&node) {
        Some(n) if matches!(*n.work, Work::Kernel(_)) => n.work = Arc::new(work),
        _ => {
            return refuse(INVALID_VALUE, format!("{node:#x} is no kernel node of the graph this was made from"));
        }
    }
    entry.plan = Arc::new(entry.graph.plan().expect("had a plan before"));
    Ok(())
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphExecKernelNodeSetParams(exec: Handle, node: Handle, p: *const KernelNode) -> CuResult {
    call("cuGraphExecKernelNodeSetParams", || set_exec_kernel(exec, node, p))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphExecKernelNodeSetParams_v2(exec: Handle, node: Handle, p: *const KernelNode) -> CuResult {
    call("cuGraphExecKernelNodeSetParams_v2", || set_exec_kernel(exec, node, p))
}
