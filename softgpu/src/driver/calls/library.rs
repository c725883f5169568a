//! Libraries: code that belongs to no context and is loaded into each that uses it
//! (driver API, "Library Management"). A kernel's handle is taken wherever a function's is.

use super::module::{file, global};
use crate::driver::abi::*;
use crate::driver::engine::loading::Image;
use crate::driver::objects::*;
use std::collections::HashMap;
use std::ffi::{CString, c_char, c_void};

// JIT and library options are accepted and have no effect.
entry!(cuLibraryLoadData, |out: Out<Handle>,
                           code: Image,
                           _options: Array<i32>,
                           _values: Array<*const c_void>,
                           _count: u32,
                           _library_options: Array<i32>,
                           _library_values: Array<*const c_void>,
                           _library_count: u32| {
    let state = enter()?;
    let text = state.text(code)?;
    load(state, text, out)
});

entry!(cuLibraryLoadFromFile, |out: Out<Handle>,
                               path: Text,
                               _options: Array<i32>,
                               _values: Array<*const c_void>,
                               _count: u32,
                               _library_options: Array<i32>,
                               _library_values: Array<*const c_void>,
                               _library_count: u32| {
    let state = enter()?;
    let text = state.text_in(&file(path)?)?;
    load(state, text, out)
});

fn load(mut state: Session, text: String, out: Out<Handle>) -> Answer {
    let module = state.load_module(&text)?;
    let mut names: Vec<String> = state.modules[&module].functions.keys().cloned().collect();
    names.sort_unstable();
    let library = Library { text, modules: HashMap::from([(state.context, module)]), names };
    out.set(state.libraries.add(library), "library")
}

entry!(cuLibraryUnload, |library: Handle| {
    let mut state = lock()?;
    state.libraries.known(library)?;
    state.not_while_capturing("unloading a library")?;
    let contexts: Vec<Handle> = state.libraries[&library].modules.keys().copied().collect();
    for context in contexts {
        state.drain(context);
    }
    for module in state.libraries.take(library)?.modules.values() {
        state.unload(*module);
    }
    state.kernels.retain(|_, k| k.library != library);
    Ok(())
});

/// The handle of a library's kernel, made when it is first asked for.
fn kernel(state: &mut Session, library: Handle, name: &str) -> Answer<Handle> {
    let found = state.kernels.iter().find(|(_, k)| k.library == library && k.name == name);
    if let Some((handle, _)) = found {
        return Ok(*handle);
    }
    let known = state.libraries.known(library)?;
    if !known.names.iter().any(|n| n == name) {
        let module = known.modules.values().next().copied().unwrap_or(0);
        return state.no_kernel(module, name);
    }
    let kernel = Kernel { library, name: name.to_string(), c_name: CString::new(name).unwrap_or_default() };
    Ok(state.kernels.add(kernel))
}

entry!(cuLibraryGetKernel, |out: Out<Handle>, library: Handle, name: Text| {
    let mut state = lock()?;
    out.set(kernel(&mut state, library, name.name()?)?, "kernel")
});

entry!(cuLibraryGetKernelCount, |count: Out<u32>, library: Handle| {
    count.set(lock()?.libraries.known(library)?.names.len() as u32, "count")
});

entry!(cuLibraryEnumerateKernels, |out: Room<Handle>, room: Count<u32>, library: Handle| {
    let mut state = lock()?;
    let names = state.libraries.known(library)?.names.clone();
    valid(out.is_given() || room.get() == 0 || names.is_empty(), "kernels is a null pointer")?;
    for (place, name) in out.of(room).iter_mut().zip(&names) {
        place.write(kernel(&mut state, library, name)?);
    }
    Ok(())
});

entry!(cuLibraryGetModule, |out: Out<Handle>, library: Handle| out.set(enter()?.module_of(library)?, "module"));

entry!(cuLibraryGetGlobal, |address: Out<u64>, bytes: Out<usize>, library: Handle, name: Text| {
    let mut state = enter()?;
    let module = state.module_of(library)?;
    global(&state, module, name, address, bytes)
});

// A managed variable is found like any other; its address is the host's too.
entry!(cuLibraryGetManaged, |address: Out<u64>, bytes: Out<usize>, library: Handle, name: Text| {
    let mut state = enter()?;
    let module = state.module_of(library)?;
    let mut at = 0;
    global(&state, module, name, Out::of(&mut at), bytes)?;
    let managed = state.driver.memory.is_managed(at, 1);
    ensure(managed, NOT_FOUND, "the variable is not managed memory")?;
    address.set_if_given(at);
    Ok(())
});

entry!(cuKernelGetFunction, |out: Out<Handle>, kernel: Handle| {
    let mut state = enter()?;
    state.kernels.known(kernel)?;
    out.set(state.function_of(kernel)?, "function")
});

entry!(cuKernelGetLibrary, |out: Out<Handle>, kernel: Handle| {
    out.set(lock()?.kernels.known(kernel)?.library, "library")
});

// The name lives until its library is unloaded.
entry!(cuKernelGetName, |out: Out<*const c_char>, kernel: Handle| {
    out.set(lock()?.kernels.known(kernel)?.c_name.as_ptr(), "name")
});
