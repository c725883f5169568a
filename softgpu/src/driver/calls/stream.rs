//! Streams, their waits, host functions and captures.

use crate::driver::abi::*;
use crate::driver::engine::capture::{GLOBAL, MODE, RELAXED};
use crate::driver::engine::stream::enter_on;
use crate::driver::objects::*;
use std::ffi::c_void;

fn create(out: Out<Handle>, flags: u32, priority: i32) -> Answer {
    let mut state = enter()?;
    valid(flags <= 1, format_args!("{flags} is no stream flag"))?;
    out.required("stream")?;
    let context = state.context;
    out.set(state.create_stream(context, flags == 0, priority), "stream")
}

entry!(cuStreamCreate, |out: Out<Handle>, flags: u32| create(out, flags, 0));
entry!(cuStreamCreateWithPriority, |out: Out<Handle>, flags: u32, priority: i32| create(out, flags, priority));

// Destroys a stream; what is queued on it still runs (driver API, `cuStreamDestroy`).
entry!(cuStreamDestroy_v2, |stream: Handle| {
    let mut state = lock()?;
    ensure(stream > 2, INVALID_HANDLE, "the default streams can't be destroyed")?;
    let entry = state.streams.known_mut(stream)?;
    ensure(entry.alive, INVALID_HANDLE, "the stream has been destroyed already")?;
    entry.alive = false;
    let (capture, empty) = (entry.capture, entry.queue.is_empty());
    if let Some(capture) = capture {
        state.captures.at(capture).invalid = true;
    }
    if empty {
        state.streams.remove(&stream);
    }
    Ok(())
});

/// The operations that the end of a stream stands for: the legacy stream waits for the blocking ones too.
fn waits(state: &State, stream: Handle) -> Vec<OpId> {
    let entry = &state.streams[&stream];
    let mut targets: Vec<OpId> = entry.last.into_iter().collect();
    if stream == state.contexts[&entry.context].legacy {
        let same = |s: &&Stream| s.context == entry.context && s.blocking;
        targets.extend(state.streams.values().filter(same).filter_map(|s| s.last));
    }
    targets
}

entry!(cuStreamSynchronize, cuStreamSynchronize_ptsz, |stream: Handle| {
    let (mut state, stream) = enter_on(stream)?;
    state.stream_not_capturing(stream, "a synchronisation")?;
    let targets = waits(&state, stream);
    state.complete(&targets);
    state.sound(state.context)
});

entry!(cuStreamQuery, cuStreamQuery_ptsz, |stream: Handle| {
    let (mut state, stream) = enter_on(stream)?;
    state.stream_not_capturing(stream, "a query")?;
    let targets = waits(&state, stream);
    state.query(&targets)
});

entry!(cuStreamWaitEvent, cuStreamWaitEvent_ptsz, |stream: Handle, event: Handle, flags: u32| {
    let (mut state, stream) = enter_on(stream)?;
    valid(flags <= 1, format_args!("{flags} is no flag of a wait"))?;
    let entry = state.events.known(event)?;
    let (last, captured) = (entry.last, entry.captured.clone());
    match (captured, state.capture_of(stream)?) {
        (Some((capture, nodes)), own) if own.is_none_or(|o| o == capture) => {
            state.captures.at(capture).fronts.entry(stream).or_default().extend(nodes);
            state.streams.at(stream).capture = Some(capture);
            Ok(())
        }
        (Some(_), Some(own)) => {
            state.captures.at(own).invalid = true;
            refuse(STREAM_CAPTURE_MERGE, "the event belongs to another capture; two captures can't be merged")
        }
        (None, Some(own)) if last.is_some() => {
            let message = "a capturing stream would wait for an event recorded outside the capture";
            state.spoil(own, STREAM_CAPTURE_ISOLATION, message)
        }
        // An event never recorded counts as complete.
        (_, Some(_)) => Ok(()),
        (_, None) => {
            state.push(stream, Work::Nothing, last.into_iter().collect());
            Ok(())
        }
    }
});

entry!(cuLaunchHostFunc, cuLaunchHostFunc_ptsz, |stream: Handle, function: Option<HostFn>, data: usize| {
    let mut state = enter()?;
    valid(function.is_some(), "no function")?;
    // SAFETY: the program asks for this call here.
    let call = unsafe { HostCall::new(function, data) };
    state.submit(stream, Work::Host(call), "a host function")
});

/// `CUstreamCallback`.
type Callback = unsafe extern "C" fn(Handle, CuResult, usize);

/// A callback with its arguments.
struct Call {
    function: Callback,
    stream: Handle,
    argument: usize,
}

