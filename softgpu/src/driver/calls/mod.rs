//! The entry points by subject.

mod context;
mod device;
mod event;
mod function;
mod graph;
mod graph_exec;
mod graph_kernel;
mod graph_memory;
mod graph_nodes;
mod graph_params;
mod kept;
mod launch;
mod library;
mod link;
mod managed;
mod memory;
mod module;
mod occupancy;
mod own;
mod pinned;
mod pool;
mod proc_address;
mod refused;
mod stream;
mod strided;
mod transfer;
