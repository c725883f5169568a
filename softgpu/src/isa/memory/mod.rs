//! Loads, stores and atomics.

pub mod atomics;
pub mod load;
pub mod local;
pub mod param;
pub mod place;
pub mod qualifiers;
pub mod store;
pub mod syntax;
