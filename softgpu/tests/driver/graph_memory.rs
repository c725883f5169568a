//! Graphs that allocate and free.

use crate::support::{context, turn};
use cudarc::driver::result;
use cudarc::driver::sys::{self, CUresult::*, *};
use std::mem::{MaybeUninit, zeroed};
use std::ptr::null_mut;

const BYTES: usize = 4 * 100;

fn words(address: CUdeviceptr) -> [u32; 100] {
    let mut out = [0u32; 100];
    // SAFETY: pointers to live values; softgpu checks the address.
    unsafe { result::memcpy_dtoh_sync(&mut out, address) }.unwrap();
    out
}

/// A graph that allocates, fills with a number and, if wanted, copies to `to` and frees; and the address.
unsafe fn graph(context: CUcontext, value: u32, to: Option<CUdeviceptr>) -> (CUgraph, CUdeviceptr) {
    // SAFETY: pointers to live values; softgpu checks handles and addresses.
    unsafe {
        let ok = CUDA_SUCCESS;
        let (mut graph, [mut made, mut filled, mut copied, mut freed]) = (null_mut(), [null_mut(); 4]);
        assert_eq!(sys::cuGraphCreate(&mut graph, 0), ok);
        let mut p: CUDA_MEM_ALLOC_NODE_PARAMS = zeroed();
        p.poolProps.allocType = CUmemAllocationType::CU_MEM_ALLOCATION_TYPE_PINNED;
        p.poolProps.location.type_ = CUmemLocationType::CU_MEM_LOCATION_TYPE_DEVICE;
        p.bytesize = BYTES;
        assert_eq!(sys::cuGraphAddMemAllocNode(&mut made, graph, null_mut(), 0, &mut p), ok);
        let mut kind = CUgraphNodeType::CU_GRAPH_NODE_TYPE_EMPTY;
        assert_eq!(sys::cuGraphNodeGetType(made, &mut kind), ok);
        assert_eq!(kind, CUgraphNodeType::CU_GRAPH_NODE_TYPE_MEM_ALLOC);
        let mut again: CUDA_MEM_ALLOC_NODE_PARAMS = zeroed();
        assert_eq!(sys::cuGraphMemAllocNodeGetParams(made, &mut again), ok);
        assert_eq!((again.dptr, again.bytesize), (p.dptr, BYTES));
        let mut fill: CUDA_MEMSET_NODE_PARAMS = zeroed();
        (fill.dst, fill.value, fill.elementSize, fill.width, fill.height) = (p.dptr, value, 4, BYTES / 4, 1);
        assert_eq!(sys::cuGraphAddMemsetNode(&mut filled, graph, &made, 1, &fill, context), ok);
        if let Some(to) = to {
            // zero is no memory type
            let mut copy = MaybeUninit::<CUDA_MEMCPY3D>::zeroed();
            (&raw mut (*copy.as_mut_ptr()).srcMemoryType).write(CUmemorytype::CU_MEMORYTYPE_DEVICE);
            (&raw mut (*copy.as_mut_ptr()).dstMemoryType).write(CUmemorytype::CU_MEMORYTYPE_DEVICE);
            let mut copy = copy.assume_init();
            (copy.srcDevice, copy.dstDevice) = (p.dptr, to);
            (copy.WidthInBytes, copy.Height, copy.Depth) = (BYTES, 1, 1);
            assert_eq!(sys::cuGraphAddMemcpyNode(&mut copied, graph, &filled, 1, &copy, context), ok);
            assert_eq!(sys::cuGraphAddMemFreeNode(&mut freed, graph, &copied, 1, p.dptr), ok);
            let twice = sys::cuGraphAddMemFreeNode(&mut freed, graph, &copied, 1, p.dptr);
            assert_eq!(twice, CUDA_ERROR_INVALID_VALUE);
        }
        (graph, p.dptr)
    }
}

unsafe fn instantiate(graph: CUgraph, flags: u64) -> CUgraphExec {
    let mut exec = null_mut();
    // SAFETY: a pointer to a live value.
    assert_eq!(unsafe { sys::cuGraphInstantiateWithFlags(&mut exec, graph, flags) }, CUDA_SUCCESS);
    exec
}

fn in_use() -> u64 {
    let mut value = 0u64;
    let attribute = CUgraphMem_attribute::CU_GRAPH_MEM_ATTR_USED_MEM_CURRENT;
    // SAFETY: the attribute has 64 bits.
    let code = unsafe { sys::cuDeviceGetGraphMemAttribute(0, attribute, (&raw mut value).cast()) };
    assert_eq!(code, CUDA_SUCCESS);
    value
}

