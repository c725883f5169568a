//! The driver's linker: PTX texts to one module text.
//!
//! A real driver's linker answers with a cubin. Here the "cubin" is PTX text again, which the loading
//! calls take; programs hand it from one call to the other without looking inside.

use crate::driver::abi::*;
use crate::driver::objects::*;
use std::ffi::c_void;

// Options are accepted and have no effect.
entry!(cuLinkCreate_v2, |_count: u32, _options: Array<i32>, _values: Array<*const c_void>, out: Out<Handle>| {
    let mut state = enter()?;
    out.set(state.links.add(Link::default()), "linker")
});

/// `CU_JIT_INPUT_PTX`, `_FATBINARY`.
const INPUTS: [i32; 2] = [1, 2];

// Adds PTX, alone or in a fatbin; machine code, LTO and NVVM inputs are refused.
entry!(cuLinkAddData_v2, |link: Handle,
                          kind: i32,
                          data: Array<u8>,
                          size: Count,
                          _name: Text,
                          _count: u32,
                          _options: Array<i32>,
                          _values: Array<*const c_void>| {
    let mut state = enter()?;
    valid(data.is_given(), "the data is a null pointer")?;
    let message = format_args!("linker input of type {kind}; softgpu links PTX (1) and fatbins (2) only");
    ensure(INPUTS.contains(&kind), NO_BINARY_FOR_GPU, message)?;
    let text = state.text_in(data.of(size))?;
    state.links.known_mut(link)?.texts.push(text);
    Ok(())
});

entry!(cuLinkComplete, |link: Handle, out: Out<*const c_void>, size: Out<usize>| {
    let mut state = enter()?;
    let link = state.links.known_mut(link)?;
    let (first, others) = link.texts.split_first().or_refuse(INVALID_VALUE, "nothing was added to link")?;
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
    out.set(link.result.as_ptr().cast(), "result")?;
    size.set_if_given(link.result.len());
    Ok(())
});

// Frees the linker and its result.
entry!(cuLinkDestroy, |link: Handle| enter()?.links.take(link));
