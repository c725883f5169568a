//! A launch: blocks spread over host threads.

use super::block::{Block, mix};
use super::cx::Cx;
use super::program::Program;
use super::run::{Outcome, run_warp};
use super::watch::{Watcher, global::GlobalRaces};
use super::{Fault, LaunchConfig, LaunchReport, Module, Options};
use crate::check::Finding;
use crate::memory::{Allocation, Memory};
use crate::profile::Profile;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Rows of registers for the frames of called functions, when there are calls.
const CALL_ROWS: u32 = 4096;
/// Bytes of local memory for the frames of called functions.
const CALL_LOCAL: u32 = 64 << 10;
/// Rounds over all resident warps without any progress after which a launch is called stuck.
const STUCK_ROUNDS: u32 = 200;

/// What all host threads of a launch share.
pub struct Launch<'a> {
    pub program: &'a Program,
    pub function: u32,
    pub kernel_name: &'a str,
    pub grid: [u32; 3],
    pub block: [u32; 3],
    pub params: &'a [u8],
    pub dynamic_shared: u32,
    pub shared_bytes: u32,
    /// Between static and dynamic shared memory: nobody's.
    pub shared_gap: std::ops::Range<u64>,
    pub sm_count: u32,
    /// Rows a kernel's instructions may write; the rows behind hold constants.
    pub variable_rows: u32,
    pub stack_rows: u32,
    pub stack_preds: u32,
    pub stack_local: u32,
    pub seed: u64,
    pub number: u64,
    pub watch: bool,
    pub count: bool,
    pub opts: &'a Options,
    pub memory: &'a Memory,
    pub allocations: &'a [Allocation],
    pub races: GlobalRaces,
    pub findings: Mutex<Findings>,
    pub printed: Mutex<Vec<(u64, String)>>,
    fault: Mutex<Option<Fault>>,
    stop: AtomicBool,
    next: AtomicU64,
    progress: AtomicU64,
    resident: AtomicU64,
    /// Host threads that run blocks, and those of them whose blocks only wait.
    working: AtomicU64,
    stuck: AtomicU64,
}

/// Findings of a launch; the same place and kind is one finding with a count.
#[derive(Default)]
pub struct Findings {
    pub list: Vec<Finding>,
    pub beyond: u64,
}

impl Launch<'_> {
    /// The first fault stays.
    pub fn set_fault(&self, fault: Fault) {
        let mut slot = self.fault.lock().unwrap_or_else(|p| p.into_inner());
        slot.get_or_insert(fault);
        self.stop.store(true, Ordering::Relaxed);
    }

    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The allocation that holds an address as a range of at most 2^31 bytes around it, or, where
    /// nothing is allocated, a range of the device's memory.
    pub fn window(&self, at: u64, size: u64) -> (u64, u64) {
        let (mut low, mut high) = match self.allocation(at) {
            Some(a) if at + size <= a.base + a.size => (a.base, a.base + a.size),
            _ => (self.memory.base(), self.memory.base() + self.memory.size()),
        };
        if high - low > 1 << 31 {
            low = low.max(at.saturating_sub(1 << 30) & !511);
            high = high.min(low + (1 << 31));
        }
        (low, high)
    }

    /// The allocation that holds an address.
    pub fn allocation(&self, at: u64) -> Option<&Allocation> {
        let n = self.allocations.partition_point(|a| a.base <= at);
        let a = &self.allocations[n.checked_sub(1)?];
        (at - a.base < a.size).then_some(a)
    }

    /// A coin drawn from the seed for a warp's so many-th divergent branch.
    pub fn flip(&self, block: u64, warp: u32, divergence: u64) -> bool {
        let warp = mix(self.seed ^ mix(block << 5 | u64::from(warp)));
        mix(warp ^ divergence) & 1 != 0
    }

    /// The block that is started as the `n`-th: a permutation drawn from the seed.
    fn nth_block(&self, n: u64, blocks: u64) -> u64 {
        if self.seed == 0 || blocks < 2 {
            return n;
        }
        // a Feistel network over the next even power of two, walked until inside
        let bits = (64 - (blocks - 1).leading_zeros()).next_multiple_of(2).max(2);
        let half = bits / 2;
        let low = (1u64 << half) - 1;
        let mut x = n;
        loop {
            let (mut l, mut r) = (x >> half, x & low);
            for round in 0..4u64 {
                (l, r) = (r, l ^ (mix(self.seed ^ (round << 56) ^ r) & low));
            }
            x = (l << half) | r;
            if x < blocks {
                return x;
            }
        }
    }
}

