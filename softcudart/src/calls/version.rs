//! Versions, the driver's entry points, and the back door that is not there.

use crate::abi::*;
use crate::context::running;

entry!(cudaRuntimeGetVersion, |version: Out<i32>| version.set(own_version() as i32));

entry!(cudaDriverGetVersion, |version: Out<i32>| {
    // Without a driver the answer is 0, and no error (runtime API, `cudaDriverGetVersion`).
    match running() {
        Ok(driver) => driver.cuDriverGetVersion(version),
        Err(_) => version.set(0),
    }
});

/// Flags: 0 as the program was compiled, 1 legacy default stream, 2 a default stream a thread. The status is the
/// driver's.
fn entry_point(name: Given, address: Out<usize>, version: u32, flags: u64, status: Out<i32>, own: bool) -> Answer {
    let flags = if flags == 0 && own { 2 } else { flags };
    running()?.cuGetProcAddress_v2(name, address, version as i32, flags, status)
}

/// The version of the runtime's headers that a program without a version means.
fn own_version() -> u32 {
    if major() == 12 { 12090 } else { 13000 }
}

entry!(cudaGetDriverEntryPoint, |name: Given, address: Out<usize>, flags: u64, status: Out<i32>| {
    entry_point(name, address, own_version(), flags, status, false)
});

entry!(cudaGetDriverEntryPoint_ptsz, |name: Given, address: Out<usize>, flags: u64, status: Out<i32>| {
    entry_point(name, address, own_version(), flags, status, true)
});

entry!(cudaGetDriverEntryPointByVersion, |name: Given,
                                          address: Out<usize>,
                                          version: u32,
                                          flags: u64,
                                          status: Out<i32>| {
    entry_point(name, address, version, flags, status, false)
});

entry!(cudaGetDriverEntryPointByVersion_ptsz, |name: Given,
                                               address: Out<usize>,
                                               version: u32,
                                               flags: u64,
                                               status: Out<i32>| {
    entry_point(name, address, version, flags, status, true)
});
