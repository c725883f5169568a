//! Copies: linear, 2D, 3D.

use super::launch::needed;
use super::memory::{Extent, Pitched};
use crate::abi::*;
use crate::context::current;
use crate::driver::{Copy3D, Driver, End, MemoryKind};

/// Where the ends of a copy are: `cudaMemcpyKind`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    HostToHost,
    HostToDevice,
    DeviceToHost,
    DeviceToDevice,
    Default,
}

/// The direction that a number means.
pub fn direction(kind: i32) -> Answer<Direction> {
    Ok(match kind {
        0 => Direction::HostToHost,
        1 => Direction::HostToDevice,
        2 => Direction::DeviceToHost,
        3 => Direction::DeviceToDevice,
        4 => Direction::Default,
        _ => return refuse(INVALID_MEMCPY_DIRECTION, format_args!("{kind} is no direction of a copy")),
    })
}

/// A linear copy. Each direction has its own function in the driver, so that an end on the wrong side is refused.
pub fn linear(to: usize, from: usize, bytes: usize, direction: Direction, when: When) -> Answer {
    if bytes == 0 {
        return Ok(());
    }
    let driver = current()?;
    let (now, own, on): (Linear, Linear, LinearOn) = match direction {
        Direction::HostToDevice => {
            (Driver::cuMemcpyHtoD_v2, Driver::cuMemcpyHtoD_v2_ptds, Driver::cuMemcpyHtoDAsync_v2)
        }
        Direction::DeviceToHost => {
            (Driver::cuMemcpyDtoH_v2, Driver::cuMemcpyDtoH_v2_ptds, Driver::cuMemcpyDtoHAsync_v2)
        }
        Direction::DeviceToDevice => {
            (Driver::cuMemcpyDtoD_v2, Driver::cuMemcpyDtoD_v2_ptds, Driver::cuMemcpyDtoDAsync_v2)
        }
        Direction::HostToHost | Direction::Default => (Driver::cuMemcpy, Driver::cuMemcpy_ptds, Driver::cuMemcpyAsync),
    };
    match when {
        When::Now => now(driver, to, from, bytes),
        When::NowOwn => own(driver, to, from, bytes),
        When::On(stream) => on(driver, to, from, bytes, stream),
    }
}

type Linear = fn(&Driver, usize, usize, usize) -> Answer;
type LinearOn = fn(&Driver, usize, usize, usize, Handle) -> Answer;

forms!(
    cudaMemcpy,
    cudaMemcpy_ptds,
    cudaMemcpyAsync,
    cudaMemcpyAsync_ptsz,
    when,
    |to: usize, from: usize, bytes: usize, kind: i32| linear(to, from, bytes, direction(kind)?, when)
);

/// One end of a copy with rows.
fn end(address: usize, pitch: usize, height: usize, (x, y, z): (usize, usize, usize), on_host: bool, any: bool) -> End {
    let kind = match (any, on_host) {
        (true, _) => MemoryKind::Unified,
        (_, true) => MemoryKind::Host,
        (_, false) => MemoryKind::Device,
    };
    let (host, device) = if kind == MemoryKind::Host { (address, 0) } else { (0, address) };
    End { x, y, z, kind, host, device, pitch, height, ..End::default() }
}

/// The description of a copy between two pitched places.
fn described(to: Side, from: Side, extent: Extent, direction: Direction) -> Copy3D {
    let any = direction == Direction::Default;
    let from_host = matches!(direction, Direction::HostToHost | Direction::HostToDevice);
    let to_host = matches!(direction, Direction::HostToHost | Direction::DeviceToHost);
    let make = |s: Side, host| end(s.place.address, s.place.pitch, s.place.height, (s.at.x, s.at.y, s.at.z), host, any);
    let Extent { width, height, depth } = extent;
    Copy3D { source: make(from, from_host), target: make(to, to_host), width, height, depth }
}

/// One end of a copy: memory with a pitch, and where in it the copy begins.
#[derive(Clone, Copy, Default)]
struct Side {
    place: Pitched,
    at: Position,
}

