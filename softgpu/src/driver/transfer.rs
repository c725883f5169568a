//! Copies and fills: the rules they share. `linear` has the entry points for consecutive bytes, `strided` those for rows
//! and planes, `fill` those that fill.
//!
//! What each waits for follows the driver API's "API synchronization behavior". Where the text leaves room the
//! later moment is taken: a copy from pageable memory is staged at the call and lands late, one from pinned
//! memory is read late. A copy to pageable memory returns when done, in its asynchronous form too.

mod fill;
mod linear;
mod strided;

pub use strided::Memcpy3D;

use super::capture::submit;
use super::copy::{Copy, Fill, Place};
use super::entry::*;
use super::errors::*;
use super::queue::{Work, resolve};
use super::state::*;
use std::sync::Arc;

/// Places a unified address: device memory if the device owns it, else the host's.
fn place(driver: &Driver, address: u64) -> Place {
    if driver.memory.owns(address) { Place::Device(address) } else { Place::Host(address as usize) }
}

fn is_pinned(state: &State, address: usize, bytes: u64) -> bool {
    let address = address as u64;
    state.pinned.range(..=address).next_back().is_some_and(|(base, p)| address + bytes <= base + p.bytes)
}

/// Queues a copy and waits as far as the rules say; `stream` is `None` for the synchronous forms.
fn copy(mut copy: Copy, stream: Option<Handle>, what: &str) -> Answer {
    let (driver, mut state, context) = enter()?;
    copy.take_managed(&driver.memory);
    copy.check(&driver.memory)?;
    if stream.is_none() {
        state.not_while_capturing(what)?;
    }
    let handle = resolve(&mut state, context, stream.unwrap_or(0))?;
    let capturing = state.streams[&handle].capture.is_some();
    let mut wait = false;
    match (&copy.source, &copy.target) {
        (Place::Host(_), Place::Host(_)) => wait = true,
        (Place::Host(from), Place::Device(_)) => {
            let bytes = copy.extent(copy.source_steps);
            if is_pinned(&state, *from, bytes) {
                wait = stream.is_none();
            } else if !capturing && bytes > 0 {
                // SAFETY: the program gave this range as the source.
                let held = unsafe { std::slice::from_raw_parts(*from as *const u8, bytes as usize) };
                copy.source = Place::Staged(Arc::new(held.to_vec()));
            }
        }
        (_, Place::Host(to)) => {
            let bytes = copy.extent(copy.target_steps);
            wait = stream.is_none() || !is_pinned(&state, *to, bytes);
        }
        _ => {}
    }
    let (mut state, id) = submit(driver, state, context, handle, Work::Copy(copy), what)?;
    if let (true, Some(id)) = (wait, id) {
        state = driver.complete(state, &[id]);
        state.current()?;
    }
    Ok(())
}

fn linear(target: Place, source: Place, bytes: usize, stream: Option<Handle>, what: &str) -> Answer {
    copy(Copy::linear(target, source, bytes as u64), stream, what)
}
