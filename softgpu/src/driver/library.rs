//! Libraries and their kernels: code that belongs to no context and is loaded into each that uses it
//! (driver API, "Library Management"). A kernel's handle is taken wherever a function's is.

use super::entry::*;
use super::errors::*;
use super::module::{load_module, name_of, set_function_attribute, text, unload};
use super::state::*;
use std::collections::HashMap;
use std::ffi::{CString, c_char, c_void};

/// A library: its text, and the modules made of it by context.
pub struct Library {
    text: String,
    modules: HashMap<Handle, Handle>,
    names: Vec<String>,
}

/// A kernel of a library.
pub struct Kernel {
    library: Handle,
    name: String,
    c_name: CString,
}

fn known(state: &State, library: Handle) -> Answer<&Library> {
    match state.libraries.get(&library) {
        Some(library) => Ok(library),
        None => refuse(INVALID_HANDLE, format!("{library:#x} is no library, or an unloaded one")),
    }
}

/// The library's module in a context; loaded when it is used there for the first time.
fn module_in(driver: &Driver, state: &mut State, library: Handle, context: Handle) -> Answer<Handle> {
    let entry = known(state, library)?;
    if let Some(module) = entry.modules.get(&context)
        && state.modules.contains_key(module)
    {
        return Ok(*module);
    }
    let text = entry.text.clone();
    let module = load_module(driver, state, context, &text)?;
    if let Some(entry) = state.libraries.get_mut(&library) {
        entry.modules.insert(context, module);
    }
    Ok(module)
}

/// The function that a handle means in a context: itself, or that of a library's kernel.
pub fn function_of(driver: &Driver, state: &mut State, context: Handle, handle: Handle) -> Answer<Handle> {
    let Some(kernel) = state.kernels.get(&handle) else {
        return Ok(handle);
    };
    let (library, name) = (kernel.library, kernel.name.clone());
    let module = module_in(driver, state, library, context)?;
    match state.modules[&module].functions.get(&name) {
        Some(function) => Ok(*function),
        None => refuse(NOT_FOUND, format!("the library has no kernel `{name}`")),
    }
}

fn load(out: *mut Handle, image: *const c_void) -> Answer {
    let text = text(image)?;
    let (driver, mut state, context) = enter()?;
    let module = load_module(driver, &mut state, context, &text)?;
    let mut names: Vec<String> = state.modules[&module].functions.keys().cloned().collect();
    names.sort_unstable();
    let library = state.handle(Kind::Library);
    let entry = Library { text, modules: HashMap::from([(context, module)]), names };
    state.libraries.insert(library, entry);
    store(out, library, "library")
}

