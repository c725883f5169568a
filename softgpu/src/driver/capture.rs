//! Stream capture: work becomes nodes of a graph instead of being queued.
//!
//! Rules from the CUDA driver API, "Stream Management" (`cuStreamBeginCapture`,
//! `cuThreadExchangeStreamCaptureMode`), and the CUDA C++ Programming Guide, "Stream Capture: Prohibited and Unhandled Operations"
//! and "Invalidation".

use super::entry::{Answer, refuse};
use super::errors::*;
use super::graph::{Graph, Node};
use super::queue::{Work, resolve};
use super::state::*;
use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::thread::ThreadId;

pub const GLOBAL: i32 = 0;
pub const THREAD_LOCAL: i32 = 1;
pub const RELAXED: i32 = 2;

/// A capture under way.
pub struct Capture {
    pub origin: Handle,
    pub context: Handle,
    pub mode: i32,
    pub thread: ThreadId,
    pub graph: Graph,
    /// For every stream of the capture the nodes its next node will wait for.
    pub fronts: HashMap<Handle, BTreeSet<Handle>>,
    pub invalid: bool,
}

thread_local! {
    /// What `cuThreadExchangeStreamCaptureMode` set for this thread.
    pub static MODE: Cell<i32> = const { Cell::new(GLOBAL) };
}

impl State {
    fn invalidate(&mut self, which: impl Fn(&Capture) -> bool) {
        for capture in self.captures.values_mut().filter(|c| which(c)) {
            capture.invalid = true;
        }
    }

    /// Refuses a call that is unsafe while a stream captures, as allocation and implicit
    /// synchronisation are, and invalidates the captures it would disturb.
    pub fn not_while_capturing(&mut self, what: &str) -> Answer {
        let thread = std::thread::current().id();
        let mode = MODE.get();
        let disturbs = |c: &Capture| match mode {
            GLOBAL => c.mode == GLOBAL || (c.thread == thread && c.mode != RELAXED),
            THREAD_LOCAL => c.thread == thread && c.mode != RELAXED,
            _ => false,
        };
        if !self.captures.values().any(disturbs) {
            return Ok(());
        }
        self.invalidate(disturbs);
        refuse(
            STREAM_CAPTURE_UNSUPPORTED,
            format!(
                "{what} is not allowed while a stream captures; the capture is now invalid. Do it before, or begin the capture in relaxed mode"
            ),
        )
    }

    /// Refuses to wait for a context one of whose streams captures.
    pub fn no_capture_in(&mut self, context: Handle, what: &str) -> Answer {
        if !self.captures.values().any(|c| c.context == context) {
            return Ok(());
        }
        self.invalidate(|c| c.context == context);
        refuse(
            STREAM_CAPTURE_UNSUPPORTED,
            format!("{what} while a stream of the context captures; the capture is now invalid"),
        )
    }

    /// Refuses what can't be a node of a graph, where the stream captures.
    pub fn not_captured(&mut self, stream: Handle, message: &str) -> Answer {
        if let Some(capture) = self.capture_of(stream)? {
            self.captures.get_mut(&capture).expect("live").invalid = true;
            return refuse(NOT_SUPPORTED, format!("{message}; the capture is now invalid"));
        }
        Ok(())
    }

    /// Refuses to wait for or ask about a stream that captures.
    pub fn stream_not_capturing(&mut self, stream: Handle, what: &str) -> Answer {
        if let Some(capture) = self.streams[&stream].capture {
            self.captures.get_mut(&capture).expect("live").invalid = true;
            return refuse(
                STREAM_CAPTURE_UNSUPPORTED,
                format!("{what} of a stream that captures; the capture is now invalid"),
            );
        }
        self.legacy_allowed(stream, what)
    }

    /// The legacy stream may not be used while a blocking stream of its context captures.
    fn legacy_allowed(&mut self, stream: Handle, what: &str) -> Answer {
        let context = self.streams[&stream].context;
        if stream != self.contexts[&context].legacy {
            return Ok(());
        }
        let blocking: Vec<Handle> =
            self.streams.values().filter(|s| s.context == context && s.blocking).filter_map(|s| s.capture).collect();
        if blocking.is_empty() {
            return Ok(());
        }
        for capture in blocking {
            self.captures.get_mut(&capture).expect("live").invalid = true;
        }
        refuse(
            STREAM_CAPTURE_IMPLICIT,
            format!(
                "{what} on the legacy default stream while a blocking stream captures would make it depend on the capture; the capture is now invalid"
            ),
        )
    }

