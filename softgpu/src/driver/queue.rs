//! Work queued on streams, run as late as it may.
//!
//! Nothing runs when it is queued. A call that waits (a synchronisation, a copy to pageable memory)
//! names the operations it needs; what they depend on runs then, in an order drawn from the seed where the
//! program leaves it open. Device-only operations of other streams may be drawn in between; those that
//! touch host memory or call the host never run before they must. So a missing synchronisation gives wrong
//! data here at every run, not once in a thousand.

use super::copy::{Copy, Fill};
use super::entry::{Answer, callback, log, refuse};
use super::errors::*;
use super::launch::Launch;
use super::state::*;
use std::collections::HashSet;
use std::ffi::c_void;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A function of the program that runs on a stream.
pub type HostFn = unsafe extern "C" fn(*mut c_void);

/// One operation.
pub enum Work {
    /// Orders other operations and does nothing itself.
    Nothing,
    Kernel(Launch),
    Copy(Copy),
    Fill(Fill),
    Host(HostFn, usize),
    Record(Handle),
    Free(u64),
    Graph(Plan),
}

/// The nodes of an instantiated graph with the nodes each waits for.
pub struct Plan {
    pub nodes: Vec<(Arc<Work>, Vec<usize>)>,
}

impl Work {
    /// True when running it changes or reads nothing but the device.
    fn device_only(&self) -> bool {
        match self {
            Work::Nothing | Work::Kernel(_) | Work::Fill(_) | Work::Record(_) => true,
            Work::Copy(copy) => copy.device_only(),
            Work::Host(..) | Work::Free(_) => false,
            Work::Graph(plan) => plan.nodes.iter().all(|(work, _)| work.device_only()),
        }
    }
}

impl Work {
    /// True when a function of the program runs in it.
    fn calls_host(&self) -> bool {
        match self {
            Work::Host(..) => true,
            Work::Graph(plan) => plan.nodes.iter().any(|(work, _)| work.calls_host()),
            _ => false,
        }
    }
}

impl State {
    /// Queues work at the end of a stream, after `after` too; returns its number.
    ///
    /// The legacy stream waits for all blocking streams of its context and they for it (driver API,
    /// "Stream synchronization behavior").
    pub fn push(&mut self, stream: Handle, work: Arc<Work>, mut after: Vec<OpId>) -> OpId {
        let context = self.streams[&stream].context;
        let legacy = self.contexts[&context].legacy;
        if stream == legacy {
            let others = self.streams.values();
            after.extend(others.filter(|s| s.context == context && s.blocking).filter_map(|s| s.last));
        } else if self.streams[&stream].blocking {
            after.extend(self.streams[&legacy].last);
        }
        after.retain(|op| self.pending.contains(op));
        self.next_op += 1;
        let id = self.next_op;
        self.pending.insert(id);
        let stream = self.streams.get_mut(&stream).expect("checked by the caller");
        stream.last = Some(id);
        stream.queue.push_back(Op { id, after, work });
        id
    }

    /// The streams whose queues hold what `targets` depend on, each with how many of its operations.
    fn needed(&self, targets: &[OpId]) -> HashSet<OpId> {
        let mut needed = HashSet::new();
        let mut open: Vec<OpId> = targets.iter().copied().filter(|t| self.pending.contains(t)).collect();
        while let Some(id) = open.pop() {
            if needed.contains(&id) {
                continue;
            }
            for stream in self.streams.values() {
                if !stream.queue.iter().any(|op| op.id == id) {
                    continue;
                }
                for op in stream.queue.iter().take_while(|op| op.id <= id) {
                    if needed.insert(op.id) {
                        open.extend(op.after.iter().filter(|a| self.pending.contains(a)));
                    }
                }
            }
            needed.insert(id);
        }
        needed
    }

