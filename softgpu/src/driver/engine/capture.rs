//! Stream capture: work becomes nodes of a graph instead of being queued.
//!
//! Rules from the CUDA driver API, "Stream Management" (`cuStreamBeginCapture`,
//! `cuThreadExchangeStreamCaptureMode`), and the CUDA C++ Programming Guide, "Stream Capture: Prohibited and Unhandled
//! Operations" and "Invalidation".

use crate::driver::abi::*;
use crate::driver::objects::*;
use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};

pub const GLOBAL: i32 = 0;
pub const THREAD_LOCAL: i32 = 1;
pub const RELAXED: i32 = 2;

thread_local! {
    /// What `cuThreadExchangeStreamCaptureMode` set for this thread.
    pub static MODE: Cell<i32> = const { Cell::new(GLOBAL) };
}

impl State {
    /// Makes a capture invalid and refuses the call that did it.
    pub fn spoil<T>(&mut self, capture: Handle, code: CuResult, message: &str) -> Answer<T> {
        self.captures.at(capture).invalid = true;
        refuse(code, format!("{message}; the capture is now invalid"))
    }

    /// Makes these captures invalid and says whether there are any.
    fn invalidate(&mut self, which: impl Fn(&Capture) -> bool) -> bool {
        let mut any = false;
        for capture in self.captures.values_mut().filter(|c| which(c)) {
            capture.invalid = true;
            any = true;
        }
        any
    }

    /// Refuses a call that is unsafe while a stream captures, as allocation and implicit
    /// synchronisation are, and invalidates the captures it would disturb.
    pub fn not_while_capturing(&mut self, what: &str) -> Answer {
        let thread = std::thread::current().id();
        let mode = MODE.get();
        let disturbed = self.invalidate(|c| match mode {
            GLOBAL => c.mode == GLOBAL || (c.thread == thread && c.mode != RELAXED),
            THREAD_LOCAL => c.thread == thread && c.mode != RELAXED,
            _ => false,
        });
        if !disturbed {
            return Ok(());
        }
        refuse(
            STREAM_CAPTURE_UNSUPPORTED,
            format!(
                "{what} is not allowed while a stream captures; the capture is now invalid. \
                 Do it before, or begin the capture in relaxed mode"
            ),
        )
    }

    /// Refuses to wait for a context one of whose streams captures.
    pub fn no_capture_in(&mut self, context: Handle, what: &str) -> Answer {
        if !self.invalidate(|c| c.context == context) {
            return Ok(());
        }
        refuse(
            STREAM_CAPTURE_UNSUPPORTED,
            format!("{what} while a stream of the context captures; the capture is now invalid"),
        )
    }

    /// Refuses what can't be a node of a graph, where the stream captures.
    pub fn not_captured(&mut self, stream: Handle, message: &str) -> Answer {
        match self.capture_of(stream)? {
            Some(capture) => self.spoil(capture, NOT_SUPPORTED, message),
            None => Ok(()),
        }
    }

    /// Refuses to wait for or ask about a stream that captures.
    pub fn stream_not_capturing(&mut self, stream: Handle, what: &str) -> Answer {
        match self.streams[&stream].capture {
            Some(capture) => {
                self.spoil(capture, STREAM_CAPTURE_UNSUPPORTED, &format!("{what} of a stream that captures"))
            }
            None => self.legacy_allowed(stream, what),
        }
    }