/// Calls a callback, once.
unsafe extern "C" fn call_back(call: *mut c_void) {
    // SAFETY: made by `cuStreamAddCallback`, and run once.
    let call = unsafe { Box::from_raw(call.cast::<Call>()) };
    // SAFETY: the program asked for this call.
    unsafe { (call.function)(call.stream, 0, call.argument) };
}

entry!(
    cuStreamAddCallback,
    cuStreamAddCallback_ptsz,
    |stream: Handle, function: Option<Callback>, argument: usize, flags: u32| {
        valid(flags == 0, "flags must be 0")?;
        let function = function.or_refuse(INVALID_VALUE, "no function")?;
        let (mut state, queue) = enter_on(stream)?;
        state.not_captured(queue, "a callback can't be captured; cuLaunchHostFunc can")?;
        let call = Box::into_raw(Box::new(Call { function, stream, argument }));
        // SAFETY: `call_back` takes what it gets here.
        let call = unsafe { HostCall::new(Some(call_back), call as usize) };
        state.submit(queue, Work::Host(call), "a callback")
    }
);

entry!(cuStreamGetDevice, cuStreamGetDevice_ptsz, |stream: Handle, device: Out<i32>| {
    enter_on(stream)?;
    device.set(0, "device")
});

entry!(cuStreamGetFlags, cuStreamGetFlags_ptsz, |stream: Handle, flags: Out<u32>| {
    let (state, handle) = enter_on(stream)?;
    let stream = &state.streams[&handle];
    let blocking = stream.blocking || handle == state.contexts[&stream.context].legacy;
    flags.set(!blocking as u32, "flags")
});

entry!(cuStreamGetPriority, cuStreamGetPriority_ptsz, |stream: Handle, priority: Out<i32>| {
    let (state, stream) = enter_on(stream)?;
    priority.set(state.streams[&stream].priority, "priority")
});

entry!(cuStreamGetCtx, cuStreamGetCtx_ptsz, |stream: Handle, out: Out<Handle>| out
    .set(enter_on(stream)?.0.context, "context"));
entry!(cuStreamGetId, cuStreamGetId_ptsz, |stream: Handle, out: Out<u64>| out.set(enter_on(stream)?.1, "id"));

entry!(cuStreamBeginCapture_v2, cuStreamBeginCapture_v2_ptsz, |stream: Handle, mode: i32| enter()?
    .begin_capture(stream, mode));

entry!(cuStreamEndCapture, cuStreamEndCapture_ptsz, |stream: Handle, graph: Out<Handle>| {
    graph.set(0, "graph")?;
    graph.set(enter()?.end_capture(stream)?, "graph")
});

/// 0 not capturing, 1 capturing, 2 the capture is invalid; and the capture's number.
fn status(stream: Handle) -> Answer<(i32, u64)> {
    let (state, stream) = enter_on(stream)?;
    Ok(match state.streams[&stream].capture {
        None => (0, 0),
        Some(c) => (1 + state.captures[&c].invalid as i32, c),
    })
}

entry!(cuStreamIsCapturing, cuStreamIsCapturing_ptsz, |stream: Handle, out: Out<i32>| out
    .set(status(stream)?.0, "status"));

/// Status and number of the capture; asking for its graph while it is under way is refused.
fn capture_info(stream: Handle, out: Out<i32>, id: Out<u64>, asks_for_graph: bool) -> Answer {
    let (status, number) = status(stream)?;
    out.set(status, "status")?;
    id.set_if_given(number);
    let given = status != 1 || !asks_for_graph;
    ensure(given, NOT_SUPPORTED, "softgpu gives no access to a graph before its capture ends")
}

entry!(
    cuStreamGetCaptureInfo_v2,
    cuStreamGetCaptureInfo_v2_ptsz,
    |stream: Handle,
     status: Out<i32>,
     id: Out<u64>,
     graph: Out<Handle>,
     nodes: Out<*const Handle>,
     count: Out<usize>| {
        capture_info(stream, status, id, graph.is_given() || nodes.is_given() || count.is_given())
    }
);

entry!(
    cuStreamGetCaptureInfo_v3,
    cuStreamGetCaptureInfo_v3_ptsz,
    |stream: Handle,
     status: Out<i32>,
     id: Out<u64>,
     graph: Out<Handle>,
     nodes: Out<*const Handle>,
     _edges: Out<*const c_void>,
     count: Out<usize>| {
        capture_info(stream, status, id, graph.is_given() || nodes.is_given() || count.is_given())
    }
);

entry!(cuThreadExchangeStreamCaptureMode, |mode: Option<&mut i32>| {
    let mode = mode.or_refuse(INVALID_VALUE, "mode is a null pointer")?;
    valid((GLOBAL..=RELAXED).contains(mode), format_args!("{mode} is no capture mode"))?;
    *mode = MODE.replace(*mode);
    Ok(())
});
