//! `softgpu run` and `softgpu nvcc`: whole CUDA programs on softgpu.
//!
//! `links` makes the folder in which a program finds softgpu's libraries under the names it asks for, `inspect` says
//! before the start what can't work, `run` starts the program and tells what was found, `nvcc` compiles programs.

mod inspect;
mod links;
pub mod nvcc;
pub mod run;
