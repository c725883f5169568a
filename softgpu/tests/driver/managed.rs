//! Managed memory through cudarc's `UnifiedSlice` and the driver's own calls.

use crate::support::{context, ptx, turn};
use cudarc::driver::sys::{self, CUmemAttach_flags::*, CUresult::*};
use cudarc::driver::{CudaContext, DriverError, LaunchConfig, PushKernelArg, result};
use cudarc::nvrtc::Ptx;
use std::sync::Arc;

const KERNELS: &str = r#"
extern "C" __global__ void twice(float* p, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) p[i] *= 2.0f;
}
__managed__ int shown = 5;
extern "C" __global__ void add(int v) { shown += v; }
"#;

fn one(threads: u32) -> LaunchConfig {
    LaunchConfig { grid_dim: (1, 1, 1), block_dim: (threads, 1, 1), shared_mem_bytes: 0 }
}

fn twice(context: &Arc<CudaContext>) -> cudarc::driver::CudaFunction {
    let module = context.load_module(Ptx::from_src(ptx(13, KERNELS))).unwrap();
    module.load_function("twice").unwrap()
}

#[test]
fn host_and_device_see_the_same_values() {
    let turn = turn();
    let context = context();
    let stream = context.new_stream().unwrap();
    let twice = twice(&context);
    // SAFETY: every bit pattern is a float.
    let mut data = unsafe { context.alloc_unified::<f32>(100, true) }.unwrap();
    for (i, v) in data.as_mut_slice().unwrap().iter_mut().enumerate() {
        *v = i as f32;
    }
    data.prefetch().unwrap();
    for _ in 0..3 {
        let mut builder = stream.launch_builder(&twice);
        builder.arg(&mut data).arg(&100);
        // SAFETY: the kernel stays within the 100 elements.
        unsafe { builder.launch(one(128)) }.unwrap();
    }
    stream.synchronize().unwrap();
    let want: Vec<f32> = (0..100).map(|i| 8.0 * i as f32).collect();
    assert_eq!(data.as_slice().unwrap(), want);
    // Copies take it for host and for device memory.
    let mut plain = stream.alloc_zeros::<f32>(100).unwrap();
    stream.memcpy_htod(&data, &mut plain).unwrap();
    assert_eq!(stream.clone_dtoh(&plain).unwrap(), want);
    stream.memset_zeros(&mut plain).unwrap();
    stream.memcpy_dtoh(&plain, &mut data).unwrap();
    stream.synchronize().unwrap();
    assert_eq!(data.as_slice().unwrap(), [0.0; 100]);
    drop((data, plain));
    assert_eq!(turn.library.take_findings().unwrap().matches("kind").count(), 0);
}

/// A kernel runs as late as it may here, too: who reads before synchronising reads old values.
#[test]
fn a_host_read_before_the_synchronisation_is_stale() {
    let _turn = turn();
    let context = context();
    let stream = context.new_stream().unwrap();
    let twice = twice(&context);
    // SAFETY: managed memory of 4 floats, used within its bounds until it is freed.
    unsafe {
        let address = result::malloc_managed(16, CU_MEM_ATTACH_GLOBAL).unwrap();
        let host = address as *mut f32;
        host.write_volatile(3.0);
        let mut builder = stream.launch_builder(&twice);
        builder.arg(&address).arg(&1);
        builder.launch(one(1)).unwrap();
        assert_eq!(host.read_volatile(), 3.0);
        stream.synchronize().unwrap();
        assert_eq!(host.read_volatile(), 6.0);
        result::free_sync(address).unwrap();
    }
}

#[test]
fn a_managed_variable() {
    let _turn = turn();
    let context = context();
    let stream = context.default_stream();
    let module = context.load_module(Ptx::from_src(ptx(12, KERNELS))).unwrap();
    let add = module.load_function("add").unwrap();
    let bytes = module.get_global("shown", &stream).unwrap();
    let address = cudarc::driver::DevicePtr::device_ptr(&bytes, &stream).0;
    let host = address as *mut i32;
    // SAFETY: a managed variable of four bytes.
    unsafe {
        assert_eq!(host.read_volatile(), 5);
        host.write_volatile(70);
        let mut builder = stream.launch_builder(&add);
        builder.arg(&7);
        builder.launch(one(1)).unwrap();
        stream.synchronize().unwrap();
        assert_eq!(host.read_volatile(), 77);
    }
}

#[test]
fn what_is_not_managed_is_refused() {
    let _turn = turn();
    let context = context();
    let invalid = Err(DriverError(CUDA_ERROR_INVALID_VALUE));
    // SAFETY: calls with addresses of this test.
    unsafe {
        let plain = result::malloc_sync(64).unwrap();
        let managed = result::malloc_managed(64, CU_MEM_ATTACH_HOST).unwrap();
        let is_managed = |address: u64| {
            let mut value = 7u32;
            let what = sys::CUpointer_attribute::CU_POINTER_ATTRIBUTE_IS_MANAGED;
            sys::cuPointerGetAttribute((&raw mut value).cast(), what, address).result().unwrap();
            value
        };
        assert_eq!((is_managed(plain), is_managed(managed)), (0, 1));
        let place = sys::CUmemLocation { type_: sys::CUmemLocationType::CU_MEM_LOCATION_TYPE_DEVICE, id: 0 };
        let stream = context.new_stream().unwrap();
        let prefetch = |address, bytes, place| result::mem_prefetch_async(address, bytes, place, stream.cu_stream());
        assert_eq!(prefetch(managed, 64, place), Ok(()));
        assert_eq!(prefetch(managed, 65, place), invalid);
        assert_eq!(prefetch(plain, 64, place), invalid);
        let elsewhere = sys::CUmemLocation { id: 3, ..place };
        let device = Err(DriverError(CUDA_ERROR_INVALID_DEVICE));
        assert_eq!(prefetch(managed, 64, elsewhere), device);
        let advice = sys::CUmem_advise::CU_MEM_ADVISE_SET_PREFERRED_LOCATION;
        assert_eq!(result::mem_advise(managed, 64, advice, place), Ok(()));
        assert_eq!(result::mem_advise(plain, 64, advice, place), invalid);
        let attach = |stream, bytes, flags| result::stream::attach_mem_async(stream, managed, bytes, flags);
        assert_eq!(attach(stream.cu_stream(), 64, CU_MEM_ATTACH_SINGLE), Ok(()));
        assert_eq!(attach(std::ptr::null_mut(), 64, CU_MEM_ATTACH_SINGLE), invalid);
        assert_eq!(attach(stream.cu_stream(), 32, CU_MEM_ATTACH_GLOBAL), invalid);
        let wrong = sys::cuMemAllocManaged(&mut 0, 64, 4).result();
        assert_eq!(wrong, invalid);
        result::free_sync(managed).unwrap();
        assert_eq!(prefetch(managed, 64, place), invalid);
        result::free_sync(plain).unwrap();
    }
}
