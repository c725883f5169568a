//! What a launch may ask for, and what is known of a kernel's registers.

use crate::kernel::{Fault, KernelInfo, LaunchConfig, Registers};
use crate::profile::{MAX_BLOCK, MAX_GRID, MAX_REGISTERS_PER_THREAD, Profile};
use std::fmt::Arguments;

impl Registers {
    /// From the values alive at once and the directives by which ptxas is told to use fewer: `.maxnreg`, and
    /// `.maxntid` with `.minnctapersm`, which promise that so many blocks of so many threads fit a multiprocessor.
    pub(crate) fn counted(
        alive: u32,
        maxnreg: Option<u32>,
        threads: Option<u32>,
        blocks: Option<u32>,
        profile: &Profile,
    ) -> Registers {
        let promised = threads
            .map_or(MAX_REGISTERS_PER_THREAD, |threads| profile.registers_for_blocks(threads, blocks.unwrap_or(1)));
        Registers { count: alive.max(1).min(maxnreg.unwrap_or(MAX_REGISTERS_PER_THREAD)).min(promised), known: false }
    }
}

impl KernelInfo {
    /// Most threads of a block of this kernel: the device's limit, the kernel's launch bounds, the register file.
    pub(crate) fn max_threads(&self, profile: &Profile) -> u32 {
        self.bound().unwrap_or(u32::MAX).min(profile.threads_by_registers(self.registers.count))
    }

    /// Threads of a block by `.maxntid` or `.reqntid`.
    pub(crate) fn bound(&self) -> Option<u32> {
        let product = |n: [u32; 3]| n.iter().fold(1u32, |p, &n| p.saturating_mul(n.max(1)));
        self.maxntid.or(self.reqntid).map(product)
    }

    /// Whether a launch of that shape is possible.
    ///
    /// # Errors
    /// [`Fault::InvalidLaunch`], or [`Fault::OutOfResources`] for more threads than the registers suffice for.
    pub(crate) fn accepts(&self, cfg: &LaunchConfig, profile: &Profile) -> Result<(), Fault> {
        let device = profile.name;
        let valid = |holds: bool, message: Arguments| match holds {
            true => Ok(()),
            false => Err(Fault::InvalidLaunch(message.to_string())),
        };
        for (axis, letter) in ["x", "y", "z"].iter().enumerate() {
            for (value, most, what) in
                [(cfg.grid[axis], MAX_GRID[axis], "grid"), (cfg.block[axis], MAX_BLOCK[axis], "block")]
            {
                let message =
                    format_args!("{what} dimension {letter} is {value}; 1 to {most} are possible on {device}");
                valid((1..=most).contains(&value), message)?;
            }
        }
        let threads: u64 = cfg.block.iter().map(|&n| u64::from(n)).product();
        let most = profile.max_threads_per_block;
        let message = format_args!("a block of {threads} threads; {device} has at most {most}");
        valid(threads <= u64::from(most), message)?;
        let wanted = self.reqntid.unwrap_or(cfg.block);
        let message = format_args!("it requires blocks of {wanted:?} threads, launched with {:?}", cfg.block);
        valid(wanted == cfg.block, message)?;
        let most = self.bound().unwrap_or(u32::MAX);
        let message = format_args!("a block of {threads} threads; its launch bounds allow {most}");
        valid(threads <= u64::from(most), message)?;
        let Registers { count, known } = self.registers;
        let most = profile.threads_by_registers(count);
        if threads > u64::from(most) {
            return Err(Fault::OutOfResources(format!(
                "a block of {threads} threads of {}{count} registers; the {} registers of {device} suffice for {most} \
                 threads. Launch fewer, or give the kernel __launch_bounds__({threads})",
                if known { "" } else { "at least " },
                profile.registers_per_sm,
            )));
        }
        let (fixed, dynamic, most) = (self.static_shared, cfg.dynamic_shared, profile.shared_per_block_optin);
        let message =
            format_args!("{fixed} bytes of static and {dynamic} of dynamic shared memory; {device} has {most} a block");
        valid(u64::from(fixed) + u64::from(dynamic) <= u64::from(most), message)?;
        let (needed, most, given) = (self.param_bytes, profile.max_param_bytes, cfg.params.len());
        valid(needed <= most, format_args!("it takes {needed} bytes of parameters; {device} allows {most}"))?;
        valid(given >= needed as usize, format_args!("{given} bytes of parameters are given, it takes {needed}"))
    }
}
