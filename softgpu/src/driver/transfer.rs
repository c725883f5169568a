//! The copy and fill entry points.
//!
//! What each waits for follows the driver API's "API synchronization behavior". Where the text leaves room the
//! later moment is taken: a copy from pageable memory is staged at the call and lands late, one from pinned
//! memory is read late. A copy to pageable memory returns when done, in its asynchronous form too.

use super::capture::submit;
use super::copy::{Copy, Fill, Place};
use super::entry::*;
use super::errors::*;
use super::queue::{Work, resolve};
use super::state::*;
use std::ffi::c_void;
use std::sync::Arc;

/// Places a unified address: device memory if the device owns it, else the host's.
fn place(driver: &Driver, address: u64) -> Place {
    if driver.memory.owns(address) {
        Place::Device(address)
    } else {
        Place::Host(address as usize)
    }
}

fn is_pinned(state: &State, address: usize, bytes: u64) -> bool {
    let address = address as u64;
    state
        .pinned
        .range(..=address)
        .next_back()
        .is_some_and(|(base, p)| address + bytes <= base + p.bytes)
}

/// Queues a copy and waits as far as the rules say; `stream` is `None` for the synchronous forms.
fn copy(mut copy: Copy, stream: Option<Handle>, what: &str) -> Answer {
    let (driver, mut state, context) = enter()?;
    copy.take_managed(&driver.memory);
    copy.check(&driver.memory)?;
    if stream.is_none() {
        state.not_while_capturing(what)?;
    }
    let handle = resolve(&mut state, context, stream.unwrap_or(0))?;
    let capturing = state.streams[&handle].capture.is_some();
    let mut wait = false;
    match (&copy.source, &copy.target) {
        (Place::Host(_), Place::Host(_)) => wait = true,
        (Place::Host(from), Place::Device(_)) => {
            let bytes = copy.extent(copy.source_steps);
            if is_pinned(&state, *from, bytes) {
                wait = stream.is_none();
            } else if !capturing && bytes > 0 {
                // SAFETY: the program gave this range as the source.
                let held =
                    unsafe { std::slice::from_raw_parts(*from as *const u8, bytes as usize) };
                copy.source = Place::Staged(Arc::new(held.to_vec()));
            }
        }
        (_, Place::Host(to)) => {
            let bytes = copy.extent(copy.target_steps);
            wait = stream.is_none() || !is_pinned(&state, *to, bytes);
        }
        _ => {}
    }
    let (mut state, id) = submit(driver, state, context, handle, Work::Copy(copy), what)?;
    if let (true, Some(id)) = (wait, id) {
        state = driver.complete(state, &[id]);
        state.current()?;
    }
    Ok(())
}

