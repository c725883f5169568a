//! Events. Times are those of this machine's clock: how long softgpu took, not a card.

use crate::driver::abi::*;
use crate::driver::engine::stream::enter_on;
use crate::driver::objects::*;

entry!(cuEventCreate, |out: Out<Handle>, flags: u32| {
    let mut state = enter()?;
    valid(flags <= 7, format_args!("{flags} is no event flag"))?;
    ensure(flags & 4 == 0, NOT_SUPPORTED, "softgpu has no events between processes")?;
    out.required("event")?;
    let event = Event { context: state.context, timed: flags & 2 == 0, ..Event::default() };
    out.set(state.events.add(event), "event")
});

entry!(cuEventDestroy_v2, |event: Handle| lock()?.events.take(event));

fn record(event: Handle, stream: Handle) -> Answer {
    let (mut state, stream) = enter_on(stream)?;
    let same = state.events.known(event)?.context == state.streams[&stream].context;
    ensure(same, INVALID_HANDLE, "event and stream belong to different contexts")?;
    if let Some(capture) = state.capture_of(stream)? {
        let nodes = state.captures[&capture].fronts[&stream].iter().copied().collect();
        state.events.at(event).captured = Some((capture, nodes));
        return Ok(());
    }
    let id = state.push(stream, Work::Record(event), vec![]);
    let entry = state.events.at(event);
    (entry.last, entry.time, entry.captured) = (Some(id), None, None);
    if state.config.eager {
        state.complete(&[id]);
    }
    Ok(())
}

entry!(cuEventRecord, cuEventRecord_ptsz, |event: Handle, stream: Handle| record(event, stream));

entry!(cuEventRecordWithFlags, cuEventRecordWithFlags_ptsz, |event: Handle, stream: Handle, flags: u32| {
    ensure(flags == 0, NOT_SUPPORTED, "softgpu has no external event nodes in captures")?;
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
    let mut state = enter_of(event)?;
    let targets: Vec<OpId> = uncaptured(&mut state, event)?.last.into_iter().collect();
    state.complete(&targets);
    state.sound(state.context)
});

// `CUDA_ERROR_NOT_READY` until complete; every query lets the device do one step.
entry!(cuEventQuery, |event: Handle| {
    let mut state = enter_of(event)?;
    let targets: Vec<OpId> = uncaptured(&mut state, event)?.last.into_iter().collect();
    state.query(&targets)
});

entry!(cuEventElapsedTime, cuEventElapsedTime_v2, |out: Out<f32>, start: Handle, end: Handle| {
    let mut state = enter_of(start)?;
    for event in [start, end] {
        let entry = uncaptured(&mut state, event)?;
        ensure(entry.timed, INVALID_HANDLE, "an event was created with CU_EVENT_DISABLE_TIMING")?;
        let id = entry.last.or_refuse(INVALID_HANDLE, "an event has not been recorded")?;
        ensure(!state.pending.contains(&id), NOT_READY, "")?;
    }
    let [start, end] = [start, end].map(|event| state.events[&event].time);
    let (start, end) = start.zip(end).or_refuse(NOT_READY, "")?;
    let forward = end.saturating_duration_since(start).as_secs_f64();
    let backward = start.saturating_duration_since(end).as_secs_f64();
    out.set(((forward - backward) * 1e3) as f32, "milliseconds")
});
