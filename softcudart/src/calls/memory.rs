//! Allocation: linear, pitched, managed, in stream order; what is known of a pointer.

use crate::abi::*;
use crate::context::{chosen, current};
use crate::driver::Location;

entry!(cudaMalloc, |out: Out<usize>, bytes: usize| {
    match bytes {
        // The driver refuses it; the runtime gives a null pointer.
        0 => out.set(0),
        _ => current()?.cuMemAlloc_v2(out, bytes),
    }
});

// `cudaFree(0)` is how programs start the runtime.
entry!(cudaFree, |address: usize| current()?.cuMemFree_v2(address));

/// Rows of `width` bytes; the pitch suits elements of 16 bytes.
fn pitched(out: Out<usize>, pitch: Out<usize>, width: usize, height: usize) -> Answer {
    if width == 0 || height == 0 {
        pitch.set(0)?;
        return out.set(0);
    }
    current()?.cuMemAllocPitch_v2(out, pitch, width, height, 16)
}

entry!(cudaMallocPitch, |out: Out<usize>, pitch: Out<usize>, width: usize, height: usize| {
    pitched(out, pitch, width, height)
});

/// `cudaPitchedPtr`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Pitched {
    pub address: usize,
    pub pitch: usize,
    pub width: usize,
    pub height: usize,
}

/// `cudaExtent`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Extent {
    pub width: usize,
    pub height: usize,
    pub depth: usize,
}

entry!(cudaMalloc3D, |out: Out<Pitched>, extent: Extent| {
    let Extent { width, height, depth } = extent;
    let (mut address, mut pitch) = (0, 0);
    let Some(rows) = height.checked_mul(depth) else {
        return refuse(INVALID_VALUE, "more rows than there are addresses");
    };
    pitched(Out::of(&mut address), Out::of(&mut pitch), width, rows)?;
    out.set(Pitched { address, pitch, width, height })
});

entry!(cudaMemGetInfo, |free: Out<usize>, total: Out<usize>| current()?.cuMemGetInfo_v2(free, total));

entry!(cudaMallocManaged, |out: Out<usize>, bytes: usize, flags: u32| {
    valid(bytes > 0, "0 bytes of managed memory")?;
    current()?.cuMemAllocManaged(out, bytes, flags)
});

on_stream!(cudaMallocAsync, cudaMallocAsync_ptsz, stream, |out: Out<usize>, bytes: usize, stream: Handle| {
    current()?.cuMemAllocAsync(out, bytes, stream)
});

on_stream!(cudaFreeAsync, cudaFreeAsync_ptsz, stream, |address: usize, stream: Handle| {
    current()?.cuMemFreeAsync(address, stream)
});

on_stream!(
    cudaMallocFromPoolAsync,
    cudaMallocFromPoolAsync_ptsz,
    stream,
    |out: Out<usize>, bytes: usize, pool: Handle, stream: Handle| {
        current()?.cuMemAllocFromPoolAsync(out, bytes, pool, stream)
    }
);

/// `cudaMemLocation` as CUDA 13 passes it, in one register; CUDA 12 passes a device, -1 for the host.
fn location(place: u64) -> Location {
    match (major(), place as i32) {
        (12, -1) => Location { kind: 2, id: 0 },
        (12, device) => Location { kind: 1, id: device },
        (_, kind) => Location { kind, id: (place >> 32) as i32 },
    }
}

entry!(cudaMemAdvise, |address: usize, bytes: usize, advice: i32, place: u64| {
    current()?.cuMemAdvise_v2(address, bytes, advice, location(place))
});

entry!(cudaMemAdvise_v2, |address: usize, bytes: usize, advice: i32, place: Location| {
    current()?.cuMemAdvise_v2(address, bytes, advice, place)
});

/// CUDA 12's fourth argument is the stream, CUDA 13's are flags and the stream.
fn prefetch(address: usize, bytes: usize, place: u64, last: (Handle, Handle), own: bool) -> Answer {
    let (flags, stream) = if major() == 12 { (0, last.0) } else { (last.0.number() as u32, last.1) };
    let stream = if own { stream.per_thread() } else { stream };
    current()?.cuMemPrefetchAsync_v2(address, bytes, location(place), flags, stream)
}

entry!(cudaMemPrefetchAsync, |address: usize, bytes: usize, place: u64, flags: Handle, stream: Handle| {
    prefetch(address, bytes, place, (flags, stream), false)
});

entry!(cudaMemPrefetchAsync_ptsz, |address: usize, bytes: usize, place: u64, flags: Handle, stream: Handle| {
    prefetch(address, bytes, place, (flags, stream), true)
});

on_stream!(
    cudaMemPrefetchAsync_v2,
    cudaMemPrefetchAsync_v2_ptsz,
    stream,
    |address: usize, bytes: usize, place: Location, flags: u32, stream: Handle| {
        current()?.cuMemPrefetchAsync_v2(address, bytes, place, flags, stream)
    }
);

entry!(cudaMemRangeGetAttribute, |data: Room, size: usize, attribute: i32, address: usize, bytes: usize| {
    current()?.cuMemRangeGetAttribute(data, size, attribute, address, bytes)
});

entry!(cudaMemRangeGetAttributes, |data: Room,
                                   sizes: Given,
                                   attributes: Given,
                                   count: usize,
                                   address: usize,
                                   bytes: usize| {
    current()?.cuMemRangeGetAttributes(data, sizes, attributes, count, address, bytes)
});

on_stream!(
    cudaStreamAttachMemAsync,
    cudaStreamAttachMemAsync_ptsz,
    stream,
    |stream: Handle, address: usize, bytes: usize, flags: u32| {
        current()?.cuStreamAttachMemAsync(stream, address, bytes, flags)
    }
);

/// `cudaPointerAttributes`; CUDA 13's has room behind it, all zeros.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Attributes {
    kind: i32,
    device: i32,
    device_address: usize,
    host_address: usize,
}

/// Bytes that CUDA 13's `cudaPointerAttributes` is longer.
const RESERVED: usize = 64;

// A pointer that the driver doesn't know is no error: it is host memory of the program's own.
entry!(cudaPointerGetAttributes, |out: Out<Attributes>, address: usize| {
    let driver = current()?;
    out.required()?;
    let (mut kind, mut managed, mut found) = (0, 0, Attributes { device: chosen()?, ..Attributes::default() });
    // CU_POINTER_ATTRIBUTE_MEMORY_TYPE, _IS_MANAGED, _DEVICE_ORDINAL, _DEVICE_POINTER, _HOST_POINTER
    let asked = [2, 8, 9, 3, 4];
    let mut places = [
        Room::of(&mut kind),
        Room::of(&mut managed),
        Room::of(&mut found.device),
        Room::of(&mut found.device_address),
        Room::of(&mut found.host_address),
    ];
    driver.cuPointerGetAttributes(5, Given::of(&asked), Room::many(&mut places), address)?;
    found.kind = if managed == 1 { 3 } else { kind };
    if found.kind == 0 {
        found = Attributes { kind: 0, device: -2, device_address: 0, host_address: address };
    }
    let room = out.as_room();
    out.set(found)?;
    if major() != 12 {
        // SAFETY: CUDA 13's structure is that much longer.
        unsafe { room.after::<Attributes>().clear(RESERVED) };
    }
    Ok(())
});
