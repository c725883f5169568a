//! Handles, and the tables they are looked up in.

use crate::driver::abi::entry::{Answer, Refusal};
use crate::driver::abi::errors::*;
use std::collections::HashMap;
use std::ops::{Deref, DerefMut};

/// A handle as the program sees it: an opaque pointer. Never an address, so that a stale one is noticed.
pub type Handle = u64;
/// Number of a queued operation, ascending in the order of the calls.
pub type OpId = u64;

/// What a handle stands for; part of the handle's number, so that a foreign kind is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Context = 1,
    Stream,
    Event,
    Module,
    Function,
    Pool,
    Graph,
    Node,
    Exec,
    Library,
    Kernel,
    Link,
}

/// An object of the program's that has a handle.
pub trait Object {
    /// The answer to a handle that stands for none, and what such a handle is.
    const UNKNOWN: (CuResult, &str);
}

/// Makes a type an [`Object`]: `object!(Event, INVALID_HANDLE, "is no event, or a destroyed one")`.
macro_rules! object {
    ($type:ident, $code:ident, $unknown:literal) => {
        impl $crate::driver::objects::handle::Object for $type {
            const UNKNOWN: (CuResult, &str) = ($code, $unknown);
        }
    };
}
pub(in crate::driver) use object;

/// The objects of one kind by their handles.
pub struct Table<T>(HashMap<Handle, T>);

impl<T: Object> Table<T> {
    fn unknown(handle: Handle) -> Refusal {
        Refusal { code: T::UNKNOWN.0, message: format!("{handle:#x} {}", T::UNKNOWN.1) }
    }

    /// The object that a program's handle stands for.
    pub fn known(&self, handle: Handle) -> Answer<&T> {
        self.0.get(&handle).ok_or_else(|| Self::unknown(handle))
    }

    /// As [`Table::known`], to change it.
    pub fn known_mut(&mut self, handle: Handle) -> Answer<&mut T> {
        self.0.get_mut(&handle).ok_or_else(|| Self::unknown(handle))
    }

    /// Takes the object that a program's handle stands for out of the table.
    pub fn take(&mut self, handle: Handle) -> Answer<T> {
        self.0.remove(&handle).ok_or_else(|| Self::unknown(handle))
    }

    /// An object that is known to be there, to change it.
    pub fn at(&mut self, handle: Handle) -> &mut T {
        self.0.get_mut(&handle).expect("known to be there")
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Table(HashMap::new())
    }
}

impl<T> Deref for Table<T> {
    type Target = HashMap<Handle, T>;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T> DerefMut for Table<T> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}
