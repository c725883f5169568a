//! A block: its warps, its shared memory, its barriers.

use crate::machine::barrier::Barrier;
use crate::machine::draw::mix;
use crate::machine::launch::Launch;
use crate::machine::mbarrier::Mbarrier;
use crate::machine::program::{Fill, Special};
use crate::machine::row::{FULL, NONE, Row};
use crate::machine::warp::{AsyncQueue, Frame, Split, Warp};
use crate::shadow::global::BlockSync;
use crate::shadow::shared::SharedShadow;
use std::collections::HashMap;

/// A block that runs or waits.
#[derive(Default)]
pub struct Block {
    pub index: [u32; 3],
    pub linear: u64,
    pub warps: Vec<Warp>,
    /// Shared memory, in 128-byte rows.
    pub shared: Vec<Row>,
    pub shared_bytes: u32,
    pub barriers: [Barrier; 16],
    /// mbarrier objects by shared offset.
    pub mbarriers: HashMap<u32, Mbarrier>,
    /// Threads that exist.
    pub threads: u32,
    pub shadow: SharedShadow,
    /// Order of the warps in this interval between barriers.
    pub order: Vec<u32>,
    pub interval: u64,
    /// What the block has done to synchronise with other blocks.
    pub sync: BlockSync,
}

impl Block {
    /// A block with its warps, to be started with [`start`](Block::start).
    pub fn new(launch: &Launch<'_>) -> Block {
        let threads: u32 = launch.block.iter().product();
        let shared_bytes = launch.shared_bytes;
        let warps = (0..threads.div_ceil(32)).map(|w| new_warp(launch, w, threads)).collect();
        Block {
            warps,
            shared: vec![Row([0; 32]); (shared_bytes as usize).div_ceil(128) + 1],
            shared_bytes,
            threads,
            ..Block::default()
        }
    }

    /// Makes it the block of that number.
    pub fn start(&mut self, launch: &Launch<'_>, linear: u64) {
        self.linear = linear;
        self.index = launch.block_index(linear);
        self.barriers = Default::default();
        self.mbarriers.clear();
        self.interval = 0;
        self.sync = Default::default();
        let (race, init) = (launch.opts.race, launch.opts.init);
        let exact = launch.program.partial_sync;
        self.shadow.restart(race, init, exact, self.shared_bytes, self.warps.len());
        let function = &launch.program.functions[launch.function as usize];
        for warp in &mut self.warps {
            warp.alive = warp.exists;
            warp.ready.clear();
            warp.meetings.clear();
            warp.free_meetings.clear();
            warp.frames.truncate(1);
            warp.frames[0].lanes = warp.exists;
            warp.free_frames.clear();
            warp.waiting.clear();
            warp.at_barrier.clear();
            warp.copies = AsyncQueue::default();
            warp.clock = 1;
            warp.steps = 0;
            warp.divergences = 0;
            warp.syncs.clear();
            warp.local_written.fill(0);
            warp.ready.push(Split { pc: function.entry, mask: warp.exists, meeting: NONE, frame: 0 });
            warp.registers[..launch.variable_rows as usize].fill(Row([0; 32]));
            for &(row, fill) in &function.fills {
                if let Fill::Special(Special::Ctaid(_) | Special::Sm) = fill {
                    write_fill(warp, launch, linear, row as usize, fill, 0, FULL);
                }
            }
        }
        self.shuffle(launch.seed);
    }

    /// Draws the order of the warps for the interval that begins.
    pub fn shuffle(&mut self, seed: u64) {
        let n = self.warps.len();
        self.order.clear();
        self.order.extend(0..n as u32);
        self.interval += 1;
        if seed != 0 {
            let mut state = mix(seed ^ mix(self.linear ^ (self.interval << 40)));
            for i in (1..n).rev() {
                state = mix(state);
                self.order.swap(i, (state % (i as u64 + 1)) as usize);
            }
        }
    }

    /// Threads that have not exited.
    pub fn alive(&self) -> u32 {
        self.warps.iter().map(|w| w.alive.count_ones()).sum()
    }
}

