//! A CUDA device in software: runs PTX on the CPU, strictly, with checks and counters.
//!
//! [`Module::load`] reads what NVRTC emits, [`launch`] runs a kernel of it over [`Memory`], and the [`LaunchReport`]
//! says what was found and counted. The library `libsoftgpu.so`, built beside this one, is the CUDA driver API over the
//! same engine: programs use it unchanged (`docs/driver.md`); [`Library`] loads it. [`nvrtc`] compiles CUDA C++ where
//! NVIDIA's compiler library is at hand.
//!
//! ```
//! use softgpu::*;
//!
//! let ptx = ".version 8.0\n.target sm_80\n.address_size 64\n\
//!     .visible .entry one(.param .u64 p) {\n\
//!         .reg .b64 %a;\n .reg .b32 %v;\n\
//!         ld.param.u64 %a, [p];\n mov.u32 %v, 1;\n st.global.u32 [%a], %v;\n ret;\n\
//!     }\n";
//! let (profile, memory) = (Profile::named("sm_86").unwrap(), Memory::new(1 << 20));
//! let module = Module::load(ptx, &profile, &memory)?;
//! let out = memory.alloc(4, "out")?;
//! let config =
//!     LaunchConfig { grid: [1, 1, 1], block: [1, 1, 1], dynamic_shared: 0, params: out.to_le_bytes().to_vec() };
//! let options = Options { mem: true, init: true, race: true, sync: true, ..Options::default() };
//! let report = launch(&module, "one", &config, &memory, &profile, &options, &mut |text| print!("{text}"));
//! assert!(report.fault.is_none() && report.findings.is_empty());
//! let mut bytes = [0; 4];
//! memory.read(out, &mut bytes)?;
//! assert_eq!(u32::from_le_bytes(bytes), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// Inside: `ptx` parses what NVRTC emits, `load` makes a module of it with the decoders of `isa`, `engine` runs its
// kernels a warp at a time. `machine` is the state of warps and blocks, `shadow` what checks remember, `watch` does the
// checks and counts. `memory` is the device's memory with its shadow state, `check` holds the findings of the checks,
// `counters` what a profiler would show, `numerics` the arithmetic of single values, `profile` the modelled devices.
// `host` tells what vectors there are, `fatbin` finds the PTX in nvcc's containers, `driver` is the CUDA driver API,
// `command` the commands `softgpu` and `softgpu-run`.

#![deny(missing_docs)]
// Loops over the 32 lanes of a warp index several arrays by the lane; an iterator over one of them would hide that.
#![allow(clippy::needless_range_loop)]

mod check;
#[doc(hidden)]
pub mod command;
mod counters;
mod driver;
mod engine;
mod fatbin;
mod host;
mod isa;
mod kernel;
mod library;
mod limits;
mod load;
mod machine;
mod memory;
#[doc(hidden)]
pub mod numerics;
pub mod nvrtc;
mod profile;
mod ptx;
pub mod ptxas;
mod shadow;
mod watch;

pub use check::{Finding, FindingKind, Rank, Source};
pub use counters::{Counters, Executed, Traffic};
pub use engine::launch;
pub use isa::list::instructions;
pub use kernel::{Fault, KernelInfo, LaunchConfig, LaunchReport, LoadError, Options, ParamInfo, Registers};
pub use library::{Library, LibraryError, library_path};
pub use load::Module;
pub use memory::{Allocation, Memory, MemoryError};
pub use profile::{Occupancy, Profile};
