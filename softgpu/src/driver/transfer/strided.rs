//! Copies of rows and planes.

use super::*;

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
                return refuse(INVALID_VALUE, format!("a pitch of {pitch} is less than {} + {}", e.x, self.width));
            }
            if self.depth > 1 && rows < e.y + self.height {
                return refuse(INVALID_VALUE, "the height of a plane is less than what is copied");
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
    let flat =
        Memcpy3D { source: widen(&p.source), target: widen(&p.target), width: p.width, height: p.height, depth: 1 };
    copy(flat.to_copy(driver()?)?, stream, what)
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpy2D_v2(p: *const Memcpy2D) -> CuResult {
    call("cuMemcpy2D_v2", || strided_2d(p, None, "cuMemcpy2D_v2"))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpy2DUnaligned_v2(p: *const Memcpy2D) -> CuResult {
    call("cuMemcpy2DUnaligned_v2", || strided_2d(p, None, "cuMemcpy2DUnaligned_v2"))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpy2DAsync_v2(p: *const Memcpy2D, stream: Handle) -> CuResult {
    call("cuMemcpy2DAsync_v2", || strided_2d(p, Some(stream), "cuMemcpy2DAsync_v2"))
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
    call("cuMemcpy3DAsync_v2", || strided_3d(p, Some(stream), "cuMemcpy3DAsync_v2"))
}
