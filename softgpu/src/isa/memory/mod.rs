//! Loads, stores and atomics.

pub mod atomics;
pub mod data;
pub mod load;
pub mod local;
pub mod place;
pub mod store;
pub mod syntax;
