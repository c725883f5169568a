//! A module ready to run.

use crate::check::Source;
use std::any::Any;

/// What an instruction counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Class {
    Integer,
    Float32,
    Float64,
    Half,
    Tensor,
    Convert,
    Compare,
    Move,
    Special,
    LoadStore,
    Atomic,
    Shuffle,
    Control,
    Barrier,
    Other,
}

impl Class {
    /// As the counters show it.
    pub fn name(self) -> &'static str {
        let names = [
            "integer",
            "float32",
            "float64",
            "half",
            "tensor",
            "convert",
            "compare",
            "move",
            "special",
            "load_store",
            "atomic",
            "shuffle",
            "control",
            "barrier",
            "other",
        ];
        names[self as usize]
    }
}

/// What is known of an instruction besides how to execute it.
#[derive(Clone, Copy, Debug)]
pub struct Info {
    pub line: u32,
    pub place: u32,
    /// Which bytes of a load are used, bit 0 the first; the others may be uninitialised.
    pub used_bytes: u64,
    pub class: Class,
    /// Floating-point operations a lane does.
    pub flops: u32,
    /// Multiply-adds the whole warp does on tensor cores.
    pub tensor: u32,
    /// An instruction made by the decoder that the PTX doesn't have.
    pub hidden: bool,
    /// Of a load.
    pub expected: Expected,
}

/// Whether the value of a plain load is what a compare-and-swap of the same place expects, and used for nothing else:
/// were it stale or torn, the swap would fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expected {
    #[default]
    No,
    /// It decides besides where lanes go on.
    Decides,
    Only,
}

impl Info {
    /// An instruction of a class, at a line and place.
    pub fn of(class: Class, line: u32, place: u32) -> Info {
        Info { line, place, used_bytes: !0, class, flops: 0, tensor: 0, hidden: false, expected: Expected::No }
    }
}

/// What fills a row that no instruction writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fill {
    Word(u32),
    Long(u64),
    Special(Special),
}

/// Bytes of shared memory that are the system's, as on cards since sm_80. Cooperative groups use the second half.
pub const RESERVED_SHARED: u32 = 1024;

/// Special registers that don't change while a block runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Special {
    Tid(u8),
    Ntid(u8),
    Ctaid(u8),
    Nctaid(u8),
    Lane,
    Warp,
    Nwarp,
    Sm,
    Nsm,
    Grid,
    MaskEq,
    MaskLe,
    MaskLt,
    MaskGe,
    MaskGt,
    SharedTotal,
    SharedDynamic,
    /// Halves of the address of a cooperative launch's workspace.
    WorkspaceHigh,
    WorkspaceLow,
    /// An offset in the part of shared memory that is the system's, as one in shared memory.
    Reserved(u32),
    /// Address of the frame's local memory.
    Frame,
}

/// A parameter or return value of a device function: where it lies in the frame's local memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    pub offset: u32,
    pub bytes: u32,
}

/// A function or kernel.
#[derive(Clone, Debug, Default)]
pub struct Function {
    pub entry: u32,
    pub rows: u32,
    pub preds: u32,
    pub fills: Vec<(u32, Fill)>,
    /// Bytes of local memory of a frame.
    pub local: u32,
    pub params: Vec<Slot>,
    pub returns: Vec<Slot>,
    /// It has a fence of device scope or a release: it can order blocks.
    pub releases: bool,
}

/// A call: callee (or `NONE` when indirect), arguments and results in the caller's frame.
#[derive(Clone, Debug)]
pub struct CallSite {
    pub callee: u32,
    pub builtin: Option<Builtin>,
    pub arguments: Vec<Slot>,
    pub results: Vec<Slot>,
}

/// Functions that the driver has, not the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Builtin {
    Vprintf,
    AssertFail,
}

/// Data of an instruction that is too large for it; it lives as long as the program.
pub type Large = Box<dyn Any + Send + Sync>;

/// What is known of a module's code.
#[derive(Default)]
pub struct Program {
    pub info: Vec<Info>,
    pub functions: Vec<Function>,
    pub tables: Vec<Vec<u32>>,
    /// Data of instructions that is too large for them.
    pub large: Vec<Large>,
    pub calls: Vec<CallSite>,
    pub places: Vec<Source>,
    /// There are barriers of some of a block's threads: mbarrier objects or counted barriers.
    pub partial_sync: bool,
}

impl Program {
    /// PTX line and source place of an instruction.
    pub fn place(&self, id: u32) -> (u32, Option<Source>) {
        match self.info.get(id as usize) {
            Some(info) => {
                let place = (info.place as usize).checked_sub(1);
                (info.line, place.and_then(|p| self.places.get(p)).cloned())
            }
            None => (0, None),
        }
    }

    /// The same in words: `PTX line 12 (kernel.cu:3)`.
    pub fn describe(&self, id: u32) -> String {
        match self.place(id) {
            (line, Some(source)) => format!("PTX line {line} ({}:{})", source.file, source.line),
            (line, None) => format!("PTX line {line}"),
        }
    }
}
