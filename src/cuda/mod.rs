//! The CUDA backend: kernels of `kernels/`, compiled at run time by NVRTC and launched through the driver.
//!
//! `find` -> `nvrtc` (a compiler) -> `compiler` (units to machine code, cached on disk) -> `driver` (a device opened)
//! -> `launch` (functions and arguments) -> `device` (what a device holds) -> `contract` ([`crate::device`]'s, with
//! plans recorded as graphs). `operations` has the operations as launches, `timing` times them, `report` and `sass` say
//! what the compiled kernels need and consist of. `source` has the embedded kernels, `units` lists what is compiled
//! with which constants, `plan` chooses tiles and parts from shapes alone.

pub mod compiler;
mod contract;
pub mod device;
pub mod driver;
mod fault;
pub mod find;
pub mod ladder;
mod launch;
pub mod limits;
mod memory;
pub mod nvrtc;
mod nvtx;
pub mod operations;
pub mod plan;
mod recording;
pub mod report;
pub mod sass;
pub mod settings;
pub mod source;
mod timing;
pub mod units;
mod uploads;

pub use device::CudaDevice;
