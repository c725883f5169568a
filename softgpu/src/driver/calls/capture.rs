//! Captures of streams.

use crate::driver::abi::*;
use crate::driver::engine::capture::{GLOBAL, MODE, RELAXED};
use crate::driver::objects::*;
use std::ffi::c_void;

entry!(cuStreamBeginCapture_v2, |stream: Handle, mode: i32| enter()?.begin_capture(stream, mode));

entry!(cuStreamEndCapture, |stream: Handle, graph: Out<Handle>| {
    graph.set(0, "graph")?;
    graph.set(enter()?.end_capture(stream)?, "graph")
});

/// 0 not capturing, 1 capturing, 2 the capture is invalid; and the capture's number.
fn status(stream: Handle) -> Answer<(i32, u64)> {
    let mut state = enter()?;
    let stream = state.stream(stream)?;
    Ok(match state.streams[&stream].capture {
        None => (0, 0),
        Some(c) => (1 + state.captures[&c].invalid as i32, c),
    })
}

entry!(cuStreamIsCapturing, |stream: Handle, out: Out<i32>| out.set(status(stream)?.0, "status"));

/// Status and number of the capture; asking for its graph while it is under way is refused.
fn capture_info(stream: Handle, out: Out<i32>, id: Out<u64>, asks_for_graph: bool) -> Answer {
    let (status, number) = status(stream)?;
    out.set(status, "status")?;
    id.set_if_given(number);
    if status == 1 && asks_for_graph {
        return refuse(NOT_SUPPORTED, "softgpu gives no access to a graph before its capture ends");
    }
    Ok(())
}

entry!(cuStreamGetCaptureInfo_v2, |stream: Handle,
                                   status: Out<i32>,
                                   id: Out<u64>,
                                   graph: Out<Handle>,
                                   nodes: Out<*const Handle>,
                                   count: Out<usize>| {
    capture_info(stream, status, id, graph.is_given() || nodes.is_given() || count.is_given())
});

entry!(cuStreamGetCaptureInfo_v3, |stream: Handle,
                                   status: Out<i32>,
                                   id: Out<u64>,
                                   graph: Out<Handle>,
                                   nodes: Out<*const Handle>,
                                   _edges: Out<*const c_void>,
                                   count: Out<usize>| {
    capture_info(stream, status, id, graph.is_given() || nodes.is_given() || count.is_given())
});

entry!(cuThreadExchangeStreamCaptureMode, |mode: Option<&mut i32>| {
    let mode = required(mode, "mode is a null pointer")?;
    if !(GLOBAL..=RELAXED).contains(mode) {
        return refuse(INVALID_VALUE, format!("{mode} is no capture mode"));
    }
    *mode = MODE.replace(*mode);
    Ok(())
});
