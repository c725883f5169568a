//! What a handler sees: the current warp's registers, its block's memories, the device.

use crate::kernel::Fault;
use crate::machine::block::Block;
use crate::machine::launch::Launch;
use crate::machine::row::{Lane, Row, store};
use crate::machine::warp::Warp;
use crate::shadow::tally::Tally;
use std::ops::Deref;

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

/// Where the memories of the warp that runs lie; a handler reads and writes through these pointers.
pub struct View {
    /// First row of the current frame.
    regs: *mut Row,
    /// First predicate of the current frame.
    pub preds: *mut u32,
    pub shared: *mut u8,
    pub shared_bytes: u64,
    pub local: *mut Row,
    pub local_bytes: u64,
    pub params: *const u8,
    pub param_bytes: u64,
    /// The device's range: first address, bytes, where it lies on the host.
    pub arena: u64,
    pub arena_bytes: u64,
    pub arena_host: *mut u8,
    /// One byte for each byte of the device's range: not zero where something was written (initcheck).
    pub arena_written: *mut u8,
}

/// A host thread's context: the launch, the block it runs, and the warp of that block whose turn it is.
///
/// The context owns the block, and the launch outlives it, so that its pointers are good as long as it is: only
/// [`enter`](Cx::enter) and [`set_frame`](Cx::set_frame) change them, and no warp's memory is reallocated after its
/// block was made. Others read them, through [`View`].
pub struct Cx<'l> {
    view: View,
    launch: &'l Launch<'l>,
    block: Box<Block>,
    /// The warp that runs, by its place in the block.
    warp: usize,
    /// First row and predicate of the current frame.
    first_row: usize,
    first_pred: usize,
    /// Lanes that may be written without harm: they don't exist or have exited.
    dead: u32,
    /// A check or counter wants to see every memory access.
    pub watch: bool,
    /// For each instruction the range of global addresses it met last, at most 2^31 bytes.
    pub ranges: Vec<(u64, u64)>,
    /// The launch is to end; looked at where control flow happens.
    pub stopped: bool,
    /// Instructions executed by this host thread since the launch began, for `%clock`.
    pub clock: u64,
    /// Something other threads may wait for has changed.
    pub progress: u64,
    /// Atomics and volatile loads so far: a loop with one of them may be waiting for somebody.
    pub polls: u64,
    pub tally: Tally,
}

impl Deref for Cx<'_> {
    type Target = View;

    #[inline(always)]
    fn deref(&self) -> &View {
        &self.view
    }
}

