//! Code loaded at run time. Options are the driver's.

use crate::abi::*;
use crate::context::current;
use crate::program::note_kernel;

entry!(cudaLibraryLoadData, |out: Out<Handle>,
                             code: Given,
                             options: Given,
                             values: Given,
                             count: u32,
                             library_options: Given,
                             library_values: Given,
                             library_count: u32| {
    let driver = current()?;
    driver.cuLibraryLoadData(out, code, options, values, count, library_options, library_values, library_count)
});

entry!(cudaLibraryLoadFromFile, |out: Out<Handle>,
                                 path: Given,
                                 options: Given,
                                 values: Given,
                                 count: u32,
                                 library_options: Given,
                                 library_values: Given,
                                 library_count: u32| {
    let driver = current()?;
    driver.cuLibraryLoadFromFile(out, path, options, values, count, library_options, library_values, library_count)
});

entry!(cudaLibraryUnload, |library: Handle| current()?.cuLibraryUnload(library));

entry!(cudaLibraryGetKernel, |out: Out<Handle>, library: Handle, name: Given| {
    let mut kernel = Handle::NULL;
    current()?.cuLibraryGetKernel(Out::of(&mut kernel), library, name)?;
    note_kernel(kernel);
    out.set(kernel)
});

entry!(cudaLibraryGetKernelCount, |count: Out<u32>, library: Handle| {
    current()?.cuLibraryGetKernelCount(count, library)
});

entry!(cudaLibraryEnumerateKernels, |kernels: Room, room: u32, library: Handle| {
    let driver = current()?;
    let mut count = 0;
    driver.cuLibraryGetKernelCount(Out::of(&mut count), library)?;
    let mut found = vec![Handle::NULL; count.min(room) as usize];
    driver.cuLibraryEnumerateKernels(Room::many(&mut found), count.min(room), library)?;
    found.iter().copied().for_each(note_kernel);
    valid(kernels.is_given() || found.is_empty(), "no room for the kernels")?;
    // SAFETY: the program gives room for so many.
    unsafe { kernels.write(&found) };
    Ok(())
});

entry!(cudaLibraryGetGlobal, |address: Out<usize>, bytes: Out<usize>, library: Handle, name: Given| {
    current()?.cuLibraryGetGlobal(address, bytes, library, name)
});

entry!(cudaLibraryGetManaged, |address: Out<usize>, bytes: Out<usize>, library: Handle, name: Given| {
    current()?.cuLibraryGetManaged(address, bytes, library, name)
});

entry!(cudaLibraryGetUnifiedFunction, |function: Out<usize>, library: Handle, name: Given| {
    current()?.cuLibraryGetUnifiedFunction(function, library, name)
});
