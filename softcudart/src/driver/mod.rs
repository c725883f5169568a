//! The CUDA driver: found at run time, its functions in a table.

mod find;
mod functions;
mod structs;

pub use find::driver;
pub use functions::Driver;
pub use structs::*;
