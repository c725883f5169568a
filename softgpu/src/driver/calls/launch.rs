//! The launching calls.

use crate::driver::abi::*;
use crate::driver::engine::launch::{Pointers, Request};
use crate::driver::objects::*;

entry!(cuLaunchKernel, |function: Handle,
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
    enter()?.queue_launch(unsafe { Request::new(function, shape, params, extra) }, stream, false)
});

entry!(cuLaunchCooperativeKernel, |function: Handle,
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
    enter()?.queue_launch(unsafe { Request::new(function, shape, params, Pointers::none()) }, stream, true)
});

/// `CUlaunchConfig`.
#[repr(C)]
pub struct Config<'a> {
    shape: Shape,
    stream: Handle,
    attributes: Array<'a, Attribute>,
    count: u32,
}

/// `CUlaunchAttribute`.
#[repr(C, align(8))]
pub struct Attribute {
    id: i32,
    pad: i32,
    value: [u32; 16],
}

entry!(cuLaunchKernelEx, |config: Option<&Config>, function: Handle, params: Pointers, extra: Pointers| {
    let config = required(config, "no configuration")?;
    let mut cooperative = false;
    // SAFETY: the count that came with them.
    for attribute in unsafe { config.attributes.of(config.count as usize) } {
        match attribute.id {
            // Ignored, or hints that change no result.
            0 | 1 | 3 | 8 | 9 | 10 => {}
            2 => cooperative = attribute.value[0] != 0,
            4 if attribute.value[..3] == [1; 3] => {}
            id => {
                return refuse(
                    NOT_SUPPORTED,
                    format!("softgpu has no launch attribute {id} (4: clusters, 6: programmatic serialisation)"),
                );
            }
        }
    }
    // SAFETY: the program gives them for this function.
    let request = unsafe { Request::new(function, config.shape, params, extra) };
    enter()?.queue_launch(request, config.stream, cooperative)
});
