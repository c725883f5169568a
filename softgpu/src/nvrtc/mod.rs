//! NVRTC, NVIDIA's CUDA C++ compiler as a library: found and loaded at run time.
//!
//! ```no_run
//! use softgpu::nvrtc::{self, Source};
//!
//! let nvrtc = nvrtc::find(86)?;
//! let source = Source { name: "empty.cu", text: "extern \"C\" __global__ void empty() {}", headers: &[] };
//! let program = nvrtc.compile(&source, &["--gpu-architecture=compute_86".into()])?;
//! println!("{}", program.ptx()?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod library;
mod search;

pub use library::{Nvrtc, NvrtcError, Program, Source};
pub use search::{Place, Search, find, places, search};
