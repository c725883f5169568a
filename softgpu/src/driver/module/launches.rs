//! The launching calls.

use super::*;

pub(super) fn launch(
    function: Handle,
    shape: Shape,
    stream: Handle,
    params: *const *const c_void,
    extra: *const *const c_void,
    cooperative: bool,
) -> Answer {
    let (driver, mut state, context) = enter()?;
    let function = function_of(driver, &mut state, context, function)?;
    let profile = driver.config().profile;
    // SAFETY: the arguments of the entry point, passed on.
    let launch = unsafe { Launch::prepare(&state, &profile, context, function, shape, params, extra)? };
    if cooperative {
        let threads: u32 = shape.block.iter().product();
        let shared = launch.info.static_shared + shape.shared;
        let registers = launch.info.registers.count;
        let resident = profile.occupancy(threads, registers, shared).blocks * profile.sm_count;
        let blocks: u64 = shape.grid.iter().map(|&n| u64::from(n)).product();
        if blocks > u64::from(resident) {
            return refuse(
                COOPERATIVE_LAUNCH_TOO_LARGE,
                format!("{blocks} blocks; {resident} can be resident at once on {}", profile.name),
            );
        }
    }
    submit(driver, state, context, stream, Work::Kernel(launch), "a launch").map(|_| ())
}

#[unsafe(no_mangle)]
pub extern "C" fn cuLaunchKernel(
    function: Handle,
    gx: u32,
    gy: u32,
    gz: u32,
    bx: u32,
    by: u32,
    bz: u32,
    shared: u32,
    stream: Handle,
    params: *const *const c_void,
    extra: *const *const c_void,
) -> CuResult {
    let shape = Shape { grid: [gx, gy, gz], block: [bx, by, bz], shared };
    call("cuLaunchKernel", || launch(function, shape, stream, params, extra, false))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuLaunchCooperativeKernel(
    function: Handle,
    gx: u32,
    gy: u32,
    gz: u32,
    bx: u32,
    by: u32,
    bz: u32,
    shared: u32,
    stream: Handle,
    params: *const *const c_void,
) -> CuResult {
    let shape = Shape { grid: [gx, gy, gz], block: [bx, by, bz], shared };
    call("cuLaunchCooperativeKernel", || launch(function, shape, stream, params, std::ptr::null(), true))
}

/// `CUlaunchConfig`.
#[repr(C)]
pub struct Config {
    pub grid: [u32; 3],
    pub block: [u32; 3],
    pub shared: u32,
    pub stream: Handle,
    pub attributes: *const Attribute,
    pub count: u32,
}

/// `CUlaunchAttribute`.
#[repr(C, align(8))]
pub struct Attribute {
    pub id: i32,
    pub pad: i32,
    pub value: [u8; 64],
}

#[unsafe(no_mangle)]
pub extern "C" fn cuLaunchKernelEx(
    config: *const Config,
    function: Handle,
    params: *const *const c_void,
    extra: *const *const c_void,
) -> CuResult {
    call("cuLaunchKernelEx", || {
        if config.is_null() {
            return refuse(INVALID_VALUE, "no configuration");
        }
        // SAFETY: not null; a CUlaunchConfig by the API.
        let c = unsafe { &*config };
        let mut cooperative = false;
        for i in 0..c.count as usize {
            // SAFETY: `count` attributes.
            let a = unsafe { &*c.attributes.add(i) };
            let word = |i: usize| u32::from_ne_bytes(a.value[i..i + 4].try_into().expect("4"));
            match a.id {
                // Ignored, or hints that change no result.
                0 | 1 | 3 | 8 | 9 | 10 => {}
                2 => cooperative = word(0) != 0,
                4 if [word(0), word(4), word(8)] == [1; 3] => {}
                id => {
                    return refuse(
                        NOT_SUPPORTED,
                        format!("softgpu has no launch attribute {id} (4: clusters, 6: programmatic serialisation)"),
                    );
                }
            }
        }
        let shape = Shape { grid: c.grid, block: c.block, shared: c.shared };
        launch(function, shape, c.stream, params, extra, cooperative)
    })
}
