//! Making streams, and finding the one that an argument means.

use crate::driver::abi::*;
use crate::driver::objects::*;

/// The most urgent priority; 0 is the least. Kept, but the seed decides the order.
pub const GREATEST_PRIORITY: i32 = -5;

impl State {
    /// A new stream in a context.
    pub fn create_stream(&mut self, context: Handle, blocking: bool, priority: i32) -> Handle {
        let priority = priority.clamp(GREATEST_PRIORITY, 0);
        self.streams.add(Stream { context, blocking, priority, alive: true, ..Stream::default() })
    }
}

/// Begins a call about a stream of the context current to the thread; where none is current, of the stream's own.
pub fn enter_on(stream: Handle) -> Answer<(Session, Handle)> {
    let mut state = lock()?;
    let none = stream > 2 && STACK.with_borrow(|s| s.is_empty());
    let context = if none { state.streams.known(stream)?.context } else { state.current_any()? };
    state.context = state.sound(context)?;
    let stream = state.stream(stream)?;
    Ok((state, stream))
}

impl Session {
    /// The stream that an argument means: 1 is the legacy stream, 2 the thread's own, 0 one of them by the entry point.
    pub fn stream(&mut self, stream: Handle) -> Answer<Handle> {
        let context = self.context;
        match stream {
            0 if has_own_default_stream() => self.stream(2),
            0 | 1 => Ok(self.contexts[&context].legacy),
            2 => {
                let thread = std::thread::current().id();
                if let Some(&own) = self.contexts[&context].per_thread.get(&thread) {
                    return Ok(own);
                }
                let own = self.create_stream(context, true, 0);
                self.contexts.at(context).per_thread.insert(thread, own);
                Ok(own)
            }
            handle => {
                let stream = self.streams.known(handle)?;
                ensure(stream.alive, INVALID_HANDLE, "the stream has been destroyed")?;
                let current = stream.context == context;
                ensure(current, INVALID_HANDLE, "the stream belongs to a context that is not current to this thread")?;
                Ok(handle)
            }
        }
    }
}
