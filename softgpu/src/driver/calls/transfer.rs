//! Copies of consecutive bytes, and fills.

use crate::driver::abi::*;
use crate::driver::objects::copy::Place::{Device, Host};
use crate::driver::objects::*;

fn linear(target: Place, source: Place, bytes: usize, stream: Option<Handle>) -> Answer {
    enter()?.copy(Copy::linear(target, source, bytes as u64), stream)
}

pair!(
    cuMemcpyHtoD_v2,
    cuMemcpyHtoD_v2_ptds,
    cuMemcpyHtoDAsync_v2,
    cuMemcpyHtoDAsync_v2_ptsz,
    stream,
    |to: u64, from: HostAddress, bytes: usize| linear(Device(to), Host(from), bytes, stream)
);

pair!(
    cuMemcpyDtoH_v2,
    cuMemcpyDtoH_v2_ptds,
    cuMemcpyDtoHAsync_v2,
    cuMemcpyDtoHAsync_v2_ptsz,
    stream,
    |to: HostAddress, from: u64, bytes: usize| linear(Host(to), Device(from), bytes, stream)
);

pair!(
    cuMemcpyDtoD_v2,
    cuMemcpyDtoD_v2_ptds,
    cuMemcpyDtoDAsync_v2,
    cuMemcpyDtoDAsync_v2_ptsz,
    stream,
    |to: u64, from: u64, bytes: usize| linear(Device(to), Device(from), bytes, stream)
);

pair!(
    cuMemcpy,
    cuMemcpy_ptds,
    cuMemcpyAsync,
    cuMemcpyAsync_ptsz,
    stream,
    |to: HostAddress, from: HostAddress, bytes: usize| {
        let memory = &driver()?.memory;
        linear(Place::unified(memory, to), Place::unified(memory, from), bytes, stream)
    }
);

// Between contexts of the one device; both must exist.
pair!(
    cuMemcpyPeer,
    cuMemcpyPeer_ptds,
    cuMemcpyPeerAsync,
    cuMemcpyPeerAsync_ptsz,
    stream,
    |to: u64, to_context: Handle, from: u64, from_context: Handle, bytes: usize| {
        let state = lock()?;
        for context in [to_context, from_context] {
            state.contexts.known(context)?;
        }
        drop(state);
        linear(Device(to), Device(from), bytes, stream)
    }
);

/// Fills rows; also the synchronous forms, without a stream, return before the fill is done ("memset functions are
/// asynchronous with respect to the host except when the target memory is pinned host memory").
fn rows(address: u64, pitch: usize, pattern: &[u8], [width, height]: [usize; 2], stream: Option<Handle>) -> Answer {
    let fill =
        Fill { address, pitch: pitch as u64, pattern: pattern.to_vec(), width: width as u64, height: height as u64 };
    let mut state = enter()?;
    let later = state.captures_on(stream.unwrap_or(0));
    fill.check(&state.driver.memory, later)?;
    if stream.is_none() {
        state.not_while_capturing(called())?;
    }
    state.submit(stream.unwrap_or(0), Work::Fill(fill), called())?;
    Ok(())
}

fn flat(address: u64, pattern: &[u8], count: usize, stream: Option<Handle>) -> Answer {
    rows(address, 0, pattern, [count, 1], stream)
}

pair!(
    cuMemsetD8_v2,
    cuMemsetD8_v2_ptds,
    cuMemsetD8Async,
    cuMemsetD8Async_ptsz,
    stream,
    |to: u64, value: u8, count: usize| flat(to, &[value], count, stream)
);

pair!(
    cuMemsetD16_v2,
    cuMemsetD16_v2_ptds,
    cuMemsetD16Async,
    cuMemsetD16Async_ptsz,
    stream,
    |to: u64, value: u16, count: usize| flat(to, &value.to_le_bytes(), count, stream)
);

pair!(
    cuMemsetD32_v2,
    cuMemsetD32_v2_ptds,
    cuMemsetD32Async,
    cuMemsetD32Async_ptsz,
    stream,
    |to: u64, value: u32, count: usize| flat(to, &value.to_le_bytes(), count, stream)
);

pair!(
    cuMemsetD2D8_v2,
    cuMemsetD2D8_v2_ptds,
    cuMemsetD2D8Async,
    cuMemsetD2D8Async_ptsz,
    stream,
    |to: u64, pitch: usize, value: u8, width: usize, height: usize| rows(to, pitch, &[value], [width, height], stream)
);

pair!(
    cuMemsetD2D16_v2,
    cuMemsetD2D16_v2_ptds,
    cuMemsetD2D16Async,
    cuMemsetD2D16Async_ptsz,
    stream,
    |to: u64, pitch: usize, value: u16, width: usize, height: usize| {
        rows(to, pitch, &value.to_le_bytes(), [width, height], stream)
    }
);

pair!(
    cuMemsetD2D32_v2,
    cuMemsetD2D32_v2_ptds,
    cuMemsetD2D32Async,
    cuMemsetD2D32Async_ptsz,
    stream,
    |to: u64, pitch: usize, value: u32, width: usize, height: usize| {
        rows(to, pitch, &value.to_le_bytes(), [width, height], stream)
    }
);
