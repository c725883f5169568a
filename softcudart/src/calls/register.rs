//! What nvcc's host code calls before `main`, and around a launch.
//!
//! These functions are not documented; their declarations are in `crt/host_runtime.h`, which nvcc compiles into every
//! program.

use crate::abi::*;
use crate::program::{self, HostPlace, Wrapper};
use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs what has no code to answer with.
fn quietly<T: Default>(body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_default()
}

/// The handle that nvcc's code keeps is the image's number.
#[unsafe(no_mangle)]
unsafe extern "C" fn __cudaRegisterFatBinary(wrapper: Option<&'static Wrapper<'static>>) -> usize {
    quietly(|| wrapper.map_or(0, program::register_image))
}

// Nothing is loaded before it is used.
#[unsafe(no_mangle)]
unsafe extern "C" fn __cudaRegisterFatBinaryEnd(_image: usize) {}

#[unsafe(no_mangle)]
unsafe extern "C" fn __cudaUnregisterFatBinary(image: usize) {
    call("__cudaUnregisterFatBinary", || program::unregister_image(image));
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __cudaRegisterFunction(
    image: usize,
    stub: usize,
    _function: Text,
    name: Text,
    _threads: i32,
    _tid: Given,
    _bid: Given,
    _block: Given,
    _grid: Given,
    _warp: Given,
) {
    quietly(|| name.get().map(|name| program::register_kernel(image, stub, name)));
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __cudaRegisterVar(
    image: usize,
    shadow: usize,
    _address: Text,
    name: Text,
    _external: i32,
    _bytes: usize,
    _constant: i32,
    _global: i32,
) {
    quietly(|| name.get().map(|name| program::register_variable(image, shadow, name)));
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __cudaRegisterManagedVar(
    image: usize,
    place: HostPlace,
    _address: Text,
    name: Text,
    _external: i32,
    _bytes: usize,
    _constant: i32,
    _global: i32,
) {
    quietly(|| name.get().map(|name| program::register_managed(image, place, name)));
}

// The program is about to touch a managed variable.
#[unsafe(no_mangle)]
unsafe extern "C" fn __cudaInitModule(image: usize) -> i8 {
    (call("__cudaInitModule", || program::load_image(image)) == 0) as i8
}

/// What `<<<grid, block, shared, stream>>>` says.
type Configuration = (Dim3, Dim3, usize, Handle);

thread_local! {
    /// Those that are pushed and not popped. It is never dropped: a program may launch while its thread ends.
    static CONFIGURATIONS: RefCell<ManuallyDrop<Vec<Configuration>>> =
        const { RefCell::new(ManuallyDrop::new(Vec::new())) };
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __cudaPushCallConfiguration(grid: Dim3, block: Dim3, shared: usize, stream: Handle) -> u32 {
    CONFIGURATIONS.with_borrow_mut(|c| c.push((grid, block, shared, stream)));
    0
}

entry!(__cudaPopCallConfiguration, |grid: Out<Dim3>, block: Out<Dim3>, shared: Out<usize>, stream: Out<Handle>| {
    let Some(top) = CONFIGURATIONS.with_borrow_mut(|c| c.pop()) else {
        return refuse(MISSING_CONFIGURATION, "a kernel's host stub was called without <<<...>>>");
    };
    grid.set(top.0)?;
    block.set(top.1)?;
    shared.set(top.2)?;
    stream.set(top.3)
});

// A stub of nvcc 12.8 and later asks for its kernel once and launches by what it gets. It gets its own address, so that
// whatever stands in the way of the kernel is said by every launch.
entry!(__cudaGetKernel, |kernel: Out<usize>, stub: usize| kernel.set(stub));
