//! Work queued on streams, run as late as it may.
//!
//! Nothing runs when it is queued. A call that waits (a synchronisation, a copy to pageable memory)
//! names the operations it needs; what they depend on runs then, in an order drawn from the seed where the
//! program leaves it open. Device-only operations of other streams may be drawn in between; those that
//! touch host memory or call the host never run before they must. So a missing synchronisation gives wrong
//! data here at every run, not once in a thousand.

use crate::driver::abi::*;
use crate::driver::objects::*;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

impl State {
    /// Queues work at the end of a stream, after `after` too; returns its number.
    ///
    /// The legacy stream waits for all blocking streams of its context and they for it (driver API,
    /// "Stream synchronization behavior").
    pub fn push(&mut self, stream: Handle, work: Work, mut after: Vec<OpId>) -> OpId {
        let context = self.streams[&stream].context;
        let legacy = self.contexts[&context].legacy;
        if stream == legacy {
            let others = self.streams.values();
            after.extend(others.filter(|s| s.context == context && s.blocking).filter_map(|s| s.last));
        } else if self.streams[&stream].blocking {
            after.extend(self.streams[&legacy].last);
        }
        after.retain(|op| self.pending.contains(op));
        self.last_op += 1;
        let id = self.last_op;
        self.pending.insert(id);
        let stream = self.streams.at(stream);
        stream.last = Some(id);
        stream.queue.push_back(Op { id, after, work: Arc::new(work) });
        id
    }

    /// What has to run so that `targets` are done.
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

impl Session {
    /// Runs what `targets` need, until they are done.
    pub fn complete(&mut self, targets: &[OpId]) {
        while targets.iter().any(|t| self.pending.contains(t)) {
            let needed = self.needed(targets);
            let mut ready = self.ready(&needed);
            if !ready.iter().any(|r| r.1) {
                // Another thread runs what is needed.
                self.wait();
                continue;
            }
            // One step in four may go to work that nobody waits for.
            if self.draw(4) != 0 {
                ready.retain(|r| r.1);
            }
            let pick = self.draw(ready.len());
            self.step(ready[pick].0);
        }
    }

    /// Runs one operation that `targets` need, if one can run now.
    ///
    /// A query never blocks, but a host function may, until the program calls it off after the
    /// query: it runs in a thread of its own.
    pub fn progress(&mut self, targets: &[OpId]) {
        let ready = self.ready(&self.needed(targets));
        let Some(&(stream, _)) = ready.iter().find(|r| r.1) else {
            return;
        };
        let first = self.streams[&stream].queue.front().map(|op| (op.id, op.work.calls_host()));
        let Some((id, true)) = first else {
            return self.step(stream);
        };
        let driver = self.driver;
        let run = move || {
            let mut state = driver.lock();
            if state.ready(&HashSet::from([id])).contains(&(stream, true)) {
                state.step(stream);
            }
        };
        let thread = std::thread::Builder::new().name("softgpu-host".into());
        if let Err(error) = thread.spawn(run) {
            log(&format!("no thread for a host function: {error}"));
        }
    }

    /// Refuses while `targets` are not done, with `CUDA_ERROR_NOT_READY`; every query lets the device do one step.
    pub fn query(&mut self, targets: &[OpId]) -> Answer {
        if targets.iter().all(|t| !self.pending.contains(t)) {
            return Ok(());
        }
        self.progress(targets);
        refuse(NOT_READY, "")
    }

    /// Runs everything queued in a context.
    pub fn drain(&mut self, context: Handle) {
        let streams = self.streams.values();
        let targets: Vec<OpId> = streams.filter(|s| s.context == context).filter_map(|s| s.last).collect();
        self.complete(&targets);
    }

    fn step(&mut self, stream: Handle) {
        self.running += 1;
        let entry = self.streams.at(stream);
        entry.busy = true;
        let context = entry.context;
        let op = entry.queue.front().expect("a ready stream");
        let (id, work) = (op.id, op.work.clone());
        let on_device = !matches!(*work, Work::Host(..));
        if on_device {
            self.device_busy = true;
        }
        // After a fault nothing of the context runs any more.
        let dead = self.contexts.get(&context).is_none_or(|c| c.sticky.is_some());
        if (!dead || matches!(*work, Work::Record(_)))
            && let Err(refusal) = self.run(&work, id)
        {
            log(&format!("{}: {}", name(refusal.code), refusal.message));
            if let Some(context) = self.contexts.get_mut(&context) {
                context.sticky.get_or_insert((refusal.code, refusal.message));
            }
        }
        if on_device {
            self.device_busy = false;
        }
        self.pending.remove(&id);
        self.running -= 1;
        self.last_call = Some(Instant::now());
        if let Some(entry) = self.streams.get_mut(&stream) {
            entry.busy = false;
            entry.queue.pop_front();
            if !entry.alive && entry.queue.is_empty() {
                self.streams.remove(&stream);
            }
        }
        self.driver.changed.notify_all();
    }

    fn run(&mut self, work: &Work, id: OpId) -> Answer {
        let memory = &self.driver.memory;
        match work {
            Work::Nothing => Ok(()),
            Work::Record(event) => {
                if let Some(event) = self.events.get_mut(event)
                    && event.last.is_none_or(|last| last == id)
                {
                    event.time = Some(Instant::now());
                }
                Ok(())
            }
            Work::Allocate(memory) => self.wake(memory),
            Work::Free(address) => self.release(*address),
            Work::Host(call) => {
                self.unlocked(|| callback(|| call.run()));
                Ok(())
            }
            Work::Copy(copy) => self.unlocked(|| copy.run(memory)),
            Work::Fill(fill) => self.unlocked(|| fill.run(memory)),
            Work::Kernel(launch) => self.launch(launch),
            Work::Graph(plan) => self.run_graph(plan, id),
        }
    }

    fn run_graph(&mut self, plan: &Plan, id: OpId) -> Answer {
        let mut done = vec![false; plan.nodes.len()];
        for _ in 0..plan.nodes.len() {
            let ready: Vec<usize> =
                (0..done.len()).filter(|&i| !done[i] && plan.nodes[i].1.iter().all(|&d| done[d])).collect();
            let i = ready[self.draw(ready.len())];
            self.run(&plan.nodes[i].0, id)?;
            done[i] = true;
        }
        Ok(())
    }
}

/// Runs queued work by itself once the program has called nothing for a while.
///
/// A program may wait for a host function by its own means (a channel, a condition variable); on a
/// card the function would run, so here it must too.
pub fn watch_idle(driver: &'static Driver, idle: Duration) {
    let watch = move || {
        loop {
            std::thread::sleep(idle / 2);
            let mut state = driver.lock();
            // A long kernel is no idleness: its caller goes on where the seed says.
            let idling = state.running == 0 && state.last_call.is_none_or(|call| call.elapsed() >= idle);
            if idling {
                let targets: Vec<OpId> = state.pending.iter().copied().collect();
                state.progress(&targets);
            }
        }
    };
    // Without the thread only such programs would wait for ever; say so and go on.
    if let Err(error) = std::thread::Builder::new().name("softgpu-idle".into()).spawn(watch) {
        log(&format!("no thread for idle progress ({error}): queued work runs only inside driver calls"));
    }
}
