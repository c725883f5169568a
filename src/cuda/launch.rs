//! Kernels by name, and launching them.

use super::compiler::Compiler;
use super::driver::Driver;
use super::fault::Trail;
use super::plan::Divisor;
use super::units::{Kernel, SGD_RANGES, Unit};
use crate::error::{Error, Result};
use cudarc::driver::sys::CUfunction_attribute_enum as FunctionAttribute;
use cudarc::driver::{CudaContext, CudaFunction, CudaStream, DeviceRepr, LaunchConfig, PushKernelArg};
use cudarc::nvrtc::Ptx;
use std::collections::HashMap;
use std::sync::Arc;

/// One kernel argument.
#[derive(Clone)]
pub enum Arg {
    /// A device address; 0 is a null pointer.
    Address(u64),
    I32(i32),
    U32(u32),
    U64(u64),
    F32(f32),
    F64(f64),
    Divisor(Divisor),
    /// Boxed: it is a hundred times the size of the others.
    Ranges(Box<Ranges>),
    Augment(AugmentArg),
    Normalise(NormaliseArg),
    /// A size that the kernels cannot count to, which no launch takes.
    TooLarge(usize),
}

impl From<usize> for Arg {
    /// A size.
    fn from(v: usize) -> Arg {
        i32::try_from(v).map_or(Arg::TooLarge(v), Arg::I32)
    }
}

impl From<bool> for Arg {
    fn from(v: bool) -> Arg {
        Arg::I32(i32::from(v))
    }
}

/// `Ranges` of `kernels/optimizer.cu`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Ranges {
    pub count: i32,
    pub first: [i32; SGD_RANGES],
    pub last: [i32; SGD_RANGES],
}

/// `Augment` of `kernels/batch.cu`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct AugmentArg {
    /// Degrees / 180.
    pub half_turns: f32,
    pub scale: f32,
    pub shear: f32,
    pub shift: f32,
    pub elastic: f32,
    pub spacing: i32,
}

/// `Normalise` of `kernels/batch.cu`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct NormaliseArg {
    pub mean: [f32; 3],
    pub inverse_std: [f32; 3],
}

// SAFETY: plain numbers in C layout, as the kernels declare them.
unsafe impl DeviceRepr for Divisor {}
// SAFETY: as above.
unsafe impl DeviceRepr for Ranges {}
// SAFETY: as above.
unsafe impl DeviceRepr for AugmentArg {}
// SAFETY: as above.
unsafe impl DeviceRepr for NormaliseArg {}

/// The blocks of a launch.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    pub blocks: usize,
    /// Parts of the inner dimension (z).
    pub parts: usize,
    /// Bytes of dynamic shared memory.
    pub shared: usize,
}

impl Grid {
    /// `blocks` blocks, one part, no dynamic shared memory.
    pub fn of(blocks: usize) -> Grid {
        Grid { blocks, parts: 1, shared: 0 }
    }
}

/// A kernel that can be launched.
#[derive(Clone)]
struct Loaded {
    function: CudaFunction,
    kernel: Kernel,
}

/// Most blocks that a grid has.
const MOST_BLOCKS: usize = i32::MAX as usize;

/// Compiles, loads and launches kernels on one stream.
pub struct Launcher {
    pub context: Arc<CudaContext>,
    pub stream: Arc<CudaStream>,
    pub compiler: Compiler,
    functions: HashMap<(Unit, &'static str), Loaded>,
    trail: Trail,
}

impl Launcher {
    pub fn new(driver: Driver, trail: Trail) -> Result<Launcher> {
        let stream = driver.context.new_stream().map_err(|e| trail.failed("cannot create a stream", &e))?;
        Ok(Launcher { context: driver.context, stream, compiler: driver.compiler, functions: HashMap::new(), trail })
    }

    /// Compiles and loads a kernel if this is its first use.
    pub fn prepare(&mut self, unit: Unit, kernel: &'static str) -> Result<()> {
        self.loaded(unit, kernel).map(|_| ())
    }

    fn loaded(&mut self, unit: Unit, kernel: &'static str) -> Result<Loaded> {
        if let Some(f) = self.functions.get(&(unit, kernel)) {
            return Ok(f.clone());
        }
        let mut code = self.compiler.compile(unit)?;
        let load = |bytes: &[u8]| {
            let mut image = bytes.to_vec();
            image.push(0); // PTX ends with a zero; a cubin knows its length
            self.context.load_module(Ptx::from_binary(image))
        };
        let mut module = load(&code.bytes);
        if module.is_err() && code.cached {
            self.compiler.forget(unit);
            code = self.compiler.compile(unit)?;
            module = load(&code.bytes);
        }
        let module = module.map_err(|e| {
            self.trail.failed(
                &format!(
                    "the driver refuses the code of kernels/{} ({:?}, NVRTC {}.{}). Where the driver is older than \
                     NVRTC, update it or install NVRTC of its version (`devices` shows both)",
                    unit.file(),
                    self.compiler.target,
                    self.compiler.nvrtc.version.0,
                    self.compiler.nvrtc.version.1
                ),
                &e,
            )
        })?;
        for kernel in unit.kernels() {
            let missing = |e| self.trail.failed(&format!("kernel {} is missing", kernel.symbol), &e);
            let function = module.load_function(&kernel.symbol).map_err(missing)?;
            self.functions.insert((unit, kernel.name), Loaded { function, kernel });
        }
        Ok(self.functions[&(unit, kernel)].clone())
    }

    /// Launches a kernel; its name for errors and profilers.
    pub fn launch(&mut self, unit: Unit, kernel: &'static str, grid: Grid, args: &[Arg]) -> Result<String> {
        let Loaded { function, kernel } = self.loaded(unit, kernel)?;
        let name = kernel.symbol;
        if grid.blocks > MOST_BLOCKS {
            let blocks = grid.blocks;
            return Err(Error::Device(format!("{name}: {blocks} blocks, and a grid has at most {MOST_BLOCKS}")));
        }
        if grid.shared > 48 << 10 {
            let attribute = FunctionAttribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            let set = function.set_attribute(attribute, grid.shared as i32);
            set.map_err(|e| self.trail.failed(&format!("{name} needs {} bytes of shared memory", grid.shared), &e))?;
        }
        let config = LaunchConfig {
            grid_dim: (grid.blocks as u32, 1, grid.parts as u32),
            block_dim: (kernel.threads as u32, 1, 1),
            shared_mem_bytes: grid.shared as u32,
        };
        let stream = self.stream.clone();
        let mut builder = stream.launch_builder(&function);
        for arg in args {
            match arg {
                Arg::Address(v) | Arg::U64(v) => builder.arg(v),
                Arg::I32(v) => builder.arg(v),
                Arg::U32(v) => builder.arg(v),
                Arg::F32(v) => builder.arg(v),
                Arg::F64(v) => builder.arg(v),
                Arg::Divisor(v) => builder.arg(v),
                Arg::Ranges(v) => builder.arg(v.as_ref()),
                Arg::Augment(v) => builder.arg(v),
                Arg::Normalise(v) => builder.arg(v),
                Arg::TooLarge(v) => {
                    return Err(Error::Device(format!("{name}: a size of {v}, and the kernels count below 2^31")));
                }
            };
        }
        // SAFETY: the callers in `operations` pass what the kernel declares, for views whose sizes were checked.
        unsafe { builder.launch(config) }.map_err(|e| {
            self.trail.failed(&format!("cannot launch {name} with {} blocks", grid.blocks * grid.parts), &e)
        })?;
        Ok(name)
    }
}
