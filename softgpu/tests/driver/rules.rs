//! The driver's own rules: every limit and the code a call beyond it gets.

use crate::support::{context, ptx, turn};
use cudarc::driver::result::{self, DriverError};
use cudarc::driver::sys::{self, CUresult::*, *};
use cudarc::driver::{CudaContext, CudaFunction, LaunchConfig, PushKernelArg};
use cudarc::nvrtc::Ptx;
use std::sync::Arc;

const STORE: &str = r#"extern "C" __global__ void store(unsigned* p, unsigned v) { p[threadIdx.x] = v; }"#;

const KERNELS: &str = r#"
extern "C" __global__ void store(unsigned* p, unsigned v) { p[threadIdx.x] = v; }
extern "C" __global__ void __launch_bounds__(64) bounded(unsigned* p) { p[threadIdx.x] = 1; }
extern "C" __global__ void fixed_shared(float* p) {
    __shared__ float s[8192];
    s[threadIdx.x] = p[threadIdx.x];
    __syncthreads();
    p[threadIdx.x] = s[threadIdx.x ^ 1];
}
// 96 values are read before the first is written, in machine code too: they are volatile.
#define TAKE(i) unsigned v##i = p[i];
#define GIVE(i) p[i] = v##i;
#define EIGHT(do, i) do(i##0) do(i##1) do(i##2) do(i##3) do(i##4) do(i##5) do(i##6) do(i##7)
#define ALL(do) EIGHT(do, 1) EIGHT(do, 2) EIGHT(do, 3) EIGHT(do, 4) EIGHT(do, 5) EIGHT(do, 6) EIGHT(do, 7) EIGHT(do, 8) \
    EIGHT(do, 9) EIGHT(do, 10) EIGHT(do, 11) EIGHT(do, 12)
extern "C" __global__ void hungry(volatile unsigned* p) { ALL(TAKE) ALL(GIVE) }
extern "C" __global__ void __launch_bounds__(1024) thrifty(volatile unsigned* p) { ALL(TAKE) ALL(GIVE) }
extern "C" __global__ void sure(unsigned* p) { assert(p[threadIdx.x] < 5); }
__device__ unsigned counter = 7;
"#;

pub fn function(context: &Arc<CudaContext>, name: &str) -> CudaFunction {
    let module = context.load_module(Ptx::from_src(ptx(12, KERNELS))).unwrap();
    module.load_function(name).unwrap()
}

fn shape(grid: (u32, u32, u32), block: (u32, u32, u32), shared: u32) -> LaunchConfig {
    LaunchConfig { grid_dim: grid, block_dim: block, shared_mem_bytes: shared }
}

#[test]
fn launch_limits() {
    let turn = turn();
    let context = context();
    let stream = context.new_stream().unwrap();
    let store = function(&context, "store");
    let bounded = function(&context, "bounded");
    let fixed = function(&context, "fixed_shared");
    let mut data = stream.alloc_zeros::<u32>(1024).unwrap();
    let mut launch = |f: &CudaFunction, config: LaunchConfig| {
        let mut builder = stream.launch_builder(f);
        builder.arg(&mut data).arg(&3u32);
        // SAFETY: the arguments are of the kernel's types; what it does with them, softgpu checks.
        unsafe { builder.launch(config) }.map(|_| ()).map_err(|e| e.0)
    };
    let refused = Err(CUDA_ERROR_INVALID_VALUE);
    for (config, expected) in [
        (shape((1, 1, 1), (1024, 1, 1), 0), Ok(())),
        (shape((0, 1, 1), (1, 1, 1), 0), refused),
        (shape((1, 65536, 1), (1, 1, 1), 0), refused),
        (shape((1, 1, 65536), (1, 1, 1), 0), refused),
        (shape((1 << 31, 1, 1), (1, 1, 1), 0), refused),
        (shape((1, 1, 1), (1025, 1, 1), 0), refused),
        (shape((1, 1, 1), (1, 1, 65), 0), refused),
        (shape((1, 1, 1), (32, 33, 1), 0), refused),
        (shape((1, 1, 1), (32, 0, 1), 0), refused),
        (shape((1, 1, 1), (32, 1, 1), 49152), Ok(())),
        (shape((1, 1, 1), (32, 1, 1), 49153), refused),
    ] {
        assert_eq!(launch(&store, config), expected, "{config:?}");
    }
    assert_eq!(launch(&bounded, shape((1, 1, 1), (64, 1, 1), 0)), Ok(()));
    assert_eq!(launch(&bounded, shape((1, 1, 1), (65, 1, 1), 0)), refused);
    // 32 KiB static leave 16 KiB without opting in and 67 KiB with it.
    assert_eq!(launch(&fixed, shape((1, 1, 1), (32, 1, 1), 16385)), refused);
    let attribute = CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
    assert_eq!(fixed.set_attribute(attribute, 67 << 10), Ok(()));
    assert_eq!(launch(&fixed, shape((1, 1, 1), (32, 1, 1), 67 << 10)), Ok(()));
    assert_eq!(fixed.set_attribute(attribute, (67 << 10) + 1), Err(DriverError(CUDA_ERROR_INVALID_VALUE)));
    let message = turn.library.last_message().unwrap();
    assert!(message.contains("fixed_shared") && message.contains("101376"), "{message}");
    stream.synchronize().unwrap();
}

