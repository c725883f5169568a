//! Kernels as a program sees them: what is known of one, how it is launched, what a launch did.

use crate::check::{Finding, FindingKind, Rank};
use crate::counters::Counters;

/// Why a PTX text was refused.
#[derive(Clone, Debug, thiserror::Error)]
#[error("PTX line {line}: {message}\n    {text}")]
pub struct LoadError {
    /// Line in the PTX text, from 1; 0 when the text as a whole is refused.
    pub line: u32,
    /// That line, trimmed.
    pub text: String,
    /// What is wrong with it.
    pub message: String,
}

/// One kernel parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamInfo {
    /// As in the PTX.
    pub name: String,
    /// Bytes from the first parameter.
    pub offset: u32,
    /// In bytes.
    pub size: u32,
    /// In bytes.
    pub align: u32,
}

/// Registers of a thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registers {
    /// Registers of 32 bits.
    pub count: u32,
    /// The count is ptxas's. Otherwise it is the number of 32-bit values alive at once in the PTX, which ptxas seldom
    /// undercuts (by 3 at most, measured on the kernels of a training engine) and often exceeds (up to 2.6 times).
    pub known: bool,
}

/// What is known of a kernel before it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KernelInfo {
    /// As in the PTX.
    pub name: String,
    /// In order.
    pub params: Vec<ParamInfo>,
    /// Bytes of all parameters, with the gaps between them.
    pub param_bytes: u32,
    /// Shared memory that it declares, bytes of a block.
    pub static_shared: u32,
    /// Local memory, bytes of a thread.
    pub local_bytes: u32,
    /// Threads of a block that a launch must have (`.reqntid`).
    pub reqntid: Option<[u32; 3]>,
    /// Most threads of a block (`.maxntid`, from `__launch_bounds__`).
    pub maxntid: Option<[u32; 3]>,
    /// Blocks meant to fit a multiprocessor (`.minnctapersm`, from `__launch_bounds__`).
    pub minnctapersm: Option<u32>,
    /// Registers of a thread.
    pub registers: Registers,
}

/// Shape and arguments of a launch.
#[derive(Clone, Debug)]
pub struct LaunchConfig {
    /// Blocks in each direction.
    pub grid: [u32; 3],
    /// Threads of a block in each direction.
    pub block: [u32; 3],
    /// Shared memory beside what the kernel declares, bytes of a block.
    pub dynamic_shared: u32,
    /// Arguments packed at the offsets of [`KernelInfo::params`].
    pub params: Vec<u8>,
}

/// How a launch is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// memcheck: bounds, alignment, use after free.
    pub mem: bool,
    /// initcheck: reads of memory nobody wrote.
    pub init: bool,
    /// racecheck: shared-memory hazards, conflicting global accesses of blocks.
    pub race: bool,
    /// synccheck: divergent barriers, missing participants.
    pub sync: bool,
    /// Counts what a profiler would show.
    pub counters: bool,
    /// Order of blocks, warps and lanes; 0 is the natural order.
    pub seed: u64,
    /// Host threads; 0 is all cores.
    pub threads: usize,
    /// Further findings of a rank are only counted.
    pub max_findings_per_kernel: usize,
    /// Kinds that are not reported.
    pub muted: Vec<FindingKind>,
    /// The least rank of a finding that makes a run fail.
    pub fail_on: Rank,
    /// Stop the launch with a fault at the first finding of that rank.
    pub abort_on_finding: bool,
    /// Every allocation lies between guards: without memcheck, too, an access outside ends the launch.
    pub guard: bool,
    /// Address of zeroed memory by which the blocks of a cooperative launch wait for one another; 0 for other launches.
    /// Kernels find its halves in `%envreg1` and `%envreg2`, as CUDA's cooperative groups expect.
    pub workspace: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            mem: false,
            init: false,
            race: false,
            sync: false,
            counters: false,
            seed: 0,
            threads: 0,
            max_findings_per_kernel: 8,
            muted: Vec::new(),
            fail_on: Rank::Error,
            abort_on_finding: false,
            guard: false,
            workspace: 0,
        }
    }
}

impl Options {
    /// Switches the checks on that `text` names, the others off: `all`, `none` or some of `mem,init,race,sync`.
    ///
    /// # Errors
    /// A word that is none of them.
    pub fn set_checks(&mut self, text: &str) -> Result<(), String> {
        let mut on = [false; 4];
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            match ["mem", "init", "race", "sync"].iter().position(|check| *check == word) {
                Some(check) => on[check] = true,
                None if word == "all" => on = [true; 4],
                None if word == "none" => on = [false; 4],
                None => return Err(format!("`{word}` is no check; use all, none, or some of mem,init,race,sync")),
            }
        }
        [self.mem, self.init, self.race, self.sync] = on;
        Ok(())
    }

    /// Sets the kinds that are not reported, from their names such as `leak,warp_order`.
    ///
    /// # Errors
    /// A word that names none.
    pub fn set_muted(&mut self, text: &str) -> Result<(), String> {
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        self.muted = words.map(str::parse).collect::<Result<_, _>>()?;
        Ok(())
    }
}

/// What ended a launch early; each maps to a CUDA error that sticks to the context.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// `CUDA_ERROR_ILLEGAL_ADDRESS`.
    #[error("illegal address: {0}")]
    IllegalAddress(String),
    /// `CUDA_ERROR_MISALIGNED_ADDRESS`.
    #[error("misaligned address: {0}")]
    MisalignedAddress(String),
    /// `trap` or `brkpt`: `CUDA_ERROR_LAUNCH_FAILED`.
    #[error("trap: {0}")]
    Trap(String),
    /// `CUDA_ERROR_ASSERT`.
    #[error("a device-side assert: {0}")]
    Assert(String),
    /// `CUDA_ERROR_ILLEGAL_INSTRUCTION`.
    #[error("illegal instruction: {0}")]
    IllegalInstruction(String),
    /// Warps wait for what never comes: `CUDA_ERROR_LAUNCH_TIMEOUT`.
    #[error("the launch makes no progress: {0}")]
    LaunchTimeout(String),
    /// Shape or arguments do not fit kernel or device: `CUDA_ERROR_INVALID_VALUE`.
    #[error("invalid launch: {0}")]
    InvalidLaunch(String),
    /// More than the device has: `CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES`.
    #[error("out of resources: {0}")]
    OutOfResources(String),
    /// As [`Options::abort_on_finding`] asks: `CUDA_ERROR_LAUNCH_FAILED`.
    #[error("stopped at the first finding: {0}")]
    Aborted(String),
}

/// What a launch did.
#[derive(Clone, Debug, Default)]
pub struct LaunchReport {
    /// What ended it early.
    pub fault: Option<Fault>,
    /// What the checks found.
    pub findings: Vec<Finding>,
    /// Findings beyond `max_findings_per_kernel`, only counted.
    pub findings_beyond: u64,
    /// If [`Options::counters`] was set.
    pub counters: Option<Counters>,
}

impl LaunchReport {
    /// Whether there is a finding of that rank or a higher one.
    pub fn has(&self, rank: Rank) -> bool {
        self.findings.iter().any(|f| f.rank >= rank)
    }
}
