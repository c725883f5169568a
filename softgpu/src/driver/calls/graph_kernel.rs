//! Kernel nodes and their parameters.

use super::graph_nodes::add;
use crate::driver::abi::*;
use crate::driver::engine::launch::Pointers;
use crate::driver::objects::*;
use std::sync::Arc;

/// `CUDA_KERNEL_NODE_PARAMS`.
#[repr(C)]
pub struct KernelNode<'a> {
    function: Handle,
    shape: Shape,
    params: Pointers<'a>,
    extra: Pointers<'a>,
}

/// `CUDA_KERNEL_NODE_PARAMS_v2`, as far as softgpu gives it: without a `CUkernel`, and with the graph's context.
#[repr(C)]
pub struct KernelNode2<'a> {
    node: KernelNode<'a>,
    kernel: Handle,
    context: Handle,
}

fn work(state: &mut Session, p: Option<&KernelNode>) -> Answer<Work> {
    let p = p.or_refuse(INVALID_VALUE, "no parameters of the node")?;
    // SAFETY: the program gives them for this function.
    let arguments = unsafe { state.arguments(p.function, p.params, p.extra) }?;
    Ok(Work::Kernel(state.prepare(p.function, p.shape, arguments)?))
}

entry!(
    cuGraphAddKernelNode,
    cuGraphAddKernelNode_v2,
    |out: Out<Handle>, graph: Handle, after: Nodes, count: Count, p: Option<&KernelNode>| {
        add(out, graph, after, count, |state| Ok((work(state, p)?, None)))
    }
);

/// The parameters of a kernel node; the pointers live as long as the node and until the next call.
fn parameters<'a>(state: &mut Session, node: Handle) -> Answer<KernelNode<'a>> {
    let entry = state.node(node)?;
    let Work::Kernel(launch) = &*entry.work else {
        return refuse(INVALID_VALUE, "the node is no kernel");
    };
    let offsets = launch.info.params.iter().map(|p| p.offset);
    let kept = KernelParams::new(launch.config.params.clone().into(), offsets);
    // SAFETY: the node keeps them, as the program is told.
    let params = unsafe { Pointers::new(&kept.pointers) };
    let config = &launch.config;
    let shape = Shape { grid: config.grid, block: config.block, shared: config.dynamic_shared };
    let given = KernelNode { function: launch.function, shape, params, extra: Pointers::none() };
    entry.kernel_params = Some(Arc::new(kept));
    Ok(given)
}

entry!(cuGraphKernelNodeGetParams, |node: Handle, out: Out<KernelNode>| {
    out.set(parameters(&mut lock()?, node)?, "parameters")
});

entry!(cuGraphKernelNodeGetParams_v2, |node: Handle, out: Out<KernelNode2>| {
    out.set(KernelNode2 { node: parameters(&mut lock()?, node)?, kernel: 0, context: 0 }, "parameters")
});

entry!(cuGraphKernelNodeSetParams, cuGraphKernelNodeSetParams_v2, |node: Handle, p: Option<&KernelNode>| {
    let mut state = enter()?;
    valid(matches!(*state.node(node)?.work, Work::Kernel(_)), "the node is no kernel")?;
    let work = work(&mut state, p)?;
    state.node(node)?.work = Arc::new(work);
    Ok(())
});

entry!(
    cuGraphExecKernelNodeSetParams,
    cuGraphExecKernelNodeSetParams_v2,
    |exec: Handle, node: Handle, p: Option<&KernelNode>| {
        let mut state = enter()?;
        let work = work(&mut state, p)?;
        let entry = state.execs.known_mut(exec)?;
        let found = entry.graph.nodes.get_mut(&node).filter(|node| matches!(*node.work, Work::Kernel(_)));
        let message = format_args!("{node:#x} is no kernel node of the graph this was made from");
        found.or_refuse(INVALID_VALUE, message)?.work = Arc::new(work);
        entry.plan = Arc::new(entry.graph.plan().expect("had a plan before"));
        Ok(())
    }
);
