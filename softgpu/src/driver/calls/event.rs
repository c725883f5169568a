//! Events. Times are those of this machine's clock: how long softgpu took, not a card.

use crate::driver::abi::*;
use crate::driver::objects::*;

entry!(cuEventCreate, |out: Out<Handle>, flags: u32| {
    let mut state = enter()?;
    if flags > 7 {
        return refuse(INVALID_VALUE, format!("{flags} is no event flag"));
    }
    if flags & 4 != 0 {
        return refuse(NOT_SUPPORTED, "softgpu has no events between processes");
    }
    out.required("event")?;
    let handle = state.handle(Kind::Event);
    let event = Event { context: state.context, timed: flags & 2 == 0, last: None, time: None, captured: None };
    state.events.insert(handle, event);
    out.set(handle, "event")
});

entry!(cuEventDestroy_v2, |event: Handle| lock()?.events.take(event).map(|_| ()));

fn record(event: Handle, stream: Handle) -> Answer {
    let mut state = enter()?;
    let stream = state.stream(stream)?;
    if state.events.known(event)?.context != state.streams[&stream].context {
        return refuse(INVALID_HANDLE, "event and stream belong to different contexts");
    }
    if let Some(capture) = state.capture_of(stream)? {
        let nodes = state.captures[&capture].fronts[&stream].iter().copied().collect();
        state.events.at(event).captured = Some((capture, nodes));
        return Ok(());
    }
    let id = state.push(stream, Work::Record(event), vec![]);
    let entry = state.events.at(event);
    (entry.last, entry.time, entry.captured) = (Some(id), None, None);
    if state.driver.config().eager {
        state.complete(&[id]);
    }
    Ok(())
}

entry!(cuEventRecord, |event: Handle, stream: Handle| record(event, stream));

entry!(cuEventRecordWithFlags, |event: Handle, stream: Handle, flags: u32| {
    if flags != 0 {
        return refuse(NOT_SUPPORTED, "softgpu has no external event nodes in captures");
    }
    record(event, stream)
});

/// An event that was not recorded in a capturing stream.
fn uncaptured(state: &mut State, event: Handle) -> Answer<&Event> {
    if let Some((capture, _)) = state.events.known(event)?.captured {
        return state.spoil(capture, CAPTURED_EVENT, "the event was last recorded in a capturing stream");
    }
    state.events.known(event)
}

entry!(cuEventSynchronize, |event: Handle| {
    let mut state = enter()?;
    let targets: Vec<OpId> = uncaptured(&mut state, event)?.last.into_iter().collect();
    state.complete(&targets);
    state.current().map(|_| ())
});

// `CUDA_ERROR_NOT_READY` until complete; every query lets the device do one step.
entry!(cuEventQuery, |event: Handle| {
    let mut state = enter()?;
    let last = uncaptured(&mut state, event)?.last;
    match last {
        Some(id) if state.pending.contains(&id) => {
            state.progress(&[id]);
            refuse(NOT_READY, "")
        }
        _ => Ok(()),
    }
});

entry!(cuEventElapsedTime, cuEventElapsedTime_v2, |out: Out<f32>, start: Handle, end: Handle| {
    let mut state = enter()?;
    for event in [start, end] {
        let entry = uncaptured(&mut state, event)?;
        if !entry.timed {
            return refuse(INVALID_HANDLE, "an event was created with CU_EVENT_DISABLE_TIMING");
        }
        let Some(id) = entry.last else {
            return refuse(INVALID_HANDLE, "an event has not been recorded");
        };
        if state.pending.contains(&id) {
            return refuse(NOT_READY, "");
        }
    }
    let (Some(a), Some(b)) = (state.events[&start].time, state.events[&end].time) else {
        return refuse(NOT_READY, "");
    };
    let forward = b.saturating_duration_since(a).as_secs_f64();
    let backward = a.saturating_duration_since(b).as_secs_f64();
    out.set(((forward - backward) * 1e3) as f32, "milliseconds")
});
