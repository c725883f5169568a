//! Accesses to memory: state spaces, kinds, the flags of an instruction.

/// State spaces as the handlers are made for them.
pub const GLOBAL: u8 = 0;
pub const SHARED: u8 = 1;
pub const GENERIC: u8 = 2;
pub const LOCAL: u8 = 3;
pub const PARAM: u8 = 4;

/// In [`Inst::flags`]: addresses are 32-bit rows.
pub const SHORT_ADDRESS: u8 = 1;
/// Loaded values are sign-extended.
pub const SIGNED: u8 = 2;
/// Register operands are 64 bits wide.
pub const WIDE: u8 = 4;
/// `.volatile`, `.relaxed` and stronger: an access that may synchronise.
pub const STRONG: u8 = 8;
/// `.acquire` or stronger; with [`STRONG`].
pub const ACQUIRE: u8 = 16;
/// `.release` or stronger; with [`STRONG`].
pub const RELEASE: u8 = 32;
/// `.nc`: through the read-only path.
pub const READ_ONLY: u8 = 64;

/// What an access does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Load,
    Store,
    Atomic,
}

impl Kind {
    /// What the thread does, in messages.
    pub fn verb(self) -> &'static str {
        match self {
            Kind::Load => "reads",
            Kind::Store => "writes",
            Kind::Atomic => "updates",
        }
    }
}

/// The name of a space.
pub fn space_name(space: u8) -> &'static str {
    match space {
        GLOBAL => "global",
        SHARED => "shared",
        LOCAL => "local",
        PARAM => "param",
        _ => "generic",
    }
}
