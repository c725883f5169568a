//! What a handler sees: the current warp's registers, its block's memories, the device.

use crate::kernel::Fault;
use crate::machine::block::{Block, Memories, Resident, Seat};
use crate::machine::fixed::Fixed;
use crate::machine::launch::Launch;
use crate::machine::operand::{AnySrc, Pred, PredDst, Src, Width};
use crate::machine::place::Span;
use crate::machine::program::Function;
use crate::machine::row::{FULL, Lane, Row, store};
use crate::machine::warp::{Frame, Warp};
use crate::shadow::latest::Own;
use crate::shadow::tally::Tally;

/// Generic addresses of shared memory begin here.
pub const SHARED_WINDOW: u64 = 0x0100_0000_0000;
/// Generic addresses of local memory begin here.
pub const LOCAL_WINDOW: u64 = 0x0110_0000_0000;
/// Generic addresses of kernel parameters begin here.
pub const PARAM_WINDOW: u64 = 0x0120_0000_0000;
/// Addresses of functions begin here; a function has the number of its entry in the table.
pub const CODE_WINDOW: u64 = 0x0130_0000_0000;
/// Size of each window.
pub const WINDOW: u64 = 0x0010_0000_0000;

/// A host thread's context: the launch, the block it runs, and the warp of that block whose turn it is.
///
/// It owns the block, whose memories never move, and the launch outlives it, so that its pointers are good as long as
/// it runs that block: only [`exchange`](Cx::exchange), [`enter`](Cx::enter) and [`set_frame`](Cx::set_frame) change
/// them.
pub struct Cx<'l> {
    launch: &'l Launch<'l>,
    resident: Box<Resident>,
    /// The warp that runs, by its place in the block.
    warp: usize,
    /// First row and predicate of the current frame, and where they lie.
    first_row: usize,
    first_pred: usize,
    rows: *mut Row,
    preds: *mut u32,
    /// Shared memory of the block.
    shared: Span,
    /// The kernel's arguments, a copy.
    params: Fixed<Row>,
    /// The device's memory: its first address, and where it lies on this host.
    base: u64,
    arena: *mut u8,
    /// Lanes that may be written without harm: they don't exist or have exited.
    dead: u32,
    /// For each instruction the range of global addresses that it met last: in the device's memory, at most 2^31 bytes.
    ranges: Vec<(u64, u64)>,
    /// A check or counter wants to see every memory access.
    pub watch: bool,
    /// The launch is to end; looked at where control flow happens.
    pub stopped: bool,
    /// Instructions executed by this host thread since the launch began, for `%clock`.
    pub clock: u64,
    /// Something other threads may wait for has changed.
    pub progress: u64,
    /// Atomics and volatile loads so far: a loop with one of them may be waiting for somebody.
    pub polls: u64,
    pub tally: Tally,
    /// The latest store to global memory.
    pub latest: Own,
}

/// The memories of a warp, for who isn't a handler.
pub struct Slices<'a> {
    pub registers: &'a mut [Row],
    pub predicates: &'a mut [u32],
    /// 32-bit word `w` of each lane's local memory lies in row `w`.
    pub local: &'a mut [Row],
    /// Bytes of local memory that were written, where that is watched: a byte for each, in the same order.
    pub local_written: &'a mut [u8],
}

