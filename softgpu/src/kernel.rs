//! Kernels as a program sees them: what is known of one, how it is launched, what a launch did.

use crate::check::Finding;
use crate::counters::Counters;

/// Why a PTX text was refused.
#[derive(Clone, Debug, thiserror::Error)]
#[error("PTX line {line}: {message}\n    {text}")]
pub struct LoadError {
    /// Line in the PTX text, from 1; 0 when the text as a whole is refused.
    pub line: u32,
    /// That line, trimmed.
    pub text: String,
    pub message: String,
}

/// One kernel parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamInfo {
    pub name: String,
    pub offset: u32,
    pub size: u32,
    pub align: u32,
}

/// Registers of a thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registers {
    pub count: u32,
    /// The count is ptxas's. Otherwise it is the number of 32-bit values alive at once in the PTX, which ptxas seldom
    /// undercuts (by 3 at most in `kernels/`) and often exceeds (up to 2.6 times).
    pub known: bool,
}

/// What is known of a kernel before it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KernelInfo {
    pub name: String,
    pub params: Vec<ParamInfo>,
    pub param_bytes: u32,
    pub static_shared: u32,
    pub local_bytes: u32,
    pub reqntid: Option<[u32; 3]>,
    pub maxntid: Option<[u32; 3]>,
    pub minnctapersm: Option<u32>,
    pub registers: Registers,
}

/// Shape and arguments of a launch.
#[derive(Clone, Debug)]
pub struct LaunchConfig {
    pub grid: [u32; 3],
    pub block: [u32; 3],
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
    pub counters: bool,
    /// Order of blocks, warps and lanes; 0 is the natural order.
    pub seed: u64,
    /// Host threads; 0 is all cores.
    pub threads: usize,
    pub max_findings_per_kernel: usize,
    /// Stop the launch with a fault at the first finding.
    pub abort_on_finding: bool,
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
            abort_on_finding: false,
        }
    }
}

/// What ended a launch early; each maps to a CUDA error that sticks to the context.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("illegal address: {0}")]
    IllegalAddress(String),
    #[error("misaligned address: {0}")]
    MisalignedAddress(String),
    #[error("trap: {0}")]
    Trap(String),
    #[error("a device-side assert: {0}")]
    Assert(String),
    #[error("illegal instruction: {0}")]
    IllegalInstruction(String),
    #[error("the launch makes no progress: {0}")]
    LaunchTimeout(String),
    #[error("invalid launch: {0}")]
    InvalidLaunch(String),
    #[error("out of resources: {0}")]
    OutOfResources(String),
    #[error("stopped at the first finding: {0}")]
    Aborted(String),
}

/// What a launch did.
#[derive(Clone, Debug, Default)]
pub struct LaunchReport {
    pub fault: Option<Fault>,
    pub findings: Vec<Finding>,
    /// Findings beyond `max_findings_per_kernel`, only counted.
    pub findings_beyond: u64,
    pub counters: Option<Counters>,
}