impl<'l> Cx<'l> {
    /// A context for a launch of a program of so many instructions; it runs no block yet.
    pub fn new(launch: &'l Launch<'l>, instructions: usize) -> Cx<'l> {
        let memory = launch.memory;
        Cx {
            view: View {
                regs: std::ptr::null_mut(),
                preds: std::ptr::null_mut(),
                shared: std::ptr::null_mut(),
                shared_bytes: 0,
                local: std::ptr::null_mut(),
                local_bytes: 0,
                params: launch.params.as_ptr(),
                param_bytes: launch.params.len() as u64,
                arena: memory.base(),
                arena_bytes: memory.size(),
                arena_host: memory.host(),
                arena_written: memory.written_shadow(),
            },
            launch,
            block: Box::default(),
            warp: 0,
            first_row: 0,
            first_pred: 0,
            dead: !0,
            watch: launch.watch,
            ranges: vec![(memory.base(), memory.base()); instructions],
            stopped: false,
            clock: 0,
            progress: 0,
            polls: 0,
            tally: Tally::new(if launch.count { instructions } else { 0 }),
        }
    }

    /// The lanes of a register.
    ///
    /// # Safety
    /// `row` is a row of the frame that [`set_frame`](Cx::set_frame) chose, with a second one for 64-bit lanes.
    #[inline(always)]
    pub unsafe fn row<'a, T: Lane>(&self, row: u32) -> &'a [T; 32] {
        // SAFETY: the caller's promise; rows are aligned for both widths.
        unsafe { &*self.view.regs.add(row as usize).cast::<[T; 32]>() }
    }

    /// Writes the lanes of a mask.
    ///
    /// # Safety
    /// As for [`row`](Cx::row).
    #[inline(always)]
    pub unsafe fn put<T: Lane>(&mut self, row: u32, t: &[T; 32], mask: u32) {
        // SAFETY: the caller's promise.
        unsafe { store(self.view.regs.add(row as usize).cast::<T>(), t, mask | self.dead) }
    }

    /// The lanes of a predicate.
    ///
    /// # Safety
    /// `p` is a predicate of the frame that [`set_frame`](Cx::set_frame) chose.
    #[inline(always)]
    pub unsafe fn pred(&self, p: u16) -> u32 {
        // SAFETY: the caller's promise.
        unsafe { *self.view.preds.add(p as usize) }
    }

    /// Writes the lanes of a mask of a predicate.
    ///
    /// # Safety
    /// As for [`pred`](Cx::pred).
    #[inline(always)]
    pub unsafe fn put_pred(&mut self, p: u16, value: u32, mask: u32) {
        // SAFETY: the caller's promise.
        unsafe {
            let slot = self.view.preds.add(p as usize);
            *slot = (*slot & !mask) | (value & mask);
        }
    }

    /// The 32-bit lanes of a register, for who isn't a handler.
    ///
    /// Panics when the frame has no such row.
    pub fn lanes(&self, row: u32) -> &[u32; 32] {
        &self.block.warps[self.warp].registers[self.first_row + row as usize].0
    }

    /// A lane of a register of 32 or 64 bits, for who isn't a handler.
    ///
    /// Panics when the frame has no such row.
    pub fn lane(&self, row: u32, lane: usize, wide: bool) -> u64 {
        if wide {
            let words = &self.lanes(row + lane as u32 / 16)[lane % 16 * 2..][..2];
            u64::from(words[0]) | u64::from(words[1]) << 32
        } else {
            u64::from(self.lanes(row)[lane])
        }
    }

    /// The lanes of a predicate, for who isn't a handler.
    ///
    /// Panics when the frame has no such predicate.
    pub fn predicate(&self, p: u16) -> u32 {
        self.block.warps[self.warp].predicates[self.first_pred + p as usize]
    }

    /// The launch.
    #[inline(always)]
    pub fn launch(&self) -> &'l Launch<'l> {
        self.launch
    }

    /// The warp that runs.
    #[inline(always)]
    pub fn warp(&mut self) -> &mut Warp {
        &mut self.block.warps[self.warp]
    }

    /// The block that runs.
    #[inline(always)]
    pub fn block(&mut self) -> &mut Block {
        &mut self.block
    }

    /// The block that runs, and the place of the warp that runs in it.
    #[inline(always)]
    pub fn block_and_warp(&mut self) -> (&mut Block, usize) {
        (&mut self.block, self.warp)
    }

    /// The host place of a device address that lies in the arena.
    #[inline(always)]
    pub fn host(&self, address: u64) -> *mut u8 {
        debug_assert!(address - self.arena < self.arena_bytes);
        self.arena_host.wrapping_add((address - self.arena) as usize)
    }

    /// Exchanges the block that runs for another one.
    pub fn exchange(&mut self, block: &mut Box<Block>) {
        std::mem::swap(&mut self.block, block);
    }

    /// Makes a warp of the block the one that runs.
    pub fn enter(&mut self, warp: usize) {
        self.warp = warp;
        self.view.shared = self.block.shared.as_mut_ptr().cast();
        self.view.shared_bytes = u64::from(self.block.shared_bytes);
        let w = &mut self.block.warps[warp];
        self.view.local = w.local.as_mut_ptr();
        self.view.local_bytes = (w.local.len() * 4) as u64;
        self.dead = !w.alive;
    }

    /// Chooses the frame whose rows and predicates handlers see.
    pub fn set_frame(&mut self, frame: u32) {
        let warp = &mut self.block.warps[self.warp];
        let frame = &warp.frames[frame as usize];
        (self.first_row, self.first_pred) = (frame.rows as usize, frame.preds as usize);
        self.view.regs = warp.registers.as_mut_ptr().wrapping_add(self.first_row);
        self.view.preds = warp.predicates.as_mut_ptr().wrapping_add(self.first_pred);
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

    /// Where an instruction stands and which lane executes it, for messages.
    #[cold]
    pub fn whereabouts(&mut self, id: u32, lane: u32) -> String {
        let thread = self.warp().thread(lane);
        self.whereabouts_of(id, thread)
    }

    /// Where an instruction stands and which thread of the block executes it, for messages.
    #[cold]
    pub fn whereabouts_of(&self, id: u32, thread: [u32; 3]) -> String {
        let (launch, block) = (self.launch, self.block.index);
        let place = launch.program.describe(id);
        format!(
            "kernel {}, {place}, block ({}, {}, {}), thread ({}, {}, {})",
            launch.kernel_name, block[0], block[1], block[2], thread[0], thread[1], thread[2]
        )
    }
}
