//! The driver's functions.

use super::structs::*;
use crate::abi::{Answer, CALL_REQUIRES_NEWER_DRIVER, Code, Given, Handle, Out, Refusal, Room, refuse};
use libloading::os::unix::Library;

/// Defines [`Driver`]: each function by its name in the library, with its arguments as `cuda.h` documents them.
macro_rules! functions {
    ($($name:ident($($argument:ident: $type:ty),*);)*) => {
        /// The functions of a driver, those that it has. Each has a method of its name, which answers with the driver's
        /// code; why it refused a call, the driver says itself.
        pub struct Driver {
            $($name: Option<unsafe extern "C" fn($($type),*) -> Code>,)*
        }

        impl Driver {
            /// Looks all functions up; they last as long as the library is loaded.
            pub fn of(library: &Library) -> Driver {
                // SAFETY: functions of a CUDA driver with those names have those arguments.
                Driver { $($name: unsafe { library.get(stringify!($name)) }.ok().map(|found| *found),)* }
            }

            $(pub fn $name(&self, $($argument: $type),*) -> Answer {
                let Some(function) = self.$name else {
                    return missing(stringify!($name));
                };
                // SAFETY: the function has these arguments, and their types hold what it asks of them.
                match unsafe { function($($argument),*) } {
                    0 => Ok(()),
                    code => Err(Refusal { code, message: String::new() }),
                }
            })*
        }
    };
}

fn missing(name: &str) -> Answer {
    refuse(CALL_REQUIRES_NEWER_DRIVER, format_args!("the driver has no {name}"))
}