fn new_warp(launch: &Launch<'_>, number: u32, threads: u32) -> Warp {
    let program = &launch.program;
    let function = &program.functions[launch.function as usize];
    let lanes = (threads - 32 * number).min(32);
    let exists = if lanes == 32 { FULL } else { (1 << lanes) - 1 };
    let mut predicates = vec![0; launch.stack_preds as usize];
    predicates[0] = FULL;
    let local_rows = launch.stack_local.div_ceil(4) as usize;
    let frame = Frame {
        return_pc: NONE,
        call: NONE,
        callee: launch.function,
        rows: 0,
        preds: 0,
        local: 0,
        parent: NONE,
        meeting: NONE,
        lanes: exists,
    };
    let mut warp = Warp {
        number,
        registers: vec![Row([0; 32]); launch.stack_rows as usize + 1],
        predicates,
        local: vec![Row([0; 32]); local_rows],
        local_written: vec![0; if launch.watch { local_rows * 128 } else { 0 }],
        exists,
        alive: exists,
        frames: vec![frame],
        first_thread: 32 * number,
        block_dim: launch.block,
        clock: 1,
        ..Warp::default()
    };
    for &(row, fill) in &function.fills {
        write_fill(&mut warp, launch, 0, row as usize, fill, 0, FULL);
    }
    warp
}

/// Writes what a row that no instruction writes holds, in a warp of the block of number `linear`.
pub fn write_fill(
    warp: &mut Warp,
    launch: &Launch<'_>,
    linear: u64,
    at: usize,
    fill: Fill,
    frame_local: u32,
    mask: u32,
) {
    let number = warp.number;
    let mut put = |f: &dyn Fn(u32) -> u32| {
        for l in 0..32u32 {
            if mask >> l & 1 != 0 {
                warp.registers[at].0[l as usize] = f(l);
            }
        }
    };
    let dim = launch.block;
    let thread = |l: u32, axis: u8| {
        let n = 32 * number + l;
        match axis {
            0 => n % dim[0],
            1 => n / dim[0] % dim[1],
            _ => n / (dim[0] * dim[1]),
        }
    };
    match fill {
        Fill::Word(v) => put(&|_| v),
        Fill::Long(v) => {
            // 16 lanes of 64 bits in each of two rows, the lower half first
            for l in (0..32).filter(|l| mask >> l & 1 != 0) {
                let words = &mut warp.registers[at + l / 16].0[l % 16 * 2..][..2];
                words.copy_from_slice(&[v as u32, (v >> 32) as u32]);
            }
        }
        Fill::Special(s) => match s {
            Special::Tid(axis) => put(&|l| thread(l, axis)),
            Special::Ntid(axis) => put(&|_| dim[axis as usize]),
            Special::Nctaid(axis) => put(&|_| launch.grid[axis as usize]),
            Special::Lane => put(&|l| l),
            Special::Warp => put(&|_| number),
            Special::Nwarp => put(&|_| dim.iter().product::<u32>().div_ceil(32)),
            Special::Nsm => put(&|_| launch.sm_count),
            Special::Grid => put(&|_| launch.number as u32),
            Special::MaskEq => put(&|l| 1 << l),
            Special::MaskLe => put(&|l| FULL >> (31 - l)),
            Special::MaskLt => put(&|l| (1u32 << l) - 1),
            Special::MaskGe => put(&|l| FULL << l),
            Special::MaskGt => put(&|l| (FULL << l) & !(1 << l)),
            Special::SharedTotal => put(&|_| launch.shared_bytes),
            Special::SharedDynamic => put(&|_| launch.dynamic_shared),
            Special::WorkspaceHigh => put(&|_| (launch.opts.workspace >> 32) as u32),
            Special::WorkspaceLow => put(&|_| launch.opts.workspace as u32),
            Special::Frame => put(&|_| frame_local),
            Special::Ctaid(axis) => {
                let index = launch.block_index(linear)[axis as usize];
                put(&|_| index);
            }
            Special::Sm => {
                let sm = (linear % u64::from(launch.sm_count)) as u32;
                put(&|_| sm);
            }
        },
    }
}
