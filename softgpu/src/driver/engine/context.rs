//! Making and ending contexts.

use super::report;
use crate::driver::objects::*;

impl State {
    /// Makes a context with its legacy stream.
    pub fn create_context(&mut self, primary: bool, flags: u32) -> Handle {
        let handle = self.contexts.add(Context { primary, flags, ..Context::default() });
        self.contexts.at(handle).legacy = self.create_stream(handle, false, 0);
        handle
    }
}

impl Session {
    /// Ends a context: runs what is queued, reports leaks, frees everything in it.
    pub fn destroy_context(&mut self, context: Handle) {
        self.drain(context);
        report::leaks(self, context);
        let modules = self.modules.iter().filter(|m| m.1.context == context).map(|m| *m.0);
        for module in modules.collect::<Vec<Handle>>() {
            self.unload(module);
        }
        let memory = &self.driver.memory;
        self.linear.retain(|address, linear| {
            let here = linear.context == context;
            if here {
                // The address is a live allocation's: freeing it can't fail.
                let _ = memory.free(*address);
            }
            !here
        });
        self.pinned.retain(|_, p| p.context != context);
        self.streams.retain(|_, s| s.context != context);
        self.events.retain(|_, e| e.context != context);
        self.captures.retain(|_, c| c.context != context);
        self.graphs.retain(|_, g| g.context != context);
        self.execs.retain(|_, e| e.context != context);
        self.contexts.remove(&context);
        if self.primary == Some(context) {
            self.primary = None;
            self.primary_count = 0;
        }
        report::write_files(self);
    }
}