/// More threads than the register file suffices for: refused with the code that says so, and nothing sticks.
#[test]
fn registers_of_a_block() {
    let turn = turn();
    turn.library.set("check", "none").unwrap();
    let context = context();
    let stream = context.new_stream().unwrap();
    let mut data = stream.alloc_zeros::<u32>(1024).unwrap();
    let mut launch = |f: &CudaFunction, threads: u32| {
        let mut builder = stream.launch_builder(f);
        builder.arg(&mut data);
        // SAFETY: the arguments are of the kernel's types; what it does with them, softgpu checks.
        unsafe { builder.launch(shape((1, 1, 1), (threads, 1, 1), 0)) }.map(|_| ()).map_err(|e| e.0)
    };
    let hungry = function(&context, "hungry");
    let get = |f: &CudaFunction, a| f.get_attribute(a).unwrap();
    use CUfunction_attribute::*;
    assert_eq!(get(&hungry, CU_FUNC_ATTRIBUTE_NUM_REGS), 98);
    assert_eq!(get(&hungry, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK), 512);
    assert_eq!(launch(&hungry, 512), Ok(()));
    let refused = Err(CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES);
    assert_eq!(launch(&hungry, 513), refused);
    let message = turn.library.last_message().unwrap();
    assert!(message.contains("hungry") && message.contains("__launch_bounds__(513)"), "{message}");
    let occupancy = hungry.occupancy_max_active_blocks_per_multiprocessor(512, 0, None);
    assert_eq!(occupancy, Ok(1));
    let thrifty = function(&context, "thrifty");
    assert_eq!(get(&thrifty, CU_FUNC_ATTRIBUTE_NUM_REGS), 64);
    assert_eq!(launch(&thrifty, 1024), Ok(()));
    stream.synchronize().unwrap();
}

#[test]
fn no_context_is_current() {
    let _turn = turn();
    std::thread::spawn(|| {
        // SAFETY: softgpu checks context and address.
        assert_eq!(unsafe { result::malloc_sync(16) }, Err(DriverError(CUDA_ERROR_INVALID_CONTEXT)));
        assert_eq!(result::ctx::get_current(), Ok(None));
    })
    .join()
    .unwrap();
}

#[test]
fn stale_and_foreign_handles() {
    let _turn = turn();
    let context = context();
    let stream = result::stream::create(result::stream::StreamKind::NonBlocking).unwrap();
    let invalid = Err(DriverError(CUDA_ERROR_INVALID_HANDLE));
    // SAFETY: pointers to live values; softgpu checks the handles.
    unsafe {
        result::stream::destroy(stream).unwrap();
        assert_eq!(result::stream::synchronize(stream), invalid);
        assert_eq!(result::stream::destroy(stream), invalid);
        let event = result::event::create(CUevent_flags::CU_EVENT_DEFAULT).unwrap();
        // A handle of another kind.
        assert_eq!(result::stream::synchronize(event.cast()), invalid);
        // Never recorded: nothing to wait for, but nothing to measure either.
        assert_eq!(result::event::synchronize(event), Ok(()));
        assert_eq!(result::event::elapsed(event, event), invalid.map(|_: ()| 0.0));
        result::event::destroy(event).unwrap();
        assert_eq!(result::event::query(event), invalid);

        let ours = result::stream::create(result::stream::StreamKind::Default).unwrap();
        let other = CudaContext::new_non_primary(0, 0).unwrap();
        other.bind_to_thread().unwrap();
        assert_eq!(result::stream::synchronize(ours), invalid);
        drop(other);
    }
    context.bind_to_thread().unwrap();
    let f = function(&context, "store");
    let raw = f.clone();
    drop(f);
    let attribute = CUfunction_attribute::CU_FUNC_ATTRIBUTE_NUM_REGS;
    assert!(raw.get_attribute(attribute).unwrap() > 0);
}