    /// Streams whose first operation could run now, with whether it is needed; in order of their handles.
    fn ready(&self, needed: &HashSet<OpId>) -> Vec<(Handle, bool)> {
        let mut ready: Vec<(Handle, bool)> = self
            .streams
            .iter()
            .filter(|(_, s)| !s.busy)
            .filter_map(|(handle, s)| {
                let op = s.queue.front()?;
                if op.after.iter().any(|a| self.pending.contains(a)) {
                    return None;
                }
                let needed = needed.contains(&op.id);
                let may = needed || op.work.device_only();
                let free = matches!(*op.work, Work::Host(..)) || !self.device_busy;
                (may && free).then_some((*handle, needed))
            })
            .collect();
        ready.sort_unstable();
        ready
    }
}

impl Driver {
    /// Runs what `targets` need, until they are done.
    pub fn complete(&'static self, mut state: Locked, targets: &[OpId]) -> Locked {
        while targets.iter().any(|t| state.pending.contains(t)) {
            let needed = state.needed(targets);
            let mut ready = state.ready(&needed);
            if !ready.iter().any(|r| r.1) {
                // Another thread runs what is needed.
                state = self.changed.wait(state).unwrap_or_else(|p| p.into_inner());
                continue;
            }
            // One step in four may go to work that nobody waits for.
            if state.draw(4) != 0 {
                ready.retain(|r| r.1);
            }
            let pick = state.draw(ready.len());
            state = self.step(state, ready[pick].0);
        }
        state
    }

    /// Runs one operation that `targets` need, if one can run now; what a query does.
    ///
    /// A query never blocks, but a host function may, until the program calls it off after the
    /// query: it runs in a thread of its own.
    pub fn progress(&'static self, state: Locked, targets: &[OpId]) -> Locked {
        let needed = state.needed(targets);
        let ready = state.ready(&needed);
        let Some(&(stream, _)) = ready.iter().find(|r| r.1) else {
            return state;
        };
        let first = state.streams[&stream].queue.front().map(|op| (op.id, op.work.calls_host()));
        let Some((id, true)) = first else {
            return self.step(state, stream);
        };
        let run = move || {
            let state = self.relock();
            let still = state.ready(&HashSet::from([id]));
            if still.contains(&(stream, true)) {
                drop(self.step(state, stream));
            }
        };
        let thread = std::thread::Builder::new().name("softgpu-host".into());
        if let Err(error) = thread.spawn(run) {
            log(&format!("no thread for a host function: {error}"));
        }
        state
    }

    /// Everything queued in a context.
    pub fn drain(&'static self, state: Locked, context: Handle) -> Locked {
        let targets: Vec<OpId> =
            state.streams.values().filter(|s| s.context == context).filter_map(|s| s.last).collect();
        self.complete(state, &targets)
    }

    fn step(&'static self, mut state: Locked, stream: Handle) -> Locked {
        state.running += 1;
        let entry = state.streams.get_mut(&stream).expect("a ready stream");
        entry.busy = true;
        let context = entry.context;
        let op = entry.queue.front().expect("a ready stream");
        let (id, work) = (op.id, op.work.clone());
        let on_device = !matches!(*work, Work::Host(..));
        if on_device {
            state.device_busy = true;
        }
        // After a fault nothing of the context runs any more.
        let dead = state.contexts.get(&context).is_none_or(|c| c.sticky.is_some());
        if !dead || matches!(*work, Work::Record(_)) {
            let (mut after, outcome) = self.run(state, &work, id);
            if let Err(refusal) = outcome {
                if let Some(context) = after.contexts.get_mut(&context) {
                    context.sticky.get_or_insert((refusal.code, refusal.message.clone()));
                }
                log(&format!("{}: {}", name(refusal.code), refusal.message));
            }
            state = after;
        }
        if on_device {
            state.device_busy = false;
        }
        state.pending.remove(&id);
        state.running -= 1;
        state.last_call = TimeOfCall(Instant::now());
        if let Some(entry) = state.streams.get_mut(&stream) {
            entry.busy = false;
            entry.queue.pop_front();
            if !entry.alive && entry.queue.is_empty() {
                state.streams.remove(&stream);
            }
        }
        self.changed.notify_all();
        state
    }