// Addresses of device memory, and of host memory to be copied, are numbers: the driver checks them when it uses them.
functions! {
    cuInit(flags: u32);
    cuDriverGetVersion(version: Out<i32>);
    cuGetProcAddress_v2(name: Given, address: Out<usize>, version: i32, flags: u64, status: Out<i32>);

    cuDeviceGetCount(count: Out<i32>);
    cuDeviceGetName(name: Room, room: i32, device: i32);
    cuDeviceGetUuid_v2(uuid: Room, device: i32);
    cuDeviceGetAttribute(value: Out<i32>, attribute: i32, device: i32);
    cuDeviceTotalMem_v2(bytes: Out<usize>, device: i32);
    cuDeviceGetPCIBusId(text: Room, room: i32, device: i32);
    cuDeviceGetByPCIBusId(device: Out<i32>, text: Given);
    cuDeviceGetP2PAttribute(value: Out<i32>, attribute: i32, from: i32, to: i32);
    cuDeviceCanAccessPeer(can: Out<i32>, device: i32, peer: i32);
    cuDeviceGetDefaultMemPool(pool: Out<Handle>, device: i32);
    cuDeviceGetMemPool(pool: Out<Handle>, device: i32);
    cuDeviceSetMemPool(device: i32, pool: Handle);
    cuDeviceGetGraphMemAttribute(device: i32, attribute: i32, value: Room);
    cuDeviceSetGraphMemAttribute(device: i32, attribute: i32, value: Room);
    cuDeviceGraphMemTrim(device: i32);

    cuDevicePrimaryCtxRetain(context: Out<Handle>, device: i32);
    cuDevicePrimaryCtxReset_v2(device: i32);
    cuDevicePrimaryCtxSetFlags_v2(device: i32, flags: u32);
    cuDevicePrimaryCtxGetState(device: i32, flags: Out<u32>, active: Out<i32>);
    cuCtxGetCurrent(context: Out<Handle>);
    cuCtxSetCurrent(context: Handle);
    cuCtxGetDevice(device: Out<i32>);
    cuCtxSynchronize();
    cuCtxGetLimit(value: Out<usize>, limit: i32);
    cuCtxSetLimit(limit: i32, value: usize);
    cuCtxGetCacheConfig(config: Out<i32>);
    cuCtxSetCacheConfig(config: i32);
    cuCtxGetStreamPriorityRange(least: Out<i32>, greatest: Out<i32>);
    cuCtxEnablePeerAccess(peer: Handle, flags: u32);
    cuCtxDisablePeerAccess(peer: Handle);
    cuCtxResetPersistingL2Cache();
    cuProfilerStart();
    cuProfilerStop();

    cuLibraryLoadData(library: Out<Handle>, code: Given, options: Given, values: Given, count: u32,
                      library_options: Given, library_values: Given, library_count: u32);
    cuLibraryLoadFromFile(library: Out<Handle>, path: Given, options: Given, values: Given, count: u32,
                          library_options: Given, library_values: Given, library_count: u32);
    cuLibraryUnload(library: Handle);
    cuLibraryGetKernel(kernel: Out<Handle>, library: Handle, name: Given);
    cuLibraryGetKernelCount(count: Out<u32>, library: Handle);
    cuLibraryEnumerateKernels(kernels: Room, room: u32, library: Handle);
    cuLibraryGetGlobal(address: Out<usize>, bytes: Out<usize>, library: Handle, name: Given);
    cuLibraryGetManaged(address: Out<usize>, bytes: Out<usize>, library: Handle, name: Given);
    cuLibraryGetUnifiedFunction(function: Out<usize>, library: Handle, name: Given);
    cuKernelGetFunction(function: Out<Handle>, kernel: Handle);
    cuKernelGetName(name: Out<usize>, kernel: Handle);
    cuKernelGetParamInfo(kernel: Handle, index: usize, offset: Out<usize>, bytes: Out<usize>);
    cuKernelGetParamCount(kernel: Handle, count: Out<usize>);
    cuKernelSetAttribute(attribute: i32, value: i32, kernel: Handle, device: i32);
    cuLinkCreate_v2(count: u32, options: Given, values: Given, link: Out<Handle>);
    cuLinkAddData_v2(link: Handle, kind: i32, data: Given, bytes: usize, name: Given, count: u32, options: Given,
                     values: Given);
    cuLinkComplete(link: Handle, image: Out<Given>, bytes: Out<usize>);
    cuLinkDestroy(link: Handle);

    cuFuncGetAttribute(value: Out<i32>, attribute: i32, function: Handle);
    cuFuncSetAttribute(function: Handle, attribute: i32, value: i32);
    cuFuncSetCacheConfig(function: Handle, config: i32);
    cuOccupancyMaxActiveBlocksPerMultiprocessor(blocks: Out<i32>, function: Handle, threads: i32, shared: usize);
    cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(blocks: Out<i32>, function: Handle, threads: i32,
                                                         shared: usize, flags: u32);
    cuOccupancyAvailableDynamicSMemPerBlock(bytes: Out<usize>, function: Handle, blocks: i32, threads: i32);
    cuOccupancyMaxPotentialClusterSize(size: Out<i32>, function: Handle, config: &LaunchConfig);
    cuOccupancyMaxActiveClusters(count: Out<i32>, function: Handle, config: &LaunchConfig);
    cuLaunchKernel(function: Handle, gx: u32, gy: u32, gz: u32, bx: u32, by: u32, bz: u32, shared: u32,
                   stream: Handle, params: Given, extra: Given);
    cuLaunchCooperativeKernel(function: Handle, gx: u32, gy: u32, gz: u32, bx: u32, by: u32, bz: u32, shared: u32,
                              stream: Handle, params: Given);
    cuLaunchKernelEx(config: &LaunchConfig, function: Handle, params: Given, extra: Given);
    cuLaunchHostFunc(stream: Handle, function: Given, argument: Given);

    cuMemAlloc_v2(address: Out<usize>, bytes: usize);
    cuMemAllocPitch_v2(address: Out<usize>, pitch: Out<usize>, width: usize, height: usize, element: u32);
    cuMemAllocManaged(address: Out<usize>, bytes: usize, flags: u32);
    cuMemAllocAsync(address: Out<usize>, bytes: usize, stream: Handle);
    cuMemAllocFromPoolAsync(address: Out<usize>, bytes: usize, pool: Handle, stream: Handle);
    cuMemFree_v2(address: usize);
    cuMemFreeAsync(address: usize, stream: Handle);
    cuMemGetInfo_v2(free: Out<usize>, total: Out<usize>);
    cuMemHostAlloc(address: Out<usize>, bytes: usize, flags: u32);
    cuMemFreeHost(address: usize);
    cuMemHostRegister_v2(address: usize, bytes: usize, flags: u32);
    cuMemHostUnregister(address: usize);
    cuMemHostGetDevicePointer_v2(device: Out<usize>, host: usize, flags: u32);
    cuMemHostGetFlags(flags: Out<u32>, host: usize);
    cuPointerGetAttributes(count: u32, attributes: Given, values: Room, address: usize);
    cuMemAdvise_v2(address: usize, bytes: usize, advice: i32, place: Location);
    cuMemPrefetchAsync_v2(address: usize, bytes: usize, place: Location, flags: u32, stream: Handle);
    cuMemRangeGetAttribute(data: Room, size: usize, attribute: i32, address: usize, bytes: usize);
    cuMemRangeGetAttributes(data: Room, sizes: Given, attributes: Given, count: usize, address: usize, bytes: usize);
    cuStreamAttachMemAsync(stream: Handle, address: usize, bytes: usize, flags: u32);

    cuMemPoolCreate(pool: Out<Handle>, properties: Given);
    cuMemPoolDestroy(pool: Handle);
    cuMemPoolTrimTo(pool: Handle, keep: usize);
    cuMemPoolGetAttribute(pool: Handle, attribute: i32, value: Room);
    cuMemPoolSetAttribute(pool: Handle, attribute: i32, value: Room);
    cuMemPoolGetAccess(flags: Out<i32>, pool: Handle, place: Given);
    cuMemPoolSetAccess(pool: Handle, descriptions: Given, count: usize);

    cuMemcpy(to: usize, from: usize, bytes: usize);
    cuMemcpy_ptds(to: usize, from: usize, bytes: usize);
    cuMemcpyAsync(to: usize, from: usize, bytes: usize, stream: Handle);
    cuMemcpyHtoD_v2(to: usize, from: usize, bytes: usize);
    cuMemcpyHtoD_v2_ptds(to: usize, from: usize, bytes: usize);
    cuMemcpyHtoDAsync_v2(to: usize, from: usize, bytes: usize, stream: Handle);
    cuMemcpyDtoH_v2(to: usize, from: usize, bytes: usize);
    cuMemcpyDtoH_v2_ptds(to: usize, from: usize, bytes: usize);
    cuMemcpyDtoHAsync_v2(to: usize, from: usize, bytes: usize, stream: Handle);
    cuMemcpyDtoD_v2(to: usize, from: usize, bytes: usize);
    cuMemcpyDtoD_v2_ptds(to: usize, from: usize, bytes: usize);
    cuMemcpyDtoDAsync_v2(to: usize, from: usize, bytes: usize, stream: Handle);
    cuMemcpy3D_v2(copy: &Copy3D);
    cuMemcpy3D_v2_ptds(copy: &Copy3D);
    cuMemcpy3DAsync_v2(copy: &Copy3D, stream: Handle);
    cuMemcpyPeer(to: usize, to_context: Handle, from: usize, from_context: Handle, bytes: usize);
    cuMemcpyPeerAsync(to: usize, to_context: Handle, from: usize, from_context: Handle, bytes: usize, stream: Handle);
    cuMemsetD8_v2(address: usize, value: u8, count: usize);
    cuMemsetD8_v2_ptds(address: usize, value: u8, count: usize);
    cuMemsetD8Async(address: usize, value: u8, count: usize, stream: Handle);
    cuMemsetD2D8_v2(address: usize, pitch: usize, value: u8, width: usize, height: usize);
    cuMemsetD2D8_v2_ptds(address: usize, pitch: usize, value: u8, width: usize, height: usize);
    cuMemsetD2D8Async(address: usize, pitch: usize, value: u8, width: usize, height: usize, stream: Handle);

    cuStreamCreate(stream: Out<Handle>, flags: u32);
    cuStreamCreateWithPriority(stream: Out<Handle>, flags: u32, priority: i32);
    cuStreamDestroy_v2(stream: Handle);
    cuStreamSynchronize(stream: Handle);
    cuStreamQuery(stream: Handle);
    cuStreamWaitEvent(stream: Handle, event: Handle, flags: u32);
    cuStreamAddCallback(stream: Handle, function: Given, argument: Given, flags: u32);
    cuStreamGetFlags(stream: Handle, flags: Out<u32>);
    cuStreamGetPriority(stream: Handle, priority: Out<i32>);
    cuStreamGetId(stream: Handle, id: Out<u64>);
    cuStreamGetDevice(stream: Handle, device: Out<i32>);
    cuStreamCopyAttributes(to: Handle, from: Handle);
    cuStreamGetAttribute(stream: Handle, attribute: i32, value: Room);
    cuStreamSetAttribute(stream: Handle, attribute: i32, value: Given);
    cuStreamBeginCapture_v2(stream: Handle, mode: i32);
    cuStreamBeginCaptureToGraph(stream: Handle, graph: Handle, after: Given, edges: Given, count: usize, mode: i32);
    cuStreamEndCapture(stream: Handle, graph: Out<Handle>);
    cuStreamIsCapturing(stream: Handle, status: Out<i32>);
    cuStreamGetCaptureInfo_v2(stream: Handle, status: Out<i32>, id: Out<u64>, graph: Out<Handle>, nodes: Room,
                              count: Out<usize>);
    cuStreamGetCaptureInfo_v3(stream: Handle, status: Out<i32>, id: Out<u64>, graph: Out<Handle>, nodes: Room,
                              edges: Room, count: Out<usize>);
    cuStreamUpdateCaptureDependencies_v2(stream: Handle, nodes: Given, edges: Given, count: usize, flags: u32);
    cuThreadExchangeStreamCaptureMode(mode: Room);
    cuEventCreate(event: Out<Handle>, flags: u32);
    cuEventDestroy_v2(event: Handle);
    cuEventRecord(event: Handle, stream: Handle);
    cuEventRecordWithFlags(event: Handle, stream: Handle, flags: u32);
    cuEventSynchronize(event: Handle);
    cuEventQuery(event: Handle);
    cuEventElapsedTime(time: Out<f32>, start: Handle, end: Handle);

    cuGraphCreate(graph: Out<Handle>, flags: u32);
    cuGraphDestroy(graph: Handle);
    cuGraphClone(clone: Out<Handle>, graph: Handle);
    cuGraphNodeFindInClone(node: Out<Handle>, original: Handle, clone: Handle);
    cuGraphDebugDotPrint(graph: Handle, path: Given, flags: u32);
    cuGraphGetNodes(graph: Handle, nodes: Room, count: Room);
    cuGraphGetRootNodes(graph: Handle, nodes: Room, count: Room);
    cuGraphGetEdges(graph: Handle, from: Room, to: Room, count: Room);
    cuGraphNodeGetDependencies(node: Handle, nodes: Room, count: Room);
    cuGraphNodeGetDependentNodes(node: Handle, nodes: Room, count: Room);
    cuGraphAddDependencies(graph: Handle, from: Given, to: Given, count: usize);
    cuGraphAddDependencies_v2(graph: Handle, from: Given, to: Given, edges: Given, count: usize);
    cuGraphRemoveDependencies(graph: Handle, from: Given, to: Given, count: usize);
    cuGraphRemoveDependencies_v2(graph: Handle, from: Given, to: Given, edges: Given, count: usize);
    cuGraphDestroyNode(node: Handle);
    cuGraphNodeGetType(node: Handle, kind: Out<i32>);
    cuGraphAddKernelNode_v2(node: Out<Handle>, graph: Handle, after: Given, count: usize, p: &KernelNode);
    cuGraphAddMemcpyNode(node: Out<Handle>, graph: Handle, after: Given, count: usize, p: &Copy3D, context: Handle);
    cuGraphAddMemsetNode(node: Out<Handle>, graph: Handle, after: Given, count: usize, p: &Fill, context: Handle);
    cuGraphAddHostNode(node: Out<Handle>, graph: Handle, after: Given, count: usize, p: Given);
    cuGraphAddChildGraphNode(node: Out<Handle>, graph: Handle, after: Given, count: usize, child: Handle);
    cuGraphAddEmptyNode(node: Out<Handle>, graph: Handle, after: Given, count: usize);
    cuGraphAddEventRecordNode(node: Out<Handle>, graph: Handle, after: Given, count: usize, event: Handle);
    cuGraphAddEventWaitNode(node: Out<Handle>, graph: Handle, after: Given, count: usize, event: Handle);
    cuGraphAddMemAllocNode(node: Out<Handle>, graph: Handle, after: Given, count: usize, p: Room);
    cuGraphAddMemFreeNode(node: Out<Handle>, graph: Handle, after: Given, count: usize, address: usize);
    cuGraphMemAllocNodeGetParams(node: Handle, p: Room);
    cuGraphMemFreeNodeGetParams(node: Handle, address: Room);
    cuGraphKernelNodeGetParams_v2(node: Handle, p: Out<KernelNode>);
    cuGraphKernelNodeSetParams_v2(node: Handle, p: &KernelNode);
    cuGraphKernelNodeCopyAttributes(to: Handle, from: Handle);
    cuGraphKernelNodeGetAttribute(node: Handle, attribute: i32, value: Room);
    cuGraphKernelNodeSetAttribute(node: Handle, attribute: i32, value: Given);
    cuGraphMemcpyNodeGetParams(node: Handle, p: Out<Copy3D>);
    cuGraphMemcpyNodeSetParams(node: Handle, p: &Copy3D);
    cuGraphMemsetNodeGetParams(node: Handle, p: Out<Fill>);
    cuGraphMemsetNodeSetParams(node: Handle, p: &Fill);
    cuGraphHostNodeGetParams(node: Handle, p: Room);
    cuGraphHostNodeSetParams(node: Handle, p: Given);
    cuGraphChildGraphNodeGetGraph(node: Handle, graph: Out<Handle>);
    cuGraphEventRecordNodeGetEvent(node: Handle, event: Out<Handle>);
    cuGraphEventRecordNodeSetEvent(node: Handle, event: Handle);
    cuGraphEventWaitNodeGetEvent(node: Handle, event: Out<Handle>);
    cuGraphEventWaitNodeSetEvent(node: Handle, event: Handle);
    cuGraphInstantiateWithFlags(exec: Out<Handle>, graph: Handle, flags: u64);
    cuGraphInstantiateWithParams(exec: Out<Handle>, graph: Handle, params: Room);
    cuGraphExecGetFlags(exec: Handle, flags: Out<u64>);
    cuGraphExecUpdate_v2(exec: Handle, graph: Handle, result: Room);
    cuGraphExecKernelNodeSetParams_v2(exec: Handle, node: Handle, p: &KernelNode);
    cuGraphExecMemcpyNodeSetParams(exec: Handle, node: Handle, p: &Copy3D, context: Handle);
    cuGraphExecMemsetNodeSetParams(exec: Handle, node: Handle, p: &Fill, context: Handle);
    cuGraphExecHostNodeSetParams(exec: Handle, node: Handle, p: Given);
    cuGraphExecChildGraphNodeSetParams(exec: Handle, node: Handle, child: Handle);
    cuGraphExecEventRecordNodeSetEvent(exec: Handle, node: Handle, event: Handle);
    cuGraphExecEventWaitNodeSetEvent(exec: Handle, node: Handle, event: Handle);
    cuGraphNodeSetEnabled(exec: Handle, node: Handle, enabled: u32);
    cuGraphNodeGetEnabled(exec: Handle, node: Handle, enabled: Out<u32>);
    cuGraphUpload(exec: Handle, stream: Handle);
    cuGraphLaunch(exec: Handle, stream: Handle);
    cuGraphExecDestroy(exec: Handle);
    cuUserObjectCreate(object: Out<Handle>, argument: Given, destroy: Given, count: u32, flags: u32);
    cuUserObjectRetain(object: Handle, count: u32);
    cuUserObjectRelease(object: Handle, count: u32);
    cuGraphRetainUserObject(graph: Handle, object: Handle, count: u32, flags: u32);
    cuGraphReleaseUserObject(graph: Handle, object: Handle, count: u32);
}
