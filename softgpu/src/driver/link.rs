//! The driver's linker: PTX texts to one module text.
//!
//! A real driver's linker answers with a cubin. Here the "cubin" is PTX text again, which the loading
//! calls take; programs hand it from one call to the other without looking inside.

use super::entry::*;
use super::errors::*;
use super::module::ptx_of;
use super::state::*;
use std::ffi::{c_char, c_void};

/// A link under way.
#[derive(Default)]
pub struct Link {
    texts: Vec<String>,
    /// The result, with its closing zero.
    result: Vec<u8>,
}

fn known(state: &mut State, link: Handle) -> Answer<&mut Link> {
    match state.links.get_mut(&link) {
        Some(link) => Ok(link),
        None => refuse(INVALID_HANDLE, format!("{link:#x} is no linker, or a destroyed one")),
    }
}

/// Options are accepted and have no effect.
#[unsafe(no_mangle)]
pub extern "C" fn cuLinkCreate_v2(
    _count: u32,
    _options: *const i32,
    _values: *const *const c_void,
    out: *mut Handle,
) -> CuResult {
    call("cuLinkCreate_v2", || {
        let (_, mut state, _) = enter()?;
        let link = state.handle(Kind::Link);
        state.links.insert(link, Link::default());
        store(out, link, "linker")
    })
}

/// Adds PTX (input type 1); machine code, LTO and NVVM inputs are refused.
#[unsafe(no_mangle)]
pub extern "C" fn cuLinkAddData_v2(
    link: Handle,
    kind: i32,
    data: *const c_void,
    size: usize,
    _name: *const c_char,
    _count: u32,
    _options: *const i32,
    _values: *const *const c_void,
) -> CuResult {
    call("cuLinkAddData_v2", || {
        let (_, mut state, _) = enter()?;
        let link = known(&mut state, link)?;
        if data.is_null() {
            return refuse(INVALID_VALUE, "the data is a null pointer");
        }
        if kind != 1 {
            return refuse(NO_BINARY_FOR_GPU, format!("linker input of type {kind}; softgpu links PTX (1) only"));
        }
        // SAFETY: `size` bytes, by the API.
        let bytes = unsafe { std::slice::from_raw_parts(data.cast::<u8>(), size) };
        let end = bytes.iter().position(|&b| b == 0).unwrap_or(size);
        link.texts.push(ptx_of(&bytes[..end])?);
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuLinkComplete(link: Handle, out: *mut *const c_void, size: *mut usize) -> CuResult {
    call("cuLinkComplete", || {
        let (_, mut state, _) = enter()?;
        let link = known(&mut state, link)?;
        let Some((first, others)) = link.texts.split_first() else {
            return refuse(INVALID_VALUE, "nothing was added to link");
        };
        let mut text = first.clone();
        for other in others {
            text.push('\n');
            for line in other.lines() {
                // one header is enough, and line tables of several texts don't fit together
                let word = line.split_whitespace().next().unwrap_or("");
                let header = [".version", ".target", ".address_size", ".file", ".loc"];
                if !header.contains(&word) {
                    text += line;
                }
                text.push('\n');
            }
        }
        link.result = text.into_bytes();
        link.result.push(0);
        store(out, link.result.as_ptr().cast(), "result")?;
        store_if(size, link.result.len());
        Ok(())
    })
}

/// Frees the linker and its result.
#[unsafe(no_mangle)]
pub extern "C" fn cuLinkDestroy(link: Handle) -> CuResult {
    call("cuLinkDestroy", || {
        let (_, mut state, _) = enter()?;
        known(&mut state, link)?;
        state.links.remove(&link);
        Ok(())
    })
}
