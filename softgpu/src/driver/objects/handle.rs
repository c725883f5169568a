//! Handles, and the tables they are looked up in.

use crate::driver::abi::entry::{Answer, OrRefuse};
use crate::driver::abi::errors::*;
use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};

/// A handle as the program sees it: an opaque pointer. Never an address, so that a stale one is noticed.
pub type Handle = u64;
/// Number of a queued operation, ascending in the order of the calls.
pub type OpId = u64;

/// What a handle stands for; part of the handle's number, so that a foreign kind is noticed.
#[derive(Clone, Copy)]
pub enum Kind {
    Context = 1,
    Stream,
    Event,
    LoadedModule,
    Function,
    Pool,
    Graph,
    Node,
    Exec,
    Library,
    Kernel,
    Link,
    Capture,
}

impl Kind {
    /// A fresh handle. Later ones are higher.
    pub fn fresh(self) -> Handle {
        static LAST: AtomicU64 = AtomicU64::new(0);
        (self as u64) << 56 | (LAST.fetch_add(1, Ordering::Relaxed) + 1) << 4
    }
}

/// An object of the program's that has a handle.
pub trait Object {
    const KIND: Kind;
    /// The answer to a handle that stands for none, and what such a handle is.
    const UNKNOWN: (CuResult, &str);
}

/// Makes a type an [`Object`]: `object!(Event, INVALID_HANDLE, "is no event, or a destroyed one")`.
macro_rules! object {
    ($type:ident, $code:ident, $unknown:literal) => {
        impl $crate::driver::objects::handle::Object for $type {
            const KIND: $crate::driver::objects::handle::Kind = $crate::driver::objects::handle::Kind::$type;
            const UNKNOWN: (CuResult, &str) = ($code, $unknown);
        }
    };
}
pub(in crate::driver) use object;

/// The objects of one kind by their handles.
pub struct Table<T>(HashMap<Handle, T>);

impl<T: Object> Table<T> {
    /// Keeps an object and makes its handle.
    pub fn add(&mut self, object: T) -> Handle {
        let handle = T::KIND.fresh();
        self.0.insert(handle, object);
        handle
    }

    /// The object that a program's handle stands for.
    pub fn known(&self, handle: Handle) -> Answer<&T> {
        self.0.get(&handle).or_refuse(T::UNKNOWN.0, format_args!("{handle:#x} {}", T::UNKNOWN.1))
    }

    /// As [`Table::known`], to change it.
    pub fn known_mut(&mut self, handle: Handle) -> Answer<&mut T> {
        self.0.get_mut(&handle).or_refuse(T::UNKNOWN.0, format_args!("{handle:#x} {}", T::UNKNOWN.1))
    }

    /// Takes the object that a program's handle stands for out of the table.
    pub fn take(&mut self, handle: Handle) -> Answer<T> {
        self.0.remove(&handle).or_refuse(T::UNKNOWN.0, format_args!("{handle:#x} {}", T::UNKNOWN.1))
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