    /// The legacy stream may not be used while a blocking stream of its context captures.
    fn legacy_allowed(&mut self, stream: Handle, what: &str) -> Answer {
        let context = self.streams[&stream].context;
        if stream != self.contexts[&context].legacy {
            return Ok(());
        }
        let streams = self.streams.values().filter(|s| s.context == context && s.blocking);
        let blocking: Vec<Handle> = streams.filter_map(|s| s.capture).collect();
        if blocking.is_empty() {
            return Ok(());
        }
        for capture in blocking {
            self.captures.at(capture).invalid = true;
        }
        refuse(
            STREAM_CAPTURE_IMPLICIT,
            format!(
                "{what} on the legacy default stream while a blocking stream captures would make it depend on the \
                 capture; the capture is now invalid"
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

impl Session {
    /// Gives work to a stream: queues it, or adds a node when the stream captures. The number is that of queued work.
    pub fn submit(&mut self, stream: Handle, work: Work, what: &str) -> Answer<Option<OpId>> {
        let stream = self.stream(stream)?;
        self.legacy_allowed(stream, what)?;
        if let Some(capture) = self.capture_of(stream)? {
            if matches!(work, Work::Free(_)) {
                return self.spoil(capture, NOT_SUPPORTED, "softgpu has no memory nodes in graphs");
            }
            let node = self.handle(Kind::Node);
            let capture = self.captures.at(capture);
            let front = capture.fronts.entry(stream).or_default();
            let after = std::mem::replace(front, BTreeSet::from([node]));
            capture.graph.nodes.insert(node, Node::new(work, after.into_iter().collect()));
            return Ok(None);
        }
        let id = self.push(stream, work, vec![]);
        if self.driver.config().eager {
            self.complete(&[id]);
        }
        Ok(Some(id))
    }

    /// Begins a capture on a stream.
    pub fn begin_capture(&mut self, stream: Handle, mode: i32) -> Answer {
        if !(GLOBAL..=RELAXED).contains(&mode) {
            return refuse(INVALID_VALUE, format!("{mode} is no capture mode"));
        }
        let stream = self.stream(stream)?;
        let context = self.context;
        if stream == self.contexts[&context].legacy {
            return refuse(
                STREAM_CAPTURE_UNSUPPORTED,
                "the legacy default stream cannot capture; use a stream of your own",
            );
        }
        if self.streams[&stream].capture.is_some() {
            return refuse(ILLEGAL_STATE, "the stream captures already");
        }
        let handle = self.handle(Kind::Graph);
        let capture = Capture {
            origin: stream,
            context,
            mode,
            thread: std::thread::current().id(),
            graph: Graph::new(context),
            fronts: HashMap::from([(stream, BTreeSet::new())]),
            invalid: false,
        };
        self.captures.insert(handle, capture);
        self.streams.at(stream).capture = Some(handle);
        Ok(())
    }

    /// Ends a capture and returns its graph.
    pub fn end_capture(&mut self, stream: Handle) -> Answer<Handle> {
        let stream = self.stream(stream)?;
        let Some(handle) = self.streams[&stream].capture else {
            return refuse(ILLEGAL_STATE, "the stream does not capture");
        };
        let capture = &self.captures[&handle];
        if capture.origin != stream {
            return refuse(STREAM_CAPTURE_UNMATCHED, "the capture began on another stream and must end there");
        }
        if capture.mode != RELAXED && capture.thread != std::thread::current().id() {
            return refuse(STREAM_CAPTURE_WRONG_THREAD, "the capture was begun by another thread and is not relaxed");
        }
        let capture = self.captures.take(handle)?;
        for stream in self.streams.values_mut() {
            stream.capture.take_if(|c| *c == handle);
        }
        for event in self.events.values_mut() {
            event.captured.take_if(|c| c.0 == handle);
        }
        if capture.invalid {
            return refuse(STREAM_CAPTURE_INVALIDATED, "an earlier call made the capture invalid; there is no graph");
        }
        if !joined(&capture, stream) {
            return refuse(
                STREAM_CAPTURE_UNJOINED,
                "work was captured on another stream and the first stream never waits for it; \
                 record an event there and wait for it before ending the capture",
            );
        }
        let graph = self.handle(Kind::Graph);
        self.graphs.insert(graph, capture.graph);
        Ok(graph)
    }
}

/// Whether the end of the stream waits, directly or not, for all that was captured.
fn joined(capture: &Capture, stream: Handle) -> bool {
    let mut joined = BTreeSet::new();
    let mut open: Vec<Handle> = capture.fronts[&stream].iter().copied().collect();
    while let Some(node) = open.pop() {
        if joined.insert(node) {
            open.extend(&capture.graph.nodes[&node].after);
        }
    }
    capture.fronts.values().all(|front| front.is_subset(&joined))
}
