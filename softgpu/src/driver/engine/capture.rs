//! Stream capture: work becomes nodes of a graph instead of being queued.
//!
//! Rules from the CUDA driver API, "Stream Management" (`cuStreamBeginCapture`,
//! `cuThreadExchangeStreamCaptureMode`), and the CUDA C++ Programming Guide, "Stream Capture: Prohibited and Unhandled
//! Operations" and "Invalidation".

use crate::driver::abi::*;
use crate::driver::objects::*;
use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};
use std::fmt::{Arguments, Display};

pub const GLOBAL: i32 = 0;
pub const THREAD_LOCAL: i32 = 1;
pub const RELAXED: i32 = 2;

thread_local! {
    /// What `cuThreadExchangeStreamCaptureMode` set for this thread.
    pub static MODE: Cell<i32> = const { Cell::new(GLOBAL) };
}

impl State {
    /// Makes a capture invalid and refuses the call that did it.
    pub fn spoil<T>(&mut self, capture: Handle, code: CuResult, message: impl Display) -> Answer<T> {
        self.captures.at(capture).invalid = true;
        refuse(code, format_args!("{message}; the capture is now invalid"))
    }

    /// Makes these captures invalid; where there are any, refuses the call that did it.
    fn spoil_all(&mut self, which: impl Fn(Handle, &Capture) -> bool, code: CuResult, message: Arguments) -> Answer {
        let found: Vec<Handle> = self.captures.iter().filter(|(h, c)| which(**h, c)).map(|(h, _)| *h).collect();
        found.into_iter().map(|capture| self.spoil(capture, code, message)).fold(Ok(()), Result::and)
    }

    /// Refuses a call that is unsafe while a stream captures, as allocation and implicit
    /// synchronisation are, and invalidates the captures it would disturb.
    pub fn not_while_capturing(&mut self, what: &str) -> Answer {
        let thread = std::thread::current().id();
        let disturbed = |_, c: &Capture| match MODE.get() {
            GLOBAL => c.mode == GLOBAL || (c.thread == thread && c.mode != RELAXED),
            THREAD_LOCAL => c.thread == thread && c.mode != RELAXED,
            _ => false,
        };
        let message = format_args!(
            "{what} is not allowed while a stream captures. Do it before, or begin the capture in relaxed mode"
        );
        self.spoil_all(disturbed, STREAM_CAPTURE_UNSUPPORTED, message)
    }

    /// Refuses to wait for a context one of whose streams captures.
    pub fn no_capture_in(&mut self, context: Handle, what: &str) -> Answer {
        let message = format_args!("{what} while a stream of the context captures");
        self.spoil_all(|_, c| c.context == context, STREAM_CAPTURE_UNSUPPORTED, message)
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
                self.spoil(capture, STREAM_CAPTURE_UNSUPPORTED, format_args!("{what} of a stream that captures"))
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
        let message = format_args!(
            "{what} on the legacy default stream while a blocking stream captures would make it depend on the capture"
        );
        self.spoil_all(|capture, _| blocking.contains(&capture), STREAM_CAPTURE_IMPLICIT, message)
    }

    /// Whether work given to a stream becomes part of a graph.
    pub fn captures_on(&self, stream: Handle) -> bool {
        self.streams.get(&stream).is_some_and(|stream| stream.capture.is_some())
    }

    /// The capture a stream is in, refused when it is invalid.
    pub fn capture_of(&mut self, stream: Handle) -> Answer<Option<Handle>> {
        let capture = self.streams[&stream].capture;
        let valid = capture.is_none_or(|capture| !self.captures[&capture].invalid);
        let message = "an earlier call made this stream's capture invalid; end it and capture again";
        ensure(valid, STREAM_CAPTURE_INVALIDATED, message)?;
        Ok(capture)
    }
}

impl Session {
    /// Gives work to a stream: queues it, or adds a node when the stream captures. The number is that of queued work.
    pub fn submit(&mut self, stream: Handle, work: Work, what: &str) -> Answer<Option<OpId>> {
        let stream = self.stream(stream)?;
        self.legacy_allowed(stream, what)?;
        if let Some(capture) = self.capture_of(stream)? {
            let node = Kind::Node.fresh();
            let capture = self.captures.at(capture);
            let front = capture.fronts.entry(stream).or_default();
            let after = std::mem::replace(front, BTreeSet::from([node]));
            capture.graph.nodes.insert(node, Node::new(work, after.into_iter().collect()));
            return Ok(None);
        }
        let id = self.push(stream, work, vec![]);
        if self.config.eager {
            self.complete(&[id]);
        }
        Ok(Some(id))
    }

    /// Begins a capture on a stream.
    pub fn begin_capture(&mut self, stream: Handle, mode: i32) -> Answer {
        valid((GLOBAL..=RELAXED).contains(&mode), format_args!("{mode} is no capture mode"))?;
        let stream = self.stream(stream)?;
        let context = self.context;
        let legacy = stream == self.contexts[&context].legacy;
        let message = "the legacy default stream cannot capture; use a stream of your own";
        ensure(!legacy, STREAM_CAPTURE_UNSUPPORTED, message)?;
        ensure(self.streams[&stream].capture.is_none(), ILLEGAL_STATE, "the stream captures already")?;
        let capture = Capture {
            origin: stream,
            context,
            mode,
            thread: std::thread::current().id(),
            graph: Graph::new(context),
            fronts: HashMap::from([(stream, BTreeSet::new())]),
            invalid: false,
        };
        self.streams.at(stream).capture = Some(self.captures.add(capture));
        Ok(())
    }

    /// Ends a capture and returns its graph.
    pub fn end_capture(&mut self, stream: Handle) -> Answer<Handle> {
        let stream = self.stream(stream)?;
        let handle = self.streams[&stream].capture.or_refuse(ILLEGAL_STATE, "the stream does not capture")?;
        let capture = &self.captures[&handle];
        let message = "the capture began on another stream and must end there";
        ensure(capture.origin == stream, STREAM_CAPTURE_UNMATCHED, message)?;
        let allowed = capture.mode == RELAXED || capture.thread == std::thread::current().id();
        let message = "the capture was begun by another thread and is not relaxed";
        ensure(allowed, STREAM_CAPTURE_WRONG_THREAD, message)?;
        let capture = self.captures.take(handle)?;
        for stream in self.streams.values_mut() {
            stream.capture.take_if(|c| *c == handle);
        }
        for event in self.events.values_mut() {
            event.captured.take_if(|c| c.0 == handle);
        }
        let message = "an earlier call made the capture invalid; there is no graph";
        ensure(!capture.invalid, STREAM_CAPTURE_INVALIDATED, message)?;
        let message = "work was captured on another stream and the first stream never waits for it; \
                       record an event there and wait for it before ending the capture";
        ensure(joined(&capture, stream), STREAM_CAPTURE_UNJOINED, message)?;
        Ok(self.graphs.add(capture.graph))
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
