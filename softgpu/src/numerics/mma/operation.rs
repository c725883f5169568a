//! What one `mma.sync` multiplies: its shape, its types, and on which tensor cores there is one.

/// Registers of a warp, 32 lanes each.
pub type Rows = [[u32; 32]];

/// Generation of tensor core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Architecture {
    /// sm_70.
    Volta,
    /// sm_75.
    Turing,
    /// sm_80, sm_86, sm_87.
    Ampere,
    /// sm_89.
    Ada,
    /// sm_90.
    Hopper,
}

impl Architecture {
    /// The generation of a compute capability (times ten), or `None` before tensor cores (below 70).
    /// Newer ones than sm_90 are modelled as Hopper.
    pub fn of(sm: u32) -> Option<Architecture> {
        match sm {
            0..70 => None,
            70..75 => Some(Architecture::Volta),
            75..80 => Some(Architecture::Turing),
            80..89 => Some(Architecture::Ampere),
            89 => Some(Architecture::Ada),
            _ => Some(Architecture::Hopper),
        }
    }
}

/// Element type of A and B.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Element {
    /// IEEE binary16.
    F16,
    /// bfloat16.
    Bf16,
    /// An f32 whose low 13 bits are ignored.
    Tf32,
    /// IEEE binary64.
    F64,
    /// Signed byte.
    S8,
    /// Unsigned byte.
    U8,
}

impl Element {
    /// Width in a register, bits.
    pub const fn bits(self) -> usize {
        match self {
            Element::S8 | Element::U8 => 8,
            Element::F16 | Element::Bf16 => 16,
            Element::Tf32 => 32,
            Element::F64 => 64,
        }
    }
    pub(super) fn is_integer(self) -> bool {
        matches!(self, Element::S8 | Element::U8)
    }
}

/// Element type of C and D.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Accumulator {
    /// IEEE binary16, two to a register.
    F16,
    /// IEEE binary32.
    F32,
    /// IEEE binary64.
    F64,
    /// Signed 32-bit integer.
    S32,
}

/// One `mma.sync` shape with its types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Operation {
    /// Rows of A, C and D.
    pub m: usize,
    /// Columns of B, C and D.
    pub n: usize,
    /// Columns of A, rows of B.
    pub k: usize,
    /// Type of A.
    pub a: Element,
    /// Type of B.
    pub b: Element,
    /// Type of C and D.
    pub c: Accumulator,
    /// `.satfinite`: integer sums clamp instead of wrapping.
    pub saturate: bool,
    /// Generation whose arithmetic is used.
    pub architecture: Architecture,
}

impl Operation {
    /// Checks shape, types and architecture against the ISA's table.
    ///
    /// # Errors
    /// A sentence naming what is not offered; the caller adds the PTX line.
    pub fn check(self) -> Result<Operation, String> {
        use Accumulator as C;
        use Architecture::*;
        use Element as E;
        let Operation { m, n, k, a, b, c, .. } = self;
        let same = a == b || a.is_integer() && b.is_integer();
        let since = match (a, c, (m, n, k)) {
            _ if !same => None,
            (E::F16, C::F16 | C::F32, (16, 8, 8)) | (E::S8 | E::U8, C::S32, (8, 8, 16)) => Some(Turing),
            (E::F16, C::F16 | C::F32, (16, 8, 16)) | (E::S8 | E::U8, C::S32, (16, 8, 16 | 32)) => Some(Ampere),
            (E::Bf16, C::F32, (16, 8, 8 | 16)) | (E::Tf32, C::F32, (16, 8, 4 | 8)) => Some(Ampere),
            (E::F16, C::F16 | C::F32, (8, 8, 4)) if self.architecture == Volta => Some(Volta),
            (E::F64, C::F64, (8, 8, 4)) => Some(Ampere),
            (E::F64, C::F64, (16, 8, 4 | 8 | 16)) => Some(Hopper),
            _ => None,
        };
        match since {
            Some(since) if self.architecture >= since => Ok(self),
            Some(since) => Err(format!(
                "mma.m{m}n{n}k{k} with {a:?} does not exist on {:?}; it needs {since:?} or newer",
                self.architecture
            )),
            None => Err(format!(
                "mma.m{m}n{n}k{k} with {a:?} times {b:?} into {c:?} is not supported; offered are f16, bf16, tf32, \
                 f64, s8 and u8 in the shapes of the PTX ISA (4-bit, 1-bit and 8-bit floating types are not)"
            )),
        }
    }

    /// Registers of A each lane holds (64-bit ones for f64).
    pub fn a_registers(self) -> usize {
        self.m * self.k * self.a.bits() / (32 * self.a.bits().max(32))
    }
    /// Registers of B each lane holds (64-bit ones for f64).
    pub fn b_registers(self) -> usize {
        self.n * self.k * self.b.bits() / (32 * self.b.bits().max(32))
    }
    /// Registers of C (and of D) each lane holds (64-bit ones for f64).
    pub fn c_registers(self) -> usize {
        let count = self.m * self.n / 32;
        if self.c == Accumulator::F16 { count / 2 } else { count }
    }
    /// Multiply-adds of the whole tile.
    pub fn multiply_adds(self) -> usize {
        self.m * self.n * self.k
    }
}
