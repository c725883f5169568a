//! The entry points by subject.

mod copy;
mod device;
mod event;
mod fill;
mod function;
mod graph;
mod graph_exec;
mod graph_node;
mod graph_params;
mod host;
mod launch;
mod library;
mod memory;
mod occupancy;
mod peer;
mod pool;
mod properties;
mod refused;
mod register;
mod stream;
mod symbol;
mod version;
