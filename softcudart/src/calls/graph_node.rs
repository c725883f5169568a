//! Nodes of graphs: adding them, and their parameters.

use super::copy::Copy3DParameters;
use super::graph::telling;
use super::graph_params::{Any, Kernel, Parameters, context};
use super::launch::needed;
use super::symbol::part;
use crate::abi::*;
use crate::context::current;
use crate::driver::{Fill, KernelNode};

/// The nodes that a new one waits for.
#[derive(Clone, Copy)]
struct After<'a> {
    nodes: Given<'a>,
    count: usize,
}

fn add_kernel(out: Out<Handle>, graph: Handle, after: After, kernel: &Kernel) -> Answer {
    let node = kernel.for_driver()?;
    current()?.cuGraphAddKernelNode_v2(out, graph, after.nodes, after.count, &node)
}

fn add_copy(out: Out<Handle>, graph: Handle, after: After, copy: &Copy3DParameters) -> Answer {
    let (copy, context) = (copy.for_driver()?, context()?);
    current()?.cuGraphAddMemcpyNode(out, graph, after.nodes, after.count, &copy, context)
}

fn add_fill(out: Out<Handle>, graph: Handle, after: After, fill: &Fill) -> Answer {
    let context = context()?;
    current()?.cuGraphAddMemsetNode(out, graph, after.nodes, after.count, fill, context)
}

entry!(cudaGraphAddKernelNode, |out: Out<Handle>, graph: Handle, nodes: Given, count: usize, p: Option<&Kernel>| {
    add_kernel(out, graph, After { nodes, count }, needed(p)?)
});

entry!(cudaGraphAddMemcpyNode, |out: Out<Handle>,
                                graph: Handle,
                                nodes: Given,
                                count: usize,
                                p: Option<&Copy3DParameters>| {
    add_copy(out, graph, After { nodes, count }, needed(p)?)
});

entry!(cudaGraphAddMemcpyNode1D, |out: Out<Handle>,
                                  graph: Handle,
                                  nodes: Given,
                                  count: usize,
                                  to: usize,
                                  from: usize,
                                  bytes: usize,
                                  kind: i32| {
    add_copy(out, graph, After { nodes, count }, &Copy3DParameters::linear(to, from, bytes, kind))
});

entry!(cudaGraphAddMemcpyNodeToSymbol, |out: Out<Handle>,
                                        graph: Handle,
                                        nodes: Given,
                                        count: usize,
                                        symbol: usize,
                                        from: usize,
                                        bytes: usize,
                                        offset: usize,
                                        kind: i32| {
    let copy = Copy3DParameters::linear(part(symbol, offset, bytes)?, from, bytes, kind);
    add_copy(out, graph, After { nodes, count }, &copy)
});

entry!(cudaGraphAddMemcpyNodeFromSymbol, |out: Out<Handle>,
                                          graph: Handle,
                                          nodes: Given,
                                          count: usize,
                                          to: usize,
                                          symbol: usize,
                                          bytes: usize,
                                          offset: usize,
                                          kind: i32| {
    let copy = Copy3DParameters::linear(to, part(symbol, offset, bytes)?, bytes, kind);
    add_copy(out, graph, After { nodes, count }, &copy)
});

entry!(cudaGraphAddMemsetNode, |out: Out<Handle>, graph: Handle, nodes: Given, count: usize, p: Option<&Fill>| {
    add_fill(out, graph, After { nodes, count }, needed(p)?)
});

entry!(cudaGraphAddHostNode, |out: Out<Handle>, graph: Handle, nodes: Given, count: usize, p: Given| {
    current()?.cuGraphAddHostNode(out, graph, nodes, count, p)
});

entry!(cudaGraphAddChildGraphNode, |out: Out<Handle>, graph: Handle, nodes: Given, count: usize, child: Handle| {
    current()?.cuGraphAddChildGraphNode(out, graph, nodes, count, child)
});

entry!(cudaGraphAddEmptyNode, |out: Out<Handle>, graph: Handle, nodes: Given, count: usize| {
    current()?.cuGraphAddEmptyNode(out, graph, nodes, count)
});

entry!(cudaGraphAddEventRecordNode, |out: Out<Handle>, graph: Handle, nodes: Given, count: usize, event: Handle| {
    current()?.cuGraphAddEventRecordNode(out, graph, nodes, count, event)
});