/// `cudaPos`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Position {
    x: usize,
    y: usize,
    z: usize,
}

fn run(copy: &Copy3D, when: When) -> Answer {
    if copy.width == 0 || copy.height == 0 || copy.depth == 0 {
        return Ok(());
    }
    let driver = current()?;
    match when {
        When::Now => driver.cuMemcpy3D_v2(copy),
        When::NowOwn => driver.cuMemcpy3D_v2_ptds(copy),
        When::On(stream) => driver.cuMemcpy3DAsync_v2(copy, stream),
    }
}

fn rows(address: usize, pitch: usize) -> Side {
    Side { place: Pitched { address, pitch, width: 0, height: 0 }, at: Position::default() }
}

forms!(
    cudaMemcpy2D,
    cudaMemcpy2D_ptds,
    cudaMemcpy2DAsync,
    cudaMemcpy2DAsync_ptsz,
    when,
    |to: usize, to_pitch: usize, from: usize, from_pitch: usize, width: usize, height: usize, kind: i32| {
        let direction = direction(kind)?;
        let fits = width <= to_pitch && width <= from_pitch;
        let message = format_args!("rows of {width} bytes at pitches of {from_pitch} and {to_pitch}");
        ensure(fits, INVALID_PITCH_VALUE, message)?;
        let extent = Extent { width, height, depth: 1 };
        run(&described(rows(to, to_pitch), rows(from, from_pitch), extent, direction), when)
    }
);

/// `cudaMemcpy3DParms`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Copy3DParameters {
    from_array: usize,
    from_at: Position,
    from: Pitched,
    to_array: usize,
    to_at: Position,
    to: Pitched,
    extent: Extent,
    kind: i32,
}

impl Copy3DParameters {
    /// As the driver has it. (Without an array the elements are bytes.)
    pub fn for_driver(&self) -> Answer<Copy3D> {
        ensure(self.from_array == 0 && self.to_array == 0, NOT_SUPPORTED, "softcudart has no arrays")?;
        let (to, from) = (Side { place: self.to, at: self.to_at }, Side { place: self.from, at: self.from_at });
        Ok(described(to, from, self.extent, direction(self.kind)?))
    }

    /// From the driver's.
    pub fn of(copy: &Copy3D) -> Copy3DParameters {
        let side = |end: &End| {
            let address = if end.kind == MemoryKind::Host { end.host } else { end.device };
            let place = Pitched { address, pitch: end.pitch, width: 0, height: end.height };
            (place, Position { x: end.x, y: end.y, z: end.z })
        };
        let ((from, from_at), (to, to_at)) = (side(&copy.source), side(&copy.target));
        let kind = match (copy.source.kind, copy.target.kind) {
            (MemoryKind::Host, MemoryKind::Host) => 0,
            (MemoryKind::Host, MemoryKind::Device) => 1,
            (MemoryKind::Device, MemoryKind::Host) => 2,
            (MemoryKind::Device, MemoryKind::Device) => 3,
            _ => 4,
        };
        let extent = Extent { width: copy.width, height: copy.height, depth: copy.depth };
        Copy3DParameters { from, from_at, to, to_at, extent, kind, ..Default::default() }
    }

    /// A linear copy as a node of a graph has it.
    pub fn linear(to: usize, from: usize, bytes: usize, kind: i32) -> Copy3DParameters {
        let place = |address| Pitched { address, pitch: bytes, width: bytes, height: 1 };
        let extent = Extent { width: bytes, height: 1, depth: 1 };
        Copy3DParameters { from: place(from), to: place(to), extent, kind, ..Default::default() }
    }
}

forms!(cudaMemcpy3D, cudaMemcpy3D_ptds, cudaMemcpy3DAsync, cudaMemcpy3DAsync_ptsz, when, |p: Option<
    &Copy3DParameters,
>| run(
    &needed(p)?.for_driver()?,
    when
));
