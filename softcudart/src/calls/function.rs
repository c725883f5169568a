//! What is known of a kernel, and its attributes.

use crate::abi::*;
use crate::context::{chosen, current};
use crate::driver::Driver;
use crate::program::{function, kernel, note_kernel};

/// The answer to a launch that the driver refused: where its shape is beyond the device's limits, the runtime has a
/// code of its own for that.
pub fn in_bounds(grid: Dim3, block: Dim3, refusal: Refusal) -> Answer {
    if refusal.code != INVALID_VALUE {
        return Err(refusal);
    }
    // CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK (1), MAX_BLOCK_DIM_X to Z (2..4), MAX_GRID_DIM_X to Z (5..7)
    let device = chosen()?;
    let mut most = [0; 8];
    for (attribute, place) in most.iter_mut().enumerate().skip(1) {
        current()?.cuDeviceGetAttribute(Out::of(place), attribute as i32, device)?;
    }
    let sizes = [block.x, block.y, block.z, grid.x, grid.y, grid.z];
    let fits = sizes.iter().zip(&most[2..]).all(|(size, most)| (1..=*most as i64).contains(&i64::from(*size)));
    let threads: u64 = sizes[..3].iter().map(|size| u64::from(*size)).product();
    if fits && threads <= most[1] as u64 {
        return Err(refusal);
    }
    Err(Refusal { code: INVALID_CONFIGURATION, ..refusal })
}

/// `cudaFuncAttributes`.
#[repr(C)]
#[derive(Default)]
pub struct Attributes {
    shared: usize,
    constant: usize,
    local: usize,
    max_threads: i32,
    registers: i32,
    ptx_version: i32,
    binary_version: i32,
    cache_mode: i32,
    max_dynamic_shared: i32,
    carveout: i32,
    /// Clusters (must be set, width, height, depth, scheduling, non-portable sizes), and what is reserved.
    clusters: [i32; 6],
    reserved: [i32; 16],
}

fn attribute(driver: &Driver, function: Handle, attribute: i32) -> Answer<i32> {
    let mut value = 0;
    driver.cuFuncGetAttribute(Out::of(&mut value), attribute, function)?;
    Ok(value)
}

entry!(cudaFuncGetAttributes, |out: Out<Attributes>, stub: usize| {
    let (function, driver) = (function(stub)?, current()?);
    // CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK (0) to _PREFERRED_SHARED_MEMORY_CARVEOUT (9); clusters have (10) to (15)
    let of = |number| attribute(driver, function, number);
    let mut attributes = Attributes {
        max_threads: of(0)?,
        shared: of(1)? as usize,
        constant: of(2)? as usize,
        local: of(3)? as usize,
        registers: of(4)?,
        ptx_version: of(5)?,
        binary_version: of(6)?,
        cache_mode: of(7)?,
        max_dynamic_shared: of(8)?,
        carveout: of(9)?,
        ..Attributes::default()
    };
    for (place, number) in attributes.clusters.iter_mut().zip([10, 11, 12, 13, 15, 14]) {
        // A driver without clusters has no such attribute.
        *place = of(number).unwrap_or(0);
    }
    out.set(attributes)
});

// The numbers of the attributes are the driver's.
entry!(cudaFuncSetAttribute, |stub: usize, attribute: i32, value: i32| {
    let function = function(stub)?;
    current()?.cuFuncSetAttribute(function, attribute, value)
});

entry!(cudaFuncSetCacheConfig, |stub: usize, config: i32| {
    let function = function(stub)?;
    current()?.cuFuncSetCacheConfig(function, config)
});

// Banks of 8 bytes went with sm_3x: checked, and without effect.
entry!(cudaFuncSetSharedMemConfig, |stub: usize, config: i32| {
    function(stub)?;
    valid((0..=2).contains(&config), format_args!("{config} is no configuration of shared memory"))
});

entry!(cudaFuncGetName, |out: Out<usize>, stub: usize| {
    let kernel = kernel(stub)?;
    current()?.cuKernelGetName(out, kernel)
});

entry!(cudaFuncGetParamInfo, |stub: usize, index: usize, offset: Out<usize>, bytes: Out<usize>| {
    let kernel = kernel(stub)?;
    current()?.cuKernelGetParamInfo(kernel, index, offset, bytes)
});

entry!(cudaFuncGetParamCount, |stub: usize, count: Out<usize>| {
    let kernel = kernel(stub)?;
    current()?.cuKernelGetParamCount(kernel, count)
});

entry!(cudaGetFuncBySymbol, |out: Out<Handle>, stub: usize| out.set(function(stub)?));

entry!(cudaGetKernel, |out: Out<Handle>, stub: usize| {
    let kernel = kernel(stub)?;
    note_kernel(kernel);
    out.set(kernel)
});

entry!(cudaKernelSetAttributeForDevice, |kernel: Handle, attribute: i32, value: i32, device: i32| {
    current()?.cuKernelSetAttribute(attribute, value, kernel, device)
});
