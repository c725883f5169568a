//! What the driver does with its objects.

pub mod capture;
pub mod context;
pub mod copy;
pub mod launch;
pub mod loading;
pub mod memory;
pub mod queue;
pub mod report;
pub mod stream;