fn linear(
    target: Place,
    source: Place,
    bytes: usize,
    stream: Option<Handle>,
    what: &str,
) -> Answer {
    copy(Copy::linear(target, source, bytes as u64), stream, what)
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpyHtoD_v2(to: u64, from: *const c_void, bytes: usize) -> CuResult {
    let what = "cuMemcpyHtoD_v2";
    call(what, || {
        linear(
            Place::Device(to),
            Place::Host(from as usize),
            bytes,
            None,
            what,
        )
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpyHtoDAsync_v2(
    to: u64,
    from: *const c_void,
    bytes: usize,
    stream: Handle,
) -> CuResult {
    let what = "cuMemcpyHtoDAsync_v2";
    call(what, || {
        linear(
            Place::Device(to),
            Place::Host(from as usize),
            bytes,
            Some(stream),
            what,
        )
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpyDtoH_v2(to: *mut c_void, from: u64, bytes: usize) -> CuResult {
    let what = "cuMemcpyDtoH_v2";
    call(what, || {
        linear(
            Place::Host(to as usize),
            Place::Device(from),
            bytes,
            None,
            what,
        )
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpyDtoHAsync_v2(
    to: *mut c_void,
    from: u64,
    bytes: usize,
    stream: Handle,
) -> CuResult {
    let what = "cuMemcpyDtoHAsync_v2";
    call(what, || {
        linear(
            Place::Host(to as usize),
            Place::Device(from),
            bytes,
            Some(stream),
            what,
        )
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpyDtoD_v2(to: u64, from: u64, bytes: usize) -> CuResult {
    let what = "cuMemcpyDtoD_v2";
    call(what, || {
        linear(Place::Device(to), Place::Device(from), bytes, None, what)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpyDtoDAsync_v2(
    to: u64,
    from: u64,
    bytes: usize,
    stream: Handle,
) -> CuResult {
    let what = "cuMemcpyDtoDAsync_v2";
    call(what, || {
        linear(
            Place::Device(to),
            Place::Device(from),
            bytes,
            Some(stream),
            what,
        )
    })
}

fn unified(to: u64, from: u64, bytes: usize, stream: Option<Handle>, what: &str) -> Answer {
    let driver = driver()?;
    linear(place(driver, to), place(driver, from), bytes, stream, what)
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpy(to: u64, from: u64, bytes: usize) -> CuResult {
    call("cuMemcpy", || unified(to, from, bytes, None, "cuMemcpy"))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpyAsync(to: u64, from: u64, bytes: usize, stream: Handle) -> CuResult {
    call("cuMemcpyAsync", || {
        unified(to, from, bytes, Some(stream), "cuMemcpyAsync")
    })
}

/// Between contexts of the one device; both must exist.
#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpyPeerAsync(
    to: u64,
    to_context: Handle,
    from: u64,
    from_context: Handle,
    bytes: usize,
    stream: Handle,
) -> CuResult {
    let what = "cuMemcpyPeerAsync";
    call(what, || {
        let state = driver()?.lock();
        for context in [to_context, from_context] {
            if !state.contexts.contains_key(&context) {
                return refuse(INVALID_CONTEXT, format!("{context:#x} is no context"));
            }
        }
        drop(state);
        linear(
            Place::Device(to),
            Place::Device(from),
            bytes,
            Some(stream),
            what,
        )
    })
}

/// `CUDA_MEMCPY2D`.
#[repr(C)]
pub struct Memcpy2D {
    pub source: End2D,
    pub target: End2D,
    pub width: usize,
    pub height: usize,
}

/// One end of [`Memcpy2D`].
#[repr(C)]
pub struct End2D {
    pub x: usize,
    pub y: usize,
    pub kind: i32,
    pub host: usize,
    pub device: u64,
    pub array: usize,
    pub pitch: usize,
}

/// `CUDA_MEMCPY3D`.
#[repr(C)]
pub struct Memcpy3D {
    pub source: End3D,
    pub target: End3D,
    pub width: usize,
    pub height: usize,
    pub depth: usize,
}

/// One end of [`Memcpy3D`].
#[repr(C)]
pub struct End3D {
    pub x: usize,
    pub y: usize,
    pub z: usize,
    pub lod: usize,
    pub kind: i32,
    pub host: usize,
    pub device: u64,
    pub array: usize,
    pub reserved: usize,
    pub pitch: usize,
    pub height: usize,
}

fn end(driver: &Driver, kind: i32, host: usize, device: u64, offset: u64) -> Answer<Place> {
    Ok(match kind {
        1 => Place::Host(host + offset as usize),
        2 => Place::Device(device + offset),
        4 => place(driver, device + offset),
        3 => return refuse(NOT_SUPPORTED, "softgpu has no arrays"),
        _ => return refuse(INVALID_VALUE, format!("{kind} is no memory type")),
    })
}

impl Memcpy3D {
    /// The copy it describes, with pitch and height checked against what is copied.
    pub fn to_copy(&self, driver: &Driver) -> Answer<Copy> {
        let side = |e: &End3D| -> Answer<(Place, [u64; 2])> {
            let pitch = if e.pitch == 0 { self.width } else { e.pitch };
            let rows = if e.height == 0 { self.height } else { e.height };
            if (self.height > 1 || self.depth > 1) && pitch < e.x + self.width {
                return refuse(
                    INVALID_VALUE,
                    format!("a pitch of {pitch} is less than {} + {}", e.x, self.width),
                );
            }
            if self.depth > 1 && rows < e.y + self.height {
                return refuse(
                    INVALID_VALUE,
                    "the height of a plane is less than what is copied",
                );
            }
            let offset = (e.z * rows + e.y) * pitch + e.x;
            let place = end(driver, e.kind, e.host, e.device, offset as u64)?;
            Ok((place, [pitch as u64, (pitch * rows) as u64]))
        };
        let (source, source_steps) = side(&self.source)?;
        let (target, target_steps) = side(&self.target)?;
        Ok(Copy {
            source,
            target,
            width: self.width as u64,
            height: self.height as u64,
            depth: self.depth as u64,
            source_steps,
            target_steps,
        })
    }
}

fn strided_2d(p: *const Memcpy2D, stream: Option<Handle>, what: &str) -> Answer {
    if p.is_null() {
        return refuse(INVALID_VALUE, "no description of the copy");
    }
    // SAFETY: not null; the caller passes a CUDA_MEMCPY2D.
    let p = unsafe { &*p };
    let widen = |e: &End2D| End3D {
        x: e.x,
        y: e.y,
        z: 0,
        lod: 0,
        kind: e.kind,
        host: e.host,
        device: e.device,
        array: e.array,
        reserved: 0,
        pitch: e.pitch,
        height: 0,
    };
    let flat = Memcpy3D {
        source: widen(&p.source),
        target: widen(&p.target),
        width: p.width,
        height: p.height,
        depth: 1,
    };
    copy(flat.to_copy(driver()?)?, stream, what)
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpy2D_v2(p: *const Memcpy2D) -> CuResult {
    call("cuMemcpy2D_v2", || strided_2d(p, None, "cuMemcpy2D_v2"))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpy2DUnaligned_v2(p: *const Memcpy2D) -> CuResult {
    call("cuMemcpy2DUnaligned_v2", || {
        strided_2d(p, None, "cuMemcpy2DUnaligned_v2")
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpy2DAsync_v2(p: *const Memcpy2D, stream: Handle) -> CuResult {
    call("cuMemcpy2DAsync_v2", || {
        strided_2d(p, Some(stream), "cuMemcpy2DAsync_v2")
    })
}

fn strided_3d(p: *const Memcpy3D, stream: Option<Handle>, what: &str) -> Answer {
    if p.is_null() {
        return refuse(INVALID_VALUE, "no description of the copy");
    }
    // SAFETY: not null; the caller passes a CUDA_MEMCPY3D.
    copy(unsafe { &*p }.to_copy(driver()?)?, stream, what)
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpy3D_v2(p: *const Memcpy3D) -> CuResult {
    call("cuMemcpy3D_v2", || strided_3d(p, None, "cuMemcpy3D_v2"))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpy3DAsync_v2(p: *const Memcpy3D, stream: Handle) -> CuResult {
    call("cuMemcpy3DAsync_v2", || {
        strided_3d(p, Some(stream), "cuMemcpy3DAsync_v2")
    })
}

/// Fills; also the synchronous forms return before the fill is done ("memset functions are asynchronous with
/// respect to the host except when the target memory is pinned host memory").
fn fill(fill: Fill, stream: Option<Handle>, what: &str) -> Answer {
    let (driver, mut state, context) = enter()?;
    fill.check(&driver.memory)?;
    if stream.is_none() {
        state.not_while_capturing(what)?;
    }
    submit(
        driver,
        state,
        context,
        stream.unwrap_or(0),
        Work::Fill(fill),
        what,
    )
    .map(|_| ())
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
    let work = Fill {
        address,
        pitch: pitch as u64,
        pattern: pattern.to_vec(),
        width: width as u64,
        height: height as u64,
    };
    fill(work, stream, what)
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemsetD8_v2(to: u64, value: u8, count: usize) -> CuResult {
    call("cuMemsetD8_v2", || {
        flat(to, &[value], count, None, "cuMemsetD8_v2")
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemsetD16_v2(to: u64, value: u16, count: usize) -> CuResult {
    call("cuMemsetD16_v2", || {
        flat(to, &value.to_le_bytes(), count, None, "cuMemsetD16_v2")
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemsetD32_v2(to: u64, value: u32, count: usize) -> CuResult {
    call("cuMemsetD32_v2", || {
        flat(to, &value.to_le_bytes(), count, None, "cuMemsetD32_v2")
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemsetD8Async(to: u64, value: u8, count: usize, stream: Handle) -> CuResult {
    call("cuMemsetD8Async", || {
        flat(to, &[value], count, Some(stream), "cuMemsetD8Async")
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemsetD16Async(to: u64, value: u16, count: usize, stream: Handle) -> CuResult {
    let what = "cuMemsetD16Async";
    call(what, || {
        flat(to, &value.to_le_bytes(), count, Some(stream), what)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemsetD32Async(to: u64, value: u32, count: usize, stream: Handle) -> CuResult {
    let what = "cuMemsetD32Async";
    call(what, || {
        flat(to, &value.to_le_bytes(), count, Some(stream), what)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemsetD2D8_v2(
    to: u64,
    pitch: usize,
    value: u8,
    width: usize,
    height: usize,
) -> CuResult {
    let what = "cuMemsetD2D8_v2";
    call(what, || {
        rect(to, pitch, &[value], [width, height], None, what)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemsetD2D32_v2(
    to: u64,
    pitch: usize,
    value: u32,
    width: usize,
    height: usize,
) -> CuResult {
    let what = "cuMemsetD2D32_v2";
    call(what, || {
        rect(to, pitch, &value.to_le_bytes(), [width, height], None, what)
    })
}
