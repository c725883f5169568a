//! What the checks found.

use serde::{Deserialize, Serialize};

/// What kind of mistake a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// An access outside every live allocation, or past the end of one.
    OutOfBounds,
    /// An address that is not a multiple of the access size.
    Misaligned,
    /// An access to memory that was freed.
    UseAfterFree,
    /// A store to constant memory or to another place that can't be written.
    ReadOnly,
    /// A read of bytes that nobody wrote.
    Uninitialised,
    /// Shared memory: accesses of two threads that no barrier orders.
    SharedRace,
    /// Shared memory read or written while an asynchronous copy to it is in flight.
    AsyncCopyHazard,
    /// Global memory: conflicting accesses of two blocks that nothing orders.
    GlobalRace,
    /// Two threads write the same value to the same place, and nothing orders them.
    SameValue,
    /// Shared memory: accesses of two lanes of a warp with a shuffle or vote of the whole warp between them, which
    /// keeps lanes together on every card but orders no memory by the ISA.
    WarpOrder,
    /// A plain read that races with an atomic, where the value read only says what a compare-and-swap of the same place
    /// expects, or whether there is to be one.
    SwapRead,
    /// A barrier that not all threads of the warp or block reach together.
    DivergentBarrier,
    /// A `*.sync` instruction whose member mask names lanes that don't take part.
    MissingParticipant,
    /// A barrier used against its rules (thread count, number, mixed forms).
    BarrierMisuse,
    /// Memory never freed (reported by the driver at context end).
    Leak,
}

impl FindingKind {
    /// How much it matters.
    pub fn rank(self) -> Rank {
        match self {
            FindingKind::SameValue | FindingKind::WarpOrder | FindingKind::SwapRead => Rank::Note,
            FindingKind::Leak => Rank::Warning,
            _ => Rank::Error,
        }
    }
}

impl std::str::FromStr for FindingKind {
    type Err = String;
    fn from_str(name: &str) -> Result<FindingKind, String> {
        serde_json::from_value(name.into()).map_err(|e| e.to_string())
    }
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rank {
    /// Against the letter of the documents, and harmless on the cards there are.
    Note,
    /// Harmless to the results.
    Warning,
    /// Wrong results, or a crash, on some card at some time.
    #[default]
    Error,
}

impl std::str::FromStr for Rank {
    type Err = String;
    fn from_str(name: &str) -> Result<Rank, String> {
        serde_json::from_value(name.into()).map_err(|_| format!("`{name}` is none of error, warning, note"))
    }
}

/// A place in the source, from `.loc`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Source {
    /// As the compiler was given it.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// Where the compiler inlined the function that the line belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inlined_at: Option<Box<Source>>,
}

/// One mistake found while a kernel ran.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// What is wrong.
    pub kind: FindingKind,
    /// How much it matters.
    pub rank: Rank,
    /// Its name in the PTX.
    pub kernel: String,
    /// Line in the PTX text, from 1; 0 when no instruction is to blame.
    pub ptx_line: u32,
    /// Place in the .cu file when compiled with `-lineinfo`.
    pub source: Option<Source>,
    /// The first block that showed it.
    pub block: [u32; 3],
    /// The first thread in that block.
    pub thread: [u32; 3],
    /// Of the access; 0 where there is none.
    pub address: u64,
    /// `global`, `shared`, `local`, `const`, `param`, or empty.
    pub space: &'static str,
    /// Bytes of the access.
    pub bytes: u32,
    /// What is allocated at or near the address.
    pub allocation: String,
    /// One paragraph: what is wrong, where, what to do.
    pub message: String,
    /// How often this place showed this mistake in the launch.
    pub count: u64,
}
