//! Modules from PTX text, functions, variables, launches, occupancy.

use super::capture::submit;
use super::entry::*;
use super::errors::*;
use super::launch::{Launch, Shape, max_threads};
use super::library::function_of;
use super::queue::Work;
use super::state::*;
use crate::exec::Module;
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
                if wrapper.is_empty() {
                    "a fatbin wrapper"
                } else {
                    wrapper
                }
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
        _ => refuse(
            INVALID_IMAGE,
            "the image is neither PTX text nor a known binary",
        ),
    }
}

/// `.version A.B` and `.target sm_N` as (10 A + B, N).
fn versions(ptx: &str) -> (i32, i32) {
    let after = |key: &str| {
        ptx.split_once(key)
            .map_or("", |(_, rest)| rest.trim_start())
    };
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
pub fn load_module(
    driver: &Driver,
    state: &mut State,
    context: Handle,
    ptx: &str,
) -> Answer<Handle> {
    state.not_while_capturing("loading a module")?;
    let profile = driver.config().profile;
    let module = match Module::load(ptx, &profile, &driver.memory) {
        Ok(module) => module,
        Err(error) => return refuse(INVALID_PTX, error.to_string()),
    };
    let data = Arc::new(ModuleData {
        module,
        versions: versions(ptx),
    });
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
        };
        state.functions.insert(function, entry);
        functions.insert(name.to_string(), function);
    }
    let entry = LoadedModule {
        context,
        data: data.clone(),
        functions,
    };
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
                (
                    std::slice::from_raw_parts(keys, count as usize),
                    std::slice::from_raw_parts(values, count as usize),
                )
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
        refuse(
            NO_BINARY_FOR_GPU,
            "softgpu runs PTX text only; load the PTX with cuModuleLoadData",
        )
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
            return refuse(
                INVALID_HANDLE,
                format!("{module:#x} is no module, or an unloaded one"),
            );
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
        None => refuse(
            INVALID_HANDLE,
            format!("{module:#x} is no module, or an unloaded one"),
        ),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuModuleGetFunction(
    out: *mut Handle,
    module: Handle,
    name: *const c_char,
) -> CuResult {
    call("cuModuleGetFunction", || {
        let (_, state, _) = enter()?;
        let name = name_of(name)?;
        let functions = &known_module(&state, module)?.functions;
        match functions.get(name) {
            Some(function) => store(out, *function, "function"),
            None => {
                let mut names: Vec<&str> = functions.keys().map(String::as_str).collect();
                names.sort_unstable();
                refuse(
                    NOT_FOUND,
                    format!(
                        "the module has no kernel `{name}`; it has {}",
                        names.join(", ")
                    ),
                )
            }
        }
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuModuleGetFunctionCount(count: *mut u32, module: Handle) -> CuResult {
    call("cuModuleGetFunctionCount", || {
        let (_, state, _) = enter()?;
        store(
            count,
            known_module(&state, module)?.functions.len() as u32,
            "count",
        )
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

fn known_function(state: &State, function: Handle) -> Answer<&Function> {
    match state.functions.get(&function) {
        Some(function) => Ok(function),
        None => refuse(
            INVALID_HANDLE,
            format!("{function:#x} is no function, or its module has been unloaded"),
        ),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuFuncGetModule(out: *mut Handle, function: Handle) -> CuResult {
    call("cuFuncGetModule", || {
        let (driver, mut state, context) = enter()?;
        let function = function_of(driver, &mut state, context, function)?;
        store(out, known_function(&state, function)?.module, "module")
    })
}

/// The name lives until the function's module is unloaded.
#[unsafe(no_mangle)]
pub extern "C" fn cuFuncGetName(out: *mut *const c_char, function: Handle) -> CuResult {
    call("cuFuncGetName", || {
        let (driver, mut state, context) = enter()?;
        let function = function_of(driver, &mut state, context, function)?;
        let name = &known_function(&state, function)?.c_name;
        store(out, name.as_ptr(), "name")
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuFuncGetParamInfo(
    function: Handle,
    index: usize,
    offset: *mut usize,
    size: *mut usize,
) -> CuResult {
    call("cuFuncGetParamInfo", || {
        let (driver, mut state, context) = enter()?;
        let function = function_of(driver, &mut state, context, function)?;
        let info = known_function(&state, function)?.info.clone();
        let Some(p) = info.params.get(index) else {
            return refuse(
                INVALID_VALUE,
                format!("kernel {} has {} parameters", info.name, info.params.len()),
            );
        };
        store(offset, p.offset as usize, "offset")?;
        store_if(size, p.size as usize);
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuFuncGetAttribute(out: *mut i32, attribute: i32, function: Handle) -> CuResult {
    call("cuFuncGetAttribute", || {
        let (driver, mut state, context) = enter()?;
        let function = function_of(driver, &mut state, context, function)?;
        let value = function_attribute(driver, &state, function, attribute)?;
        store(out, value, "value")
    })
}

/// The value of a function's attribute.
pub fn function_attribute(
    driver: &Driver,
    state: &State,
    function: Handle,
    attribute: i32,
) -> Answer<i32> {
    let f = known_function(state, function)?;
    let profile = driver.config().profile;
    Ok(match attribute {
        0 => max_threads(&profile, &f.info) as i32,
        1 => f.info.static_shared as i32,
        2 => 0,
        3 => f.info.local_bytes as i32,
        4 => f.info.registers as i32,
        5 => f.data.versions.0,
        6 => profile.sm as i32,
        7 => 0,
        8 => f.max_dynamic_shared as i32,
        9 => f.carveout,
        10..=15 => 0,
        _ => {
            return refuse(
                INVALID_VALUE,
                format!("{attribute} is no function attribute"),
            );
        }
    })
}

/// Settable are the dynamic shared memory (8) and the carveout preference (9).
#[unsafe(no_mangle)]
pub extern "C" fn cuFuncSetAttribute(function: Handle, attribute: i32, value: i32) -> CuResult {
    call("cuFuncSetAttribute", || {
        let (driver, mut state, context) = enter()?;
        let function = function_of(driver, &mut state, context, function)?;
        set_function_attribute(driver, &mut state, function, attribute, value)
    })
}

/// Sets a function's attribute.
pub fn set_function_attribute(
    driver: &Driver,
    state: &mut State,
    function: Handle,
    attribute: i32,
    value: i32,
) -> Answer {
    let most = driver.config().profile.shared_per_block_optin;
    let shared = known_function(state, function)?.info.static_shared;
    let entry = state.functions.get_mut(&function).expect("known");
    match attribute {
        8 if value >= 0 && value as u32 + shared <= most => {
            entry.max_dynamic_shared = value as u32;
        }
        8 => {
            return refuse(
                INVALID_VALUE,
                format!(
                    "kernel {}: {value} bytes of dynamic and {shared} of static shared memory are more than the device's {most} a block",
                    entry.info.name
                ),
            );
        }
        9 if (-1..=100).contains(&value) => entry.carveout = value,
        _ => {
            return refuse(
                INVALID_VALUE,
                format!("attribute {attribute} can't be set to {value}"),
            );
        }
    }
    Ok(())
}

#[unsafe(no_mangle)]
pub extern "C" fn cuFuncSetCacheConfig(function: Handle, config: i32) -> CuResult {
    call("cuFuncSetCacheConfig", || {
        let (driver, mut state, context) = enter()?;
        let function = function_of(driver, &mut state, context, function)?;
        known_function(&state, function)?;
        if !(0..=3).contains(&config) {
            return refuse(INVALID_VALUE, format!("{config} is no cache configuration"));
        }
        Ok(())
    })
}

fn launch(
    function: Handle,
    shape: Shape,
    stream: Handle,
    params: *const *const c_void,
    extra: *const *const c_void,
    cooperative: bool,
) -> Answer {
    let (driver, mut state, context) = enter()?;
    let function = function_of(driver, &mut state, context, function)?;
    let profile = driver.config().profile;
    // SAFETY: the arguments of the entry point, passed on.
    let launch =
        unsafe { Launch::prepare(&state, &profile, context, function, shape, params, extra)? };
    if cooperative {
        let threads: u32 = shape.block.iter().product();
        let shared = launch.info.static_shared + shape.shared;
        let resident = profile.occupancy(threads, 0, shared).blocks * profile.sm_count;
        let blocks: u64 = shape.grid.iter().map(|&n| u64::from(n)).product();
        if blocks > u64::from(resident) {
            return refuse(
                COOPERATIVE_LAUNCH_TOO_LARGE,
                format!(
                    "{blocks} blocks; {resident} can be resident at once on {}",
                    profile.name
                ),
            );
        }
    }
    submit(
        driver,
        state,
        context,
        stream,
        Work::Kernel(launch),
        "a launch",
    )
    .map(|_| ())
}

#[unsafe(no_mangle)]
pub extern "C" fn cuLaunchKernel(
    function: Handle,
    gx: u32,
    gy: u32,
    gz: u32,
    bx: u32,
    by: u32,
    bz: u32,
    shared: u32,
    stream: Handle,
    params: *const *const c_void,
    extra: *const *const c_void,
) -> CuResult {
    let shape = Shape {
        grid: [gx, gy, gz],
        block: [bx, by, bz],
        shared,
    };
    call("cuLaunchKernel", || {
        launch(function, shape, stream, params, extra, false)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuLaunchCooperativeKernel(
    function: Handle,
    gx: u32,
    gy: u32,
    gz: u32,
    bx: u32,
    by: u32,
    bz: u32,
    shared: u32,
    stream: Handle,
    params: *const *const c_void,
) -> CuResult {
    let shape = Shape {
        grid: [gx, gy, gz],
        block: [bx, by, bz],
        shared,
    };
    call("cuLaunchCooperativeKernel", || {
        launch(function, shape, stream, params, std::ptr::null(), true)
    })
}

/// `CUlaunchConfig`.
#[repr(C)]
pub struct Config {
    pub grid: [u32; 3],
    pub block: [u32; 3],
    pub shared: u32,
    pub stream: Handle,
    pub attributes: *const Attribute,
    pub count: u32,
}

/// `CUlaunchAttribute`.
#[repr(C, align(8))]
pub struct Attribute {
    pub id: i32,
    pub pad: i32,
    pub value: [u8; 64],
}

#[unsafe(no_mangle)]
pub extern "C" fn cuLaunchKernelEx(
    config: *const Config,
    function: Handle,
    params: *const *const c_void,
    extra: *const *const c_void,
) -> CuResult {
    call("cuLaunchKernelEx", || {
        if config.is_null() {
            return refuse(INVALID_VALUE, "no configuration");
        }
        // SAFETY: not null; a CUlaunchConfig by the API.
        let c = unsafe { &*config };
        let mut cooperative = false;
        for i in 0..c.count as usize {
            // SAFETY: `count` attributes.
            let a = unsafe { &*c.attributes.add(i) };
            let word = |i: usize| u32::from_ne_bytes(a.value[i..i + 4].try_into().expect("4"));
            match a.id {
                // Ignored, or hints that change no result.
                0 | 1 | 3 | 8 | 9 | 10 => {}
                2 => cooperative = word(0) != 0,
                4 if [word(0), word(4), word(8)] == [1; 3] => {}
                id => {
                    return refuse(
                        NOT_SUPPORTED,
                        format!(
                            "softgpu has no launch attribute {id} (4: clusters, 6: programmatic serialisation)"
                        ),
                    );
                }
            }
        }
        let shape = Shape {
            grid: c.grid,
            block: c.block,
            shared: c.shared,
        };
        launch(function, shape, c.stream, params, extra, cooperative)
    })
}

fn active_blocks(out: *mut i32, function: Handle, threads: i32, shared: usize) -> Answer {
    let (driver, mut state, context) = enter()?;
    let function = function_of(driver, &mut state, context, function)?;
    let f = known_function(&state, function)?;
    let profile = driver.config().profile;
    if threads <= 0 || threads as u32 > max_threads(&profile, &f.info) {
        return refuse(INVALID_VALUE, format!("a block of {threads} threads"));
    }
    let total = f.info.static_shared as usize + shared;
    let total = u32::try_from(total).unwrap_or(u32::MAX);
    let found = profile.occupancy(threads as u32, f.info.registers, total);
    store(out, found.blocks as i32, "blocks")
}

#[unsafe(no_mangle)]
pub extern "C" fn cuOccupancyMaxActiveBlocksPerMultiprocessor(
    out: *mut i32,
    function: Handle,
    threads: i32,
    shared: usize,
) -> CuResult {
    call("cuOccupancyMaxActiveBlocksPerMultiprocessor", || {
        active_blocks(out, function, threads, shared)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(
    out: *mut i32,
    function: Handle,
    threads: i32,
    shared: usize,
    _flags: u32,
) -> CuResult {
    call(
        "cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags",
        || active_blocks(out, function, threads, shared),
    )
}

/// Bytes of dynamic shared memory as a function of the block size.
type BlockToShared = extern "C" fn(i32) -> usize;

fn best_block(
    grid: *mut i32,
    block: *mut i32,
    function: Handle,
    shared_of: Option<BlockToShared>,
    shared: usize,
    limit: i32,
) -> Answer {
    let (driver, mut state, context) = enter()?;
    let function = function_of(driver, &mut state, context, function)?;
    let f = known_function(&state, function)?;
    let profile = driver.config().profile;
    let info = f.info.clone();
    drop(state);
    let mut most = max_threads(&profile, &info);
    if limit > 0 {
        most = most.min(limit as u32);
    }
    // The largest block among those that fill a multiprocessor best.
    let mut best = (0, 0, 0);
    for threads in (1..=most.div_ceil(32)).map(|w| (w * 32).min(most)) {
        let dynamic = shared_of.map_or(shared, |f| f(threads as i32));
        let total = u32::try_from(dynamic + info.static_shared as usize).unwrap_or(u32::MAX);
        let blocks = profile.occupancy(threads, info.registers, total).blocks;
        best = best.max((blocks * threads, threads, blocks));
    }
    if best.0 == 0 {
        return refuse(
            INVALID_VALUE,
            format!("no block of kernel {} fits a multiprocessor", info.name),
        );
    }
    store(grid, (best.2 * profile.sm_count) as i32, "grid")?;
    store(block, best.1 as i32, "block")
}

#[unsafe(no_mangle)]
pub extern "C" fn cuOccupancyMaxPotentialBlockSize(
    grid: *mut i32,
    block: *mut i32,
    function: Handle,
    shared_of: Option<BlockToShared>,
    shared: usize,
    limit: i32,
) -> CuResult {
    call("cuOccupancyMaxPotentialBlockSize", || {
        best_block(grid, block, function, shared_of, shared, limit)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuOccupancyMaxPotentialBlockSizeWithFlags(
    grid: *mut i32,
    block: *mut i32,
    function: Handle,
    shared_of: Option<BlockToShared>,
    shared: usize,
    limit: i32,
    _flags: u32,
) -> CuResult {
    call("cuOccupancyMaxPotentialBlockSizeWithFlags", || {
        best_block(grid, block, function, shared_of, shared, limit)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuOccupancyAvailableDynamicSMemPerBlock(
    out: *mut usize,
    function: Handle,
    blocks: i32,
    threads: i32,
) -> CuResult {
    call("cuOccupancyAvailableDynamicSMemPerBlock", || {
        let (driver, mut state, context) = enter()?;
        let function = function_of(driver, &mut state, context, function)?;
        let f = known_function(&state, function)?;
        let profile = driver.config().profile;
        if blocks <= 0 || threads <= 0 || threads as u32 > max_threads(&profile, &f.info) {
            return refuse(
                INVALID_VALUE,
                format!("{blocks} blocks of {threads} threads"),
            );
        }
        let spare = profile.shared_for_blocks(blocks as u32, f.info.static_shared);
        store(out, spare as usize, "bytes")
    })
}
