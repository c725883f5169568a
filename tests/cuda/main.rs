//! The CUDA backend through the program: each command is a process, and so a softgpu, of its own.

mod code;
mod commands;
#[path = "../common/mod.rs"]
mod common;
mod conformance;
mod failures;
mod ladder;
mod precision;
mod profile;
mod ranges;
mod training;