#[test]
fn host_pointers_where_device_ones_belong() {
    let _turn = turn();
    let _context = context();
    let mut host = [1u8; 64];
    let refused = Err(DriverError(CUDA_ERROR_INVALID_VALUE));
    // SAFETY: softgpu checks context and address.
    unsafe {
        let device = result::malloc_sync(64).unwrap();
        assert_eq!(result::memcpy_htod_sync(host.as_ptr() as u64, &host), refused);
        assert_eq!(result::memcpy_dtoh_sync(&mut host, 64), refused);
        assert_eq!(result::memcpy_htod_sync(device + 1, &host), refused);
        assert_eq!(result::memset_d8_sync(device, 0, 65), refused);
        let from = std::slice::from_raw_parts(device as *const u8, 0);
        assert_eq!(result::memcpy_htod_sync(device, from), Ok(()));
        assert_eq!(sys::cuMemcpyHtoD_v2(device, device as *const _, 8), CUDA_ERROR_INVALID_VALUE);
        assert_eq!(result::free_sync(device + 8), refused);
        assert_eq!(result::free_sync(device), Ok(()));
        assert_eq!(result::free_sync(device), refused);
        assert_eq!(result::memcpy_htod_sync(device, &host), refused);
        assert_eq!(result::malloc_sync(0), refused.map(|_: ()| 0));
    }
}

#[test]
fn memory_runs_out() {
    let turn = turn();
    let _context = context();
    let (_, total) = result::mem_get_info().unwrap();
    // SAFETY: softgpu checks context and address.
    unsafe {
        assert_eq!(result::malloc_sync(total + 1), Err(DriverError(CUDA_ERROR_OUT_OF_MEMORY)));
        let message = turn.library.last_message().unwrap();
        assert!(message.contains(&format!("{total} in use")), "{message}");
        // Freed but not yet run: the driver waits for it before it gives up.
        let stream = result::stream::create(result::stream::StreamKind::NonBlocking).unwrap();
        let first = result::malloc_async(stream, total / 3 * 2).unwrap();
        result::free_async(first, stream).unwrap();
        let second = result::malloc_async(stream, total / 3 * 2).unwrap();
        result::free_async(second, stream).unwrap();
        result::stream::synchronize(stream).unwrap();
        assert_eq!(result::mem_get_info().unwrap().0, total);
    }
}

#[test]
fn binaries_and_broken_texts_are_refused() {
    let turn = turn();
    let context = context();
    // SAFETY: the bytes end as their kind of image must.
    let load = |bytes: &[u8]| unsafe { result::module::load_data(bytes.as_ptr().cast()) }.map_err(|e| e.0);
    assert_eq!(load(b"\x7fELF\x02\x01\x01\0").unwrap_err(), CUDA_ERROR_NO_BINARY_FOR_GPU);
    assert!(turn.library.last_message().unwrap().contains("cubin"));
    assert_eq!(load(b"\x50\xed\x55\xba\x01\0\x10\0\0\0\0\0\0\0\0\0").unwrap_err(), CUDA_ERROR_NO_BINARY_FOR_GPU);
    assert!(turn.library.last_message().unwrap().contains("fatbin"));
    assert_eq!(load(b"hello\0").unwrap_err(), CUDA_ERROR_INVALID_IMAGE);
    let broken = ptx(12, KERNELS).replace("st.global.u32", "st.global.q32");
    let refused = |error: DriverError| {
        assert_eq!(error.0, CUDA_ERROR_INVALID_PTX);
        let message = turn.library.last_message().unwrap();
        assert!(message.contains("PTX line") && message.contains("q32"), "{message}");
    };
    // Only kernels with that store are refused, each when it is asked for; where there are no others, the module.
    let module = context.load_module(Ptx::from_src(broken)).unwrap();
    module.load_function("fixed_shared").unwrap();
    refused(module.load_function("store").unwrap_err());
    let alone = ptx(12, STORE).replace("st.global.u32", "st.global.q32");
    refused(context.load_module(Ptx::from_src(alone)).unwrap_err());
    let module = context.load_module(Ptx::from_src(ptx(12, KERNELS))).unwrap();
    assert_eq!(module.load_function("nothing").unwrap_err().0, CUDA_ERROR_NOT_FOUND);
}

