//! cudarc's safe API over softgpu's driver, and the driver's own rules.
//!
//! One process and one device: a test that leaves a fault in its context uses a context of its own.

#[path = "../common/mod.rs"]
mod common;
mod cudarc_api;
mod fatbins;
mod graph_memory;
mod graphs;
mod host_bugs;
mod libraries;
mod managed;
mod queries;
mod rules;
mod support;
