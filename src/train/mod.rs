//! Training: recipes, the order of samples, the trainer, checkpoints and metrics.

pub mod checkpoint;
pub mod init;
pub mod metrics;
pub mod recipe;
pub mod samples;
pub mod trainer;

pub use recipe::Recipe;
pub use trainer::{Config, Evaluation, Trainer, evaluate};