/// Launches a kernel that writes to an address nobody allocated; the codes of what follows.
fn write_astray() -> Vec<Result<(), DriverError>> {
    let context = context();
    let f = function(&context, "store");
    let stream = result::stream::create(result::stream::StreamKind::NonBlocking).unwrap();
    let (mut pointer, mut value) = (64u64, 1u32);
    let mut arguments = [(&raw mut pointer).cast(), (&raw mut value).cast()];
    // SAFETY: pointers to live values; softgpu checks the handles.
    unsafe {
        let kernel = f.cu_function();
        vec![
            result::launch_kernel(kernel, (1, 1, 1), (32, 1, 1), 0, stream, &mut arguments),
            result::stream::synchronize(stream),
            result::malloc_sync(16).map(|_| ()),
            result::ctx::synchronize(),
            result::stream::synchronize(stream),
        ]
    }
}

#[test]
fn a_fault_sticks_to_its_context() {
    let turn = turn();
    let healthy = context();
    let after = |code| {
        // The launch itself succeeds: the fault shows when the work runs.
        let mut expected = vec![Ok(())];
        expected.extend([Err(DriverError(code)); 4]);
        expected
    };
    turn.library.set("check", "none").unwrap();
    assert_eq!(write_astray(), after(CUDA_ERROR_ILLEGAL_ADDRESS));
    // With the checks on the access is reported and skipped, or ends the launch when asked to.
    turn.library.set("check", "all").unwrap();
    assert_eq!(write_astray(), vec![Ok(()); 5]);
    turn.library.set("abort", "1").unwrap();
    let aborted = write_astray();
    turn.library.set("abort", "0").unwrap();
    assert_eq!(aborted, after(CUDA_ERROR_LAUNCH_FAILED));
    healthy.bind_to_thread().unwrap();
    // SAFETY: softgpu checks context and address.
    unsafe {
        let memory = result::malloc_sync(16).unwrap();
        result::free_sync(memory).unwrap();
    }
}

#[test]
fn a_failed_assert_has_its_own_code() {
    let turn = turn();
    let context = context();
    let stream = context.new_stream().unwrap();
    let sure = function(&context, "sure");
    let launch = |values: &[u32]| {
        let data = stream.clone_htod(values).unwrap();
        let mut builder = stream.launch_builder(&sure);
        builder.arg(&data);
        // SAFETY: the arguments are of the kernel's types; what it does with them, softgpu checks.
        unsafe { builder.launch(shape((1, 1, 1), (4, 1, 1), 0)) }.unwrap();
        stream.synchronize()
    };
    assert_eq!(launch(&[1, 2, 3, 4]), Ok(()));
    assert_eq!(launch(&[1, 2, 3, 5]), Err(DriverError(CUDA_ERROR_ASSERT)));
    let message = turn.library.last_message().unwrap();
    assert!(message.contains("test.cu:") && message.contains("thread (3, 0, 0)"), "{message}");
}

#[test]
fn callbacks_may_not_call_the_driver() {
    let _turn = turn();
    let _context = context();
    extern "C" fn body(out: *mut std::ffi::c_void) {
        // SAFETY: the caller waits on this place.
        unsafe { *out.cast::<CUresult>() = sys::cuCtxSynchronize() };
    }
    let mut answer = CUDA_SUCCESS;
    let stream = result::stream::create(result::stream::StreamKind::NonBlocking).unwrap();
    // SAFETY: pointers to live values; softgpu checks the handles.
    unsafe {
        result::stream::launch_host_function(stream, body, (&raw mut answer).cast()).unwrap();
        result::stream::synchronize(stream).unwrap();
    }
    assert_eq!(answer, CUDA_ERROR_NOT_PERMITTED);
}

