//! Fills.

use super::*;

/// Fills; also the synchronous forms return before the fill is done ("memset functions are asynchronous with
/// respect to the host except when the target memory is pinned host memory").
fn fill(fill: Fill, stream: Option<Handle>, what: &str) -> Answer {
    let (driver, mut state, context) = enter()?;
    fill.check(&driver.memory)?;
    if stream.is_none() {
        state.not_while_capturing(what)?;
    }
    submit(driver, state, context, stream.unwrap_or(0), Work::Fill(fill), what).map(|_| ())
}

fn flat(address: u64, pattern: &[u8], count: usize, stream: Option<Handle>, what: &str) -> Answer {
    rect(address, 0, pattern, [count, 1], stream, what)
}

fn rect(
    address: u64,
    pitch: usize,
    pattern: &[u8],
    [width, height]: [usize; 2],
    stream: Option<Handle>,
    what: &str,
) -> Answer {
    let work =
        Fill { address, pitch: pitch as u64, pattern: pattern.to_vec(), width: width as u64, height: height as u64 };
    fill(work, stream, what)
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemsetD8_v2(to: u64, value: u8, count: usize) -> CuResult {
    call("cuMemsetD8_v2", || flat(to, &[value], count, None, "cuMemsetD8_v2"))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemsetD16_v2(to: u64, value: u16, count: usize) -> CuResult {
    call("cuMemsetD16_v2", || flat(to, &value.to_le_bytes(), count, None, "cuMemsetD16_v2"))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemsetD32_v2(to: u64, value: u32, count: usize) -> CuResult {
    call("cuMemsetD32_v2", || flat(to, &value.to_le_bytes(), count, None, "cuMemsetD32_v2"))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemsetD8Async(to: u64, value: u8, count: usize, stream: Handle) -> CuResult {
    call("cuMemsetD8Async", || flat(to, &[value], count, Some(stream), "cuMemsetD8Async"))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemsetD16Async(to: u64, value: u16, count: usize, stream: Handle) -> CuResult {
    let what = "cuMemsetD16Async";
    call(what, || flat(to, &value.to_le_bytes(), count, Some(stream), what))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemsetD32Async(to: u64, value: u32, count: usize, stream: Handle) -> CuResult {
    let what = "cuMemsetD32Async";
    call(what, || flat(to, &value.to_le_bytes(), count, Some(stream), what))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemsetD2D8_v2(to: u64, pitch: usize, value: u8, width: usize, height: usize) -> CuResult {
    let what = "cuMemsetD2D8_v2";
    call(what, || rect(to, pitch, &[value], [width, height], None, what))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemsetD2D32_v2(to: u64, pitch: usize, value: u32, width: usize, height: usize) -> CuResult {
    let what = "cuMemsetD2D32_v2";
    call(what, || rect(to, pitch, &value.to_le_bytes(), [width, height], None, what))
}
