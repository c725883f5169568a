//! Copies of rows and planes.

use crate::driver::abi::*;
use crate::driver::objects::*;

/// `CUDA_MEMCPY2D`.
#[repr(C)]
pub struct Memcpy2D {
    source: End2D,
    target: End2D,
    width: usize,
    height: usize,
}

/// One end of [`Memcpy2D`].
#[repr(C)]
pub struct End2D {
    x: usize,
    y: usize,
    kind: i32,
    host: HostAddress,
    device: HostAddress,
    array: usize,
    pitch: usize,
}

/// `CUDA_MEMCPY3D`.
#[repr(C)]
pub struct Memcpy3D {
    source: End3D,
    target: End3D,
    width: usize,
    height: usize,
    depth: usize,
}

/// One end of [`Memcpy3D`]: bytes, rows and planes to its start, kind of memory, its address, bytes in a row and rows
/// in a plane.
#[repr(C)]
pub struct End3D {
    x: usize,
    y: usize,
    z: usize,
    lod: usize,
    kind: i32,
    host: HostAddress,
    device: HostAddress,
    array: usize,
    reserved: usize,
    pitch: usize,
    height: usize,
}

impl End3D {
    /// The place some bytes after this end's address.
    fn place(&self, driver: &Driver, offset: u64) -> Answer<Place> {
        let device = self.device.plus(offset);
        Ok(match self.kind {
            1 => Place::Host(self.host.plus(offset)),
            2 => Place::Device(device.number() as u64),
            4 => Place::unified(&driver.memory, device),
            3 => return refuse(NOT_SUPPORTED, "softgpu has no arrays"),
            kind => return refuse(INVALID_VALUE, format_args!("{kind} is no memory type")),
        })
    }
}

impl Memcpy3D {
    /// The copy it describes, with pitch and height checked against what is copied.
    pub fn to_copy(&self, driver: &Driver) -> Answer<Copy> {
        let side = |e: &End3D| -> Answer<(Place, [u64; 2])> {
            let pitch = if e.pitch == 0 { self.width } else { e.pitch };
            let rows = if e.height == 0 { self.height } else { e.height };
            let one_row = self.height <= 1 && self.depth <= 1;
            let narrow = format_args!("a pitch of {pitch} is less than {} + {}", e.x, self.width);
            valid(one_row || pitch >= e.x.saturating_add(self.width), narrow)?;
            let low = "the height of a plane is less than what is copied";
            valid(self.depth <= 1 || rows >= e.y.saturating_add(self.height), low)?;
            let start = || e.z.checked_mul(rows)?.checked_add(e.y)?.checked_mul(pitch)?.checked_add(e.x);
            let (start, plane) = (start().zip(pitch.checked_mul(rows)))
                .or_refuse(INVALID_VALUE, "the copy reaches beyond all addresses")?;
            Ok((e.place(driver, start as u64)?, [pitch as u64, plane as u64]))
        };
        let (source, source_steps) = side(&self.source)?;
        let (target, target_steps) = side(&self.target)?;
        let [width, height, depth] = [self.width, self.height, self.depth].map(|n| n as u64);
        Ok(Copy { source, target, width, height, depth, source_steps, target_steps })
    }

    /// The description of a copy, from the addresses where it begins.
    pub fn of(copy: &Copy) -> Memcpy3D {
        let side = |place: &Place, [pitch, plane]: [u64; 2]| {
            let (kind, host, device) = match place {
                Place::Host(address) => (1, *address, HostAddress::NULL),
                Place::Device(address) => (2, HostAddress::NULL, HostAddress::NULL.plus(*address)),
                Place::Staged(_) => (1, HostAddress::NULL, HostAddress::NULL),
            };
            let (pitch, height) = (pitch as usize, plane.checked_div(pitch).unwrap_or(0) as usize);
            End3D { x: 0, y: 0, z: 0, lod: 0, kind, host, device, array: 0, reserved: 0, pitch, height }
        };
        let [width, height, depth] = [copy.width, copy.height, copy.depth].map(|n| n as usize);
        let (source, target) = (side(&copy.source, copy.source_steps), side(&copy.target, copy.target_steps));
        Memcpy3D { source, target, width, height, depth }
    }
}

fn copy_2d(p: Option<&Memcpy2D>, stream: Option<Handle>) -> Answer {
    let p = p.or_refuse(INVALID_VALUE, "no description of the copy")?;
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
    copy_3d(Some(&flat), stream)
}

pair!(cuMemcpy2D_v2, cuMemcpy2D_v2_ptds, cuMemcpy2DAsync_v2, cuMemcpy2DAsync_v2_ptsz, stream, |p: Option<
    &Memcpy2D,
>| copy_2d(p, stream));
entry!(cuMemcpy2DUnaligned_v2, cuMemcpy2DUnaligned_v2_ptds, |p: Option<&Memcpy2D>| copy_2d(p, None));

fn copy_3d(p: Option<&Memcpy3D>, stream: Option<Handle>) -> Answer {
    let copy = p.or_refuse(INVALID_VALUE, "no description of the copy")?.to_copy(driver()?)?;
    enter()?.copy(copy, stream)
}

pair!(cuMemcpy3D_v2, cuMemcpy3D_v2_ptds, cuMemcpy3DAsync_v2, cuMemcpy3DAsync_v2_ptsz, stream, |p: Option<
    &Memcpy3D,
>| copy_3d(p, stream));
