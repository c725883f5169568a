//! What trains: networks and random numbers, the CPU backend against the f64 references and PyTorch, the trainer,
//! checkpoints.

mod checkpoint;
#[path = "../common/mod.rs"]
mod common;
mod golden_operations;
mod golden_vgg19;
mod model;
mod operations;
mod precision;
mod random;
mod torchvision;
mod trainer;
