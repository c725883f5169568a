//! Mistakes on the host's side, each with its corrected twin.

use crate::support::{Turn, context, ptx, turn};
use cudarc::driver::result::{self, stream::StreamKind};
use cudarc::driver::sys::{self, CUevent_flags, CUevent_wait_flags, CUresult::*, CUstream};
use cudarc::driver::{CudaContext, LaunchConfig, PushKernelArg};
use cudarc::nvrtc::Ptx;
use std::sync::Arc;

fn kinds(turn: &Turn) -> Vec<String> {
    let text = turn.library.take_findings().unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let list = value["findings"].as_array().unwrap();
    list.iter().map(|f| f["kind"].as_str().unwrap().to_string()).collect()
}

fn stream() -> CUstream {
    result::stream::create(StreamKind::NonBlocking).unwrap()
}

/// Reads pinned memory after a copy to it, with or without waiting.
fn read_back(wait: bool) -> u32 {
    let _context = context();
    // SAFETY: softgpu checks context and address.
    unsafe {
        let device = result::malloc_sync(4).unwrap();
        result::memcpy_htod_sync(device, &[77u32]).unwrap();
        result::ctx::synchronize().unwrap();
        let host = result::malloc_host(4, 0).unwrap().cast::<u32>();
        host.write(0);
        let s = stream();
        result::memcpy_dtoh_async(std::slice::from_raw_parts_mut(host, 1), device, s).unwrap();
        if wait {
            result::stream::synchronize(s).unwrap();
        }
        let seen = host.read_volatile();
        result::free_host(host.cast()).unwrap();
        result::free_sync(device).unwrap();
        seen
    }
}

#[test]
fn host_reads_before_its_copy_is_synchronised() {
    let _turn = turn();
    assert_eq!(read_back(false), 0);
    assert_eq!(read_back(true), 77);
}

/// Changes pinned memory after queueing a copy from it, with or without waiting.
fn overwrite(wait: bool) -> u32 {
    let _context = context();
    // SAFETY: softgpu checks context and address.
    unsafe {
        let device = result::malloc_sync(4).unwrap();
        let host = result::malloc_host(4, 0).unwrap().cast::<u32>();
        host.write(1);
        let s = stream();
        result::memcpy_htod_async(device, std::slice::from_raw_parts(host, 1), s).unwrap();
        if wait {
            result::stream::synchronize(s).unwrap();
        }
        host.write_volatile(2);
        result::stream::synchronize(s).unwrap();
        let mut seen = [0u32];
        result::memcpy_dtoh_sync(&mut seen, device).unwrap();
        result::free_host(host.cast()).unwrap();
        result::free_sync(device).unwrap();
        seen[0]
    }
}

#[test]
fn host_overwrites_what_is_still_being_copied() {
    let _turn = turn();
    assert_eq!(overwrite(false), 2);
    assert_eq!(overwrite(true), 1);
}

/// One stream writes, another reads, with or without an event between them.
fn two_streams(seed: u32, event_between: bool, turn: &Turn) -> u32 {
    turn.library.set("seed", &seed.to_string()).unwrap();
    let _context = context();
    // SAFETY: softgpu checks context and address.
    unsafe {
        let device = result::malloc_sync(4).unwrap();
        result::memset_d8_sync(device, 0, 4).unwrap();
        result::ctx::synchronize().unwrap();
        let (a, b) = (stream(), stream());
        result::memset_d8_async(device, 1, 4, a).unwrap();
        if event_between {
            let event = result::event::create(CUevent_flags::CU_EVENT_DISABLE_TIMING).unwrap();
            result::event::record(event, a).unwrap();
            result::stream::wait_event(b, event, CUevent_wait_flags::CU_EVENT_WAIT_DEFAULT).unwrap();
        }
        let mut seen = [0u32];
        result::memcpy_dtoh_async(&mut seen, device, b).unwrap();
        result::stream::synchronize(b).unwrap();
        result::free_sync(device).unwrap();
        seen[0]
    }
}

#[test]
fn streams_without_an_event_between_them() {
    let turn = turn();
    let wrong = (1..=20).filter(|s| two_streams(*s, false, &turn) == 0).count();
    let right = 20 - wrong;
    assert!(wrong > 0 && right > 0, "the seed draws both orders: {wrong} wrong, {right} right");
    assert!((1..=20).all(|s| two_streams(s, true, &turn) == 0x0101_0101));
    // The same seed gives the same order.
    let again: Vec<u32> = (1..=20).map(|s| two_streams(s, false, &turn)).collect();
    assert_eq!(again, (1..=20).map(|s| two_streams(s, false, &turn)).collect::<Vec<_>>());
}

const FILL: &str = r#"
extern "C" __global__ void fill(unsigned* p, unsigned v) { p[threadIdx.x] = v; }
"#;

fn freed_too_early(free_first: bool, context: &Arc<CudaContext>) -> Result<(), sys::CUresult> {
    let module = context.load_module(Ptx::from_src(ptx(13, FILL))).unwrap();
    let kernel = module.load_function("fill").unwrap();
    let s = context.new_stream().unwrap();
    // SAFETY: pointers to live values; softgpu checks the handles.
    unsafe {
        let device = result::malloc_async(s.cu_stream(), 128).unwrap();
        if free_first {
            result::free_async(device, s.cu_stream()).unwrap();
        }
        let mut launch = s.launch_builder(&kernel);
        launch.arg(&device).arg(&5u32);
        let shape = LaunchConfig { grid_dim: (1, 1, 1), block_dim: (32, 1, 1), shared_mem_bytes: 0 };
        launch.launch(shape).unwrap();
        if !free_first {
            result::free_async(device, s.cu_stream()).unwrap();
        }
    }
    s.synchronize().map_err(|e| e.0)
}

#[test]
fn use_after_stream_ordered_free() {
    let turn = turn();
    let context = context();
    assert_eq!(freed_too_early(false, &context), Ok(()));
    assert!(kinds(&turn).is_empty());
    // memcheck on: found; whether the launch also faults is the engine's to say.
    let outcome = freed_too_early(true, &context);
    let found = kinds(&turn);
    assert!(found.iter().any(|k| k == "use_after_free"), "{found:?} {outcome:?}");
}

#[test]
fn leaks_at_context_end() {
    let turn = turn();
    for leak in [true, false] {
        let context = context();
        // SAFETY: softgpu checks context and address.
        let memory = unsafe { result::malloc_sync(123) }.unwrap();
        if !leak {
            // SAFETY: softgpu checks context and address.
            unsafe { result::free_sync(memory) }.unwrap();
        }
        drop(context);
        let expected: Vec<&str> = if leak { vec!["leak"] } else { vec![] };
        assert_eq!(kinds(&turn), expected);
    }
}

#[test]
fn an_allocation_inside_a_capture() {
    let _turn = turn();
    let _context = context();
    let mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_GLOBAL;
    for inside in [true, false] {
        // SAFETY: softgpu checks context and address.
        unsafe {
            let s = stream();
            let before = (!inside).then(|| result::malloc_sync(16).unwrap());
            result::stream::begin_capture(s, mode).unwrap();
            let memory = before.or_else(|| result::malloc_sync(16).ok());
            assert_eq!(memory.is_none(), inside);
            let outcome = result::stream::end_capture(s).map(|_| ()).map_err(|e| e.0);
            if inside {
                assert_eq!(outcome, Err(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED));
            } else {
                assert_eq!(outcome, Ok(()));
                result::free_sync(memory.unwrap()).unwrap();
            }
        }
    }
}
