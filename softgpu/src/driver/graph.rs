//! Graphs: from captures and built by hand, instantiated, launched, updated.

mod edges;
mod exec;
mod kernel;
mod nodes;

use nodes::{KernelNode, kernel, list};

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
        Graph { context, nodes: BTreeMap::new() }
    }

    /// The nodes as work with positions for handles, or `None` when they go round in a circle.
    fn plan(&self) -> Option<Plan> {
        let position: HashMap<Handle, usize> = self.nodes.keys().enumerate().map(|(i, h)| (*h, i)).collect();
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
        while let Some(i) = (0..nodes.len()).find(|&i| !done[i] && nodes[i].1.iter().all(|&d| done[d])) {
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
        None => refuse(INVALID_VALUE, format!("{graph:#x} is no graph, or a destroyed one")),
    }
}

fn known_exec(state: &mut State, exec: Handle) -> Answer<&mut Exec> {
    match state.execs.get_mut(&exec) {
        Some(exec) => Ok(exec),
        None => refuse(INVALID_VALUE, format!("{exec:#x} is no executable graph, or a destroyed one")),
    }
}

/// The graph a node is in.
fn graph_of(state: &mut State, node: Handle) -> Answer<&mut Graph> {
    match state.graphs.values_mut().find(|g| g.nodes.contains_key(&node)) {
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
        let copy = Graph { context: old.context, nodes: nodes.collect() };
        let handle = state.handle(Kind::Graph);
        state.graphs.insert(handle, copy);
        store(out, handle, "graph")
    })
}
