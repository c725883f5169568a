//! Events.

use crate::abi::*;
use crate::context::current;

entry!(cudaEventCreate, |event: Out<Handle>| current()?.cuEventCreate(event, 0));
entry!(cudaEventCreateWithFlags, |event: Out<Handle>, flags: u32| current()?.cuEventCreate(event, flags));
entry!(cudaEventDestroy, |event: Handle| current()?.cuEventDestroy_v2(event));

on_stream!(cudaEventRecord, cudaEventRecord_ptsz, stream, |event: Handle, stream: Handle| {
    current()?.cuEventRecord(event, stream)
});

on_stream!(
    cudaEventRecordWithFlags,
    cudaEventRecordWithFlags_ptsz,
    stream,
    |event: Handle, stream: Handle, flags: u32| current()?.cuEventRecordWithFlags(event, stream, flags)
);

entry!(cudaEventSynchronize, |event: Handle| current()?.cuEventSynchronize(event));
entry!(cudaEventQuery, |event: Handle| current()?.cuEventQuery(event));

entry!(cudaEventElapsedTime, |time: Out<f32>, start: Handle, end: Handle| {
    current()?.cuEventElapsedTime(time, start, end)
});
entry!(cudaEventElapsedTime_v2, |time: Out<f32>, start: Handle, end: Handle| {
    current()?.cuEventElapsedTime(time, start, end)
});
