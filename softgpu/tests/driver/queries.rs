//! What the driver tells of itself: entry points by name, error names, attributes, occupancy.

use crate::rules::function;
use crate::support::{context, turn};
use cudarc::driver::result::{self, DriverError};
use cudarc::driver::sys::{self, CUresult::*, *};

#[test]
fn entry_points_by_name() {
    let _turn = turn();
    type GetProc = unsafe extern "C" fn(*const std::ffi::c_char, *mut *mut std::ffi::c_void, i32, u64, *mut i32) -> i32;
    // SAFETY: only the address is looked at.
    unsafe {
        let get = *sys::culib().get::<GetProc>(b"cuGetProcAddress_v2").unwrap();
        let ask = |name: &std::ffi::CStr, version| {
            let (mut found, mut status) = (std::ptr::null_mut(), -1);
            let code = get(name.as_ptr(), &mut found, version, 0, &mut status);
            (code, found as usize, status)
        };
        let address = |name: &str| *sys::culib().get::<*const ()>(name.as_bytes()).unwrap() as usize;
        // 3.2 brought the 64-bit form, 12.5 the fourth form of context creation.
        assert_eq!(ask(c"cuMemAlloc", 12000), (0, address("cuMemAlloc_v2"), 0));
        assert_eq!(ask(c"cuMemAlloc", 2000), (0, address("cuMemAlloc"), 0));
        assert_eq!(ask(c"cuCtxCreate", 12050), (0, address("cuCtxCreate_v4"), 0));
        assert_eq!(ask(c"cuCtxCreate", 11040), (0, address("cuCtxCreate_v3"), 0));
        assert_eq!(ask(c"cuNothing", 12000), (0, 0, 1));
        assert_eq!(ask(c"cuGraphCreate", 9000), (0, 0, 2));
    }
    // What is not there answers so, whatever its arguments.
    // SAFETY: refused without a look at its arguments.
    let answer = unsafe { sys::cuArrayDestroy(std::ptr::null_mut()) };
    assert_eq!(answer, CUDA_ERROR_NOT_SUPPORTED);
}

#[test]
fn every_symbol_cudarc_knows_is_exported() {
    let _turn = turn();
    let table = include_str!("../../src/driver/symbols.txt");
    let names = table.lines().filter(|l| !l.starts_with('#'));
    let mut count = 0;
    for name in names.filter_map(|l| l.split(' ').next()) {
        // SAFETY: only the address is looked at.
        let found = unsafe { sys::culib().get::<*const ()>(name.as_bytes()) };
        assert!(found.is_ok(), "{name} is not exported");
        count += 1;
    }
    assert!(count > 500);
}

#[test]
fn error_names() {
    let name = DriverError(CUDA_ERROR_STREAM_CAPTURE_ISOLATION);
    let _turn = turn();
    assert_eq!(name.error_name().unwrap().to_str().unwrap(), "CUDA_ERROR_STREAM_CAPTURE_ISOLATION");
    let text = DriverError(CUDA_ERROR_ILLEGAL_ADDRESS);
    assert_eq!(text.error_string().unwrap().to_str().unwrap(), "an illegal memory access was encountered");
}

/// By their numbers: names there are only for those that exist.
#[test]
fn attributes_that_are_none() {
    let _turn = turn();
    type Get = unsafe extern "C" fn(*mut i32, i32, i32) -> i32;
    // SAFETY: the type of that function.
    let get = unsafe { sys::culib().get::<Get>(b"cuDeviceGetAttribute") }.unwrap();
    let mut value = 7;
    for (attribute, code) in [(0, 1), (100_000, 1), (10, 0)] {
        // SAFETY: a place for the value.
        assert_eq!(unsafe { get(&mut value, attribute, 0) }, code, "{attribute}");
    }
    assert_eq!(value, 32);
}

#[test]
fn occupancy_queries() {
    let _turn = turn();
    let context = context();
    let f = function(&context, "store");
    let blocks = f.occupancy_max_active_blocks_per_multiprocessor(256, 0, None).unwrap();
    assert_eq!(blocks, 6);
    let blocks = f.occupancy_max_active_blocks_per_multiprocessor(128, 40 << 10, None).unwrap();
    assert_eq!(blocks, 2);
    let spare = f.occupancy_available_dynamic_smem_per_block(2, 128).unwrap();
    assert_eq!(spare, (50 << 10) - 1024);
    let optin = context.attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN).unwrap();
    assert_eq!(optin, 99 << 10);
}

/// A runtime's own threads wait for events and streams that others made.
#[test]
fn events_and_streams_bring_their_context_where_none_is_current() {
    let _turn = turn();
    let context = context();
    // SAFETY: softgpu checks the context.
    let device = unsafe { result::malloc_sync(4) }.unwrap();
    let stream = result::stream::create(result::stream::StreamKind::NonBlocking).unwrap();
    let [start, end] = [0; 2].map(|_| result::event::create(CUevent_flags::CU_EVENT_DEFAULT).unwrap());
    // SAFETY: the memory is as long as the fill; it and the handles live until the end.
    unsafe {
        result::event::record(start, stream).unwrap();
        result::memset_d8_async(device, 7, 4, stream).unwrap();
        result::event::record(end, stream).unwrap();
    }
    let handles = [stream as usize, start as usize, end as usize];
    let elsewhere = std::thread::spawn(move || {
        let [stream, start, end] = handles;
        let (stream, start, end) = (stream as CUstream, start as CUevent, end as CUevent);
        // SAFETY: handles of live objects.
        unsafe {
            assert_eq!(result::event::query(end), Err(DriverError(CUDA_ERROR_NOT_READY)));
            result::event::synchronize(end).unwrap();
            result::event::query(end).unwrap();
            assert!(result::event::elapsed(start, end).unwrap() >= 0.0);
            result::stream::wait_event(stream, end, CUevent_wait_flags::CU_EVENT_WAIT_DEFAULT).unwrap();
            result::event::record(end, stream).unwrap();
            result::stream::synchronize(stream).unwrap();
            assert_eq!(cuStreamQuery(std::ptr::null_mut()), CUDA_ERROR_INVALID_CONTEXT);
        }
        assert_eq!(result::ctx::get_current(), Ok(None));
    });
    elsewhere.join().unwrap();
    let mut got = [0u8; 4];
    // SAFETY: as long as the memory.
    unsafe { result::memcpy_dtoh_sync(&mut got, device).unwrap() };
    assert_eq!(got, [7; 4]);
    // SAFETY: nothing uses them any more.
    unsafe {
        result::event::destroy(start).unwrap();
        result::event::destroy(end).unwrap();
        result::stream::destroy(stream).unwrap();
        result::free_sync(device).unwrap();
    }
    drop(context);
}
