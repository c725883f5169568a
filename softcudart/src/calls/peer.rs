//! Several devices.

use crate::abi::*;
use crate::context::{chosen, current, known_device, primary};

entry!(cudaDeviceCanAccessPeer, |can: Out<i32>, device: i32, peer: i32| {
    known_device(device)?;
    known_device(peer)?.cuDeviceCanAccessPeer(can, device, peer)
});

entry!(cudaDeviceGetP2PAttribute, |value: Out<i32>, attribute: i32, from: i32, to: i32| {
    known_device(from)?;
    known_device(to)?.cuDeviceGetP2PAttribute(value, attribute, from, to)
});

/// Another device than the thread's own, by its primary context.
fn peer(device: i32) -> Answer<Handle> {
    let own = device == chosen()?;
    ensure(!own, INVALID_DEVICE, format_args!("device {device} is the thread's own, no peer"))?;
    primary(known_device(device)?, device)
}

entry!(cudaDeviceEnablePeerAccess, |device: i32, flags: u32| {
    let peer = peer(device)?;
    current()?.cuCtxEnablePeerAccess(peer, flags)
});

entry!(cudaDeviceDisablePeerAccess, |device: i32| {
    let peer = peer(device)?;
    current()?.cuCtxDisablePeerAccess(peer)
});

fn contexts(to: i32, from: i32) -> Answer<[Handle; 2]> {
    Ok([primary(known_device(to)?, to)?, primary(known_device(from)?, from)?])
}

entry!(cudaMemcpyPeer, |to: usize, to_device: i32, from: usize, from_device: i32, bytes: usize| {
    let [there, here] = contexts(to_device, from_device)?;
    current()?.cuMemcpyPeer(to, there, from, here, bytes)
});

entry!(cudaMemcpyPeerAsync, |to: usize,
                             to_device: i32,
                             from: usize,
                             from_device: i32,
                             bytes: usize,
                             stream: Handle| {
    let [there, here] = contexts(to_device, from_device)?;
    current()?.cuMemcpyPeerAsync(to, there, from, here, bytes, stream)
});