/// Runs a kernel to its end.
pub fn launch(
    module: &Module,
    kernel: &str,
    cfg: &LaunchConfig,
    memory: &Memory,
    profile: &Profile,
    opts: &Options,
    print: &mut dyn FnMut(&str),
) -> LaunchReport {
    let refuse = |fault: Fault| LaunchReport { fault: Some(fault), ..LaunchReport::default() };
    let Some(entry) = module.entry(kernel) else {
        return refuse(Fault::InvalidLaunch(format!("the module has no kernel named {kernel}")));
    };
    if let Err(fault) = entry.info.accepts(cfg, profile) {
        return refuse(fault);
    }
    let program = module.program();
    let function = &program.functions[entry.function as usize];
    let watch = opts.mem || opts.init || opts.race || opts.counters;
    let calls = entry.has_calls;
    let allocations = memory.snapshot();
    let number = memory.begin_launch(opts.init);
    let extra = |n: u32| if calls { n } else { 0 };
    let orders = function.releases || calls && program.functions.iter().any(|f| f.releases);
    let shared = Launch {
        program,
        function: entry.function,
        kernel_name: &entry.info.name,
        grid: cfg.grid,
        block: cfg.block,
        params: &cfg.params,
        dynamic_shared: cfg.dynamic_shared,
        shared_bytes: match cfg.dynamic_shared {
            0 => entry.info.static_shared,
            dynamic => entry.dynamic_offset + dynamic,
        },
        shared_gap: match cfg.dynamic_shared {
            0 => 0..0,
            _ => u64::from(entry.info.static_shared)..u64::from(entry.dynamic_offset),
        },
        sm_count: profile.sm_count,
        variable_rows: entry.variable_rows,
        stack_rows: function.rows + extra(CALL_ROWS),
        stack_preds: function.preds + extra(CALL_ROWS),
        stack_local: function.local.next_multiple_of(16) + extra(CALL_LOCAL),
        // each launch draws anew
        seed: if opts.seed == 0 { 0 } else { mix(opts.seed ^ number << 32) | 1 },
        number,
        watch,
        count: opts.counters,
        opts,
        memory,
        allocations: &allocations,
        races: GlobalRaces::new(memory, number, opts.race, orders),
        findings: Mutex::default(),
        printed: Mutex::default(),
        fault: Mutex::new(None),
        stop: AtomicBool::new(false),
        next: AtomicU64::new(0),
        progress: AtomicU64::new(0),
        resident: AtomicU64::new(0),
        working: AtomicU64::new(0),
        stuck: AtomicU64::new(0),
    };
    let blocks: u64 = cfg.grid.iter().map(|&g| u64::from(g)).product();
    let cores = if opts.threads == 0 { rayon::current_num_threads() } else { opts.threads };
    let workers = (cores as u64).min(blocks).max(1);
    let limit = (u64::from(profile.sm_count) * u64::from(profile.max_blocks_per_sm)).max(1);
    let watchers = Mutex::new(Vec::new());
    let work = || {
        let watcher = worker(&shared, blocks, limit);
        watchers.lock().unwrap_or_else(|p| p.into_inner()).push(watcher);
    };
    shared.working.store(workers, Ordering::Relaxed);
    rayon::in_place_scope(|scope| {
        for _ in 1..workers {
            scope.spawn(|_| work());
        }
        work();
    });
    let mut printed = shared.printed.into_inner().unwrap_or_else(|p| p.into_inner());
    printed.sort_by_key(|p| p.0);
    for (_, text) in &printed {
        print(text);
    }
    let watchers = watchers.into_inner().unwrap_or_else(|p| p.into_inner());
    let counters = opts.counters.then(|| super::watch::tally::counters(&watchers, program, entry, cfg, profile));
    let mut findings = shared.findings.into_inner().unwrap_or_else(|p| p.into_inner());
    findings.list.sort_by_key(|f| (f.ptx_line, f.kind));
    LaunchReport {
        fault: shared.fault.into_inner().unwrap_or_else(|p| p.into_inner()),
        findings: findings.list,
        findings_beyond: findings.beyond,
        counters,
    }
}

