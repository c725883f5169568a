//! Matrix products and asynchronous copies.

pub mod copies;
pub mod products;
pub mod syntax;
pub mod wmma;
pub mod wmma_syntax;
