//! Graphs, instantiated graphs, and captures under way.

use super::handle::{Handle, OpId, object};
use super::work::{Plan, Work};
use crate::driver::abi::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::thread::ThreadId;

/// A graph that can still be changed.
#[derive(Clone)]
pub struct Graph {
    pub context: Handle,
    pub nodes: BTreeMap<Handle, Node>,
}

object!(Graph, INVALID_VALUE, "is no graph, or a destroyed one");

/// Nodes as an argument: as many as the count beside them says.
pub type Nodes<'a> = Array<'a, Handle>;

/// One node and the nodes it waits for.
#[derive(Clone)]
pub struct Node {
    pub work: Arc<Work>,
    pub after: Vec<Handle>,
    /// A child graph's nodes, when it is one.
    pub child: Option<Arc<Graph>>,
    /// The node of which this is the copy in a cloned graph, or 0.
    pub copy_of: Handle,
    /// Storage behind the pointers that `cuGraphKernelNodeGetParams` gives out.
    pub kernel_params: Option<Arc<KernelParams>>,
}

/// A copy of a kernel node's arguments with an array of pointers to them.
pub struct KernelParams {
    _bytes: Box<[u8]>,
    pub pointers: Box<[usize]>,
}

impl KernelParams {
    /// A copy of `bytes`, with pointers to these offsets in it.
    pub fn new(bytes: Box<[u8]>, offsets: impl Iterator<Item = u32>) -> KernelParams {
        let at = bytes.as_ptr() as usize;
        let pointers = offsets.map(|offset| at + offset as usize).collect();
        KernelParams { _bytes: bytes, pointers }
    }
}

/// An instantiated graph.
pub struct Exec {
    pub context: Handle,
    pub flags: u64,
    pub graph: Graph,
    pub plan: Arc<Plan>,
    /// Its launch before: launches of one executable graph follow one another.
    pub last: Option<OpId>,
}

object!(Exec, INVALID_VALUE, "is no executable graph, or a destroyed one");

impl Graph {
    pub fn new(context: Handle) -> Graph {
        Graph { context, nodes: BTreeMap::new() }
    }

    /// The nodes that each node waits for, by their positions in the order of their making, ascending.
    pub fn edges(&self) -> Vec<Vec<usize>> {
        let position: HashMap<Handle, usize> = self.nodes.keys().enumerate().map(|(i, h)| (*h, i)).collect();
        let after = |node: &Node| {
            let mut after: Vec<usize> = node.after.iter().filter_map(|h| position.get(h).copied()).collect();
            after.sort_unstable();
            after
        };
        self.nodes.values().map(after).collect()
    }

    /// The nodes as work with positions for handles, or `None` when they go round in a circle.
    pub fn plan(&self) -> Option<Plan> {
        let mut nodes = Vec::new();
        for (node, after) in self.nodes.values().zip(self.edges()) {
            let work = match &node.child {
                Some(child) => Arc::new(Work::Graph(Arc::new(child.plan()?))),
                None => node.work.clone(),
            };
            nodes.push((work, after));
        }
        let mut done = vec![false; nodes.len()];
        while let Some(i) = (0..nodes.len()).find(|&i| !done[i] && nodes[i].1.iter().all(|&d| done[d])) {
            done[i] = true;
        }
        done.iter().all(|d| *d).then_some(Plan { nodes })
    }
}

impl Graph {
    /// Refuses to free what the graph frees already.
    pub fn may_free(&self, address: u64) -> Answer {
        let frees = |node: &Node| matches!(*node.work, Work::Free(a) if a == address);
        let message = format_args!("the graph frees {address:#x} already");
        valid(!self.nodes.values().any(frees), message)
    }

    /// Whether it allocates or frees: such a graph is instantiated once at a time, and neither cloned nor part of
    /// another.
    pub fn has_memory(&self) -> bool {
        self.nodes.values().any(Node::is_memory)
    }
}

impl Node {
    /// Whether it allocates or frees.
    pub fn is_memory(&self) -> bool {
        matches!(*self.work, Work::Allocate(_) | Work::Free(_))
    }

    /// A node with nothing but its work.
    pub fn new(work: Work, after: Vec<Handle>) -> Node {
        Node { work: Arc::new(work), after, child: None, copy_of: 0, kernel_params: None }
    }

    /// Its `CUgraphNodeType`.
    pub fn kind(&self) -> i32 {
        match (&self.child, &*self.work) {
            (Some(_), _) => 4,
            (_, Work::Kernel(_)) => 0,
            (_, Work::Copy(_)) => 1,
            (_, Work::Fill(_)) => 2,
            (_, Work::Host(_)) => 3,
            (_, Work::Allocate(_)) => 10,
            (_, Work::Free(_)) => 11,
            _ => 5,
        }
    }
}

/// A capture under way.
pub struct Capture {
    pub origin: Handle,
    pub context: Handle,
    pub mode: i32,
    pub thread: ThreadId,
    pub graph: Graph,
    /// For every stream of the capture the nodes its next node will wait for.
    pub fronts: HashMap<Handle, BTreeSet<Handle>>,
    pub invalid: bool,
}

object!(Capture, INVALID_HANDLE, "is no capture");
