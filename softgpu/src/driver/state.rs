//! What the driver knows: contexts and everything in them, behind one lock.

use super::capture::Capture;
use super::config::Config;
use super::entry::{Answer, refuse};
use super::errors::*;
use super::graph::{Exec, Graph};
use super::library::{Kernel, Library};
use super::link::Link;
use super::queue::Work;
use crate::check::Finding;
use crate::counters::Counters;
use crate::kernel::KernelInfo;
use crate::memory::Memory;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock};
use std::thread::ThreadId;
use std::time::Instant;

/// A handle as the program sees it: an opaque pointer. Never an address, so that a stale one is noticed.
pub type Handle = u64;
/// Number of a queued operation, ascending in the order of the calls.
pub type OpId = u64;

/// What a handle stands for; part of the handle's number, so that a foreign kind is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Context = 1,
    Stream,
    Event,
    Module,
    Function,
    Pool,
    Graph,
    Node,
    Exec,
    Library,
    Kernel,
    Link,
}

/// The process's driver, made by `cuInit`.
pub struct Driver {
    pub config: Mutex<Config>,
    pub memory: Memory,
    pub state: Mutex<State>,
    /// Signalled whenever an operation ends.
    pub changed: Condvar,
}

pub static DRIVER: OnceLock<Driver> = OnceLock::new();

/// The driver, or `CUDA_ERROR_NOT_INITIALIZED` before `cuInit`.
pub fn driver() -> Answer<&'static Driver> {
    match DRIVER.get() {
        Some(driver) => Ok(driver),
        None => refuse(NOT_INITIALIZED, "cuInit has not been called"),
    }
}

/// The lock on the driver's state.
pub type Locked = MutexGuard<'static, State>;

impl Driver {
    pub fn lock(&'static self) -> Locked {
        let mut state = self.state.lock().unwrap_or_else(|p| p.into_inner());
        state.last_call = TimeOfCall(Instant::now());
        state
    }

    pub fn config(&self) -> Config {
        self.config.lock().unwrap_or_else(|p| p.into_inner()).clone()
    }
}

#[derive(Default)]
pub struct Context {
    pub primary: bool,
    pub flags: u32,
    /// Set by a faulting kernel; every later call gets it.
    pub sticky: Option<(CuResult, String)>,
    /// The legacy default stream.
    pub legacy: Handle,
    pub per_thread: HashMap<ThreadId, Handle>,
    pub limits: HashMap<i32, u64>,
    pub cache_config: i32,
}

pub struct Stream {
    pub context: Handle,
    pub blocking: bool,
    pub priority: i32,
    /// False once destroyed; it stays until its work is done.
    pub alive: bool,
    pub queue: VecDeque<Op>,
    /// The operation queued last, done or not.
    pub last: Option<OpId>,
    /// True while its first operation runs.
    pub busy: bool,
    pub capture: Option<Handle>,
}

pub struct Op {
    pub id: OpId,
    pub after: Vec<OpId>,
    pub work: Arc<Work>,
}

pub struct Event {
    pub context: Handle,
    pub timed: bool,
    pub last: Option<OpId>,
    pub time: Option<Instant>,
    /// Set when last recorded in a capturing stream: the capture and the nodes it stands for.
    pub captured: Option<(Handle, Vec<Handle>)>,
}

/// A loaded module; operations in flight keep it.
pub struct ModuleData {
    pub module: crate::load::Module,
    /// `major * 10 + minor` of the PTX version, and of its target.
    pub versions: (i32, i32),
}

pub struct LoadedModule {
    pub context: Handle,
    pub data: Arc<ModuleData>,
    pub functions: HashMap<String, Handle>,
}

pub struct Function {
    pub module: Handle,
    pub context: Handle,
    pub c_name: std::ffi::CString,
    pub info: Arc<KernelInfo>,
    pub data: Arc<ModuleData>,
    /// `CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES`
    pub max_dynamic_shared: u32,
    pub carveout: i32,
    /// Shape and arguments for the deprecated launching calls.
    pub kept: super::module::Kept,
}