entry!(cudaGraphAddEventWaitNode, |out: Out<Handle>, graph: Handle, nodes: Given, count: usize, event: Handle| {
    current()?.cuGraphAddEventWaitNode(out, graph, nodes, count, event)
});

// The parameters of an allocation are the driver's, bit for bit.
entry!(cudaGraphAddMemAllocNode, |out: Out<Handle>, graph: Handle, nodes: Given, count: usize, p: Room| {
    current()?.cuGraphAddMemAllocNode(out, graph, nodes, count, p)
});

entry!(cudaGraphAddMemFreeNode, |out: Out<Handle>, graph: Handle, nodes: Given, count: usize, address: usize| {
    current()?.cuGraphAddMemFreeNode(out, graph, nodes, count, address)
});

entry!(cudaGraphMemAllocNodeGetParams, |node: Handle, p: Room| current()?.cuGraphMemAllocNodeGetParams(node, p));
entry!(cudaGraphMemFreeNodeGetParams, |node: Handle, p: Room| current()?.cuGraphMemFreeNodeGetParams(node, p));

fn add(out: Out<Handle>, graph: Handle, after: After, p: Option<&Any>) -> Answer {
    let (driver, After { nodes, count }) = (current()?, after);
    match needed(p)?.get()? {
        Parameters::Kernel(kernel) => add_kernel(out, graph, after, &kernel),
        Parameters::Copy(copy) => add_copy(out, graph, after, &copy),
        Parameters::Fill(fill) => add_fill(out, graph, after, &fill),
        Parameters::Host(call) => driver.cuGraphAddHostNode(out, graph, nodes, count, Given::of(&call)),
        Parameters::Graph(child) => driver.cuGraphAddChildGraphNode(out, graph, nodes, count, child),
        Parameters::Empty => driver.cuGraphAddEmptyNode(out, graph, nodes, count),
        Parameters::EventWait(event) => driver.cuGraphAddEventWaitNode(out, graph, nodes, count, event),
        Parameters::EventRecord(event) => driver.cuGraphAddEventRecordNode(out, graph, nodes, count, event),
    }
}

fn add_with_edges(
    out: Out<Handle>,
    graph: Handle,
    nodes: Given,
    edges: Given,
    count: usize,
    p: Option<&Any>,
) -> Answer {
    ensure(!telling(edges, count).is_given(), NOT_SUPPORTED, "edges with data of their own, together with a node")?;
    add(out, graph, After { nodes, count }, p)
}

// CUDA 12's has no edge data: count and parameters are one place earlier.
entry!(cudaGraphAddNode, |out: Out<Handle>,
                          graph: Handle,
                          nodes: Given,
                          edges: Given,
                          count: Given,
                          p: Option<&Any>| {
    match major() {
        // SAFETY: CUDA 12's parameters.
        12 => add(out, graph, After { nodes, count: edges.number() }, unsafe { count.values::<Any>(1) }.first()),
        _ => add_with_edges(out, graph, nodes, edges, count.number(), p),
    }
});

entry!(cudaGraphAddNode_v2, |out: Out<Handle>,
                             graph: Handle,
                             nodes: Given,
                             edges: Given,
                             count: usize,
                             p: Option<&Any>| {
    add_with_edges(out, graph, nodes, edges, count, p)
});

entry!(cudaGraphKernelNodeGetParams, |node: Handle, out: Out<Kernel>| {
    let mut found = KernelNode::default();
    current()?.cuGraphKernelNodeGetParams_v2(node, Out::of(&mut found))?;
    out.set(Kernel::of(&found)?)
});

entry!(cudaGraphKernelNodeSetParams, |node: Handle, p: Option<&Kernel>| {
    let kernel = needed(p)?.for_driver()?;
    current()?.cuGraphKernelNodeSetParams_v2(node, &kernel)
});

entry!(cudaGraphKernelNodeCopyAttributes, |to: Handle, from: Handle| {
    current()?.cuGraphKernelNodeCopyAttributes(to, from)
});
entry!(cudaGraphKernelNodeGetAttribute, |node: Handle, attribute: i32, value: Room| {
    current()?.cuGraphKernelNodeGetAttribute(node, attribute, value)
});
entry!(cudaGraphKernelNodeSetAttribute, |node: Handle, attribute: i32, value: Given| {
    current()?.cuGraphKernelNodeSetAttribute(node, attribute, value)
});

