//! Graphs made executable: instantiating, launching, changing them.

use super::copy::Copy3DParameters;
use super::graph_params::{Any, Kernel, Parameters, context};
use super::launch::needed;
use super::symbol::part;
use crate::abi::*;
use crate::context::current;
use crate::driver::Fill;

entry!(cudaGraphInstantiate, |exec: Out<Handle>, graph: Handle, flags: u64| {
    current()?.cuGraphInstantiateWithFlags(exec, graph, flags)
});
entry!(cudaGraphInstantiateWithFlags, |exec: Out<Handle>, graph: Handle, flags: u64| {
    current()?.cuGraphInstantiateWithFlags(exec, graph, flags)
});

// The parameters are the driver's, bit for bit; so is the answer of an update.
entry!(cudaGraphInstantiateWithParams, |exec: Out<Handle>, graph: Handle, p: Room| {
    current()?.cuGraphInstantiateWithParams(exec, graph, p)
});
entry!(cudaGraphInstantiateWithParams_ptsz, |exec: Out<Handle>, graph: Handle, p: Room| {
    current()?.cuGraphInstantiateWithParams(exec, graph, p)
});
entry!(cudaGraphExecUpdate, |exec: Handle, graph: Handle, result: Room| {
    current()?.cuGraphExecUpdate_v2(exec, graph, result)
});

entry!(cudaGraphExecGetFlags, |exec: Handle, flags: Out<u64>| current()?.cuGraphExecGetFlags(exec, flags));
entry!(cudaGraphExecDestroy, |exec: Handle| current()?.cuGraphExecDestroy(exec));

on_stream!(cudaGraphUpload, cudaGraphUpload_ptsz, stream, |exec: Handle, stream: Handle| {
    current()?.cuGraphUpload(exec, stream)
});
on_stream!(cudaGraphLaunch, cudaGraphLaunch_ptsz, stream, |exec: Handle, stream: Handle| {
    current()?.cuGraphLaunch(exec, stream)
});

entry!(cudaGraphNodeSetEnabled, |exec: Handle, node: Handle, enabled: u32| {
    current()?.cuGraphNodeSetEnabled(exec, node, enabled)
});
entry!(cudaGraphNodeGetEnabled, |exec: Handle, node: Handle, enabled: Out<u32>| {
    current()?.cuGraphNodeGetEnabled(exec, node, enabled)
});

entry!(cudaGraphExecKernelNodeSetParams, |exec: Handle, node: Handle, p: Option<&Kernel>| {
    let kernel = needed(p)?.for_driver()?;
    current()?.cuGraphExecKernelNodeSetParams_v2(exec, node, &kernel)
});

fn set_copy(exec: Handle, node: Handle, copy: &Copy3DParameters) -> Answer {
    let (copy, context) = (copy.for_driver()?, context()?);
    current()?.cuGraphExecMemcpyNodeSetParams(exec, node, &copy, context)
}

entry!(cudaGraphExecMemcpyNodeSetParams, |exec: Handle, node: Handle, p: Option<&Copy3DParameters>| {
    set_copy(exec, node, needed(p)?)
});

entry!(cudaGraphExecMemcpyNodeSetParams1D, |exec: Handle,
                                            node: Handle,
                                            to: usize,
                                            from: usize,
                                            bytes: usize,
                                            kind: i32| {
    set_copy(exec, node, &Copy3DParameters::linear(to, from, bytes, kind))
});

entry!(cudaGraphExecMemcpyNodeSetParamsToSymbol, |exec: Handle,
                                                  node: Handle,
                                                  symbol: usize,
                                                  from: usize,
                                                  bytes: usize,
                                                  offset: usize,
                                                  kind: i32| {
    set_copy(exec, node, &Copy3DParameters::linear(part(symbol, offset, bytes)?, from, bytes, kind))
});

entry!(cudaGraphExecMemcpyNodeSetParamsFromSymbol, |exec: Handle,
                                                    node: Handle,
                                                    to: usize,
                                                    symbol: usize,
                                                    bytes: usize,
                                                    offset: usize,
                                                    kind: i32| {
    set_copy(exec, node, &Copy3DParameters::linear(to, part(symbol, offset, bytes)?, bytes, kind))
});

fn set_fill(exec: Handle, node: Handle, fill: &Fill) -> Answer {
    let context = context()?;
    current()?.cuGraphExecMemsetNodeSetParams(exec, node, fill, context)
}

entry!(cudaGraphExecMemsetNodeSetParams, |exec: Handle, node: Handle, p: Option<&Fill>| {
    set_fill(exec, node, needed(p)?)
});

entry!(cudaGraphExecHostNodeSetParams, |exec: Handle, node: Handle, p: Given| {
    current()?.cuGraphExecHostNodeSetParams(exec, node, p)
});

entry!(cudaGraphExecChildGraphNodeSetParams, |exec: Handle, node: Handle, child: Handle| {
    current()?.cuGraphExecChildGraphNodeSetParams(exec, node, child)
});

entry!(cudaGraphExecEventRecordNodeSetEvent, |exec: Handle, node: Handle, event: Handle| {
    current()?.cuGraphExecEventRecordNodeSetEvent(exec, node, event)
});

entry!(cudaGraphExecEventWaitNodeSetEvent, |exec: Handle, node: Handle, event: Handle| {
    current()?.cuGraphExecEventWaitNodeSetEvent(exec, node, event)
});

entry!(cudaGraphExecNodeSetParams, |exec: Handle, node: Handle, p: Option<&Any>| {
    let driver = current()?;
    match needed(p)?.get()? {
        Parameters::Kernel(kernel) => driver.cuGraphExecKernelNodeSetParams_v2(exec, node, &kernel.for_driver()?),
        Parameters::Copy(copy) => set_copy(exec, node, &copy),
        Parameters::Fill(fill) => set_fill(exec, node, &fill),
        Parameters::Host(call) => driver.cuGraphExecHostNodeSetParams(exec, node, Given::of(&call)),
        Parameters::Graph(child) => driver.cuGraphExecChildGraphNodeSetParams(exec, node, child),
        Parameters::EventWait(event) => driver.cuGraphExecEventWaitNodeSetEvent(exec, node, event),
        Parameters::EventRecord(event) => driver.cuGraphExecEventRecordNodeSetEvent(exec, node, event),
        Parameters::Empty => refuse(NOT_SUPPORTED, "an empty node has no parameters"),
    }
});
