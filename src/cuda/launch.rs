//! Kernels by name, and launching them.

use super::compiler::Compiler;
use super::driver::{Driver, failed};
use super::plan::Divisor;
use super::units::{SGD_RANGES, Unit};
use crate::error::Result;
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
    Divisor(Divisor),
    /// Boxed: it is a hundred times the size of the others.
    Ranges(Box<Ranges>),
    Augment(AugmentArg),
}

impl From<usize> for Arg {
    /// A size; the caller has checked that it fits.
    fn from(v: usize) -> Arg {
        Arg::I32(v as i32)
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

// SAFETY: plain numbers in C layout, as the kernels declare them.
unsafe impl DeviceRepr for Divisor {}
// SAFETY: as above.
unsafe impl DeviceRepr for Ranges {}
// SAFETY: as above.
unsafe impl DeviceRepr for AugmentArg {}

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

/// Compiles, loads and launches kernels on one stream.
pub struct Launcher {
    pub context: Arc<CudaContext>,
    pub stream: Arc<CudaStream>,
    pub compiler: Compiler,
    functions: HashMap<(Unit, &'static str), CudaFunction>,
    /// Launches so far, those into a graph included.
    pub launches: u64,
}

impl Launcher {
    pub fn new(driver: Driver) -> Result<Launcher> {
        let stream = driver.context.new_stream().map_err(|e| failed("cannot create a stream", &e))?;
        Ok(Launcher {
            context: driver.context,
            stream,
            compiler: driver.compiler,
            functions: HashMap::new(),
            launches: 0,
        })
    }

    /// A kernel's function, compiled and loaded if this is its first use.
    pub fn function(&mut self, unit: Unit, kernel: &'static str) -> Result<CudaFunction> {
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
            failed(
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
        for (name, _) in unit.kernels() {
            let f = module.load_function(name).map_err(|e| failed(&format!("kernel {name} is missing"), &e))?;
            self.functions.insert((unit, name), f);
        }
        Ok(self.functions[&(unit, kernel)].clone())
    }

    /// Launches a kernel.
    pub fn launch(&mut self, unit: Unit, kernel: &'static str, grid: Grid, args: &[Arg]) -> Result<()> {
        let function = self.function(unit, kernel)?;
        if grid.shared > 48 << 10 {
            let attribute = FunctionAttribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            function
                .set_attribute(attribute, grid.shared as i32)
                .map_err(|e| failed(&format!("{kernel} needs {} bytes of shared memory", grid.shared), &e))?;
        }
        let config = LaunchConfig {
            grid_dim: (grid.blocks as u32, 1, grid.parts as u32),
            block_dim: (unit.threads(kernel) as u32, 1, 1),
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
                Arg::Divisor(v) => builder.arg(v),
                Arg::Ranges(v) => builder.arg(v.as_ref()),
                Arg::Augment(v) => builder.arg(v),
            };
        }
        // Safety: the callers in `operations` pass what the kernel declares, for views whose sizes were checked.
        unsafe { builder.launch(config) }
            .map_err(|e| failed(&format!("cannot launch {kernel} with {} blocks", grid.blocks * grid.parts), &e))?;
        self.launches += 1;
        Ok(())
    }
}
