//! Copies of consecutive bytes.

use crate::driver::abi::*;
use crate::driver::objects::copy::Place::{Device, Host};
use crate::driver::objects::*;

fn linear(target: Place, source: Place, bytes: usize, stream: Option<Handle>) -> Answer {
    enter()?.copy(Copy::linear(target, source, bytes as u64), stream)
}

entry!(cuMemcpyHtoD_v2, |to: u64, from: HostAddress, bytes: usize| { linear(Device(to), Host(from), bytes, None) });

entry!(cuMemcpyHtoDAsync_v2, |to: u64, from: HostAddress, bytes: usize, stream: Handle| {
    linear(Device(to), Host(from), bytes, Some(stream))
});

entry!(cuMemcpyDtoH_v2, |to: HostAddress, from: u64, bytes: usize| { linear(Host(to), Device(from), bytes, None) });

entry!(cuMemcpyDtoHAsync_v2, |to: HostAddress, from: u64, bytes: usize, stream: Handle| {
    linear(Host(to), Device(from), bytes, Some(stream))
});

entry!(cuMemcpyDtoD_v2, |to: u64, from: u64, bytes: usize| { linear(Device(to), Device(from), bytes, None) });

entry!(cuMemcpyDtoDAsync_v2, |to: u64, from: u64, bytes: usize, stream: Handle| {
    linear(Device(to), Device(from), bytes, Some(stream))
});

fn unified(to: HostAddress, from: HostAddress, bytes: usize, stream: Option<Handle>) -> Answer {
    let memory = &driver()?.memory;
    linear(Place::unified(memory, to), Place::unified(memory, from), bytes, stream)
}

entry!(cuMemcpy, |to: HostAddress, from: HostAddress, bytes: usize| unified(to, from, bytes, None));

entry!(cuMemcpyAsync, |to: HostAddress, from: HostAddress, bytes: usize, stream: Handle| {
    unified(to, from, bytes, Some(stream))
});

// Between contexts of the one device; both must exist.
entry!(cuMemcpyPeerAsync, |to: u64,
                           to_context: Handle,
                           from: u64,
                           from_context: Handle,
                           bytes: usize,
                           stream: Handle| {
    let state = lock()?;
    for context in [to_context, from_context] {
        state.contexts.known(context)?;
    }
    drop(state);
    linear(Device(to), Device(from), bytes, Some(stream))
});