#[test]
fn capture_rules() {
    let _turn = turn();
    let _context = context();
    use result::stream::{self, StreamKind};
    let global = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_GLOBAL;
    // SAFETY: softgpu checks the stream.
    let ended = |s| unsafe { stream::end_capture(s) }.map(|_| ()).map_err(|e| e.0);
    let code = |r: Result<(), DriverError>| r.map_err(|e| e.0);
    // SAFETY: softgpu checks context and address.
    unsafe {
        let s = stream::create(StreamKind::NonBlocking).unwrap();
        let blocking = stream::create(StreamKind::Default).unwrap();
        let memory = result::malloc_sync(64).unwrap();

        assert_eq!(code(stream::begin_capture(stream::null(), global)), Err(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED));
        // Ending what never began.
        assert_eq!(ended(s), Err(CUDA_ERROR_ILLEGAL_STATE));

        // An allocation.
        stream::begin_capture(s, global).unwrap();
        assert_eq!(result::malloc_sync(16).map_err(|e| e.0), Err(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED));
        let status = stream::is_capturing(s).unwrap();
        assert_eq!(status, CUstreamCaptureStatus::CU_STREAM_CAPTURE_STATUS_INVALIDATED);
        assert_eq!(code(result::memset_d8_async(memory, 0, 64, s)), Err(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED));
        assert_eq!(ended(s), Err(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED));

        // A relaxed capture allows it.
        let relaxed = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_RELAXED;
        stream::begin_capture(s, relaxed).unwrap();
        let extra = result::malloc_sync(16).unwrap();
        result::free_sync(extra).unwrap();
        assert_eq!(ended(s), Ok(()));

        // Synchronisation, of the stream, of the context, of the event.
        stream::begin_capture(s, global).unwrap();
        assert_eq!(code(stream::synchronize(s)), Err(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED));
        assert_eq!(ended(s), Err(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED));
        stream::begin_capture(s, global).unwrap();
        assert_eq!(code(result::ctx::synchronize()), Err(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED));
        assert_eq!(ended(s), Err(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED));
        let event = result::event::create(CUevent_flags::CU_EVENT_DEFAULT).unwrap();
        stream::begin_capture(s, global).unwrap();
        result::event::record(event, s).unwrap();
        assert_eq!(code(result::event::synchronize(event)), Err(CUDA_ERROR_CAPTURED_EVENT));
        assert_eq!(ended(s), Err(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED));

        // The legacy stream beside a blocking stream that captures.
        stream::begin_capture(blocking, global).unwrap();
        assert_eq!(
            code(result::memset_d8_async(memory, 0, 64, stream::null())),
            Err(CUDA_ERROR_STREAM_CAPTURE_IMPLICIT)
        );
        assert_eq!(ended(blocking), Err(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED));

        // A dependency on work outside the capture.
        result::event::record(event, blocking).unwrap();
        stream::begin_capture(s, global).unwrap();
        let wait = CUevent_wait_flags::CU_EVENT_WAIT_DEFAULT;
        assert_eq!(code(stream::wait_event(s, event, wait)), Err(CUDA_ERROR_STREAM_CAPTURE_ISOLATION));
        assert_eq!(ended(s), Err(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED));

        // A fork that never joins, and one that does.
        for join in [false, true] {
            stream::begin_capture(s, global).unwrap();
            result::event::record(event, s).unwrap();
            stream::wait_event(blocking, event, wait).unwrap();
            result::memset_d8_async(memory, 9, 64, blocking).unwrap();
            if join {
                result::event::record(event, blocking).unwrap();
                stream::wait_event(s, event, wait).unwrap();
                // Only the stream the capture began on can end it.
                assert_eq!(ended(blocking), Err(CUDA_ERROR_STREAM_CAPTURE_UNMATCHED));
                assert_eq!(ended(s), Ok(()));
            } else {
                assert_eq!(ended(s), Err(CUDA_ERROR_STREAM_CAPTURE_UNJOINED));
            }
        }

        // Another thread ends it.
        stream::begin_capture(s, global).unwrap();
        let (handle, current) = (s as usize, result::ctx::get_current().unwrap().unwrap() as usize);
        std::thread::spawn(move || {
            result::ctx::set_current(current as CUcontext).unwrap();
            assert_eq!(
                stream::end_capture(handle as CUstream).map_err(|e| e.0),
                Err(CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD)
            );
        })
        .join()
        .unwrap();
        assert_eq!(ended(s), Ok(()));
        result::free_sync(memory).unwrap();
    }
}

#[test]
fn sizes_beyond_all_addresses() {
    let _turn = turn();
    let _context = context();
    let (mut byte, mut address, mut pitch) = (0u8, 0, 0);
    // SAFETY: nothing is read or written.
    let code = unsafe { sys::cuMemHostRegister_v2((&raw mut byte).cast(), usize::MAX, 0) };
    assert_eq!(code, CUDA_ERROR_INVALID_VALUE);
    for (width, height) in [(usize::MAX, 1), (512, usize::MAX)] {
        // SAFETY: places for the results.
        let code = unsafe { sys::cuMemAllocPitch_v2(&mut address, &mut pitch, width, height, 4) };
        assert_eq!(code, CUDA_ERROR_OUT_OF_MEMORY);
    }
}
