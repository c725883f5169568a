//! Fills.

use crate::driver::abi::*;
use crate::driver::objects::*;

/// Fills rows; also the synchronous forms, without a stream, return before the fill is done ("memset functions are
/// asynchronous with respect to the host except when the target memory is pinned host memory").
fn rows(address: u64, pitch: usize, pattern: &[u8], [width, height]: [usize; 2], stream: Option<Handle>) -> Answer {
    let fill =
        Fill { address, pitch: pitch as u64, pattern: pattern.to_vec(), width: width as u64, height: height as u64 };
    let mut state = enter()?;
    fill.check(&state.driver.memory)?;
    if stream.is_none() {
        state.not_while_capturing(called())?;
    }
    state.submit(stream.unwrap_or(0), Work::Fill(fill), called()).map(|_| ())
}

fn flat(address: u64, pattern: &[u8], count: usize, stream: Option<Handle>) -> Answer {
    rows(address, 0, pattern, [count, 1], stream)
}

entry!(cuMemsetD8_v2, |to: u64, value: u8, count: usize| flat(to, &[value], count, None));

entry!(cuMemsetD16_v2, |to: u64, value: u16, count: usize| flat(to, &value.to_le_bytes(), count, None));

entry!(cuMemsetD32_v2, |to: u64, value: u32, count: usize| flat(to, &value.to_le_bytes(), count, None));

entry!(cuMemsetD8Async, |to: u64, value: u8, count: usize, stream: Handle| flat(to, &[value], count, Some(stream)));

entry!(cuMemsetD16Async, |to: u64, value: u16, count: usize, stream: Handle| {
    flat(to, &value.to_le_bytes(), count, Some(stream))
});

entry!(cuMemsetD32Async, |to: u64, value: u32, count: usize, stream: Handle| {
    flat(to, &value.to_le_bytes(), count, Some(stream))
});

entry!(cuMemsetD2D8_v2, |to: u64, pitch: usize, value: u8, width: usize, height: usize| {
    rows(to, pitch, &[value], [width, height], None)
});

entry!(cuMemsetD2D32_v2, |to: u64, pitch: usize, value: u32, width: usize, height: usize| {
    rows(to, pitch, &value.to_le_bytes(), [width, height], None)
});
