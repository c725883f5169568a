//! Devices, errors, limits.

use crate::abi::*;
use crate::context::{choose, chosen, current, known_device, prefer, reset, running};
use std::ffi::{CStr, c_char};

entry!(cudaGetDeviceCount, |count: Out<i32>| running()?.cuDeviceGetCount(count));

entry!(cudaGetDevice, |device: Out<i32>| device.set(chosen()?));

entry!(cudaSetDevice, |device: i32| choose(device));

entry!(cudaInitDevice, |device: i32, device_flags: u32, flags: u32| {
    known_device(device)?;
    // cudaInitDeviceFlagsAreValid
    if flags & 1 != 0 {
        running()?.cuDevicePrimaryCtxSetFlags_v2(device, device_flags)?;
    }
    crate::context::primary(running()?, device).map(|_| ())
});

entry!(cudaSetValidDevices, |devices: Given, count: i32| {
    let given = devices.is_given() == (count > 0) && count >= 0;
    valid(given, format_args!("{count} devices, and a list of them or none"))?;
    // SAFETY: the count that came with them.
    prefer(unsafe { devices.values(count as usize) })
});

entry!(cudaDeviceGetAttribute, |value: Out<i32>, attribute: i32, device: i32| {
    // The numbers are the driver's.
    known_device(device)?.cuDeviceGetAttribute(value, attribute, device)
});

entry!(cudaDeviceSynchronize, || current()?.cuCtxSynchronize());

entry!(cudaDeviceReset, || reset());

entry!(cudaSetDeviceFlags, |flags: u32| running()?.cuDevicePrimaryCtxSetFlags_v2(chosen()?, flags));

entry!(cudaGetDeviceFlags, |flags: Out<u32>| {
    let mut active = 0;
    running()?.cuDevicePrimaryCtxGetState(chosen()?, flags, Out::of(&mut active))
});

// The numbers of the limits are the driver's.
entry!(cudaDeviceGetLimit, |value: Out<usize>, limit: i32| current()?.cuCtxGetLimit(value, limit));
entry!(cudaDeviceSetLimit, |limit: i32, value: usize| current()?.cuCtxSetLimit(limit, value));

entry!(cudaDeviceGetCacheConfig, |config: Out<i32>| current()?.cuCtxGetCacheConfig(config));
entry!(cudaDeviceSetCacheConfig, |config: i32| current()?.cuCtxSetCacheConfig(config));

// Banks of 8 bytes went with sm_3x: cudaSharedMemBankSizeFourByte always.
entry!(cudaDeviceGetSharedMemConfig, |config: Out<i32>| config.set(1));
entry!(cudaDeviceSetSharedMemConfig, |config: i32| {
    valid((0..=2).contains(&config), format_args!("{config} is no configuration of shared memory"))
});

entry!(cudaDeviceGetStreamPriorityRange, |least: Out<i32>, greatest: Out<i32>| {
    current()?.cuCtxGetStreamPriorityRange(least, greatest)
});

entry!(cudaDeviceGetPCIBusId, |text: Room, room: i32, device: i32| {
    known_device(device)?.cuDeviceGetPCIBusId(text, room, device)
});

entry!(cudaDeviceGetByPCIBusId, |device: Out<i32>, text: Given| running()?.cuDeviceGetByPCIBusId(device, text));

entry!(cudaCtxResetPersistingL2Cache, || current()?.cuCtxResetPersistingL2Cache());

entry!(cudaProfilerStart, || current()?.cuProfilerStart());
entry!(cudaProfilerStop, || current()?.cuProfilerStop());

// The names of before CUDA 4, in CUDA 12 only.
entry!(cudaThreadSynchronize, || current()?.cuCtxSynchronize());
entry!(cudaThreadExit, || reset());
entry!(cudaThreadGetLimit, |value: Out<usize>, limit: i32| current()?.cuCtxGetLimit(value, limit));
entry!(cudaThreadSetLimit, |limit: i32, value: usize| current()?.cuCtxSetLimit(limit, value));
entry!(cudaThreadGetCacheConfig, |config: Out<i32>| current()?.cuCtxGetCacheConfig(config));
entry!(cudaThreadSetCacheConfig, |config: i32| current()?.cuCtxSetCacheConfig(config));

#[unsafe(no_mangle)]
extern "C" fn cudaGetLastError() -> Code {
    take_last_error()
}

#[unsafe(no_mangle)]
extern "C" fn cudaPeekAtLastError() -> Code {
    last_error()
}

fn text_of(text: Option<&'static CStr>) -> *const c_char {
    text.unwrap_or(c"unrecognized error code").as_ptr()
}

#[unsafe(no_mangle)]
extern "C" fn cudaGetErrorName(code: Code) -> *const c_char {
    text_of(describe(code).map(|d| d.0))
}

#[unsafe(no_mangle)]
extern "C" fn cudaGetErrorString(code: Code) -> *const c_char {
    text_of(describe(code).map(|d| d.1))
}
