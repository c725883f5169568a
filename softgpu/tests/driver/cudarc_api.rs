//! cudarc's safe API, unchanged: memory, modules, launches, streams, events, graphs.

use crate::support::{context, ptx, turn};
use cudarc::driver::sys::{CUevent_flags, CUgraphInstantiate_flags, CUstreamCaptureMode};
use cudarc::driver::{CudaContext, LaunchConfig, PushKernelArg, result};
use cudarc::nvrtc::Ptx;

const SAXPY: &str = r#"
extern "C" __global__ void saxpy(float a, const float* x, float* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = a * x[i] + y[i];
}
__constant__ float scale[4];
extern "C" __global__ void scaled(float* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] *= scale[i % 4];
}
extern "C" __global__ void dynamic(float* y) {
    extern __shared__ float s[];
    s[threadIdx.x] = threadIdx.x;
    __syncthreads();
    y[threadIdx.x] = s[blockDim.x - 1 - threadIdx.x];
}
"#;

fn saxpy(major: u32) {
    let turn = turn();
    let context = CudaContext::new(0).unwrap();
    let module = context.load_module(Ptx::from_src(ptx(major, SAXPY))).unwrap();
    let kernel = module.load_function("saxpy").unwrap();
    let stream = context.new_stream().unwrap();
    let (n, length) = (1000, 1000i32);
    let x: Vec<f32> = (0..n).map(|i| i as f32).collect();
    let dx = stream.clone_htod(&x).unwrap();
    let mut dy = stream.alloc_zeros::<f32>(n).unwrap();
    for _ in 0..3 {
        let mut launch = stream.launch_builder(&kernel);
        launch.arg(&2.0f32).arg(&dx).arg(&mut dy).arg(&length);
        // SAFETY: pointers to live values; softgpu checks the handles.
        unsafe { launch.launch(LaunchConfig::for_num_elems(n as u32)) }.unwrap();
    }
    let y = stream.clone_dtoh(&dy).unwrap();
    assert!(y.iter().zip(&x).all(|(y, x)| *y == 6.0 * x));
    assert_eq!(turn.library.take_findings().unwrap(), r#"{"beyond":0,"findings":[]}"#);
}

#[test]
fn saxpy_with_nvrtc_12() {
    saxpy(12);
}

#[test]
fn saxpy_with_nvrtc_13() {
    saxpy(13);
}

#[test]
fn constants_and_dynamic_shared_memory() {
    let _turn = turn();
    let context = context();
    let stream = context.default_stream();
    let module = context.load_module(Ptx::from_src(ptx(13, SAXPY))).unwrap();
    let mut symbol = module.get_global("scale", &stream).unwrap();
    let values = [1.0f32, 2.0, 3.0, 4.0];
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_ne_bytes()).collect();
    stream.memcpy_htod(&bytes, &mut symbol).unwrap();
    let mut y = stream.clone_htod(&[1.0f32; 8]).unwrap();
    let kernel = module.load_function("scaled").unwrap();
    let mut launch = stream.launch_builder(&kernel);
    launch.arg(&mut y).arg(&8i32);
    // SAFETY: pointers to live values; softgpu checks the handles.
    unsafe { launch.launch(LaunchConfig::for_num_elems(8)) }.unwrap();
    assert_eq!(stream.clone_dtoh(&y).unwrap(), [1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0, 4.0]);

    let kernel = module.load_function("dynamic").unwrap();
    let mut out = stream.alloc_zeros::<f32>(64).unwrap();
    let mut launch = stream.launch_builder(&kernel);
    launch.arg(&mut out);
    let shape = LaunchConfig { grid_dim: (1, 1, 1), block_dim: (64, 1, 1), shared_mem_bytes: 256 };
    // SAFETY: pointers to live values; softgpu checks the handles.
    unsafe { launch.launch(shape) }.unwrap();
    let expected: Vec<f32> = (0..64).rev().map(|i| i as f32).collect();
    assert_eq!(stream.clone_dtoh(&out).unwrap(), expected);
}

#[test]
fn events_time_and_order() {
    let _turn = turn();
    let context = context();
    let (a, b) = (context.new_stream().unwrap(), context.new_stream().unwrap());
    let timed = Some(CUevent_flags::CU_EVENT_DEFAULT);
    let start = a.record_event(timed).unwrap();
    let mut data = a.alloc_zeros::<u32>(1 << 20).unwrap();
    a.memcpy_htod(&vec![7u32; 1 << 20], &mut data).unwrap();
    let end = a.record_event(timed).unwrap();
    b.wait(&end).unwrap();
    let out = b.clone_dtoh(&data).unwrap();
    assert!(out.iter().all(|v| *v == 7));
    let ms = start.elapsed_ms(&end).unwrap();
    assert!(ms > 0.0 && ms < 60_000.0, "{ms}");
}

