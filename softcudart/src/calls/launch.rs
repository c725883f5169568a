//! Launching kernels and host functions.

use super::function::in_bounds;
use crate::abi::*;
use crate::context::current;
use crate::driver::LaunchConfig;
use crate::program::kernel;

/// Bytes of shared memory as the driver takes them.
fn shared_bytes(bytes: usize) -> Answer<u32> {
    u32::try_from(bytes).or_else(|_| refuse(INVALID_VALUE, format_args!("{bytes} bytes of shared memory")))
}

fn launch(stub: usize, (g, b): (Dim3, Dim3), args: Given, shared: usize, stream: Handle, cooperative: bool) -> Answer {
    let (kernel, driver, shared) = (kernel(stub)?, current()?, shared_bytes(shared)?);
    let done = if cooperative {
        driver.cuLaunchCooperativeKernel(kernel, g.x, g.y, g.z, b.x, b.y, b.z, shared, stream, args)
    } else {
        driver.cuLaunchKernel(kernel, g.x, g.y, g.z, b.x, b.y, b.z, shared, stream, args, Given::none())
    };
    done.or_else(|refusal| in_bounds(g, b, refusal))
}

// Arguments are taken by the driver at the kernel's own offsets.
on_stream!(
    cudaLaunchKernel,
    cudaLaunchKernel_ptsz,
    stream,
    |stub: usize, grid: Dim3, block: Dim3, args: Given, shared: usize, stream: Handle| {
        launch(stub, (grid, block), args, shared, stream, false)
    }
);

on_stream!(
    __cudaLaunchKernel,
    __cudaLaunchKernel_ptsz,
    stream,
    |stub: usize, grid: Dim3, block: Dim3, args: Given, shared: usize, stream: Handle| {
        launch(stub, (grid, block), args, shared, stream, false)
    }
);

on_stream!(
    cudaLaunchCooperativeKernel,
    cudaLaunchCooperativeKernel_ptsz,
    stream,
    |stub: usize, grid: Dim3, block: Dim3, args: Given, shared: usize, stream: Handle| {
        launch(stub, (grid, block), args, shared, stream, true)
    }
);

/// `cudaLaunchConfig_t`.
#[repr(C)]
pub struct Config<'a> {
    grid: Dim3,
    block: Dim3,
    shared: usize,
    pub stream: Handle,
    attributes: Given<'a>,
    count: u32,
}

impl<'a> Config<'a> {
    /// As the driver has it; attributes are the same.
    pub fn for_driver(&self, stream: Handle) -> Answer<LaunchConfig<'a>> {
        let [grid, block] = [self.grid, self.block].map(|d| [d.x, d.y, d.z]);
        let shared = shared_bytes(self.shared)?;
        Ok(LaunchConfig { grid, block, shared, stream, attributes: self.attributes, count: self.count })
    }
}

/// What a call can't do without.
pub fn needed<T>(given: Option<T>) -> Answer<T> {
    given.ok_or(Refusal { code: INVALID_VALUE, message: "a pointer to parameters is null".into() })
}

fn launch_with(config: &Config, stream: Handle, stub: usize, args: Given) -> Answer {
    let (kernel, driver) = (kernel(stub)?, current()?);
    let done = driver.cuLaunchKernelEx(&config.for_driver(stream)?, kernel, args, Given::none());
    done.or_else(|refusal| in_bounds(config.grid, config.block, refusal))
}

entry!(cudaLaunchKernelExC, |config: Option<&Config>, stub: usize, args: Given| {
    let config = needed(config)?;
    launch_with(config, config.stream, stub, args)
});

entry!(cudaLaunchKernelExC_ptsz, |config: Option<&Config>, stub: usize, args: Given| {
    let config = needed(config)?;
    launch_with(config, config.stream.per_thread(), stub, args)
});

on_stream!(cudaLaunchHostFunc, cudaLaunchHostFunc_ptsz, stream, |stream: Handle, function: Given, argument: Given| {
    current()?.cuLaunchHostFunc(stream, function, argument)
});
