//! The driver's state behind one lock, and the session in which a call works on it.

use super::code::{Function, Kernel, Library, Link, LoadedModule};
use super::graph::{Capture, Exec, Graph, Node};
use super::handle::{Handle, OpId, Table};
use super::memory::{Linear, Pinned, Pool};
use super::stream::{Context, Event, Stream};
use crate::check::Finding;
use crate::counters::Counters;
use crate::driver::abi::config::Config;
use crate::driver::abi::entry::{Answer, OrRefuse, ensure, refuse};
use crate::driver::abi::errors::*;
use crate::memory::Memory;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock};
use std::time::Instant;

/// The process's driver, made by `cuInit`.
pub struct Driver {
    pub memory: Memory,
    pub state: Mutex<State>,
    /// Signalled whenever an operation ends.
    pub changed: Condvar,
}

pub static DRIVER: OnceLock<Driver> = OnceLock::new();

/// The driver, or `CUDA_ERROR_NOT_INITIALIZED` before `cuInit`.
pub fn driver() -> Answer<&'static Driver> {
    DRIVER.get().or_refuse(NOT_INITIALIZED, "cuInit has not been called")
}

impl Driver {
    fn guard(&'static self) -> MutexGuard<'static, State> {
        self.state.lock().unwrap_or_else(|p| p.into_inner())
    }

    /// The lock for the driver's own threads: no call of the program.
    pub fn lock(&'static self) -> Session {
        Session { driver: self, guard: Some(self.guard()), context: 0 }
    }
}

/// All that the driver keeps.
#[derive(Default)]
pub struct State {
    pub config: Config,
    pub last_op: OpId,
    pub contexts: Table<Context>,
    pub primary: Option<Handle>,
    pub primary_count: u32,
    pub primary_flags: u32,
    pub streams: Table<Stream>,
    pub events: Table<Event>,
    pub modules: Table<LoadedModule>,
    pub functions: Table<Function>,
    pub libraries: Table<Library>,
    pub kernels: Table<Kernel>,
    pub links: Table<Link>,
    pub linear: BTreeMap<u64, Linear>,
    pub pinned: BTreeMap<u64, Pinned>,
    pub pools: Table<Pool>,
    pub default_pool: Handle,
    pub current_pool: Handle,
    pub graphs: Table<Graph>,
    pub execs: Table<Exec>,
    pub captures: Table<Capture>,
    /// Operations queued and not done.
    pub pending: HashSet<OpId>,
    /// A device operation is running in some thread.
    pub device_busy: bool,
    /// Bytes of graphs' allocation nodes, and the most there were.
    pub graph_used: u64,
    pub graph_most: u64,
    pub findings: Vec<Finding>,
    pub findings_beyond: u64,
    pub counters: Vec<Counters>,
    pub launches: u64,
    pub random: u64,
    /// When the program called, or an operation ended, last.
    pub last_call: Option<Instant>,
    /// Operations running now, in any thread.
    pub running: u32,
}

impl State {
    /// A draw from the seeded sequence, below `n`.
    pub fn draw(&mut self, n: usize) -> usize {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n.max(1) as u64) as usize
    }

    /// The context current to this thread, if it exists and no fault sticks to it.
    pub fn current(&self) -> Answer<Handle> {
        self.sound(self.current_any()?)
    }

    /// A context, if it exists and no fault sticks to it.
    pub fn sound(&self, context: Handle) -> Answer<Handle> {
        match &self.contexts.known(context)?.sticky {
            None => Ok(context),
            Some((code, why)) => refuse(*code, format_args!("an earlier failure sticks to the context: {why}")),
        }
    }

    /// The context current to this thread, faulted or not.
    pub fn current_any(&self) -> Answer<Handle> {
        let context = STACK.with_borrow(|s| s.last().copied()).or_refuse(
            INVALID_CONTEXT,
            "no context is current to this thread; create one or retain the primary context and make it current",
        )?;
        let there = self.contexts.contains_key(&context);
        ensure(there, CONTEXT_IS_DESTROYED, "the context current to this thread has been destroyed")?;
        Ok(context)
    }

    /// The graph a node is in.
    pub fn graph_of(&mut self, node: Handle) -> Answer<&mut Graph> {
        let graph = self.graphs.values_mut().find(|g| g.nodes.contains_key(&node));
        graph.or_refuse(INVALID_VALUE, format_args!("{node:#x} is a node of no graph"))
    }

    /// A node of any graph.
    pub fn node(&mut self, node: Handle) -> Answer<&mut Node> {
        Ok(self.graph_of(node)?.nodes.get_mut(&node).expect("its graph"))
    }
}

thread_local! {
    /// The contexts this thread has pushed; the last is current. It is never dropped: a program may call while its
    /// thread ends.
    pub static STACK: RefCell<ManuallyDrop<Vec<Handle>>> = const { RefCell::new(ManuallyDrop::new(Vec::new())) };
}

/// The driver with its state locked: what a call works on.
pub struct Session {
    pub driver: &'static Driver,
    /// `None` only inside [`Session::unlocked`] and [`Session::wait`].
    guard: Option<MutexGuard<'static, State>>,
    /// The context current to the thread; 0 where the call needs none.
    pub context: Handle,
}

impl Session {
    /// The context current to the thread, to change it.
    pub fn current_context(&mut self) -> &mut Context {
        let context = self.context;
        self.contexts.at(context)
    }

    /// Gives the lock up while `body` runs.
    pub fn unlocked<R>(&mut self, body: impl FnOnce() -> R) -> R {
        self.guard = None;
        let result = body();
        self.guard = Some(self.driver.guard());
        result
    }

    /// Gives the lock up until another thread has ended an operation.
    pub fn wait(&mut self) {
        if let Some(guard) = self.guard.take() {
            self.guard = Some(self.driver.changed.wait(guard).unwrap_or_else(|p| p.into_inner()));
        }
    }
}

impl Deref for Session {
    type Target = State;
    fn deref(&self) -> &State {
        self.guard.as_deref().expect("locked outside of `unlocked`")
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut State {
        self.guard.as_deref_mut().expect("locked outside of `unlocked`")
    }
}

/// Begins a call that needs no context.
pub fn lock() -> Answer<Session> {
    let mut state = driver()?.lock();
    state.last_call = Some(Instant::now());
    Ok(state)
}

/// Begins a call in the context current to the thread.
pub fn enter() -> Answer<Session> {
    let mut state = lock()?;
    state.context = state.current()?;
    Ok(state)
}

/// Begins a call in the context of an event, whatever is current to the thread.
pub fn enter_of(event: Handle) -> Answer<Session> {
    let mut state = lock()?;
    state.context = state.sound(state.events.known(event)?.context)?;
    Ok(state)
}

/// Begins a call about a device.
pub fn lock_device(device: i32) -> Answer<Session> {
    let state = lock()?;
    known_device(device)?;
    Ok(state)
}

/// Refuses a device that is not there.
pub fn known_device(device: i32) -> Answer {
    ensure(device == 0, INVALID_DEVICE, format_args!("device {device}; softgpu has one, number 0"))
}
