//! Training: recipes, the order of samples, the trainer, checkpoints and metrics.

pub mod checkpoint;
pub mod config;
pub mod evaluation;
mod feed;
pub mod init;
pub mod metrics;
pub mod predictions;
pub mod recipe;
pub mod record;
pub mod samples;
pub mod trainer;

pub use config::{Config, check_dataset};
pub use evaluation::{Activation, Evaluation, activations, embed, evaluate, test_images};
pub use recipe::Recipe;
pub use trainer::Trainer;