#[derive(Clone)]
pub struct Linear {
    pub context: Handle,
    pub bytes: u64,
    /// From a pool: freed in stream order, and `cuMemFree` does not wait for it.
    pub pool: Option<Handle>,
    /// A stream-ordered free is queued.
    pub freeing: bool,
    /// A module's variable: not the program's to free, no leak.
    pub label: String,
}

pub struct Pinned {
    pub context: Handle,
    pub bytes: u64,
    /// Registered by the program rather than allocated here.
    pub registered: bool,
    pub flags: u32,
}

#[derive(Default)]
pub struct Pool {
    pub default: bool,
    pub attributes: HashMap<i32, u64>,
    pub used: u64,
    pub high: u64,
}

#[derive(Default)]
pub struct State {
    pub next: u64,
    pub next_op: OpId,
    pub contexts: HashMap<Handle, Context>,
    pub primary: Option<Handle>,
    pub primary_count: u32,
    pub primary_flags: u32,
    pub streams: HashMap<Handle, Stream>,
    pub events: HashMap<Handle, Event>,
    pub modules: HashMap<Handle, LoadedModule>,
    pub functions: HashMap<Handle, Function>,
    pub libraries: HashMap<Handle, Library>,
    pub kernels: HashMap<Handle, Kernel>,
    pub links: HashMap<Handle, Link>,
    pub linear: BTreeMap<u64, Linear>,
    pub pinned: BTreeMap<u64, Pinned>,
    pub pools: HashMap<Handle, Pool>,
    pub default_pool: Handle,
    pub current_pool: Handle,
    pub graphs: HashMap<Handle, Graph>,
    pub execs: HashMap<Handle, Exec>,
    pub captures: HashMap<Handle, Capture>,
    /// Operations queued and not done.
    pub pending: HashSet<OpId>,
    /// A device operation is running in some thread.
    pub device_busy: bool,
    pub findings: Vec<Finding>,
    pub findings_beyond: u64,
    pub counters: Vec<Counters>,
    pub launches: u64,
    pub random: u64,
    pub last_call: TimeOfCall,
    /// Operations running now, in any thread.
    pub running: u32,
}

/// A point in time with a default, so that `State` has one.
#[derive(Clone, Copy)]
pub struct TimeOfCall(pub Instant);
impl Default for TimeOfCall {
    fn default() -> Self {
        TimeOfCall(Instant::now())
    }
}

impl State {
    /// A fresh handle of that kind.
    pub fn handle(&mut self, kind: Kind) -> Handle {
        self.next += 1;
        (kind as u64) << 56 | self.next << 4
    }

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
        let context = self.current_any()?;
        if let Some((code, message)) = &self.contexts[&context].sticky {
            return refuse(*code, format!("an earlier failure sticks to the context: {message}"));
        }
        Ok(context)
    }

    /// The context current to this thread, faulted or not.
    pub fn current_any(&self) -> Answer<Handle> {
        match STACK.with_borrow(|s| s.last().copied()) {
            None => refuse(
                INVALID_CONTEXT,
                "no context is current to this thread; create one or retain the primary context and make it current",
            ),
            Some(c) if !self.contexts.contains_key(&c) => {
                refuse(CONTEXT_IS_DESTROYED, "the context current to this thread has been destroyed")
            }
            Some(c) => Ok(c),
        }
    }
}

thread_local! {
    /// The contexts this thread has pushed; the last is current.
    pub static STACK: RefCell<Vec<Handle>> = const { RefCell::new(Vec::new()) };
}

/// The lock and the current context, for calls that need both.
pub fn enter() -> Answer<(&'static Driver, Locked, Handle)> {
    let driver = driver()?;
    let state = driver.lock();
    let context = state.current()?;
    Ok((driver, state, context))
}
