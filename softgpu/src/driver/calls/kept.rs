//! Launches as before CUDA 4: block shape, shared memory and arguments are kept with the function
//! (driver API, "Execution Control [DEPRECATED]"). PyCUDA still sets the block shape this way.

use crate::driver::abi::*;
use crate::driver::objects::*;

entry!(cuFuncSetBlockShape, |function: Handle, x: i32, y: i32, z: i32| {
    valid(x > 0 && y > 0 && z > 0, format_args!("a block of {x} x {y} x {z} threads"))?;
    enter()?.function(function)?.kept.block = [x as u32, y as u32, z as u32];
    Ok(())
});

entry!(cuFuncSetSharedSize, |function: Handle, bytes: u32| {
    enter()?.function(function)?.kept.shared = bytes;
    Ok(())
});

/// Bytes of parameters a kernel can take, on any device.
const MOST: usize = 32764;

fn resize(kept: &mut Kept, bytes: usize) -> Answer {
    valid(bytes <= MOST, format_args!("{bytes} bytes of parameters"))?;
    kept.params.resize(bytes, 0);
    Ok(())
}

entry!(cuParamSetSize, |function: Handle, bytes: u32| {
    resize(&mut enter()?.function(function)?.kept, bytes as usize)
});

fn set(function: Handle, offset: i32, bytes: &[u8]) -> Answer {
    valid(offset >= 0, format_args!("a parameter at offset {offset}"))?;
    let offset = offset as usize;
    let mut state = enter()?;
    let kept = &mut state.function(function)?.kept;
    let end = offset + bytes.len();
    if kept.params.len() < end {
        resize(kept, end)?;
    }
    kept.params[offset..end].copy_from_slice(bytes);
    Ok(())
}

entry!(cuParamSeti, |function: Handle, offset: i32, value: u32| set(function, offset, &value.to_ne_bytes()));
entry!(cuParamSetf, |function: Handle, offset: i32, value: f32| set(function, offset, &value.to_ne_bytes()));

entry!(cuParamSetv, |function: Handle, offset: i32, value: Array<u8>, bytes: Count<u32>| {
    valid(value.is_given(), "the value is a null pointer")?;
    set(function, offset, value.of(bytes))
});

fn launch(function: Handle, width: i32, height: i32, stream: Handle) -> Answer {
    valid(width > 0 && height > 0, format_args!("a grid of {width} x {height} blocks"))?;
    let mut state = enter()?;
    let kept = state.function(function)?.kept.clone();
    valid(kept.block != [0; 3], "no block shape was set; cuFuncSetBlockShape comes first")?;
    let shape = Shape { grid: [width as u32, height as u32, 1], block: kept.block, shared: kept.shared };
    state.queue_launch(function, shape, kept.params, stream, false)
}

entry!(cuLaunch, |function: Handle| launch(function, 1, 1, 0));
entry!(cuLaunchGrid, |function: Handle, width: i32, height: i32| launch(function, width, height, 0));

entry!(cuLaunchGridAsync, |function: Handle, width: i32, height: i32, stream: Handle| {
    launch(function, width, height, stream)
});
