//! The tree of a PTX module.

/// A number of a register in its function's table.
pub type RegId = u32;
/// A number of a variable in its function's table.
pub type VarId = u32;

/// A fundamental type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    Pred,
    B8,
    B16,
    B32,
    B64,
    B128,
    U8,
    U16,
    U32,
    U64,
    S8,
    S16,
    S32,
    S64,
    F16,
    F16x2,
    Bf16,
    Bf16x2,
    F32,
    F64,
}

impl Type {
    /// The type a dotted word names.
    pub fn named(word: &str) -> Option<Type> {
        Some(match word {
            "pred" => Type::Pred,
            "b8" => Type::B8,
            "b16" => Type::B16,
            "b32" => Type::B32,
            "b64" => Type::B64,
            "b128" => Type::B128,
            "u8" => Type::U8,
            "u16" => Type::U16,
            "u32" => Type::U32,
            "u64" => Type::U64,
            "s8" => Type::S8,
            "s16" => Type::S16,
            "s32" => Type::S32,
            "s64" => Type::S64,
            "f16" => Type::F16,
            "f16x2" => Type::F16x2,
            "bf16" => Type::Bf16,
            "bf16x2" => Type::Bf16x2,
            "f32" => Type::F32,
            "f64" => Type::F64,
            _ => return None,
        })
    }

    /// Bytes in memory; a predicate has none.
    pub fn bytes(self) -> u32 {
        match self {
            Type::Pred => 0,
            Type::B8 | Type::U8 | Type::S8 => 1,
            Type::B16 | Type::U16 | Type::S16 | Type::F16 | Type::Bf16 => 2,
            Type::B32 | Type::U32 | Type::S32 | Type::F32 | Type::F16x2 | Type::Bf16x2 => 4,
            Type::B64 | Type::U64 | Type::S64 | Type::F64 => 8,
            Type::B128 => 16,
        }
    }

    /// True for two's-complement types.
    pub fn signed(self) -> bool {
        matches!(self, Type::S8 | Type::S16 | Type::S32 | Type::S64)
    }

    /// True for the floating-point types.
    pub fn float(self) -> bool {
        use Type::*;
        matches!(self, F16 | F16x2 | Bf16 | Bf16x2 | F32 | F64)
    }
}

/// A state space in which variables are declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Space {
    Global,
    Const,
    Shared,
    Local,
    Param,
}

/// One element of an initialiser.
#[derive(Clone, Debug, PartialEq)]
pub enum Init<'a> {
    Integer(i128),
    Single(u32),
    Double(u64),
    /// Address of a symbol plus an offset, which generic addressing doesn't change; `mask` selects one byte of it, as
    /// in `0xFF00(symbol)`.
    Address {
        symbol: &'a str,
        offset: i64,
        mask: Option<u64>,
    },
}

/// A declared variable.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable<'a> {
    pub name: &'a str,
    pub space: Space,
    pub ty: Type,
    /// 1, 2 or 4 elements of a vector type.
    pub vector: u32,
    pub align: u32,
    /// Elements, all dimensions multiplied; `None` for `name[]` (extern shared, its size is the launch's).
    pub count: Option<u64>,
    pub is_extern: bool,
    /// `.attribute(.managed)`
    pub managed: bool,
    pub init: Vec<Init<'a>>,
    pub line: u32,
}

impl Variable<'_> {
    /// Bytes, 0 for an unsized array.
    pub fn bytes(&self) -> u64 {
        self.count.unwrap_or(0) * u64::from(self.ty.bytes() * self.vector)
    }
}

/// An operand of an instruction.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand<'a> {
    Reg(RegId),
    /// `!%p`.
    Not(RegId),
    /// A special register without its `%`, such as `tid.x`.
    Special(&'a str),
    Integer(i128),
    Single(u32),
    Double(u64),
    /// A variable of this function plus an offset.
    Var(VarId, i64),
    /// A module variable, a function or a label, plus an offset; the scope is that of the text.
    Symbol(&'a str, i64),
    Vector(Vec<Operand<'a>>),
    /// `[base+offset]`.
    Address(Box<Operand<'a>>, i64),
    /// `[base, {...}]`, of textures and tensor copies.
    Coordinates,
    /// `p|q`.
    Pair(Box<Operand<'a>>, Box<Operand<'a>>),
    /// `(a, b)` of a call.
    List(Vec<Operand<'a>>),
    /// `_`.
    Sink,
}

/// An instruction.
#[derive(Clone, Debug, PartialEq)]
pub struct Instr<'a> {
    pub op: &'a str,
    pub mods: Vec<&'a str>,
    /// Predicate and whether it is negated.
    pub guard: Option<(RegId, bool)>,
    pub operands: Vec<Operand<'a>>,
    pub line: u32,
    /// Index into [`Module::places`] plus one; 0 when no `.loc` came before.
    pub place: u32,
    pub scope: u32,
    /// Which bytes of what it loads are used (`.pragma "used_bytes_mask N"`), bit 0 the first.
    pub used_bytes: u64,
}

/// A place in the source text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub file: u32,
    pub line: u32,
    /// Where the function it belongs to was called and inlined: index into [`Module::places`], of a place before this.
    pub inlined_at: Option<u32>,
}

/// A function or an entry.
#[derive(Clone, Debug, Default)]
pub struct Function<'a> {
    pub name: &'a str,
    pub is_entry: bool,
    pub line: u32,
    pub returns: Vec<VarId>,
    pub params: Vec<VarId>,
    /// Types of the registers.
    pub regs: Vec<(Type, &'a str)>,
    pub vars: Vec<Variable<'a>>,
    pub code: Vec<Instr<'a>>,
    /// Labels: scope, name, index of the instruction they stand before.
    pub labels: Vec<(u32, &'a str, usize)>,
    /// Lists of `.branchtargets`: scope, name, labels.
    pub targets: Vec<(u32, &'a str, Vec<&'a str>)>,
    /// Prototypes of indirect calls: scope, name, returns, parameters.
    pub prototypes: Vec<(u32, &'a str)>,
    /// Parent of each scope.
    pub scopes: Vec<u32>,
    pub maxntid: Option<[u32; 3]>,
    pub reqntid: Option<[u32; 3]>,
    pub minnctapersm: Option<u32>,
    pub maxnreg: Option<u32>,
    /// False for a declaration without a body.
    pub has_body: bool,
}

impl<'a> Function<'a> {
    /// Finds what a scope or one of its parents defines in a list.
    pub fn lookup<T: Copy>(&self, scope: u32, find: impl Fn(u32) -> Option<T>) -> Option<T> {
        let mut at = scope;
        loop {
            if let Some(found) = find(at) {
                return Some(found);
            }
            if at == 0 {
                return None;
            }
            at = self.scopes[at as usize];
        }
    }
}

/// A module.
#[derive(Clone, Debug, Default)]
pub struct Module<'a> {
    /// Major and minor ISA version.
    pub version: (u32, u32),
    /// Such as `sm_80`.
    pub target: &'a str,
    pub variables: Vec<Variable<'a>>,
    pub functions: Vec<Function<'a>>,
    /// `.file` numbers and names.
    pub files: Vec<(u32, &'a str)>,
    pub places: Vec<Place>,
    /// `.alias new, old`.
    pub aliases: Vec<(&'a str, &'a str)>,
}