entry!(cudaGraphMemcpyNodeGetParams, |node: Handle, out: Out<Copy3DParameters>| {
    let mut found = Default::default();
    current()?.cuGraphMemcpyNodeGetParams(node, Out::of(&mut found))?;
    out.set(Copy3DParameters::of(&found))
});

fn set_copy(node: Handle, copy: &Copy3DParameters) -> Answer {
    let copy = copy.for_driver()?;
    current()?.cuGraphMemcpyNodeSetParams(node, &copy)
}

entry!(cudaGraphMemcpyNodeSetParams, |node: Handle, p: Option<&Copy3DParameters>| set_copy(node, needed(p)?));

entry!(cudaGraphMemcpyNodeSetParams1D, |node: Handle, to: usize, from: usize, bytes: usize, kind: i32| {
    set_copy(node, &Copy3DParameters::linear(to, from, bytes, kind))
});

entry!(cudaGraphMemcpyNodeSetParamsToSymbol, |node: Handle,
                                              symbol: usize,
                                              from: usize,
                                              bytes: usize,
                                              offset: usize,
                                              kind: i32| {
    set_copy(node, &Copy3DParameters::linear(part(symbol, offset, bytes)?, from, bytes, kind))
});

entry!(cudaGraphMemcpyNodeSetParamsFromSymbol, |node: Handle,
                                                to: usize,
                                                symbol: usize,
                                                bytes: usize,
                                                offset: usize,
                                                kind: i32| {
    set_copy(node, &Copy3DParameters::linear(to, part(symbol, offset, bytes)?, bytes, kind))
});

entry!(cudaGraphMemsetNodeGetParams, |node: Handle, out: Out<Fill>| current()?.cuGraphMemsetNodeGetParams(node, out));
entry!(cudaGraphMemsetNodeSetParams, |node: Handle, p: Option<&Fill>| {
    current()?.cuGraphMemsetNodeSetParams(node, needed(p)?)
});

entry!(cudaGraphHostNodeGetParams, |node: Handle, out: Room| current()?.cuGraphHostNodeGetParams(node, out));
entry!(cudaGraphHostNodeSetParams, |node: Handle, p: Given| current()?.cuGraphHostNodeSetParams(node, p));

entry!(cudaGraphChildGraphNodeGetGraph, |node: Handle, graph: Out<Handle>| {
    current()?.cuGraphChildGraphNodeGetGraph(node, graph)
});

entry!(cudaGraphEventRecordNodeGetEvent, |node: Handle, event: Out<Handle>| {
    current()?.cuGraphEventRecordNodeGetEvent(node, event)
});
entry!(cudaGraphEventRecordNodeSetEvent, |node: Handle, event: Handle| {
    current()?.cuGraphEventRecordNodeSetEvent(node, event)
});
entry!(cudaGraphEventWaitNodeGetEvent, |node: Handle, event: Out<Handle>| {
    current()?.cuGraphEventWaitNodeGetEvent(node, event)
});
entry!(cudaGraphEventWaitNodeSetEvent, |node: Handle, event: Handle| {
    current()?.cuGraphEventWaitNodeSetEvent(node, event)
});

entry!(cudaGraphNodeSetParams, |node: Handle, p: Option<&Any>| {
    let driver = current()?;
    match needed(p)?.get()? {
        Parameters::Kernel(kernel) => driver.cuGraphKernelNodeSetParams_v2(node, &kernel.for_driver()?),
        Parameters::Copy(copy) => set_copy(node, &copy),
        Parameters::Fill(fill) => driver.cuGraphMemsetNodeSetParams(node, &fill),
        Parameters::Host(call) => driver.cuGraphHostNodeSetParams(node, Given::of(&call)),
        Parameters::EventWait(event) => driver.cuGraphEventWaitNodeSetEvent(node, event),
        Parameters::EventRecord(event) => driver.cuGraphEventRecordNodeSetEvent(node, event),
        Parameters::Graph(_) | Parameters::Empty => {
            refuse(NOT_SUPPORTED, "an empty node and a child graph have no parameters to set")
        }
    }
});
