//! Host memory that the device can copy from and to late.

use crate::abi::*;
use crate::context::current;

fn allocate(out: Out<usize>, bytes: usize, flags: u32) -> Answer {
    match bytes {
        0 => out.set(0),
        _ => current()?.cuMemHostAlloc(out, bytes, flags),
    }
}

entry!(cudaMallocHost, |out: Out<usize>, bytes: usize| allocate(out, bytes, 0));

// The flags are the driver's.
entry!(cudaHostAlloc, |out: Out<usize>, bytes: usize, flags: u32| allocate(out, bytes, flags));

entry!(cudaFreeHost, |address: usize| {
    match address {
        0 => Ok(()),
        _ => current()?.cuMemFreeHost(address),
    }
});

entry!(cudaHostRegister, |address: usize, bytes: usize, flags: u32| {
    current()?.cuMemHostRegister_v2(address, bytes, flags)
});

entry!(cudaHostUnregister, |address: usize| current()?.cuMemHostUnregister(address));

entry!(cudaHostGetDevicePointer, |out: Out<usize>, address: usize, flags: u32| {
    current()?.cuMemHostGetDevicePointer_v2(out, address, flags)
});

entry!(cudaHostGetFlags, |flags: Out<u32>, address: usize| current()?.cuMemHostGetFlags(flags, address));
