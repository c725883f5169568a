//! The launching calls.

use crate::driver::abi::*;
use crate::driver::engine::launch::Pointers;
use crate::driver::objects::*;

/// Launches a function.
///
/// # Safety
/// `params` and `extra` are what the driver API says of `cuLaunchKernel`'s, for this function.
unsafe fn launch(
    function: Handle,
    shape: Shape,
    params: Pointers,
    extra: Pointers,
    stream: Handle,
    cooperative: bool,
) -> Answer {
    let mut state = enter()?;
    // SAFETY: by the caller.
    let arguments = unsafe { state.arguments(function, params, extra) }?;
    state.queue_launch(function, shape, arguments, stream, cooperative)
}

entry!(cuLaunchKernel, cuLaunchKernel_ptsz, |function: Handle,
                                             gx: u32,
                                             gy: u32,
                                             gz: u32,
                                             bx: u32,
                                             by: u32,
                                             bz: u32,
                                             shared: u32,
                                             stream: Handle,
                                             params: Pointers,
                                             extra: Pointers| {
    let shape = Shape { grid: [gx, gy, gz], block: [bx, by, bz], shared };
    // SAFETY: the program gives them for this function.
    unsafe { launch(function, shape, params, extra, stream, false) }
});

entry!(
    cuLaunchCooperativeKernel,
    cuLaunchCooperativeKernel_ptsz,
    |function: Handle,
     gx: u32,
     gy: u32,
     gz: u32,
     bx: u32,
     by: u32,
     bz: u32,
     shared: u32,
     stream: Handle,
     params: Pointers| {
        let shape = Shape { grid: [gx, gy, gz], block: [bx, by, bz], shared };
        // SAFETY: the program gives them for this function.
        unsafe { launch(function, shape, params, Pointers::none(), stream, true) }
    }
);

/// `CUlaunchConfig`.
#[repr(C)]
pub struct Config<'a> {
    shape: Shape,
    stream: Handle,
    attributes: Array<'a, Attribute>,
    count: Count<u32>,
}

/// `CUlaunchAttribute`.
#[repr(C, align(8))]
pub struct Attribute {
    id: i32,
    pad: i32,
    value: [u32; 16],
}

entry!(cuLaunchKernelEx, cuLaunchKernelEx_ptsz, |config: Option<&Config>,
                                                 function: Handle,
                                                 params: Pointers,
                                                 extra: Pointers| {
    let config = config.or_refuse(INVALID_VALUE, "no configuration")?;
    let mut cooperative = false;
    for attribute in config.attributes.of(config.count) {
        match attribute.id {
            // Ignored, or hints that change no result.
            0 | 1 | 3 | 8 | 9 | 10 => {}
            2 => cooperative = attribute.value[0] != 0,
            4 if attribute.value[..3] == [1; 3] => {}
            id => return refuse(NOT_SUPPORTED, format_args!("softgpu has no launch attribute {id} (4: clusters)")),
        }
    }
    // SAFETY: the program gives them for this function.
    unsafe { launch(function, config.shape, params, extra, config.stream, cooperative) }
});
