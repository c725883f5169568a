//! Contexts, streams with what is queued on them, and events.

use super::handle::{Handle, OpId, object};
use super::work::Work;
use crate::driver::abi::errors::*;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::thread::ThreadId;
use std::time::Instant;

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

object!(Context, INVALID_CONTEXT, "is no context, or a destroyed one");

#[derive(Default)]
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

object!(Stream, INVALID_HANDLE, "is no stream, or one that has been destroyed");

/// Work in a queue, and the operations of other streams that it waits for.
pub struct Op {
    pub id: OpId,
    pub after: Vec<OpId>,
    pub work: Arc<Work>,
}

#[derive(Default)]
pub struct Event {
    pub context: Handle,
    pub timed: bool,
    pub last: Option<OpId>,
    pub time: Option<Instant>,
    /// Set when last recorded in a capturing stream: the capture and the nodes it stands for.
    pub captured: Option<(Handle, Vec<Handle>)>,
}

object!(Event, INVALID_HANDLE, "is no event, or a destroyed one");