    fn run(&'static self, mut state: Locked, work: &Work, id: OpId) -> (Locked, Answer) {
        match work {
            Work::Nothing => (state, Ok(())),
            Work::Record(event) => {
                if let Some(event) = state.events.get_mut(event)
                    && event.last.is_none_or(|last| last == id)
                {
                    event.time = Some(Instant::now());
                }
                (state, Ok(()))
            }
            Work::Free(address) => {
                let outcome = self.release(&mut state, *address);
                (state, outcome)
            }
            Work::Host(function, data) => {
                drop(state);
                // SAFETY: the program gave the function and its argument for this call.
                callback(|| unsafe { function(*data as *mut c_void) });
                (self.relock(), Ok(()))
            }
            Work::Copy(copy) => {
                drop(state);
                let outcome = copy.run(&self.memory);
                (self.relock(), outcome)
            }
            Work::Fill(fill) => {
                drop(state);
                let outcome = fill.run(&self.memory);
                (self.relock(), outcome)
            }
            Work::Kernel(launch) => launch.run(self, state),
            Work::Graph(plan) => {
                let mut done = vec![false; plan.nodes.len()];
                for _ in 0..plan.nodes.len() {
                    let ready: Vec<usize> =
                        (0..done.len()).filter(|&i| !done[i] && plan.nodes[i].1.iter().all(|&d| done[d])).collect();
                    let i = ready[state.draw(ready.len())];
                    let outcome;
                    (state, outcome) = self.run(state, &plan.nodes[i].0, id);
                    if outcome.is_err() {
                        return (state, outcome);
                    }
                    done[i] = true;
                }
                (state, Ok(()))
            }
        }
    }

    /// Takes the lock again without counting as a call of the program.
    pub fn relock(&'static self) -> Locked {
        self.state.lock().unwrap_or_else(|p| p.into_inner())
    }

    /// Runs queued work by itself once the program has called nothing for a while.
    ///
    /// A program may wait for a host function by its own means (a channel, a condition variable); on a
    /// card the function would run, so here it must too.
    pub fn watch_idle(&'static self, idle: Duration) {
        let watch = move || {
            loop {
                std::thread::sleep(idle / 2);
                let mut state = self.relock();
                // A long kernel is no idleness: its caller goes on where the seed says.
                let idling = state.running == 0 && state.last_call.0.elapsed() >= idle;
                if !idling || state.pending.is_empty() {
                    continue;
                }
                let targets: Vec<OpId> = state.pending.iter().copied().collect();
                state = self.progress(state, &targets);
                drop(state);
            }
        };
        // Without the thread only such programs would wait for ever; say so and go on.
        if let Err(error) = std::thread::Builder::new().name("softgpu-idle".into()).spawn(watch) {
            log(&format!("no thread for idle progress ({error}): queued work runs only inside driver calls"));
        }
    }
}

/// Checks a stream argument and finds its queue: 0 and 1 are the legacy stream, 2 the thread's own.
pub fn resolve(state: &mut State, context: Handle, stream: Handle) -> Answer<Handle> {
    match stream {
        0 | 1 => Ok(state.contexts[&context].legacy),
        2 => {
            let thread = std::thread::current().id();
            if let Some(&own) = state.contexts[&context].per_thread.get(&thread) {
                return Ok(own);
            }
            let own = super::stream::create(state, context, true, 0);
            let entry = state.contexts.get_mut(&context).expect("current");
            entry.per_thread.insert(thread, own);
            Ok(own)
        }
        handle => match state.streams.get(&handle) {
            Some(s) if !s.alive => refuse(INVALID_HANDLE, "the stream has been destroyed"),
            Some(s) if s.context != context => {
                refuse(INVALID_HANDLE, "the stream belongs to a context that is not current to this thread")
            }
            Some(_) => Ok(handle),
            None => refuse(INVALID_HANDLE, format!("{handle:#x} is no stream, or one that has been destroyed")),
        },
    }
}
