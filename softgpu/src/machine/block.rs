//! A block: its warps, its shared memory, its barriers.

use crate::machine::draw::mix;
use crate::machine::fixed::Fixed;
use crate::machine::launch::Launch;
use crate::machine::mbarrier::Mbarrier;
use crate::machine::place::Span;
use crate::machine::program::{Fill, Special};
use crate::machine::row::{FULL, NONE, Row};
use crate::machine::warp::{Frame, Warp};
use crate::shadow::global::BlockSync;
use crate::shadow::shared::SharedShadow;
use std::collections::HashMap;

/// A block that runs or waits: all of it but the memories.
#[derive(Default)]
pub struct Block {
    pub index: [u32; 3],
    pub linear: u64,
    pub warps: Vec<Warp>,
    pub(super) shared_bytes: u32,
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

/// One of a block's sixteen barriers.
#[derive(Clone, Debug, Default)]
pub struct Barrier {
    /// Threads that have arrived.
    pub arrived: u32,
    /// Threads it waits for; 0 for all that are alive.
    pub expected: u32,
    pub and: bool,
    pub or: bool,
    pub count: u32,
    /// Instruction of the first arrival.
    pub inst: u32,
    pub open: bool,
    /// Clocks of the warps that arrived, joined (hazard checks).
    pub clocks: Vec<u32>,
}

/// A block with its memories.
///
/// The memories never move; contexts have pointers to them.
pub struct Resident {
    pub block: Block,
    /// Shared memory, in 128-byte rows.
    pub(super) shared: Fixed<Row>,
    /// One of each warp.
    pub(super) memories: Vec<Memories>,
}

/// The memories of a warp.
pub struct Memories {
    pub(super) registers: Fixed<Row>,
    pub(super) predicates: Fixed<u32>,
    /// 32-bit word `w` of each lane's local memory lies in row `w`.
    pub(super) local: Fixed<Row>,
    /// Bytes of local memory that were written: one byte for each byte, in the same order.
    pub(super) local_written: Vec<u8>,
}

/// Where a function runs: what its special registers tell.
#[derive(Clone, Copy)]
pub struct Seat {
    /// Number of the block.
    pub block: u64,
    pub warp: u32,
    /// Where its frame begins in local memory.
    pub local: u32,
}

impl Seat {
    fn of(block: u64, warp: &Warp) -> Seat {
        Seat { block, warp: warp.number, local: 0 }
    }
}

impl Resident {
    /// A block with its warps, to be started with [`start`](Resident::start).
    pub fn new(launch: &Launch<'_>) -> Resident {
        let threads: u32 = launch.block.iter().product();
        let shared_bytes = launch.shared_bytes;
        let warps: Vec<Warp> = (0..threads.div_ceil(32)).map(|w| new_warp(launch, w, threads)).collect();
        let mut memories: Vec<Memories> = warps.iter().map(|_| Memories::new(launch)).collect();
        let function = &launch.program.functions[launch.function as usize];
        for (warp, memories) in warps.iter().zip(&mut memories) {
            memories.predicates[0] = FULL;
            for &(row, fill) in &function.fills {
                memories.fill(launch, Seat::of(0, warp), row, fill, FULL);
            }
        }
        let block = Block { warps, shared_bytes, threads, ..Block::default() };
        Resident { block, shared: Fixed::new(Row([0; 32]), (shared_bytes as usize).div_ceil(128) + 1), memories }
    }

    /// Makes it the block of that number.
    pub fn start(&mut self, launch: &Launch<'_>, linear: u64) {
        let block = &mut self.block;
        block.linear = linear;
        block.index = launch.block_index(linear);
        block.barriers = Default::default();
        block.mbarriers.clear();
        block.interval = 0;
        block.sync = Default::default();
        let (race, init) = (launch.opts.race, launch.opts.init);
        let exact = launch.program.partial_sync;
        block.shadow.restart(race, init, exact, block.shared_bytes, block.warps.len());
        let function = &launch.program.functions[launch.function as usize];
        for (warp, memories) in block.warps.iter_mut().zip(&mut self.memories) {
            warp.start(function.entry);
            memories.local_written.fill(0);
            memories.registers[..launch.variable_rows as usize].fill(Row([0; 32]));
            for &(row, fill) in &function.fills {
                if let Fill::Special(Special::Ctaid(_) | Special::Sm) = fill {
                    memories.fill(launch, Seat::of(linear, warp), row, fill, FULL);
                }
            }
        }
        block.shuffle(launch.seed);
        self.shared_bytes()[launch.reserved_shared as usize..].fill(0);
    }

