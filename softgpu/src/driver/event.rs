//! Events. Times are those of this machine's clock: how long softgpu took, not a card.

use super::entry::*;
use super::errors::*;
use super::queue::{Work, resolve};
use super::state::*;
use std::sync::Arc;

#[unsafe(no_mangle)]
pub extern "C" fn cuEventCreate(out: *mut Handle, flags: u32) -> CuResult {
    call("cuEventCreate", || {
        let (_, mut state, context) = enter()?;
        if flags > 7 {
            return refuse(INVALID_VALUE, format!("{flags} is no event flag"));
        }
        if flags & 4 != 0 {
            return refuse(NOT_SUPPORTED, "softgpu has no events between processes");
        }
        if out.is_null() {
            return refuse(INVALID_VALUE, "event is a null pointer");
        }
        let handle = state.handle(Kind::Event);
        let event = Event { context, timed: flags & 2 == 0, last: None, time: None, captured: None };
        state.events.insert(handle, event);
        store(out, handle, "event")
    })
}

fn known(state: &State, event: Handle) -> Answer<&Event> {
    match state.events.get(&event) {
        Some(event) => Ok(event),
        None => refuse(INVALID_HANDLE, format!("{event:#x} is no event, or a destroyed one")),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuEventDestroy_v2(event: Handle) -> CuResult {
    call("cuEventDestroy_v2", || {
        let mut state = driver()?.lock();
        known(&state, event)?;
        state.events.remove(&event);
        Ok(())
    })
}

fn record(event: Handle, stream: Handle) -> Answer {
    let (driver, mut state, context) = enter()?;
    let stream = resolve(&mut state, context, stream)?;
    if known(&state, event)?.context != state.streams[&stream].context {
        return refuse(INVALID_HANDLE, "event and stream belong to different contexts");
    }
    if let Some(capture) = state.capture_of(stream)? {
        let nodes = state.captures[&capture].fronts[&stream].iter().copied().collect();
        let entry = state.events.get_mut(&event).expect("known");
        entry.captured = Some((capture, nodes));
        return Ok(());
    }
    let id = state.push(stream, Arc::new(Work::Record(event)), vec![]);
    let entry = state.events.get_mut(&event).expect("known");
    (entry.last, entry.time, entry.captured) = (Some(id), None, None);
    if driver.config().eager {
        drop(driver.complete(state, &[id]));
    }
    Ok(())
}

#[unsafe(no_mangle)]
pub extern "C" fn cuEventRecord(event: Handle, stream: Handle) -> CuResult {
    call("cuEventRecord", || record(event, stream))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuEventRecordWithFlags(event: Handle, stream: Handle, flags: u32) -> CuResult {
    call("cuEventRecordWithFlags", || {
        if flags != 0 {
            return refuse(NOT_SUPPORTED, "softgpu has no external event nodes in captures");
        }
        record(event, stream)
    })
}

fn not_captured(state: &mut State, event: Handle) -> Answer {
    if let Some((capture, _)) = known(state, event)?.captured.clone() {
        if let Some(capture) = state.captures.get_mut(&capture) {
            capture.invalid = true;
        }
        return refuse(CAPTURED_EVENT, "the event was last recorded in a capturing stream; the capture is now invalid");
    }
    Ok(())
}

#[unsafe(no_mangle)]
pub extern "C" fn cuEventSynchronize(event: Handle) -> CuResult {
    call("cuEventSynchronize", || {
        let (driver, mut state, _) = enter()?;
        not_captured(&mut state, event)?;
        let targets: Vec<OpId> = known(&state, event)?.last.into_iter().collect();
        let state = driver.complete(state, &targets);
        state.current().map(|_| ())
    })
}

/// `CUDA_ERROR_NOT_READY` until complete; every query lets the device do one step.
#[unsafe(no_mangle)]
pub extern "C" fn cuEventQuery(event: Handle) -> CuResult {
    call("cuEventQuery", || {
        let (driver, mut state, _) = enter()?;
        not_captured(&mut state, event)?;
        match known(&state, event)?.last {
            Some(id) if state.pending.contains(&id) => {
                drop(driver.progress(state, &[id]));
                refuse(NOT_READY, "")
            }
            _ => Ok(()),
        }
    })
}

fn elapsed(out: *mut f32, start: Handle, end: Handle) -> Answer {
    let (_, mut state, _) = enter()?;
    for event in [start, end] {
        not_captured(&mut state, event)?;
        let entry = known(&state, event)?;
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
    let (a, b) = (state.events[&start].time, state.events[&end].time);
    let (Some(a), Some(b)) = (a, b) else {
        return refuse(NOT_READY, "");
    };
    let forward = b.saturating_duration_since(a).as_secs_f64();
    let backward = a.saturating_duration_since(b).as_secs_f64();
    store(out, ((forward - backward) * 1e3) as f32, "milliseconds")
}

#[unsafe(no_mangle)]
pub extern "C" fn cuEventElapsedTime(out: *mut f32, start: Handle, end: Handle) -> CuResult {
    call("cuEventElapsedTime", || elapsed(out, start, end))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuEventElapsedTime_v2(out: *mut f32, start: Handle, end: Handle) -> CuResult {
    call("cuEventElapsedTime_v2", || elapsed(out, start, end))
}