/// JIT and library options are accepted and have no effect.
#[unsafe(no_mangle)]
pub extern "C" fn cuLibraryLoadData(
    out: *mut Handle,
    code: *const c_void,
    _options: *const i32,
    _values: *const *const c_void,
    _count: u32,
    _library_options: *const i32,
    _library_values: *const *const c_void,
    _library_count: u32,
) -> CuResult {
    call("cuLibraryLoadData", || load(out, code))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuLibraryUnload(library: Handle) -> CuResult {
    call("cuLibraryUnload", || {
        let driver = driver()?;
        let mut state = driver.lock();
        known(&state, library)?;
        state.not_while_capturing("unloading a library")?;
        let contexts: Vec<Handle> = state.libraries[&library].modules.keys().copied().collect();
        for context in contexts {
            if state.contexts.contains_key(&context) {
                state = driver.drain(state, context);
            }
        }
        let Some(entry) = state.libraries.remove(&library) else {
            return Ok(());
        };
        for module in entry.modules.values() {
            unload(driver, &mut state, *module);
        }
        state.kernels.retain(|_, k| k.library != library);
        Ok(())
    })
}

fn kernel_handle(state: &mut State, library: Handle, name: &str) -> Answer<Handle> {
    let found = state.kernels.iter().find(|(_, k)| k.library == library && k.name == name);
    if let Some((handle, _)) = found {
        return Ok(*handle);
    }
    let names = &known(state, library)?.names;
    if !names.iter().any(|n| n == name) {
        return refuse(NOT_FOUND, format!("the library has no kernel `{name}`; it has {}", names.join(", ")));
    }
    let handle = state.handle(Kind::Kernel);
    let kernel = Kernel { library, name: name.to_string(), c_name: CString::new(name).unwrap_or_default() };
    state.kernels.insert(handle, kernel);
    Ok(handle)
}

#[unsafe(no_mangle)]
pub extern "C" fn cuLibraryGetKernel(out: *mut Handle, library: Handle, name: *const c_char) -> CuResult {
    call("cuLibraryGetKernel", || {
        let mut state = driver()?.lock();
        let kernel = kernel_handle(&mut state, library, name_of(name)?)?;
        store(out, kernel, "kernel")
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuLibraryGetKernelCount(count: *mut u32, library: Handle) -> CuResult {
    call("cuLibraryGetKernelCount", || {
        let state = driver()?.lock();
        store(count, known(&state, library)?.names.len() as u32, "count")
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuLibraryEnumerateKernels(out: *mut Handle, room: u32, library: Handle) -> CuResult {
    call("cuLibraryEnumerateKernels", || {
        let mut state = driver()?.lock();
        let names = known(&state, library)?.names.clone();
        for (n, name) in names.iter().take(room as usize).enumerate() {
            let kernel = kernel_handle(&mut state, library, name)?;
            // SAFETY: `room` handles, by the API.
            store(unsafe { out.add(n) }, kernel, "kernels")?;
        }
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuLibraryGetModule(out: *mut Handle, library: Handle) -> CuResult {
    call("cuLibraryGetModule", || {
        let (driver, mut state, context) = enter()?;
        let module = module_in(driver, &mut state, library, context)?;
        store(out, module, "module")
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuLibraryGetGlobal(
    address: *mut u64,
    bytes: *mut usize,
    library: Handle,
    name: *const c_char,
) -> CuResult {
    call("cuLibraryGetGlobal", || {
        let (driver, mut state, context) = enter()?;
        let name = name_of(name)?;
        let module = module_in(driver, &mut state, library, context)?;
        let Some((at, size)) = state.modules[&module].data.module.global(name) else {
            return refuse(NOT_FOUND, format!("the library has no variable `{name}`"));
        };
        store_if(address, at);
        store_if(bytes, size as usize);
        Ok(())
    })
}

fn known_kernel(state: &State, kernel: Handle) -> Answer<&Kernel> {
    match state.kernels.get(&kernel) {
        Some(kernel) => Ok(kernel),
        None => refuse(INVALID_HANDLE, format!("{kernel:#x} is no kernel, or its library has been unloaded")),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuKernelGetFunction(out: *mut Handle, kernel: Handle) -> CuResult {
    call("cuKernelGetFunction", || {
        let (driver, mut state, context) = enter()?;
        known_kernel(&state, kernel)?;
        let function = function_of(driver, &mut state, context, kernel)?;
        store(out, function, "function")
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuKernelGetLibrary(out: *mut Handle, kernel: Handle) -> CuResult {
    call("cuKernelGetLibrary", || {
        let state = driver()?.lock();
        store(out, known_kernel(&state, kernel)?.library, "library")
    })
}

/// The name lives until its library is unloaded.
#[unsafe(no_mangle)]
pub extern "C" fn cuKernelGetName(out: *mut *const c_char, kernel: Handle) -> CuResult {
    call("cuKernelGetName", || {
        let state = driver()?.lock();
        store(out, known_kernel(&state, kernel)?.c_name.as_ptr(), "name")
    })
}

fn one_device(device: i32) -> Answer {
    if device == 0 {
        return Ok(());
    }
    refuse(INVALID_DEVICE, format!("device {device}; softgpu has one, number 0"))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuKernelGetAttribute(out: *mut i32, attribute: i32, kernel: Handle, device: i32) -> CuResult {
    call("cuKernelGetAttribute", || {
        one_device(device)?;
        let (driver, mut state, context) = enter()?;
        known_kernel(&state, kernel)?;
        let function = function_of(driver, &mut state, context, kernel)?;
        let value = super::module::function_attribute(driver, &state, function, attribute)?;
        store(out, value, "value")
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuKernelSetAttribute(attribute: i32, value: i32, kernel: Handle, device: i32) -> CuResult {
    call("cuKernelSetAttribute", || {
        one_device(device)?;
        let (driver, mut state, context) = enter()?;
        known_kernel(&state, kernel)?;
        let function = function_of(driver, &mut state, context, kernel)?;
        set_function_attribute(driver, &mut state, function, attribute, value)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuKernelSetCacheConfig(kernel: Handle, config: i32, device: i32) -> CuResult {
    call("cuKernelSetCacheConfig", || {
        one_device(device)?;
        let state = driver()?.lock();
        known_kernel(&state, kernel)?;
        if !(0..=3).contains(&config) {
            return refuse(INVALID_VALUE, format!("{config} is no cache configuration"));
        }
        Ok(())
    })
}

fn parameters(kernel: Handle) -> Answer<(Locked, std::sync::Arc<crate::kernel::KernelInfo>)> {
    let (driver, mut state, context) = enter()?;
    known_kernel(&state, kernel)?;
    let function = function_of(driver, &mut state, context, kernel)?;
    let info = state.functions[&function].info.clone();
    Ok((state, info))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuKernelGetParamInfo(kernel: Handle, index: usize, offset: *mut usize, size: *mut usize) -> CuResult {
    call("cuKernelGetParamInfo", || {
        let (_state, info) = parameters(kernel)?;
        let Some(p) = info.params.get(index) else {
            return refuse(
                INVALID_VALUE,
                // programs count parameters by asking until there is no further one
                "",
            );
        };
        store(offset, p.offset as usize, "offset")?;
        store_if(size, p.size as usize);
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuKernelGetParamCount(kernel: Handle, count: *mut usize) -> CuResult {
    call("cuKernelGetParamCount", || {
        let (_state, info) = parameters(kernel)?;
        store(count, info.params.len(), "count")
    })
}
