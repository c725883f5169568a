//! What a handler sees: the current warp's registers, its block's memories, the device.

use crate::kernel::Fault;
use crate::machine::block::Block;
use crate::machine::launch::Launch;
use crate::machine::row::{Lane, Row, store};
use crate::machine::warp::Warp;
use crate::shadow::tally::Watcher;

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

/// A host thread's view of the warp it runs.
///
/// Pointers rather than references: handlers are plain functions of (context, instruction, mask), and
/// the warp, its block and the launch outlive every call.
pub struct Cx {
    /// First row of the current frame.
    pub regs: *mut Row,
    /// First predicate of the current frame.
    pub preds: *mut u32,
    /// Lanes that may be written without harm: they don't exist or have exited.
    pub dead: u32,
    /// A check or counter wants to see every memory access.
    pub watch: bool,
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
    /// For each instruction the range of global addresses it met last, at most 2^31 bytes.
    pub ranges: Vec<(u64, u64)>,
    pub warp: *mut Warp,
    pub block: *mut Block,
    pub launch: *const Launch<'static>,
    /// The launch is to end; looked at where control flow happens.
    pub stopped: bool,
    /// Instructions executed by this host thread since the launch began, for `%clock`.
    pub clock: u64,
    /// Something other threads may wait for has changed.
    pub progress: u64,
    /// Atomics and volatile loads so far: a loop with one of them may be waiting for somebody.
    pub polls: u64,
    pub watcher: Watcher,
}

impl Cx {
    /// The lanes of a register.
    ///
    /// # Safety
    /// `row` is a row of the current frame, with a second one for 64-bit lanes.
    #[inline(always)]
    pub unsafe fn row<'a, T: Lane>(&self, row: u32) -> &'a [T; 32] {
        unsafe { &*self.regs.add(row as usize).cast::<[T; 32]>() }
    }

    /// Writes the lanes of a mask.
    ///
    /// # Safety
    /// As for [`row`](Cx::row).
    #[inline(always)]
    pub unsafe fn put<T: Lane>(&mut self, row: u32, t: &[T; 32], mask: u32) {
        unsafe { store(self.regs.add(row as usize).cast::<T>(), t, mask | self.dead) }
    }

    /// Writes the lanes of a mask of a predicate.
    ///
    /// # Safety
    /// `p` is a predicate of the current frame.
    #[inline(always)]
    pub unsafe fn put_pred(&mut self, p: u16, value: u32, mask: u32) {
        unsafe {
            let slot = self.preds.add(p as usize);
            *slot = (*slot & !mask) | (value & mask);
        }
    }

    pub fn launch(&self) -> &Launch<'static> {
        unsafe { &*self.launch }
    }

    pub fn warp(&mut self) -> &mut Warp {
        unsafe { &mut *self.warp }
    }

    pub fn block(&mut self) -> &mut Block {
        unsafe { &mut *self.block }
    }

    /// The host place of a device address that lies in the arena.
    #[inline(always)]
    pub fn host(&self, address: u64) -> *mut u8 {
        debug_assert!(address - self.arena < self.arena_bytes);
        unsafe { self.arena_host.add((address - self.arena) as usize) }
    }

    /// Makes a warp of a block the one that runs.
    pub fn enter(&mut self, block: &mut Block, warp: usize) {
        self.block = block;
        self.shared = block.shared.as_mut_ptr().cast();
        self.shared_bytes = u64::from(block.shared_bytes);
        let w = &mut block.warps[warp];
        self.warp = w;
        self.local = w.local.as_mut_ptr();
        self.local_bytes = (w.local.len() * 4) as u64;
        self.dead = !w.alive;
    }

    /// Points to a frame's registers.
    pub fn set_frame(&mut self, frame: u32) {
        let warp = self.warp();
        let (rows, preds) = {
            let f = &warp.frames[frame as usize];
            (f.rows as usize, f.preds as usize)
        };
        let (regs, predicates) = (warp.registers.as_mut_ptr(), warp.predicates.as_mut_ptr());
        unsafe {
            self.regs = regs.add(rows);
            self.preds = predicates.add(preds);
        }
    }

    /// Ends the launch with a fault; the first one stays.
    #[cold]
    pub fn fault(&mut self, fault: Fault) {
        self.stopped = true;
        self.launch().set_fault(fault);
    }

    /// Where an instruction stands and who executes it, for messages.
    #[cold]
    pub fn whereabouts(&mut self, id: u32, lane: u32) -> String {
        let thread = self.warp().thread(lane);
        let block = self.block().index;
        let launch = self.launch();
        let (line, source) = launch.program.place(id);
        let source = source.map(|s| format!(" ({}:{})", s.file, s.line)).unwrap_or_default();
        format!(
            "kernel {}, PTX line {line}{source}, block ({}, {}, {}), thread ({}, {}, {})",
            launch.kernel_name, block[0], block[1], block[2], thread[0], thread[1], thread[2]
        )
    }
}