/// One host thread: runs blocks until none is left.
///
/// A block that doesn't end within its share of steps may wait for another one: it stays resident and
/// further blocks are started beside it, as many as the device would hold.
fn worker(launch: &Launch<'_>, blocks: u64, limit: u64) -> Watcher {
    // the launch outlives the context, which dies with this function
    let forever = std::ptr::from_ref(launch).cast::<Launch<'static>>();
    let mut cx = Cx {
        regs: std::ptr::null_mut(),
        preds: std::ptr::null_mut(),
        dead: 0,
        watch: launch.watch,
        shared: std::ptr::null_mut(),
        shared_bytes: 0,
        local: std::ptr::null_mut(),
        local_bytes: 0,
        params: launch.params.as_ptr(),
        param_bytes: launch.params.len() as u64,
        arena: launch.memory.base(),
        arena_bytes: launch.memory.size(),
        arena_host: launch.memory.host(),
        ranges: vec![(launch.memory.base(), launch.memory.base()); launch.program.code.len()],
        warp: std::ptr::null_mut(),
        block: std::ptr::null_mut(),
        launch: forever,
        stopped: false,
        clock: 0,
        progress: 0,
        polls: 0,
        watcher: Watcher::new(launch),
    };
    let mut resident: Vec<Box<Block>> = Vec::new();
    let mut idle: Vec<Box<Block>> = Vec::new();
    let mut exhausted = false;
    let mut stuck = 0;
    loop {
        if launch.stopped() {
            break;
        }
        let room = resident.is_empty() || launch.resident.load(Ordering::Relaxed) < limit;
        if !exhausted && room {
            let n = launch.next.fetch_add(1, Ordering::Relaxed);
            if n < blocks {
                let mut block = idle.pop().unwrap_or_else(|| Box::new(Block::new(launch)));
                block.start(launch, launch.nth_block(n, blocks));
                resident.push(block);
                launch.resident.fetch_add(1, Ordering::Relaxed);
                cx.progress += 1;
            } else {
                exhausted = true;
            }
        }
        if resident.is_empty() {
            break;
        }
        let before = cx.progress;
        let seen = launch.progress.load(Ordering::Relaxed);
        let mut b = 0;
        while b < resident.len() {
            let done = run_block(&mut cx, &mut resident[b]);
            if cx.stopped {
                break;
            }
            if done {
                cx.watcher.block_done(&mut resident[b]);
                idle.push(resident.swap_remove(b));
                launch.resident.fetch_sub(1, Ordering::Relaxed);
                cx.progress += 1;
            } else {
                b += 1;
            }
        }
        if cx.stopped {
            break;
        }
        launch.progress.fetch_add(cx.progress - before, Ordering::Relaxed);
        let moved = cx.progress != before || launch.progress.load(Ordering::Relaxed) != seen;
        let was = stuck > STUCK_ROUNDS;
        stuck = if moved { 0 } else { stuck + 1 };
        let is = stuck > STUCK_ROUNDS;
        if was != is {
            let step = if is { 1 } else { u64::MAX };
            launch.stuck.fetch_add(step, Ordering::SeqCst);
        }
        // only when no thread of the launch gets on is it stuck
        if is && launch.stuck.load(Ordering::SeqCst) >= launch.working.load(Ordering::SeqCst) {
            launch.set_fault(Fault::LaunchTimeout(describe_stuck(launch, &resident)));
            break;
        }
        if stuck > 2 {
            std::thread::yield_now();
        }
    }
    launch.working.fetch_sub(1, Ordering::SeqCst);
    cx.watcher
}

/// Runs a block's warps until all wait or have had their share; true when all have exited.
fn run_block(cx: &mut Cx, block: &mut Block) -> bool {
    loop {
        let mut done = true;
        let mut paused = false;
        let interval = block.interval;
        let order = block.order.clone();
        for w in order {
            let warp = &block.warps[w as usize];
            if warp.done() {
                continue;
            }
            done = false;
            if warp.ready.is_empty() && warp.waiting.is_empty() && !warp.at_barrier.is_empty() {
                continue;
            }
            match run_warp(cx, block, w as usize) {
                Outcome::Stopped => return false,
                Outcome::Paused => paused = true,
                Outcome::Done | Outcome::AtBarrier => {}
            }
        }
        if done {
            return true;
        }
        if paused {
            return false;
        }
        let ended = block.warps.iter().all(|w| w.done());
        if !ended && block.interval == interval && block.warps.iter().all(|w| w.ready.is_empty()) {
            super::watch::barrier_stuck(cx, block);
            return false;
        }
    }
}

fn describe_stuck(launch: &Launch<'_>, resident: &[Box<Block>]) -> String {
    let mut text = format!("kernel {}: no thread changes anything any more;", launch.kernel_name);
    for block in resident.iter().take(2) {
        for warp in &block.warps {
            if let Some(s) = warp.ready.first() {
                let (line, source) = launch.program.place(s.pc);
                let source = source.map(|s| format!(" ({}:{})", s.file, s.line)).unwrap_or_default();
                text += &format!(" block {:?} warp {} loops at PTX line {line}{source};", block.index, warp.number);
                break;
            }
        }
    }
    text + " a lock, a flag or a grid-wide barrier that can't be reached"
}