    /// The capture a stream is in, refused when it is invalid.
    pub fn capture_of(&mut self, stream: Handle) -> Answer<Option<Handle>> {
        let Some(handle) = self.streams[&stream].capture else {
            return Ok(None);
        };
        if self.captures[&handle].invalid {
            return refuse(
                STREAM_CAPTURE_INVALIDATED,
                "an earlier call made this stream's capture invalid; end it and capture again",
            );
        }
        Ok(Some(handle))
    }
}

/// Gives work to a stream: queues it, or adds a node when the stream captures.
pub fn submit(
    driver: &'static Driver,
    mut state: Locked,
    context: Handle,
    stream: Handle,
    work: Work,
    what: &str,
) -> Answer<(Locked, Option<OpId>)> {
    let stream = resolve(&mut state, context, stream)?;
    state.legacy_allowed(stream, what)?;
    if let Some(capture) = state.capture_of(stream)? {
        if matches!(work, Work::Free(_)) {
            state.captures.get_mut(&capture).expect("live").invalid = true;
            return refuse(NOT_SUPPORTED, "softgpu has no memory nodes in graphs; the capture is now invalid");
        }
        let node = state.handle(Kind::Node);
        let capture = state.captures.get_mut(&capture).expect("live");
        let front = capture.fronts.entry(stream).or_default();
        let after = std::mem::replace(front, BTreeSet::from([node]));
        capture.graph.nodes.insert(
            node,
            Node { work: Arc::new(work), after: after.into_iter().collect(), child: None, kernel_params: None },
        );
        return Ok((state, None));
    }
    let id = state.push(stream, Arc::new(work), vec![]);
    if driver.config().eager {
        state = driver.complete(state, &[id]);
    }
    Ok((state, Some(id)))
}

/// Begins a capture on a stream.
pub fn begin(stream: Handle, mode: i32) -> Answer {
    let (_, mut state, context) = enter()?;
    if !(GLOBAL..=RELAXED).contains(&mode) {
        return refuse(INVALID_VALUE, format!("{mode} is no capture mode"));
    }
    let stream = resolve(&mut state, context, stream)?;
    if stream == state.contexts[&context].legacy {
        return refuse(
            STREAM_CAPTURE_UNSUPPORTED,
            "the legacy default stream cannot capture; use a stream of your own",
        );
    }
    if state.streams[&stream].capture.is_some() {
        return refuse(ILLEGAL_STATE, "the stream captures already");
    }
    let handle = state.handle(Kind::Graph);
    let capture = Capture {
        origin: stream,
        context,
        mode,
        thread: std::thread::current().id(),
        graph: Graph::new(context),
        fronts: HashMap::from([(stream, BTreeSet::new())]),
        invalid: false,
    };
    state.captures.insert(handle, capture);
    state.streams.get_mut(&stream).expect("resolved").capture = Some(handle);
    Ok(())
}

/// Ends a capture and returns its graph.
pub fn end(stream: Handle) -> Answer<Handle> {
    let (_, mut state, context) = enter()?;
    let stream = resolve(&mut state, context, stream)?;
    let Some(handle) = state.streams[&stream].capture else {
        return refuse(ILLEGAL_STATE, "the stream does not capture");
    };
    let capture = &state.captures[&handle];
    if capture.origin != stream {
        return refuse(STREAM_CAPTURE_UNMATCHED, "the capture began on another stream and must end there");
    }
    if capture.mode != RELAXED && capture.thread != std::thread::current().id() {
        return refuse(STREAM_CAPTURE_WRONG_THREAD, "the capture was begun by another thread and is not relaxed");
    }
    let capture = state.captures.remove(&handle).expect("checked");
    for s in state.streams.values_mut() {
        if s.capture == Some(handle) {
            s.capture = None;
        }
    }
    for event in state.events.values_mut() {
        if event.captured.as_ref().is_some_and(|c| c.0 == handle) {
            event.captured = None;
        }
    }
    if capture.invalid {
        return refuse(STREAM_CAPTURE_INVALIDATED, "an earlier call made the capture invalid; there is no graph");
    }
    let mut joined = BTreeSet::new();
    let mut open: Vec<Handle> = capture.fronts[&stream].iter().copied().collect();
    while let Some(node) = open.pop() {
        if joined.insert(node) {
            open.extend(&capture.graph.nodes[&node].after);
        }
    }
    let unjoined = |front: &BTreeSet<Handle>| front.iter().any(|n| !joined.contains(n));
    if capture.fronts.values().any(unjoined) {
        return refuse(
            STREAM_CAPTURE_UNJOINED,
            "work was captured on another stream and the first stream never waits for it; record an event there and wait for it before ending the capture",
        );
    }
    let graph = state.handle(Kind::Graph);
    state.graphs.insert(graph, capture.graph);
    Ok(graph)
}