impl<'l> Cx<'l> {
    /// A context for a launch of a program of so many instructions; it runs no block yet.
    ///
    /// # Safety
    /// It isn't put into another context's place while that one executes an instruction.
    pub unsafe fn new(launch: &'l Launch<'l>, instructions: usize) -> Cx<'l> {
        let mut params = Fixed::new(Row([0; 32]), launch.params.len().div_ceil(128).max(1));
        for (n, &byte) in launch.params.iter().enumerate() {
            params[n / 128].0[n % 128 / 4] |= u32::from(byte) << (n % 4 * 8);
        }
        let base = launch.memory.base();
        let resident = Box::new(Resident::new(launch));
        Cx {
            launch,
            rows: std::ptr::null_mut(),
            preds: std::ptr::null_mut(),
            shared: resident.shared(),
            params,
            base,
            arena: launch.memory.host(),
            resident,
            warp: 0,
            first_row: 0,
            first_pred: 0,
            dead: !0,
            ranges: vec![(base, base); instructions],
            watch: launch.watch,
            stopped: false,
            clock: 0,
            progress: 0,
            polls: 0,
            latest: launch.races.latest.join(),
            tally: Tally::new(if launch.count { instructions } else { 0 }),
        }
    }

    /// The lanes of a register.
    ///
    /// # Safety
    /// `row` is a row of the frame that [`set_frame`](Cx::set_frame) chose, with a second one for 64-bit lanes.
    #[inline(always)]
    pub unsafe fn row<T: Lane>(&self, row: u32) -> &[T; 32] {
        // SAFETY: the caller's promise; rows are aligned for both widths.
        unsafe { &*self.rows.add(row as usize).cast::<[T; 32]>() }
    }

    /// Writes the lanes of a mask.
    ///
    /// # Safety
    /// As for [`row`](Cx::row).
    #[inline(always)]
    pub unsafe fn put<T: Lane>(&mut self, row: u32, t: &[T; 32], mask: u32) {
        // SAFETY: the caller's promise.
        store(unsafe { &mut *self.rows.add(row as usize).cast::<[T; 32]>() }, t, mask | self.dead)
    }

    /// The lanes for which a predicate holds.
    ///
    /// # Safety
    /// `p` is a predicate of the frame that [`set_frame`](Cx::set_frame) chose.
    #[inline(always)]
    pub unsafe fn pred(&self, p: Pred) -> u32 {
        // SAFETY: the caller's promise.
        unsafe { *self.preds.add(usize::from(p.slot())) ^ p.inversion() }
    }

    /// Writes the lanes of a mask of a predicate.
    ///
    /// # Safety
    /// As for [`pred`](Cx::pred).
    #[inline(always)]
    pub unsafe fn put_pred(&mut self, p: PredDst, value: u32, mask: u32) {
        // SAFETY: the caller's promise.
        let slot = unsafe { &mut *self.preds.add(usize::from(p.slot())) };
        *slot = (*slot & !mask) | (value & mask);
    }

    /// The 32-bit lanes of a register, for who isn't a handler.
    ///
    /// Panics when the frame has no such row.
    pub fn lanes(&self, row: Src<u32>) -> &[u32; 32] {
        &self.resident.memories[self.warp].registers[self.first_row + row.row() as usize].0
    }

    /// A lane of a register of 64 bits, for who isn't a handler.
    ///
    /// Panics when the frame has no such row.
    pub fn long_lane(&self, row: Src<u64>, lane: usize) -> u64 {
        let registers = &self.resident.memories[self.warp].registers;
        let words = &registers[self.first_row + row.row() as usize + lane / 16].0[lane % 16 * 2..][..2];
        u64::from(words[0]) | u64::from(words[1]) << 32
    }

    /// A lane of a register of either width, for who isn't a handler.
    ///
    /// Panics when the frame has no such row.
    pub fn lane(&self, row: AnySrc, lane: usize) -> u64 {
        match row.width() {
            Width::Single(row) => self.lanes(row)[lane].into(),
            Width::Double(row) => self.long_lane(row, lane),
        }
    }

    /// Writes the rows of a new frame of the warp that no instruction writes.
    pub fn fill_frame(&mut self, function: &Function, frame: &Frame) {
        let Resident { block, memories, .. } = &mut *self.resident;
        let memories = &mut memories[self.warp];
        let seat = Seat { block: block.linear, warp: self.warp as u32, local: frame.local };
        for &(row, fill) in &function.fills {
            memories.fill(self.launch, seat, frame.rows + row, fill, frame.lanes);
        }
        memories.predicates[frame.preds as usize] = FULL;
    }

    /// The lanes for which a predicate holds, for who isn't a handler.
    ///
    /// Panics when the frame has no such predicate.
    pub fn predicate(&self, p: Pred) -> u32 {
        self.resident.memories[self.warp].predicates[self.first_pred + usize::from(p.slot())] ^ p.inversion()
    }

    /// The memories of a warp of the block.
    pub fn memories(&mut self, warp: usize) -> Slices<'_> {
        let Memories { registers, predicates, local, local_written } = &mut self.resident.memories[warp];
        Slices { registers, predicates, local, local_written }
    }

    /// The memories of the warp that runs.
    pub fn own_memories(&mut self) -> Slices<'_> {
        self.memories(self.warp)
    }

    /// Which bytes of its local memory the warp that runs has written, as in [`Slices`].
    pub fn local_written(&self) -> &[u8] {
        &self.resident.memories[self.warp].local_written
    }

    /// The launch.
    #[inline(always)]
    pub fn launch(&self) -> &'l Launch<'l> {
        self.launch
    }

    /// The warp that runs.
    #[inline(always)]
    pub fn warp(&mut self) -> &mut Warp {
        &mut self.resident.block.warps[self.warp]
    }

    /// The block that runs.
    #[inline(always)]
    pub fn block(&mut self) -> &mut Block {
        &mut self.resident.block
    }

    /// The block that runs, to look at.
    #[inline(always)]
    pub fn block_ref(&self) -> &Block {
        &self.resident.block
    }

    /// The block that runs, and the place of the warp that runs in it.
    #[inline(always)]
    pub fn block_and_warp(&mut self) -> (&mut Block, usize) {
        (&mut self.resident.block, self.warp)
    }

    /// The shared memory of the block.
    #[inline(always)]
    pub fn shared(&self) -> Span {
        self.shared
    }

    /// The kernel's arguments.
    pub fn params(&self) -> Span {
        // SAFETY: they lie there as long as the context.
        unsafe { Span::new(self.params.start().cast(), self.launch.params.len() as u64) }
    }

    /// The range of global addresses that an instruction met last.
    #[inline(always)]
    pub fn range(&self, id: u32) -> (u64, u64) {
        self.ranges[id as usize]
    }

    /// The memory in that range, and its first address.
    #[inline(always)]
    pub fn known(&self, id: u32) -> (Span, u64) {
        let (low, high) = self.range(id);
        let start = self.arena.wrapping_add((low - self.base) as usize);
        // SAFETY: ranges are parts of the device's memory, which outlives the launch.
        (unsafe { Span::new(start, high - low) }, low)
    }

    /// An instruction has met a range: the allocation that holds an address, or where none is, what lies around it.
    pub fn meet(&mut self, id: u32, address: u64, size: u64) {
        let (low, high) = self.launch.window(address, size);
        let end = self.base + self.launch.memory.size();
        assert!(self.base <= low && low <= high && high <= end && high - low <= 1 << 31);
        self.ranges[id as usize] = (low, high);
    }

    /// The bytes of the block's shared memory.
    pub fn shared_bytes(&mut self) -> &mut [u8] {
        self.resident.shared_bytes()
    }

    /// Exchanges the block that runs for another one of the launch.
    ///
    /// # Safety
    /// No instruction is being executed.
    pub unsafe fn exchange(&mut self, other: &mut Box<Resident>) {
        std::mem::swap(&mut self.resident, other);
        self.shared = self.resident.shared();
    }

    /// Makes a warp of the block the one that runs; a frame must be chosen next.
    ///
    /// # Safety
    /// No instruction is being executed.
    pub unsafe fn enter(&mut self, warp: usize) {
        self.warp = warp;
        self.lanes_exited();
    }

    /// Chooses the frame whose rows and predicates handlers see.
    ///
    /// # Safety
    /// No instruction is being executed.
    pub unsafe fn set_frame(&mut self, frame: u32) {
        let frame = &self.resident.block.warps[self.warp].frames[frame as usize];
        let function = &self.launch.program.functions[frame.callee as usize];
        let Memories { registers, predicates, .. } = &self.resident.memories[self.warp];
        (self.first_row, self.first_pred) = (frame.rows as usize, frame.preds as usize);
        assert!(self.first_row + function.rows as usize <= registers.len());
        assert!(self.first_pred + function.preds as usize <= predicates.len());
        self.rows = registers.start().wrapping_add(self.first_row);
        self.preds = predicates.start().wrapping_add(self.first_pred);
    }

    /// Lanes of the warp have exited: they may be written from now on.
    pub fn lanes_exited(&mut self) {
        self.dead = !self.warp().alive;
    }

    /// Ends the launch with a fault; the first one stays.
    #[cold]
    pub fn fault(&mut self, fault: Fault) {
        self.stopped = true;
        self.launch.set_fault(fault);
    }

    /// Ends the launch with a fault of a lane at an instruction; the first one stays.
    #[cold]
    pub fn fail(&mut self, fault: fn(String) -> Fault, id: u32, lane: u32, message: &str) {
        let place = self.whereabouts(id, lane);
        self.fault(fault(format!("{place}: {message}")));
    }

    /// Where an instruction stands and which lane executes it, for messages.
    #[cold]
    pub fn whereabouts(&self, id: u32, lane: u32) -> String {
        self.whereabouts_of(id, self.resident.block.warps[self.warp].thread(lane))
    }

    /// Where an instruction stands and which thread of the block executes it, for messages.
    #[cold]
    pub fn whereabouts_of(&self, id: u32, thread: [u32; 3]) -> String {
        let (launch, block) = (self.launch, self.resident.block.index);
        let place = launch.program.describe(id);
        format!(
            "kernel {}, {place}, block ({}, {}, {}), thread ({}, {}, {})",
            launch.kernel_name, block[0], block[1], block[2], thread[0], thread[1], thread[2]
        )
    }
}
