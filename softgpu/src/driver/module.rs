//! Modules from PTX text, functions, variables, launches, occupancy.

mod deprecated;
mod function;
mod launches;
mod occupancy;

pub use deprecated::Kept;
use function::known_function;
pub use function::{function_attribute, set_function_attribute};

use super::capture::submit;
use super::entry::*;
use super::errors::*;
use super::launch::{Launch, Shape};
use super::library::function_of;
use super::queue::Work;
use super::state::*;
use crate::load::Module;
use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char, c_void};
use std::sync::Arc;

/// The PTX text behind an image pointer, or why it can't be run.
pub fn text(image: *const c_void) -> Answer<String> {
    if image.is_null() {
        return refuse(INVALID_VALUE, "the image is a null pointer");
    }
    // SAFETY: an image has at least four bytes, or ends with a zero before.
    let first = unsafe { *image.cast::<u8>() };
    let magic = if first == 0x7f || first == 0x50 {
        // SAFETY: both are binary images with headers of more than four bytes.
        unsafe { image.cast::<u32>().read_unaligned() }
    } else {
        0
    };
    let wrapper = match magic {
        0x464c_457f => "a cubin (machine code)",
        0xba55_ed50 => "a fatbin",
        _ if first == 0x50 => "a fatbin",
        _ => "",
    };
    if !wrapper.is_empty() || first == 0xb1 {
        return refuse(
            NO_BINARY_FOR_GPU,
            format!(
                "the image is {}; softgpu runs PTX text only. Compile with NVRTC to PTX (nvrtcGetPTX, --gpu-architecture=compute_XX)",
                if wrapper.is_empty() { "a fatbin wrapper" } else { wrapper }
            ),
        );
    }
    // SAFETY: PTX text is a C string, by the API.
    let text = unsafe { CStr::from_ptr(image.cast()) };
    ptx_of(text.to_bytes())
}

/// Bytes as PTX text.
pub fn ptx_of(bytes: &[u8]) -> Answer<String> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.contains(".version") => Ok(text.to_string()),
        _ => refuse(INVALID_IMAGE, "the image is neither PTX text nor a known binary"),
    }
}

/// `.version A.B` and `.target sm_N` as (10 A + B, N).
fn versions(ptx: &str) -> (i32, i32) {
    let after = |key: &str| ptx.split_once(key).map_or("", |(_, rest)| rest.trim_start());
    let digits = |text: &str| -> i32 {
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or(0)
    };
    let version = after(".version");
    let minor = version.split_once('.').map_or("", |(_, rest)| rest);
    let target = after(".target").trim_start_matches("sm_");
    (digits(version) * 10 + digits(minor), digits(target))
}

fn load(out: *mut Handle, ptx: &str) -> Answer {
    let (driver, mut state, context) = enter()?;
    let module = load_module(driver, &mut state, context, ptx)?;
    store(out, module, "module")
}

/// Loads a text into a context.
pub fn load_module(driver: &Driver, state: &mut State, context: Handle, ptx: &str) -> Answer<Handle> {
    state.not_while_capturing("loading a module")?;
    let config = driver.config();
    let profile = config.profile;
    let mut module = match Module::load(ptx, &profile, &driver.memory) {
        Ok(module) => module,
        Err(error) => return refuse(INVALID_PTX, error.to_string()),
    };
    if let Some(ptxas) = &config.ptxas {
        match crate::ptxas::assemble(ptxas, ptx, profile.sm) {
            Ok(usage) => module.know_registers(&usage),
            Err(message) => {
                module.unload(&driver.memory);
                return refuse(INVALID_PTX, message);
            }
        }
    }
    let data = Arc::new(ModuleData { module, versions: versions(ptx) });
    let handle = state.handle(Kind::Module);
    let mut functions = HashMap::new();
    for name in data.module.kernel_names() {
        let Some(info) = data.module.kernel(name) else {
            continue;
        };
        let function = state.handle(Kind::Function);
        let spare = profile.shared_per_block.saturating_sub(info.static_shared);
        let entry = Function {
            module: handle,
            context,
            c_name: CString::new(name).unwrap_or_default(),
            info: Arc::new(info),
            data: data.clone(),
            max_dynamic_shared: spare,
            carveout: -1,
            kept: Kept::default(),
        };
        state.functions.insert(function, entry);
        functions.insert(name.to_string(), function);
    }
    let entry = LoadedModule { context, data: data.clone(), functions };
    state.modules.insert(handle, entry);
    Ok(handle)
}

#[unsafe(no_mangle)]
pub extern "C" fn cuModuleLoadData(out: *mut Handle, image: *const c_void) -> CuResult {
    call("cuModuleLoadData", || load(out, &text(image)?))
}

