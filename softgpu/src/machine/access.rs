//! Accesses to memory: state spaces, kinds, ordering.

/// State spaces as the handlers are made for them.
pub const GLOBAL: u8 = 0;
pub const SHARED: u8 = 1;
pub const GENERIC: u8 = 2;
pub const LOCAL: u8 = 3;
pub const PARAM: u8 = 4;

/// How an access orders others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Order {
    #[default]
    Weak,
    /// `.volatile`, `.relaxed` and stronger: an access that may synchronise.
    Strong,
    /// `.release` or stronger, of device scope.
    Release,
}

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