#[test]
fn graphs_replay() {
    let turn = turn();
    let context = context();
    // SAFETY: pointers to live values; softgpu checks the handles.
    unsafe { context.disable_event_tracking() };
    let stream = context.new_stream().unwrap();
    let module = context.load_module(Ptx::from_src(ptx(12, SAXPY))).unwrap();
    let kernel = module.load_function("saxpy").unwrap();
    let x = stream.clone_htod(&[1.0f32; 100]).unwrap();
    let mut y = stream.alloc_zeros::<f32>(100).unwrap();
    stream.synchronize().unwrap();
    stream.begin_capture(CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_GLOBAL).unwrap();
    for a in [1.0f32, 2.0] {
        let mut launch = stream.launch_builder(&kernel);
        launch.arg(&a).arg(&x).arg(&mut y).arg(&100i32);
        // SAFETY: softgpu checks the stream.
        unsafe { launch.launch(LaunchConfig::for_num_elems(100)) }.unwrap();
    }
    let flags = CUgraphInstantiate_flags::CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH;
    let graph = stream.end_capture(flags).unwrap().unwrap();
    graph.upload().unwrap();
    assert_eq!(stream.clone_dtoh(&y).unwrap(), vec![0.0; 100]);
    for _ in 0..4 {
        graph.launch().unwrap();
    }
    assert_eq!(stream.clone_dtoh(&y).unwrap(), vec![12.0; 100]);
    assert_eq!(turn.library.take_findings().unwrap(), r#"{"beyond":0,"findings":[]}"#);
}

#[test]
fn pinned_memory_and_callbacks() {
    let _turn = turn();
    let context = context();
    let stream = context.new_stream().unwrap();
    let device = stream.clone_htod(&[5u32; 16]).unwrap();
    // SAFETY: pointers to live values; softgpu checks the handles.
    let mut pinned = unsafe { context.alloc_pinned::<u32>(16) }.unwrap();
    stream.memcpy_dtoh(&device, &mut pinned).unwrap();
    // as_slice waits for the copy's event.
    assert_eq!(pinned.as_slice().unwrap(), &[5; 16]);
    let (send, receive) = std::sync::mpsc::channel::<u32>();
    extern "C" fn answer(sender: *mut std::ffi::c_void) {
        // SAFETY: pointers to live values; softgpu checks the handles.
        let sender = unsafe { &*sender.cast::<std::sync::mpsc::Sender<u32>>() };
        sender.send(42).unwrap();
    }
    let sender = (&raw const send).cast_mut().cast();
    // SAFETY: pointers to live values; softgpu checks the handles.
    unsafe { result::stream::launch_host_function(stream.cu_stream(), answer, sender) }.unwrap();
    // No driver call any more: the idle watch has to run it.
    let limit = std::time::Duration::from_secs(20);
    assert_eq!(receive.recv_timeout(limit).unwrap(), 42);
    // The function may still be inside `send`; the sender has to outlive it.
    stream.synchronize().unwrap();
}

/// A host function that waits for what comes after the query must not block the query.
#[test]
fn a_query_never_blocks() {
    let _turn = turn();
    let context = context();
    let stream = context.new_stream().unwrap();
    let (send, receive) = std::sync::mpsc::channel::<()>();
    extern "C" fn wait(receiver: *mut std::ffi::c_void) {
        // SAFETY: pointers to live values; softgpu checks the handles.
        let receiver = unsafe { &*receiver.cast::<std::sync::mpsc::Receiver<()>>() };
        let limit = std::time::Duration::from_secs(30);
        receiver.recv_timeout(limit).unwrap();
    }
    let receiver = (&raw const receive).cast_mut().cast();
    // SAFETY: pointers to live values; softgpu checks the handles.
    unsafe { result::stream::launch_host_function(stream.cu_stream(), wait, receiver) }.unwrap();
    let event = stream.record_event(None).unwrap();
    assert!(!event.is_complete());
    send.send(()).unwrap();
    // Asking again and again gets there without any synchronisation.
    let start = std::time::Instant::now();
    while !event.is_complete() {
        assert!(start.elapsed().as_secs() < 20);
        std::thread::yield_now();
    }
}