/// JIT options are accepted; of them only the error log (5, with its size 6) has an effect.
#[unsafe(no_mangle)]
pub extern "C" fn cuModuleLoadDataEx(
    out: *mut Handle,
    image: *const c_void,
    count: u32,
    keys: *const i32,
    values: *const *mut c_void,
) -> CuResult {
    call("cuModuleLoadDataEx", || {
        let result = text(image).and_then(|ptx| load(out, &ptx));
        if let Err(refusal) = &result
            && count > 0
            && !keys.is_null()
            && !values.is_null()
        {
            // SAFETY: `count` keys and values, by the API.
            let (keys, values) = unsafe {
                (std::slice::from_raw_parts(keys, count as usize), std::slice::from_raw_parts(values, count as usize))
            };
            let value = |key| keys.iter().position(|k| *k == key).map(|i| values[i]);
            if let (Some(log), Some(size)) = (value(5), value(6))
                && !log.is_null()
                && size as usize > 0
            {
                let n = refusal.message.len().min(size as usize - 1);
                // SAFETY: the log has `size` bytes.
                unsafe {
                    std::ptr::copy_nonoverlapping(refusal.message.as_ptr(), log.cast(), n);
                    *log.cast::<u8>().add(n) = 0;
                }
            }
        }
        result
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuModuleLoadFatBinary(_out: *mut Handle, _image: *const c_void) -> CuResult {
    call("cuModuleLoadFatBinary", || {
        refuse(NO_BINARY_FOR_GPU, "softgpu runs PTX text only; load the PTX with cuModuleLoadData")
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuModuleLoad(out: *mut Handle, path: *const c_char) -> CuResult {
    call("cuModuleLoad", || {
        if path.is_null() {
            return refuse(INVALID_VALUE, "the path is a null pointer");
        }
        // SAFETY: a C string, by the API.
        let path = unsafe { CStr::from_ptr(path) }.to_string_lossy();
        let mut bytes = match std::fs::read(&*path) {
            Ok(bytes) => bytes,
            Err(error) => return refuse(FILE_NOT_FOUND, format!("{path}: {error}")),
        };
        bytes.extend([0; 4]);
        load(out, &text(bytes.as_ptr().cast())?)
    })
}

/// Forgets a module; its variables are freed when nothing in flight uses them.
pub fn unload(driver: &Driver, state: &mut State, module: Handle) {
    let Some(entry) = state.modules.remove(&module) else {
        return;
    };
    for function in entry.functions.values() {
        state.functions.remove(function);
    }
    if let Some(data) = Arc::into_inner(entry.data) {
        data.module.unload(&driver.memory);
    }
}

/// Waits for the context, then unloads.
#[unsafe(no_mangle)]
pub extern "C" fn cuModuleUnload(module: Handle) -> CuResult {
    call("cuModuleUnload", || {
        let driver = driver()?;
        let mut state = driver.lock();
        state.current_any()?;
        let Some(entry) = state.modules.get(&module) else {
            return refuse(INVALID_HANDLE, format!("{module:#x} is no module, or an unloaded one"));
        };
        let context = entry.context;
        state.not_while_capturing("unloading a module")?;
        let mut state = driver.drain(state, context);
        unload(driver, &mut state, module);
        Ok(())
    })
}

pub fn name_of<'a>(name: *const c_char) -> Answer<&'a str> {
    if name.is_null() {
        return refuse(INVALID_VALUE, "the name is a null pointer");
    }
    // SAFETY: a C string, by the API.
    match unsafe { CStr::from_ptr(name) }.to_str() {
        Ok(name) => Ok(name),
        Err(_) => refuse(INVALID_VALUE, "the name is not UTF-8"),
    }
}

fn known_module(state: &State, module: Handle) -> Answer<&LoadedModule> {
    match state.modules.get(&module) {
        Some(module) => Ok(module),
        None => refuse(INVALID_HANDLE, format!("{module:#x} is no module, or an unloaded one")),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuModuleGetFunction(out: *mut Handle, module: Handle, name: *const c_char) -> CuResult {
    call("cuModuleGetFunction", || {
        let (_, state, _) = enter()?;
        let name = name_of(name)?;
        let functions = &known_module(&state, module)?.functions;
        match functions.get(name) {
            Some(function) => store(out, *function, "function"),
            None => {
                let mut names: Vec<&str> = functions.keys().map(String::as_str).collect();
                names.sort_unstable();
                refuse(NOT_FOUND, format!("the module has no kernel `{name}`; it has {}", names.join(", ")))
            }
        }
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuModuleGetFunctionCount(count: *mut u32, module: Handle) -> CuResult {
    call("cuModuleGetFunctionCount", || {
        let (_, state, _) = enter()?;
        store(count, known_module(&state, module)?.functions.len() as u32, "count")
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuModuleGetGlobal_v2(
    address: *mut u64,
    bytes: *mut usize,
    module: Handle,
    name: *const c_char,
) -> CuResult {
    call("cuModuleGetGlobal_v2", || {
        let (_, state, _) = enter()?;
        let name = name_of(name)?;
        let Some((at, size)) = known_module(&state, module)?.data.module.global(name) else {
            return refuse(NOT_FOUND, format!("the module has no variable `{name}`"));
        };
        store_if(address, at);
        store_if(bytes, size as usize);
        Ok(())
    })
}

/// Modules are loaded at once.
#[unsafe(no_mangle)]
pub extern "C" fn cuModuleGetLoadingMode(mode: *mut i32) -> CuResult {
    call("cuModuleGetLoadingMode", || store(mode, 1, "mode"))
}
