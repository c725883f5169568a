//! Looking entry points up by name and version.

use super::refused;
use super::{context::*, device::*, event::*, function::*, graph::*, graph_exec::*};
use super::{
    graph_kernel::*, graph_memory::*, graph_nodes::*, graph_params::*, kept::*, launch::*, library::*, link::*,
    transfer::*,
};
use super::{managed::*, memory::*, module::*, occupancy::*, pinned::*, pool::*, stream::*, strided::*};
use crate::driver::abi::*;
use std::ffi::c_void;

// `SYMBOLS`: (name without its `_vN`, whole name, driver version since which it is meant, entry point), by `build.rs`.
include!(concat!(env!("OUT_DIR"), "/symbols.rs"));

/// An entry point as an address.
struct Entry(*const c_void);
// SAFETY: the address of a function, never written through.
unsafe impl Sync for Entry {}

const SUCCESS: i32 = 0;
const SYMBOL_NOT_FOUND: i32 = 1;
const VERSION_NOT_SUFFICIENT: i32 = 2;

/// The newest entry point of that name that is no newer than `version` (driver API, "Driver Entry Point
/// Access"). With flag 2 it is the twin whose default stream is the thread's own, where there is one.
fn find(name: &str, version: i32, flags: u64) -> (Option<*const c_void>, i32) {
    let named = || SYMBOLS.iter().filter(|s| s.0 == name);
    if named().next().is_none() {
        return (None, SYMBOL_NOT_FOUND);
    }
    let Some(newest) = named().filter(|s| s.2 <= version).max_by_key(|s| s.2) else {
        return (None, VERSION_NOT_SUFFICIENT);
    };
    let is_twin = |symbol: &str| symbol.strip_prefix(newest.1).is_some_and(|rest| matches!(rest, "_ptsz" | "_ptds"));
    let twin = SYMBOLS.iter().find(|s| flags & 2 != 0 && is_twin(s.1));
    (Some(twin.unwrap_or(newest).3.0), SUCCESS)
}

fn look_up(name: Text, out: Out<*const c_void>, version: i32, flags: u64, status: Out<i32>) -> Answer {
    let text = name.get("a null pointer")?.to_string_lossy();
    valid(out.is_given(), "a null pointer")?;
    let (found, outcome) = find(&text, version, flags);
    out.set_if_given(found.unwrap_or(std::ptr::null()));
    status.set_if_given(outcome);
    match found {
        Some(_) => Ok(()),
        // With a place for the outcome, a missing symbol is no error (driver API, cuGetProcAddress).
        None if status.is_given() => Ok(()),
        // Programs ask for everything they know of; a missing one is no event for the log.
        None => refuse(NOT_FOUND, ""),
    }
}

entry!(cuGetProcAddress_v2, |name: Text, out: Out<*const c_void>, version: i32, flags: u64, status: Out<i32>| {
    look_up(name, out, version, flags, status)
});

entry!(cuGetProcAddress, |name: Text, out: Out<*const c_void>, version: i32, flags: u64| {
    look_up(name, out, version, flags, Out::none())
});
