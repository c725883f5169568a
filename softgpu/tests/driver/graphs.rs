//! Graphs built by hand, updated, and in the driver API's own structures; strided copies; pools.

use crate::support::{context, ptx, turn};
use cudarc::driver::result;
use cudarc::driver::sys::{self, CUresult::*, *};
use cudarc::nvrtc::Ptx;
use std::mem::zeroed;
use std::ptr::null_mut;

const ADD: &str = r#"
extern "C" __global__ void add(unsigned* p, unsigned v) { p[threadIdx.x] = p[threadIdx.x] * 10 + v; }
"#;

/// Reads 32 words.
fn words(address: CUdeviceptr) -> [u32; 32] {
    let mut out = [0u32; 32];
    // SAFETY: pointers to live values; softgpu checks the handles.
    unsafe { result::memcpy_dtoh_sync(&mut out, address) }.unwrap();
    out
}

#[test]
fn built_updated_and_cloned_by_hand() {
    let turn = turn();
    let context = context();
    let module = context.load_module(Ptx::from_src(ptx(13, ADD))).unwrap();
    let kernel = module.load_function("add").unwrap();
    let ok = CUDA_SUCCESS;
    // SAFETY: softgpu checks context and address.
    unsafe {
        let memory = result::malloc_sync(128).unwrap();
        let (mut graph, mut exec) = (null_mut(), null_mut());
        assert_eq!(sys::cuGraphCreate(&mut graph, 0), ok);
        let mut fill: CUDA_MEMSET_NODE_PARAMS = zeroed();
        (fill.dst, fill.value, fill.elementSize, fill.width, fill.height) = (memory, 0, 4, 32, 1);
        let mut first = null_mut();
        let none = null_mut();
        let code = sys::cuGraphAddMemsetNode(&mut first, graph, none, 0, &fill, context.cu_ctx());
        assert_eq!(code, ok);
        // Three kernels in a row: 0 -> 1 -> 12 -> 123.
        let mut before = first;
        let mut nodes = vec![];
        for value in 1..=3u32 {
            let (mut address, mut value) = (memory, value);
            let mut arguments = [(&raw mut address).cast(), (&raw mut value).cast()];
            let mut p: CUDA_KERNEL_NODE_PARAMS = zeroed();
            p.func = kernel.cu_function();
            (p.gridDimX, p.gridDimY, p.gridDimZ) = (1, 1, 1);
            (p.blockDimX, p.blockDimY, p.blockDimZ) = (32, 1, 1);
            p.kernelParams = arguments.as_mut_ptr();
            let mut node = null_mut();
            assert_eq!(sys::cuGraphAddKernelNode_v2(&mut node, graph, &before, 1, &p), ok);
            nodes.push(node);
            before = node;
        }
        let mut count = 0;
        assert_eq!(sys::cuGraphGetNodes(graph, null_mut(), &mut count), ok);
        assert_eq!(count, 4);
        let mut kind = CUgraphNodeType::CU_GRAPH_NODE_TYPE_EMPTY;
        assert_eq!(sys::cuGraphNodeGetType(first, &mut kind), ok);
        assert_eq!(kind, CUgraphNodeType::CU_GRAPH_NODE_TYPE_MEMSET);

        assert_eq!(sys::cuGraphInstantiateWithFlags(&mut exec, graph, 0), ok);
        let stream = context.new_stream().unwrap();
        for _ in 0..2 {
            assert_eq!(sys::cuGraphLaunch(exec, stream.cu_stream()), ok);
        }
        stream.synchronize().unwrap();
        assert_eq!(words(memory), [123; 32]);

        // Other parameters for one node of the executable graph alone.
        let mut p: CUDA_KERNEL_NODE_PARAMS = zeroed();
        assert_eq!(sys::cuGraphKernelNodeGetParams_v2(nodes[1], &mut p), ok);
        assert_eq!(*(*p.kernelParams.add(1)).cast::<u32>(), 2);
        let (mut address, mut value) = (memory, 7u32);
        let mut arguments = [(&raw mut address).cast(), (&raw mut value).cast()];
        p.kernelParams = arguments.as_mut_ptr();
        assert_eq!(sys::cuGraphExecKernelNodeSetParams_v2(exec, nodes[1], &p), ok);
        assert_eq!(sys::cuGraphLaunch(exec, stream.cu_stream()), ok);
        stream.synchronize().unwrap();
        assert_eq!(words(memory), [173; 32]);

        // The whole graph again, from a changed copy; then one of another shape, which is refused.
        assert_eq!(sys::cuGraphKernelNodeSetParams_v2(nodes[2], &p), ok);
        let mut update: CUgraphExecUpdateResultInfo = zeroed();
        assert_eq!(sys::cuGraphExecUpdate_v2(exec, graph, &mut update), ok);
        assert_eq!(sys::cuGraphLaunch(exec, stream.cu_stream()), ok);
        stream.synchronize().unwrap();
        assert_eq!(words(memory), [127; 32]);
        let mut copy = null_mut();
        assert_eq!(sys::cuGraphClone(&mut copy, graph), ok);
        assert_eq!(sys::cuGraphDestroyNode(nodes[0]), ok);
        assert_eq!(sys::cuGraphExecUpdate_v2(exec, graph, &mut update), CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE);
        assert_eq!(update.result, CUgraphExecUpdateResult::CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED);
        assert_eq!(sys::cuGraphExecUpdate_v2(exec, copy, &mut update), ok);

        // A circle.
        let edge = (nodes[2], nodes[1]);
        sys::cuGraphAddDependencies_v2(graph, &edge.1, &edge.0, null_mut(), 1);
        assert_eq!(sys::cuGraphAddDependencies_v2(graph, &edge.0, &edge.1, null_mut(), 1), ok);
        let mut circle = null_mut();
        assert_eq!(sys::cuGraphInstantiateWithFlags(&mut circle, graph, 0), CUDA_ERROR_INVALID_VALUE);

        // As before CUDA 12, with room for the node and the text of an error.
        type Instantiate =
            unsafe extern "C" fn(*mut CUgraphExec, CUgraph, *mut CUgraphNode, *mut u8, usize) -> CUresult;
        for name in ["cuGraphInstantiate", "cuGraphInstantiate_v2"] {
            let instantiate = sys::culib().get::<Instantiate>(name.as_bytes()).unwrap();
            let (mut before, mut node, mut text) = (null_mut(), nodes[0], [b'x'; 4]);
            assert_eq!(instantiate(&mut before, copy, &mut node, text.as_mut_ptr(), 4), ok);
            assert_eq!((node, text[0]), (null_mut(), 0));
            assert_eq!(sys::cuGraphExecUpdate_v2(before, copy, &mut update), ok);
            assert_eq!(sys::cuGraphExecDestroy(before), ok);
            assert_eq!(instantiate(&mut before, graph, null_mut(), null_mut(), 0), CUDA_ERROR_INVALID_VALUE);
        }

        assert_eq!(sys::cuGraphExecDestroy(exec), ok);
        assert_eq!(sys::cuGraphExecDestroy(exec), CUDA_ERROR_INVALID_VALUE);
        assert_eq!(sys::cuGraphDestroy(graph), ok);
        assert_eq!(sys::cuGraphDestroy(copy), ok);
        result::free_sync(memory).unwrap();
    }
    assert_eq!(turn.library.take_findings().unwrap(), r#"{"beyond":0,"findings":[]}"#);
}

#[test]
fn unordered_nodes_are_drawn_by_the_seed() {
    let turn = turn();
    let context = context();
    let module = context.load_module(Ptx::from_src(ptx(13, ADD))).unwrap();
    let kernel = module.load_function("add").unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for seed in 1..=12 {
        turn.library.set("seed", &seed.to_string()).unwrap();
        // SAFETY: softgpu checks context and address.
        unsafe {
            let memory = result::malloc_sync(128).unwrap();
            result::memset_d8_sync(memory, 0, 128).unwrap();
            result::ctx::synchronize().unwrap();
            let (mut graph, mut exec) = (null_mut(), null_mut());
            sys::cuGraphCreate(&mut graph, 0).result().unwrap();
            for value in 1..=2u32 {
                let (mut address, mut value) = (memory, value);
                let mut arguments = [(&raw mut address).cast(), (&raw mut value).cast()];
                let mut p: CUDA_KERNEL_NODE_PARAMS = zeroed();
                p.func = kernel.cu_function();
                (p.gridDimX, p.gridDimY, p.gridDimZ) = (1, 1, 1);
                (p.blockDimX, p.blockDimY, p.blockDimZ) = (32, 1, 1);
                p.kernelParams = arguments.as_mut_ptr();
                let mut node = null_mut();
                let code = sys::cuGraphAddKernelNode_v2(&mut node, graph, null_mut(), 0, &p);
                assert_eq!(code, CUDA_SUCCESS);
            }
            sys::cuGraphInstantiateWithFlags(&mut exec, graph, 0).result().unwrap();
            let stream = context.new_stream().unwrap();
            sys::cuGraphLaunch(exec, stream.cu_stream()).result().unwrap();
            stream.synchronize().unwrap();
            seen.insert(words(memory)[0]);
            sys::cuGraphExecDestroy(exec).result().unwrap();
            sys::cuGraphDestroy(graph).result().unwrap();
            result::free_sync(memory).unwrap();
        }
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [12, 21]);
}

/// All zero but the memory types, which have no zero.
fn blank_2d() -> CUDA_MEMCPY2D {
    let mut blank = std::mem::MaybeUninit::<CUDA_MEMCPY2D>::zeroed();
    // SAFETY: pointers to live values; softgpu checks the handles.
    unsafe {
        (&raw mut (*blank.as_mut_ptr()).srcMemoryType).write(CUmemorytype::CU_MEMORYTYPE_HOST);
        (&raw mut (*blank.as_mut_ptr()).dstMemoryType).write(CUmemorytype::CU_MEMORYTYPE_HOST);
        blank.assume_init()
    }
}

/// As [`blank_2d`].
fn blank_3d() -> CUDA_MEMCPY3D {
    let mut blank = std::mem::MaybeUninit::<CUDA_MEMCPY3D>::zeroed();
    // SAFETY: pointers to live values; softgpu checks the handles.
    unsafe {
        (&raw mut (*blank.as_mut_ptr()).srcMemoryType).write(CUmemorytype::CU_MEMORYTYPE_HOST);
        (&raw mut (*blank.as_mut_ptr()).dstMemoryType).write(CUmemorytype::CU_MEMORYTYPE_HOST);
        blank.assume_init()
    }
}

#[test]
fn strided_copies() {
    let _turn = turn();
    let _context = context();
    // SAFETY: pointers to live values; softgpu checks the handles.
    unsafe {
        // A 3 x 4 box out of rows of 10 bytes, into rows of 16 bytes on the device and back.
        let host: Vec<u8> = (0..100).collect();
        let (mut device, mut pitch) = (0, 0);
        sys::cuMemAllocPitch_v2(&mut device, &mut pitch, 16, 8, 4).result().unwrap();
        assert_eq!(pitch, 512);
        let mut p = blank_2d();
        p.srcMemoryType = CUmemorytype::CU_MEMORYTYPE_HOST;
        p.srcHost = host.as_ptr().cast();
        (p.srcXInBytes, p.srcY, p.srcPitch) = (2, 1, 10);
        p.dstMemoryType = CUmemorytype::CU_MEMORYTYPE_DEVICE;
        (p.dstDevice, p.dstXInBytes, p.dstY, p.dstPitch) = (device, 1, 2, pitch);
        (p.WidthInBytes, p.Height) = (3, 4);
        sys::cuMemcpy2D_v2(&p).result().unwrap();
        let mut back = vec![0u8; 12];
        let mut q = blank_2d();
        q.srcMemoryType = CUmemorytype::CU_MEMORYTYPE_DEVICE;
        (q.srcDevice, q.srcXInBytes, q.srcY, q.srcPitch) = (device, 1, 2, pitch);
        q.dstMemoryType = CUmemorytype::CU_MEMORYTYPE_HOST;
        (q.dstHost, q.dstPitch) = (back.as_mut_ptr().cast(), 3);
        (q.WidthInBytes, q.Height) = (3, 4);
        sys::cuMemcpy2D_v2(&q).result().unwrap();
        assert_eq!(back, [12, 13, 14, 22, 23, 24, 32, 33, 34, 42, 43, 44]);
        p.Height = 8;
        p.dstY = 4;
        assert_eq!(sys::cuMemcpy2D_v2(&p), CUDA_ERROR_INVALID_VALUE);
        p.dstPitch = 2;
        assert_eq!(sys::cuMemcpy2D_v2(&p), CUDA_ERROR_INVALID_VALUE);
        // Places that no address can hold.
        for (x, y, pitch) in [(usize::MAX, 0, pitch), (0, usize::MAX / 2, pitch), (0, 2, usize::MAX / 2 + 1)] {
            (p.dstXInBytes, p.dstY, p.dstPitch) = (x, y, pitch);
            assert_eq!(sys::cuMemcpy2D_v2(&p), CUDA_ERROR_INVALID_VALUE);
        }

        let mut box3 = blank_3d();
        box3.srcMemoryType = CUmemorytype::CU_MEMORYTYPE_HOST;
        box3.srcHost = host.as_ptr().cast();
        (box3.srcPitch, box3.srcHeight) = (5, 4);
        box3.dstMemoryType = CUmemorytype::CU_MEMORYTYPE_DEVICE;
        (box3.dstDevice, box3.dstPitch, box3.dstHeight) = (device, 2, 2);
        (box3.WidthInBytes, box3.Height, box3.Depth) = (2, 2, 2);
        sys::cuMemcpy3D_v2(&box3).result().unwrap();
        let mut eight = [0u8; 8];
        result::memcpy_dtoh_sync(&mut eight, device).unwrap();
        assert_eq!(eight, [0, 1, 5, 6, 20, 21, 25, 26]);

        sys::cuMemsetD2D32_v2(device, pitch, 0xaabb, 2, 3).result().unwrap();
        let mut row = [0u32; 3];
        result::memcpy_dtoh_sync(&mut row, device + 2 * pitch as u64).unwrap();
        assert_eq!(row[..2], [0xaabb; 2]);
        assert_eq!(sys::cuMemsetD32_v2(device + 1, 0, 1), CUDA_ERROR_INVALID_VALUE);
        result::free_sync(device).unwrap();
    }
}

#[test]
fn pools_count_what_they_hold() {
    let _turn = turn();
    let context = context();
    // SAFETY: pointers to live values; softgpu checks the handles.
    unsafe {
        let stream = context.new_stream().unwrap();
        let mut properties: CUmemPoolProps = zeroed();
        properties.allocType = CUmemAllocationType::CU_MEM_ALLOCATION_TYPE_PINNED;
        properties.location.type_ = CUmemLocationType::CU_MEM_LOCATION_TYPE_DEVICE;
        let mut pool = null_mut();
        sys::cuMemPoolCreate(&mut pool, &properties).result().unwrap();
        let mut memory = 0;
        sys::cuMemAllocFromPoolAsync(&mut memory, 1000, pool, stream.cu_stream()).result().unwrap();
        let used = |which| {
            let mut value = 0u64;
            let code = sys::cuMemPoolGetAttribute(pool, which, (&raw mut value).cast());
            code.result().unwrap();
            value
        };
        use CUmemPool_attribute::*;
        assert_eq!(used(CU_MEMPOOL_ATTR_USED_MEM_CURRENT), 1000);
        result::free_async(memory, stream.cu_stream()).unwrap();
        // Freed when the stream gets there, not before.
        assert_eq!(used(CU_MEMPOOL_ATTR_USED_MEM_CURRENT), 1000);
        assert_eq!(result::free_async(memory, stream.cu_stream()).map_err(|e| e.0), Err(CUDA_ERROR_INVALID_VALUE));
        stream.synchronize().unwrap();
        assert_eq!(used(CU_MEMPOOL_ATTR_USED_MEM_CURRENT), 0);
        assert_eq!(used(CU_MEMPOOL_ATTR_USED_MEM_HIGH), 1000);
        sys::cuMemPoolDestroy(pool).result().unwrap();
        assert_eq!(sys::cuMemPoolDestroy(pool), CUDA_ERROR_INVALID_VALUE);
    }
}

#[test]
fn launches_with_attributes() {
    let _turn = turn();
    let context = context();
    let module = context.load_module(Ptx::from_src(ptx(12, ADD))).unwrap();
    let kernel = module.load_function("add").unwrap();
    // SAFETY: softgpu checks context and address.
    unsafe {
        let memory = result::malloc_sync(128).unwrap();
        result::memset_d8_sync(memory, 0, 128).unwrap();
        let (mut address, mut value) = (memory, 4u32);
        let mut arguments = [(&raw mut address).cast(), (&raw mut value).cast()];
        let mut attributes: [CUlaunchAttribute; 1] = zeroed();
        attributes[0].id = CUlaunchAttributeID::CU_LAUNCH_ATTRIBUTE_COOPERATIVE;
        attributes[0].value.cooperative = 1;
        let mut config: CUlaunchConfig = zeroed();
        (config.gridDimX, config.gridDimY, config.gridDimZ) = (1, 1, 1);
        (config.blockDimX, config.blockDimY, config.blockDimZ) = (32, 1, 1);
        (config.attrs, config.numAttrs) = (attributes.as_mut_ptr(), 1);
        let mut launch = |config: &CUlaunchConfig| {
            sys::cuLaunchKernelEx(config, kernel.cu_function(), arguments.as_mut_ptr(), null_mut())
        };
        assert_eq!(launch(&config), CUDA_SUCCESS);
        assert_eq!(words(memory), [4; 32]);
        // 82 multiprocessors of 16 blocks can hold 1312 at once.
        config.gridDimX = 1313;
        assert_eq!(launch(&config), CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE);
        (config.gridDimX, attributes[0].value.cooperative) = (1, 0);
        attributes[0].id = CUlaunchAttributeID::CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
        attributes[0].value.clusterDim = zeroed();
        attributes[0].value.clusterDim.x = 2;
        // The launch reads them through the pointer in `config`.
        std::hint::black_box(&attributes);
        assert_eq!(launch(&config), CUDA_ERROR_NOT_SUPPORTED);

        // The same arguments as one buffer.
        let mut buffer = [0u8; 16];
        buffer[..8].copy_from_slice(&memory.to_ne_bytes());
        buffer[8..12].copy_from_slice(&5u32.to_ne_bytes());
        for (mut size, expected) in [(12usize, CUDA_SUCCESS), (11, CUDA_ERROR_INVALID_VALUE)] {
            let mut extra = [
                std::ptr::without_provenance_mut(1),
                buffer.as_mut_ptr().cast(),
                std::ptr::without_provenance_mut(2),
                (&raw mut size).cast(),
                null_mut(),
            ];
            let f = kernel.cu_function();
            let stream = null_mut();
            let code = sys::cuLaunchKernel(f, 1, 1, 1, 32, 1, 1, 0, stream, null_mut(), extra.as_mut_ptr());
            assert_eq!(code, expected);
        }
        assert_eq!(words(memory), [45; 32]);
        result::free_sync(memory).unwrap();
    }
}
