//! Streams, what waits on them, captures.

use crate::abi::*;
use crate::context::{chosen, current};

entry!(cudaStreamCreate, |stream: Out<Handle>| current()?.cuStreamCreate(stream, 0));
entry!(cudaStreamCreateWithFlags, |stream: Out<Handle>, flags: u32| current()?.cuStreamCreate(stream, flags));
entry!(cudaStreamCreateWithPriority, |stream: Out<Handle>, flags: u32, priority: i32| {
    current()?.cuStreamCreateWithPriority(stream, flags, priority)
});

entry!(cudaStreamDestroy, |stream: Handle| current()?.cuStreamDestroy_v2(stream));

on_stream!(cudaStreamSynchronize, cudaStreamSynchronize_ptsz, stream, |stream: Handle| {
    current()?.cuStreamSynchronize(stream)
});

on_stream!(cudaStreamQuery, cudaStreamQuery_ptsz, stream, |stream: Handle| current()?.cuStreamQuery(stream));

on_stream!(cudaStreamWaitEvent, cudaStreamWaitEvent_ptsz, stream, |stream: Handle, event: Handle, flags: u32| {
    current()?.cuStreamWaitEvent(stream, event, flags)
});

// The function gets stream, error and argument, as the driver's does.
on_stream!(
    cudaStreamAddCallback,
    cudaStreamAddCallback_ptsz,
    stream,
    |stream: Handle, function: Given, argument: Given, flags: u32| {
        current()?.cuStreamAddCallback(stream, function, argument, flags)
    }
);

on_stream!(cudaStreamGetFlags, cudaStreamGetFlags_ptsz, stream, |stream: Handle, flags: Out<u32>| {
    current()?.cuStreamGetFlags(stream, flags)
});

on_stream!(cudaStreamGetPriority, cudaStreamGetPriority_ptsz, stream, |stream: Handle, priority: Out<i32>| {
    current()?.cuStreamGetPriority(stream, priority)
});

on_stream!(cudaStreamGetId, cudaStreamGetId_ptsz, stream, |stream: Handle, id: Out<u64>| {
    current()?.cuStreamGetId(stream, id)
});

on_stream!(cudaStreamGetDevice, cudaStreamGetDevice_ptsz, stream, |stream: Handle, device: Out<i32>| {
    match stream.number() {
        // The default streams are those of the thread's device.
        0..=2 => device.set(chosen()?),
        _ => current()?.cuStreamGetDevice(stream, device),
    }
});

on_stream!(cudaStreamCopyAttributes, cudaStreamCopyAttributes_ptsz, stream, |stream: Handle, from: Handle| {
    current()?.cuStreamCopyAttributes(stream, from)
});

on_stream!(
    cudaStreamGetAttribute,
    cudaStreamGetAttribute_ptsz,
    stream,
    |stream: Handle, attribute: i32, value: Room| current()?.cuStreamGetAttribute(stream, attribute, value)
);

on_stream!(
    cudaStreamSetAttribute,
    cudaStreamSetAttribute_ptsz,
    stream,
    |stream: Handle, attribute: i32, value: Given| current()?.cuStreamSetAttribute(stream, attribute, value)
);

on_stream!(cudaStreamBeginCapture, cudaStreamBeginCapture_ptsz, stream, |stream: Handle, mode: i32| {
    current()?.cuStreamBeginCapture_v2(stream, mode)
});

on_stream!(
    cudaStreamBeginCaptureToGraph,
    cudaStreamBeginCaptureToGraph_ptsz,
    stream,
    |stream: Handle, graph: Handle, after: Given, edges: Given, count: usize, mode: i32| {
        current()?.cuStreamBeginCaptureToGraph(stream, graph, after, edges, count, mode)
    }
);

on_stream!(cudaStreamEndCapture, cudaStreamEndCapture_ptsz, stream, |stream: Handle, graph: Out<Handle>| {
    current()?.cuStreamEndCapture(stream, graph)
});

on_stream!(cudaStreamIsCapturing, cudaStreamIsCapturing_ptsz, stream, |stream: Handle, status: Out<i32>| {
    current()?.cuStreamIsCapturing(stream, status)
});

// CUDA 12's has no more than the first three arguments.
on_stream!(
    cudaStreamGetCaptureInfo,
    cudaStreamGetCaptureInfo_ptsz,
    stream,
    |stream: Handle,
     status: Out<i32>,
     id: Out<u64>,
     graph: Out<Handle>,
     nodes: Room,
     edges: Room,
     count: Out<usize>| {
        match major() {
            12 => current()?.cuStreamGetCaptureInfo_v2(stream, status, id, Out::none(), Room::none(), Out::none()),
            _ => current()?.cuStreamGetCaptureInfo_v3(stream, status, id, graph, nodes, edges, count),
        }
    }
);

on_stream!(
    cudaStreamGetCaptureInfo_v2,
    cudaStreamGetCaptureInfo_v2_ptsz,
    stream,
    |stream: Handle, status: Out<i32>, id: Out<u64>, graph: Out<Handle>, nodes: Room, count: Out<usize>| {
        current()?.cuStreamGetCaptureInfo_v2(stream, status, id, graph, nodes, count)
    }
);

on_stream!(
    cudaStreamGetCaptureInfo_v3,
    cudaStreamGetCaptureInfo_v3_ptsz,
    stream,
    |stream: Handle,
     status: Out<i32>,
     id: Out<u64>,
     graph: Out<Handle>,
     nodes: Room,
     edges: Room,
     count: Out<usize>| current()?.cuStreamGetCaptureInfo_v3(stream, status, id, graph, nodes, edges, count)
);

// CUDA 12's has no edge data: count and flags are one place earlier.
on_stream!(
    cudaStreamUpdateCaptureDependencies,
    cudaStreamUpdateCaptureDependencies_ptsz,
    stream,
    |stream: Handle, nodes: Given, edges: Given, count: usize, flags: u32| {
        let driver = current()?;
        match major() {
            12 => {
                let (count, flags) = (edges.number(), count as u32);
                driver.cuStreamUpdateCaptureDependencies_v2(stream, nodes, Given::none(), count, flags)
            }
            _ => driver.cuStreamUpdateCaptureDependencies_v2(stream, nodes, edges, count, flags),
        }
    }
);

on_stream!(
    cudaStreamUpdateCaptureDependencies_v2,
    cudaStreamUpdateCaptureDependencies_v2_ptsz,
    stream,
    |stream: Handle, nodes: Given, edges: Given, count: usize, flags: u32| {
        current()?.cuStreamUpdateCaptureDependencies_v2(stream, nodes, edges, count, flags)
    }
);

entry!(cudaThreadExchangeStreamCaptureMode, |mode: Room| current()?.cuThreadExchangeStreamCaptureMode(mode));