    /// Its shared memory, for a context that owns it.
    pub(super) fn shared(&self) -> Span {
        // SAFETY: it lies there as long as the block.
        unsafe { Span::new(self.shared.start().cast(), u64::from(self.block.shared_bytes)) }
    }

    /// The bytes of its shared memory.
    pub fn shared_bytes(&mut self) -> &mut [u8] {
        // SAFETY: rows are bytes, these and a few more.
        unsafe { std::slice::from_raw_parts_mut(self.shared.start().cast(), self.block.shared_bytes as usize) }
    }
}

impl Block {
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
    let lanes = (threads - 32 * number).min(32);
    let exists = if lanes == 32 { FULL } else { (1 << lanes) - 1 };
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
    Warp { number, exists, frames: vec![frame], first_thread: 32 * number, block_dim: launch.block, ..Warp::default() }
}

impl Memories {
    fn new(launch: &Launch<'_>) -> Memories {
        let local_rows = launch.stack_local.div_ceil(4) as usize;
        Memories {
            registers: Fixed::new(Row([0; 32]), launch.stack_rows as usize + 1),
            predicates: Fixed::new(0, launch.stack_preds as usize),
            local: Fixed::new(Row([0; 32]), local_rows),
            local_written: vec![0; if launch.watch { local_rows * 128 } else { 0 }],
        }
    }

    /// Writes what a row that no instruction writes holds, in the lanes of `mask`.
    pub fn fill(&mut self, launch: &Launch<'_>, seat: Seat, row: u32, fill: Fill, mask: u32) {
        let at = row as usize;
        let masked = |l: &usize| mask >> l & 1 != 0;
        match fill {
            // 16 lanes of 64 bits in each of two rows, the lower half first
            Fill::Long(v) => (0..32).filter(masked).for_each(|l| {
                let words = &mut self.registers[at + l / 16].0[l % 16 * 2..][..2];
                words.copy_from_slice(&[v as u32, (v >> 32) as u32]);
            }),
            Fill::Word(v) => (0..32).filter(masked).for_each(|l| self.registers[at].0[l] = v),
            Fill::Special(s) => {
                let values = special(s, launch, seat);
                (0..32).filter(masked).for_each(|l| self.registers[at].0[l] = values[l]);
            }
        }
    }
}

/// What the lanes of a warp read from a special register.
fn special(s: Special, launch: &Launch<'_>, Seat { block: linear, warp, local }: Seat) -> [u32; 32] {
    let [x, y, z] = launch.block;
    let lanes = std::array::from_fn(|l| l as u32);
    let all = match s {
        Special::Tid(axis) => {
            let threads = lanes.map(|l| 32 * warp + l);
            return threads.map(|n| [n % x, n / x % y, n / (x * y)][usize::from(axis)]);
        }
        Special::Lane => return lanes,
        Special::MaskEq => return lanes.map(|l| 1 << l),
        Special::MaskLe => return lanes.map(|l| FULL >> (31 - l)),
        Special::MaskLt => return lanes.map(|l| (1 << l) - 1),
        Special::MaskGe => return lanes.map(|l| FULL << l),
        Special::MaskGt => return lanes.map(|l| (FULL << l) & !(1 << l)),
        Special::Ntid(axis) => launch.block[usize::from(axis)],
        Special::Nctaid(axis) => launch.grid[usize::from(axis)],
        Special::Ctaid(axis) => launch.block_index(linear)[usize::from(axis)],
        Special::Warp => warp,
        Special::Nwarp => (x * y * z).div_ceil(32),
        Special::Sm => (linear % u64::from(launch.sm_count)) as u32,
        Special::Nsm => launch.sm_count,
        Special::Grid => launch.number as u32,
        Special::SharedTotal => launch.own_shared,
        Special::Reserved(offset) => launch.reserved_shared + offset,
        Special::SharedDynamic => launch.dynamic_shared,
        Special::WorkspaceHigh => (launch.opts.workspace >> 32) as u32,
        Special::WorkspaceLow => launch.opts.workspace as u32,
        Special::Frame => local,
    };
    [all; 32]
}
