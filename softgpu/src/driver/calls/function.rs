//! Functions, their parameters and attributes; kernels of libraries have the same.

use crate::driver::abi::*;
use crate::driver::objects::*;
use std::ffi::c_char;

entry!(cuFuncGetModule, |out: Out<Handle>, function: Handle| {
    out.set(enter()?.function(function)?.module, "module")
});

// The name lives until the function's module is unloaded.
entry!(cuFuncGetName, |out: Out<*const c_char>, function: Handle| {
    out.set(enter()?.function(function)?.c_name.as_ptr(), "name")
});

entry!(cuFuncGetParamInfo, |function: Handle, index: usize, offset: Out<usize>, size: Out<usize>| {
    param_info(enter()?, function, index, offset, size)
});

/// Programs count parameters by asking until there is no further one: that is no event for the log.
fn param_info(mut state: Session, kernel: Handle, index: usize, offset: Out<usize>, size: Out<usize>) -> Answer {
    let param = state.function(kernel)?.info.params.get(index).or_refuse(INVALID_VALUE, "")?;
    offset.set(param.offset as usize, "offset")?;
    size.set_if_given(param.size as usize);
    Ok(())
}

entry!(cuFuncGetAttribute, |out: Out<i32>, attribute: i32, function: Handle| {
    out.set(attribute_of(enter()?, function, attribute)?, "value")
});

fn attribute_of(mut state: Session, function: Handle, attribute: i32) -> Answer<i32> {
    let profile = state.config.profile.clone();
    let f = state.function(function)?;
    Ok(match attribute {
        0 => f.info.max_threads(&profile) as i32,
        1 => f.info.static_shared as i32,
        3 => f.info.local_bytes as i32,
        4 => f.info.registers.count as i32,
        // the virtual architecture, as CUB and others take it (the documentation's example is of CUDA 1)
        5 => f.data.target,
        6 => profile.sm as i32,
        8 => f.max_dynamic_shared as i32,
        9 => f.carveout,
        2 | 7 | 10..=15 => 0,
        _ => return refuse(INVALID_VALUE, format_args!("{attribute} is no function attribute")),
    })
}

entry!(cuFuncSetAttribute, |function: Handle, attribute: i32, value: i32| {
    set_attribute(enter()?, function, attribute, value)
});

/// Settable are the dynamic shared memory (8) and the carveout preference (9).
fn set_attribute(mut state: Session, function: Handle, attribute: i32, value: i32) -> Answer {
    let most = state.config.profile.shared_per_block_optin;
    let entry = state.function(function)?;
    let (name, shared) = (&entry.info.name, entry.info.static_shared);
    match attribute {
        8 => {
            let message = format_args!(
                "kernel {name}: {value} bytes of dynamic and {shared} of static shared memory are more than the \
                 device's {most} a block"
            );
            valid(value >= 0 && value as u32 + shared <= most, message)?;
            entry.max_dynamic_shared = value as u32;
        }
        9 if (-1..=100).contains(&value) => entry.carveout = value,
        _ => return refuse(INVALID_VALUE, format_args!("attribute {attribute} can't be set to {value}")),
    }
    Ok(())
}

/// Begins a call about a library's kernel.
fn enter_for(kernel: Handle, device: i32) -> Answer<Session> {
    known_device(device)?;
    let state = enter()?;
    state.kernels.known(kernel)?;
    Ok(state)
}

entry!(cuKernelGetAttribute, |out: Out<i32>, attribute: i32, kernel: Handle, device: i32| {
    out.set(attribute_of(enter_for(kernel, device)?, kernel, attribute)?, "value")
});

entry!(cuKernelSetAttribute, |attribute: i32, value: i32, kernel: Handle, device: i32| {
    set_attribute(enter_for(kernel, device)?, kernel, attribute, value)
});

entry!(cuKernelGetParamInfo, |kernel: Handle, index: usize, offset: Out<usize>, size: Out<usize>| {
    param_info(enter_for(kernel, 0)?, kernel, index, offset, size)
});

entry!(cuKernelGetParamCount, |kernel: Handle, count: Out<usize>| {
    count.set(enter_for(kernel, 0)?.function(kernel)?.info.params.len(), "count")
});