#[test]
fn memory_that_a_graph_allocates_and_frees() {
    let turn = turn();
    let context = context();
    // SAFETY: softgpu checks handles and addresses.
    unsafe {
        let out = result::malloc_sync(BYTES).unwrap();
        let (graph, address) = graph(context.cu_ctx(), 7, Some(out));
        let exec = instantiate(graph, 0);
        let mut other = null_mut();
        assert_eq!(sys::cuGraphInstantiateWithFlags(&mut other, graph, 0), CUDA_ERROR_NOT_SUPPORTED);
        assert_eq!(sys::cuGraphClone(&mut null_mut(), graph), CUDA_ERROR_NOT_SUPPORTED);
        for _ in 0..3 {
            result::memset_d8_sync(out, 0, BYTES).unwrap();
            assert_eq!(sys::cuGraphLaunch(exec, null_mut()), CUDA_SUCCESS);
            assert_eq!(words(out), [7; 100]);
            assert_eq!(in_use(), 0);
            // between launches it is nobody's
            let mut word = [0u32];
            assert!(result::memcpy_dtoh_sync(&mut word, address).is_err());
            assert!(result::free_sync(address).is_err());
        }
        let fresh = result::malloc_sync(BYTES).unwrap();
        assert_ne!(fresh, address, "the address is the graph's");
        for memory in [fresh, out] {
            result::free_sync(memory).unwrap();
        }
        assert_eq!(sys::cuGraphExecDestroy(exec), CUDA_SUCCESS);
        assert_eq!(sys::cuGraphDestroy(graph), CUDA_SUCCESS);
    }
    drop(turn);
}

#[test]
fn memory_that_outlives_its_launch() {
    let turn = turn();
    let context = context();
    // SAFETY: softgpu checks handles and addresses.
    unsafe {
        for flags in [0, 1] {
            let (graph, address) = graph(context.cu_ctx(), 5, None);
            let exec = instantiate(graph, flags);
            assert_eq!(sys::cuGraphLaunch(exec, null_mut()), CUDA_SUCCESS);
            assert_eq!(words(address), [5; 100]);
            assert_eq!(in_use(), BYTES as u64);
            // a second launch would allocate what is there
            let code = sys::cuGraphLaunch(exec, null_mut());
            assert_eq!(code == CUDA_SUCCESS, flags == 1, "{code:?}");
            assert_eq!(words(address), [5; 100]);
            result::free_sync(address).unwrap();
            assert_eq!(in_use(), 0);
            assert_eq!(sys::cuGraphLaunch(exec, null_mut()), CUDA_SUCCESS);
            assert_eq!(sys::cuGraphExecDestroy(exec), CUDA_SUCCESS);
            assert_eq!(sys::cuGraphDestroy(graph), CUDA_SUCCESS);
            // the memory stays until it is freed
            assert_eq!(words(address), [5; 100]);
            result::free_sync(address).unwrap();
        }
    }
    drop(turn);
}

#[test]
fn captured_allocations() {
    let turn = turn();
    let context = context();
    let stream = context.new_stream().unwrap();
    // SAFETY: softgpu checks handles and addresses.
    unsafe {
        let out = result::malloc_sync(BYTES).unwrap();
        let (raw, mode) = (stream.cu_stream(), CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_GLOBAL);
        assert_eq!(sys::cuStreamBeginCapture_v2(raw, mode), CUDA_SUCCESS);
        let mut address = 0;
        assert_eq!(sys::cuMemAllocAsync(&mut address, BYTES, raw), CUDA_SUCCESS);
        assert_eq!(sys::cuMemsetD32Async(address, 9, BYTES / 4, raw), CUDA_SUCCESS);
        assert_eq!(sys::cuMemcpyDtoDAsync_v2(out, address, BYTES, raw), CUDA_SUCCESS);
        assert_eq!(sys::cuMemFreeAsync(address, raw), CUDA_SUCCESS);
        let mut graph = null_mut();
        assert_eq!(sys::cuStreamEndCapture(raw, &mut graph), CUDA_SUCCESS);
        let exec = instantiate(graph, 0);
        for _ in 0..2 {
            result::memset_d8_sync(out, 0, BYTES).unwrap();
            context.synchronize().unwrap();
            assert_eq!(sys::cuGraphLaunch(exec, raw), CUDA_SUCCESS);
            stream.synchronize().unwrap();
            assert_eq!(words(out), [9; 100]);
        }
        assert_eq!(sys::cuGraphExecDestroy(exec), CUDA_SUCCESS);
        assert_eq!(sys::cuGraphDestroy(graph), CUDA_SUCCESS);
        result::free_sync(out).unwrap();
    }
    drop(turn);
}
