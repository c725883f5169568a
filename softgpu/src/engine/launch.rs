//! A launch: blocks spread over host threads.

use crate::engine::warp::{Outcome, run_warp};
use crate::kernel::{Fault, LaunchConfig, LaunchReport, Options};
use crate::load::Module;
use crate::load::module::Entry;
use crate::machine::block::Resident;
use crate::machine::cx::Cx;
use crate::machine::draw::{mix, nth_block};
use crate::machine::inst::Code;
use crate::machine::launch::Launch;
use crate::machine::program::{Fill, Function, RESERVED_SHARED, Special};
use crate::memory::{Allocation, Memory};
use crate::profile::Profile;
use crate::shadow::global::GlobalRaces;
use crate::shadow::tally::Tally;
use crate::watch::{self, tally};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Rows of registers for the frames of called functions, when there are calls.
const CALL_ROWS: u32 = 4096;
/// Bytes of local memory for the frames of called functions.
const CALL_LOCAL: u32 = 64 << 10;
/// Rounds over all resident warps without any progress after which a launch is called stuck.
const STUCK_ROUNDS: u32 = 200;

/// How the host threads of a launch share its blocks.
#[derive(Default)]
struct Schedule {
    blocks: u64,
    /// Blocks that may be resident at once.
    limit: u64,
    /// The block to be started next.
    next: AtomicU64,
    progress: AtomicU64,
    resident: AtomicU64,
    /// Host threads that run blocks, and those of them whose blocks only wait.
    working: AtomicU64,
    stuck: AtomicU64,
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
    let allocations = memory.snapshot();
    let shared = prepare(module, entry, cfg, memory, &allocations, profile, opts);
    let blocks: u64 = cfg.grid.iter().map(|&g| u64::from(g)).product();
    let cores = if opts.threads == 0 { rayon::current_num_threads() } else { opts.threads };
    let workers = (cores as u64).min(blocks).max(1);
    let limit = (u64::from(profile.sm_count) * u64::from(profile.max_blocks_per_sm)).max(1);
    let schedule = Schedule { blocks, limit, working: AtomicU64::new(workers), ..Schedule::default() };
    let tallies = Mutex::new(Vec::new());
    let work = || {
        // SAFETY: code and program are of one module.
        let tally = unsafe { worker(&shared, module.code(), &schedule) };
        tallies.lock().unwrap_or_else(|p| p.into_inner()).push(tally);
    };
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
    let tallies = tallies.into_inner().unwrap_or_else(|p| p.into_inner());
    let mut findings = shared.findings.into_inner().unwrap_or_else(|p| p.into_inner());
    findings.list.sort_by_key(|f| (f.ptx_line, f.kind));
    LaunchReport {
        fault: shared.fault.into_inner().unwrap_or_else(|p| p.into_inner()),
        findings: findings.list,
        findings_beyond: findings.beyond,
        counters: opts.counters.then(|| tally::counters(&tallies, module.program(), &entry.info, cfg, profile)),
    }
}

/// What the host threads of a launch share; tells the memory that a launch begins.
fn prepare<'a>(
    module: &'a Module,
    entry: &'a Entry,
    cfg: &'a LaunchConfig,
    memory: &'a Memory,
    allocations: &'a [Allocation],
    profile: &Profile,
    opts: &'a Options,
) -> Launch<'a> {
    let program = module.program();
    let function = &program.functions[entry.function as usize];
    let calls = entry.has_calls;
    let extra = |n: u32| if calls { n } else { 0 };
    let orders = function.releases || calls && program.functions.iter().any(|f| f.releases);
    let number = memory.begin_launch(opts.init);
    let static_shared = entry.info.static_shared;
    let (own_shared, gap) = match cfg.dynamic_shared {
        0 => (static_shared, 0..0),
        dynamic => (entry.dynamic_offset + dynamic, u64::from(static_shared)..u64::from(entry.dynamic_offset)),
    };
    let asks = |f: &Function| f.fills.iter().any(|(_, fill)| matches!(fill, Fill::Special(Special::Reserved(_))));
    // the system's part lies behind, and so far that what runs over the kernel's own is seen
    let (reserved_shared, shared_bytes) = if asks(function) || calls && program.functions.iter().any(asks) {
        let at = (own_shared + 1).next_multiple_of(128) + 128;
        (at, at + RESERVED_SHARED)
    } else {
        (own_shared, own_shared)
    };
    Launch {
        program,
        function: entry.function,
        kernel_name: &entry.info.name,
        grid: cfg.grid,
        block: cfg.block,
        params: &cfg.params,
        dynamic_shared: cfg.dynamic_shared,
        own_shared,
        reserved_shared,
        shared_bytes,
        shared_gaps: [gap, u64::from(own_shared)..u64::from(reserved_shared)],
        sm_count: profile.sm_count,
        variable_rows: entry.variable_rows,
        stack_rows: function.rows + extra(CALL_ROWS),
        stack_preds: function.preds + extra(CALL_ROWS),
        stack_local: function.local.next_multiple_of(16) + extra(CALL_LOCAL),
        // each launch draws anew
        seed: if opts.seed == 0 { 0 } else { mix(opts.seed ^ number << 32) | 1 },
        number,
        watch: opts.mem || opts.init || opts.race || opts.counters,
        count: opts.counters,
        opts,
        memory,
        allocations,
        races: GlobalRaces::new(memory, number, opts.race, orders),
        findings: Mutex::default(),
        printed: Mutex::default(),
        fault: Mutex::new(None),
        stop: AtomicBool::new(false),
    }
}

