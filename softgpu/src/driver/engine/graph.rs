//! Finding the graph that a node is in.

use crate::driver::abi::entry::{Answer, refuse};
use crate::driver::abi::errors::*;
use crate::driver::objects::graph::{Graph, Node};
use crate::driver::objects::handle::Handle;
use crate::driver::objects::state::State;

impl State {
    /// The graph a node is in.
    pub fn graph_of(&mut self, node: Handle) -> Answer<&mut Graph> {
        match self.graphs.values_mut().find(|g| g.nodes.contains_key(&node)) {
            Some(graph) => Ok(graph),
            None => refuse(INVALID_VALUE, format!("{node:#x} is a node of no graph")),
        }
    }

    /// A node of any graph.
    pub fn node(&mut self, node: Handle) -> Answer<&mut Node> {
        Ok(self.graph_of(node)?.nodes.get_mut(&node).expect("its graph"))
    }
}
