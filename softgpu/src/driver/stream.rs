//! Streams, their waits and host functions.

use super::capture::{self, MODE, submit};
use super::entry::*;
use super::errors::*;
use super::queue::{HostFn, Work, resolve};
use super::state::*;
use std::collections::VecDeque;
use std::ffi::c_void;

/// The most urgent priority; 0 is the least. Kept, but the seed decides the order.
pub const GREATEST_PRIORITY: i32 = -5;

/// A new stream in a context.
pub fn create(state: &mut State, context: Handle, blocking: bool, priority: i32) -> Handle {
    let handle = state.handle(Kind::Stream);
    state.streams.insert(
        handle,
        Stream {
            context,
            blocking,
            priority: priority.clamp(GREATEST_PRIORITY, 0),
            alive: true,
            queue: VecDeque::new(),
            last: None,
            busy: false,
            capture: None,
        },
    );
    handle
}

fn new_stream(out: *mut Handle, flags: u32, priority: i32) -> Answer {
    let (_, mut state, context) = enter()?;
    if flags > 1 {
        return refuse(INVALID_VALUE, format!("{flags} is no stream flag"));
    }
    if out.is_null() {
        return refuse(INVALID_VALUE, "stream is a null pointer");
    }
    let handle = create(&mut state, context, flags == 0, priority);
    store(out, handle, "stream")
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamCreate(out: *mut Handle, flags: u32) -> CuResult {
    call("cuStreamCreate", || new_stream(out, flags, 0))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamCreateWithPriority(out: *mut Handle, flags: u32, priority: i32) -> CuResult {
    call("cuStreamCreateWithPriority", || new_stream(out, flags, priority))
}

/// Destroys a stream; what is queued on it still runs (driver API, `cuStreamDestroy`).
#[unsafe(no_mangle)]
pub extern "C" fn cuStreamDestroy_v2(stream: Handle) -> CuResult {
    call("cuStreamDestroy_v2", || {
        let mut state = driver()?.lock();
        if stream <= 2 {
            return refuse(INVALID_HANDLE, "the default streams can't be destroyed");
        }
        let Some(entry) = state.streams.get_mut(&stream).filter(|s| s.alive) else {
            return refuse(INVALID_HANDLE, format!("{stream:#x} is no stream, or a destroyed one"));
        };
        entry.alive = false;
        let (capture, empty) = (entry.capture, entry.queue.is_empty());
        if let Some(capture) = capture
            && let Some(capture) = state.captures.get_mut(&capture)
        {
            capture.invalid = true;
        }
        if empty {
            state.streams.remove(&stream);
        }
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamSynchronize(stream: Handle) -> CuResult {
    call("cuStreamSynchronize", || {
        let (driver, mut state, context) = enter()?;
        let stream = resolve(&mut state, context, stream)?;
        state.stream_not_capturing(stream, "a synchronisation")?;
        let targets = waits(&state, stream);
        let state = driver.complete(state, &targets);
        state.current().map(|_| ())
    })
}

/// What the end of a stream stands for: the legacy stream waits for the blocking ones too.
fn waits(state: &State, stream: Handle) -> Vec<OpId> {
    let entry = &state.streams[&stream];
    let mut targets: Vec<OpId> = entry.last.into_iter().collect();
    if stream == state.contexts[&entry.context].legacy {
        let same = |s: &&Stream| s.context == entry.context && s.blocking;
        targets.extend(state.streams.values().filter(same).filter_map(|s| s.last));
    }
    targets
}

/// `CUDA_ERROR_NOT_READY` while work is queued; every query lets the device do one step.
#[unsafe(no_mangle)]
pub extern "C" fn cuStreamQuery(stream: Handle) -> CuResult {
    call("cuStreamQuery", || {
        let (driver, mut state, context) = enter()?;
        let stream = resolve(&mut state, context, stream)?;
        state.stream_not_capturing(stream, "a query")?;
        let targets = waits(&state, stream);
        if targets.iter().any(|t| state.pending.contains(t)) {
            drop(driver.progress(state, &targets));
            return refuse(NOT_READY, "");
        }
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamWaitEvent(stream: Handle, event: Handle, flags: u32) -> CuResult {
    call("cuStreamWaitEvent", || {
        let (_, mut state, context) = enter()?;
        if flags > 1 {
            return refuse(INVALID_VALUE, format!("{flags} is no flag of a wait"));
        }
        let stream = resolve(&mut state, context, stream)?;
        let Some(entry) = state.events.get(&event) else {
            return refuse(INVALID_HANDLE, format!("{event:#x} is no event, or a destroyed one"));
        };
        let (last, captured) = (entry.last, entry.captured.clone());
        let own = state.capture_of(stream)?;
        match (captured, own) {
            (Some((capture, nodes)), own) if own.is_none_or(|o| o == capture) => {
                let entry = state.captures.get_mut(&capture).expect("live");
                entry.fronts.entry(stream).or_default().extend(nodes);
                state.streams.get_mut(&stream).expect("resolved").capture = Some(capture);
                Ok(())
            }
            (Some(_), Some(own)) => {
                state.captures.get_mut(&own).expect("live").invalid = true;
                refuse(STREAM_CAPTURE_MERGE, "the event belongs to another capture; two captures can't be merged")
            }
            (None, Some(own)) if last.is_some() => {
                state.captures.get_mut(&own).expect("live").invalid = true;
                refuse(
                    STREAM_CAPTURE_ISOLATION,
                    "a capturing stream would wait for an event recorded outside the capture; the capture is now invalid",
                )
            }
            // An event never recorded counts as complete.
            (_, Some(_)) => Ok(()),
            (_, None) => {
                state.push(stream, std::sync::Arc::new(Work::Nothing), last.into_iter().collect());
                Ok(())
            }
        }
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuLaunchHostFunc(stream: Handle, function: Option<HostFn>, data: *mut c_void) -> CuResult {
    call("cuLaunchHostFunc", || {
        let (driver, state, context) = enter()?;
        let Some(function) = function else {
            return refuse(INVALID_VALUE, "no function");
        };
        let work = Work::Host(function, data as usize);
        submit(driver, state, context, stream, work, "a host function").map(|_| ())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamGetFlags(stream: Handle, flags: *mut u32) -> CuResult {
    call("cuStreamGetFlags", || {
        let (_, mut state, context) = enter()?;
        let handle = resolve(&mut state, context, stream)?;
        let entry = &state.streams[&handle];
        let blocking = entry.blocking || handle == state.contexts[&context].legacy;
        store(flags, !blocking as u32, "flags")
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamGetPriority(stream: Handle, priority: *mut i32) -> CuResult {
    call("cuStreamGetPriority", || {
        let (_, mut state, context) = enter()?;
        let stream = resolve(&mut state, context, stream)?;
        store(priority, state.streams[&stream].priority, "priority")
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamGetCtx(stream: Handle, out: *mut Handle) -> CuResult {
    call("cuStreamGetCtx", || {
        let (_, mut state, context) = enter()?;
        let stream = resolve(&mut state, context, stream)?;
        store(out, state.streams[&stream].context, "context")
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamGetId(stream: Handle, out: *mut u64) -> CuResult {
    call("cuStreamGetId", || {
        let (_, mut state, context) = enter()?;
        store(out, resolve(&mut state, context, stream)?, "id")
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamBeginCapture_v2(stream: Handle, mode: i32) -> CuResult {
    call("cuStreamBeginCapture_v2", || capture::begin(stream, mode))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamEndCapture(stream: Handle, graph: *mut Handle) -> CuResult {
    call("cuStreamEndCapture", || {
        store(graph, 0, "graph")?;
        store(graph, capture::end(stream)?, "graph")
    })
}

/// 0 not capturing, 1 capturing, 2 the capture is invalid.
fn status(state: &State, stream: Handle) -> (i32, u64) {
    match state.streams[&stream].capture {
        None => (0, 0),
        Some(c) => (1 + state.captures[&c].invalid as i32, c),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamIsCapturing(stream: Handle, out: *mut i32) -> CuResult {
    call("cuStreamIsCapturing", || {
        let (_, mut state, context) = enter()?;
        let stream = resolve(&mut state, context, stream)?;
        store(out, status(&state, stream).0, "status")
    })
}

/// Status and number of the capture; asking for its graph while it is under way is refused.
fn capture_info(
    stream: Handle,
    out: *mut i32,
    id: *mut u64,
    graph: *mut Handle,
    nodes: *mut *const Handle,
    count: *mut usize,
) -> Answer {
    let (_, mut state, context) = enter()?;
    let stream = resolve(&mut state, context, stream)?;
    let (status, number) = status(&state, stream);
    store(out, status, "status")?;
    store_if(id, number);
    if status == 1 && !(graph.is_null() && nodes.is_null() && count.is_null()) {
        return refuse(NOT_SUPPORTED, "softgpu gives no access to a graph before its capture ends");
    }
    Ok(())
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamGetCaptureInfo_v2(
    stream: Handle,
    status: *mut i32,
    id: *mut u64,
    graph: *mut Handle,
    nodes: *mut *const Handle,
    count: *mut usize,
) -> CuResult {
    call("cuStreamGetCaptureInfo_v2", || capture_info(stream, status, id, graph, nodes, count))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamGetCaptureInfo_v3(
    stream: Handle,
    status: *mut i32,
    id: *mut u64,
    graph: *mut Handle,
    nodes: *mut *const Handle,
    _edges: *mut *const c_void,
    count: *mut usize,
) -> CuResult {
    call("cuStreamGetCaptureInfo_v3", || capture_info(stream, status, id, graph, nodes, count))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuThreadExchangeStreamCaptureMode(mode: *mut i32) -> CuResult {
    call("cuThreadExchangeStreamCaptureMode", || {
        if mode.is_null() {
            return refuse(INVALID_VALUE, "mode is a null pointer");
        }
        // SAFETY: not null.
        let wanted = unsafe { *mode };
        if !(capture::GLOBAL..=capture::RELAXED).contains(&wanted) {
            return refuse(INVALID_VALUE, format!("{wanted} is no capture mode"));
        }
        store(mode, MODE.replace(wanted), "mode")
    })
}
