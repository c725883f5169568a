//! Launches as before CUDA 4: block shape, shared memory and arguments are kept with the function
//! (driver API, "Execution Control [DEPRECATED]"). PyCUDA still sets the block shape this way.

use super::launches::launch;
use super::*;

/// What those calls have set.
#[derive(Clone, Default)]
pub struct Kept {
    block: [u32; 3],
    shared: u32,
    params: Vec<u8>,
}

fn keep(function: Handle, change: impl FnOnce(&mut Kept) -> Answer) -> Answer {
    let (driver, mut state, context) = enter()?;
    let function = function_of(driver, &mut state, context, function)?;
    known_function(&state, function)?;
    match state.functions.get_mut(&function) {
        Some(entry) => change(&mut entry.kept),
        None => Ok(()),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuFuncSetBlockShape(function: Handle, x: i32, y: i32, z: i32) -> CuResult {
    call("cuFuncSetBlockShape", || {
        if x <= 0 || y <= 0 || z <= 0 {
            return refuse(INVALID_VALUE, format!("a block of {x} x {y} x {z} threads"));
        }
        keep(function, |kept| {
            kept.block = [x as u32, y as u32, z as u32];
            Ok(())
        })
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuFuncSetSharedSize(function: Handle, bytes: u32) -> CuResult {
    call("cuFuncSetSharedSize", || {
        keep(function, |kept| {
            kept.shared = bytes;
            Ok(())
        })
    })
}

/// Parameters a kernel can take, on any device.
const MOST: usize = 32764;

fn resize(kept: &mut Kept, bytes: usize) -> Answer {
    if bytes > MOST {
        return refuse(INVALID_VALUE, format!("{bytes} bytes of parameters"));
    }
    kept.params.resize(bytes, 0);
    Ok(())
}

#[unsafe(no_mangle)]
pub extern "C" fn cuParamSetSize(function: Handle, bytes: u32) -> CuResult {
    call("cuParamSetSize", || keep(function, |kept| resize(kept, bytes as usize)))
}

fn set(function: Handle, offset: i32, bytes: &[u8]) -> Answer {
    let Ok(offset) = usize::try_from(offset) else {
        return refuse(INVALID_VALUE, format!("a parameter at offset {offset}"));
    };
    keep(function, |kept| {
        let end = offset + bytes.len();
        if kept.params.len() < end {
            resize(kept, end)?;
        }
        kept.params[offset..end].copy_from_slice(bytes);
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuParamSeti(function: Handle, offset: i32, value: u32) -> CuResult {
    call("cuParamSeti", || set(function, offset, &value.to_ne_bytes()))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuParamSetf(function: Handle, offset: i32, value: f32) -> CuResult {
    call("cuParamSetf", || set(function, offset, &value.to_ne_bytes()))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuParamSetv(function: Handle, offset: i32, value: *const c_void, bytes: u32) -> CuResult {
    call("cuParamSetv", || {
        if value.is_null() {
            return refuse(INVALID_VALUE, "the value is a null pointer");
        }
        // SAFETY: `bytes` bytes, by the API.
        let value = unsafe { std::slice::from_raw_parts(value.cast::<u8>(), bytes as usize) };
        set(function, offset, value)
    })
}

fn launch_kept(function: Handle, width: i32, height: i32, stream: Handle) -> Answer {
    if width <= 0 || height <= 0 {
        return refuse(INVALID_VALUE, format!("a grid of {width} x {height} blocks"));
    }
    let mut kept = Kept::default();
    keep(function, |k| {
        kept = k.clone();
        Ok(())
    })?;
    if kept.block == [0; 3] {
        return refuse(INVALID_VALUE, "no block shape was set; cuFuncSetBlockShape comes first");
    }
    let shape = Shape { grid: [width as u32, height as u32, 1], block: kept.block, shared: kept.shared };
    let size = kept.params.len();
    // CU_LAUNCH_PARAM_BUFFER_POINTER, its value, CU_LAUNCH_PARAM_BUFFER_SIZE, its value, the end
    let extra: [*const c_void; 5] = [
        std::ptr::without_provenance(1),
        kept.params.as_ptr().cast(),
        std::ptr::without_provenance(2),
        (&raw const size).cast(),
        std::ptr::null(),
    ];
    launch(function, shape, stream, std::ptr::null(), extra.as_ptr(), false)
}

#[unsafe(no_mangle)]
pub extern "C" fn cuLaunch(function: Handle) -> CuResult {
    call("cuLaunch", || launch_kept(function, 1, 1, 0))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuLaunchGrid(function: Handle, width: i32, height: i32) -> CuResult {
    call("cuLaunchGrid", || launch_kept(function, width, height, 0))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuLaunchGridAsync(function: Handle, width: i32, height: i32, stream: Handle) -> CuResult {
    call("cuLaunchGridAsync", || launch_kept(function, width, height, stream))
}