/// One host thread: runs blocks until none is left.
///
/// A block that doesn't end within its share of steps may wait for another one: it stays resident and
/// further blocks are started beside it, as many as the device would hold.
///
/// # Safety
/// As for [`run_warp`].
unsafe fn worker<'l>(launch: &'l Launch<'l>, code: &Code, schedule: &Schedule) -> Tally {
    // SAFETY: the thread has no other.
    let mut cx = unsafe { Cx::new(launch, code.len()) };
    let mut resident: Vec<Box<Resident>> = Vec::new();
    let mut idle: Vec<Box<Resident>> = Vec::new();
    let mut exhausted = false;
    let mut stuck = 0;
    loop {
        if launch.stopped() {
            break;
        }
        let room = resident.is_empty() || schedule.resident.load(Ordering::Relaxed) < schedule.limit;
        if !exhausted && room {
            let n = schedule.next.fetch_add(1, Ordering::Relaxed);
            if n < schedule.blocks {
                let mut block = idle.pop().unwrap_or_else(|| Box::new(Resident::new(launch)));
                block.start(launch, nth_block(launch.seed, n, schedule.blocks));
                resident.push(block);
                schedule.resident.fetch_add(1, Ordering::Relaxed);
                cx.progress += 1;
            } else {
                exhausted = true;
            }
        }
        if resident.is_empty() {
            break;
        }
        let before = cx.progress;
        let seen = schedule.progress.load(Ordering::Relaxed);
        let mut b = 0;
        while b < resident.len() {
            // SAFETY: the caller's promise; between instructions.
            let done = unsafe {
                cx.exchange(&mut resident[b]);
                let done = run_block(&mut cx, code);
                cx.exchange(&mut resident[b]);
                done
            };
            if cx.stopped {
                break;
            }
            if done {
                idle.push(resident.swap_remove(b));
                schedule.resident.fetch_sub(1, Ordering::Relaxed);
                cx.progress += 1;
            } else {
                b += 1;
            }
        }
        if cx.stopped {
            break;
        }
        schedule.progress.fetch_add(cx.progress - before, Ordering::Relaxed);
        let moved = cx.progress != before || schedule.progress.load(Ordering::Relaxed) != seen;
        let was = stuck > STUCK_ROUNDS;
        stuck = if moved { 0 } else { stuck + 1 };
        let is = stuck > STUCK_ROUNDS;
        if was != is {
            let step = if is { 1 } else { u64::MAX };
            schedule.stuck.fetch_add(step, Ordering::SeqCst);
        }
        // only when no thread of the launch gets on is it stuck
        if is && schedule.stuck.load(Ordering::SeqCst) >= schedule.working.load(Ordering::SeqCst) {
            launch.set_fault(Fault::LaunchTimeout(describe_stuck(launch, &resident)));
            break;
        }
        if stuck > 2 {
            std::thread::yield_now();
        }
    }
    schedule.working.fetch_sub(1, Ordering::SeqCst);
    cx.tally
}

/// Runs the block's warps until all wait or have had their share; true when all have exited.
///
/// # Safety
/// As for [`run_warp`].
unsafe fn run_block(cx: &mut Cx, code: &Code) -> bool {
    loop {
        let mut done = true;
        let mut paused = false;
        let interval = cx.block().interval;
        for w in cx.block().order.clone() {
            let warp = &cx.block().warps[w as usize];
            if warp.done() {
                continue;
            }
            done = false;
            if warp.ready.is_empty() && warp.waiting.is_empty() && !warp.at_barrier.is_empty() {
                continue;
            }
            // SAFETY: the caller's promise.
            match unsafe { run_warp(cx, code, w as usize) } {
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
        let block = cx.block();
        let ended = block.warps.iter().all(|w| w.done());
        if !ended && block.interval == interval && block.warps.iter().all(|w| w.ready.is_empty()) {
            watch::barrier_stuck(cx, code);
            return false;
        }
    }
}

fn describe_stuck(launch: &Launch<'_>, resident: &[Box<Resident>]) -> String {
    let mut text = format!("kernel {}: no thread changes anything any more;", launch.kernel_name);
    for block in resident.iter().take(2).map(|r| &r.block) {
        for warp in &block.warps {
            if let Some(s) = warp.ready.first() {
                let place = launch.program.describe(s.pc);
                text += &format!(" block {:?} warp {} loops at {place};", block.index, warp.number);
                break;
            }
        }
    }
    text + " a lock, a flag or a grid-wide barrier that can't be reached"
}
