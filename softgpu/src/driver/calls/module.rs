//! Modules from PTX text, alone or in a fatbin.

use crate::driver::abi::*;
use crate::driver::engine::loading::Image;
use crate::driver::objects::*;
use std::ffi::c_void;

fn load(out: Out<Handle>, image: Image) -> Answer {
    let mut state = enter()?;
    let text = state.text(image)?;
    out.set(state.load_module(&text)?, "module")
}

entry!(cuModuleLoadData, cuModuleLoadFatBinary, |out: Out<Handle>, image: Image| load(out, image));

/// `CU_JIT_ERROR_LOG_BUFFER`, `CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES`.
const ERROR_LOG: [i32; 2] = [5, 6];

// JIT options are accepted; of them only the error log has an effect.
entry!(cuModuleLoadDataEx, |out: Out<Handle>,
                            image: Image,
                            count: Count<u32>,
                            keys: Array<i32>,
                            values: Array<*mut c_void>| {
    let result = load(out, image);
    if let Err(refusal) = &result
        && keys.is_given()
    {
        let (keys, values) = (keys.of(count), values.of(count));
        let value = |key| keys.iter().position(|k| *k == key).and_then(|i| values.get(i));
        if let [Some(log), Some(size)] = ERROR_LOG.map(value) {
            // SAFETY: the program gives the log with its size.
            write_text(unsafe { places(log.cast(), *size as usize) }, &refusal.message);
        }
    }
    result
});

/// The bytes of a file.
pub fn file(path: Text) -> Answer<Vec<u8>> {
    let path = path.get("the path is a null pointer")?.to_string_lossy();
    std::fs::read(&*path).or_else(|error| refuse(FILE_NOT_FOUND, format_args!("{path}: {error}")))
}

entry!(cuModuleLoad, |out: Out<Handle>, path: Text| {
    let mut state = enter()?;
    let text = state.text_in(&file(path)?)?;
    out.set(state.load_module(&text)?, "module")
});

// Waits for the context, then unloads.
entry!(cuModuleUnload, |module: Handle| {
    let mut state = lock()?;
    state.current_any()?;
    let context = state.modules.known(module)?.context;
    state.not_while_capturing("unloading a module")?;
    state.drain(context);
    state.unload(module);
    Ok(())
});

entry!(cuModuleGetFunction, |out: Out<Handle>, module: Handle, name: Text| {
    let state = enter()?;
    let name = name.name()?;
    let functions = &state.modules.known(module)?.functions;
    match functions.get(name) {
        Some(function) => out.set(*function, "function"),
        None => state.no_kernel(module, name),
    }
});

entry!(cuModuleGetFunctionCount, |count: Out<u32>, module: Handle| {
    count.set(enter()?.modules.known(module)?.functions.len() as u32, "count")
});

entry!(cuModuleGetGlobal_v2, |address: Out<u64>, bytes: Out<usize>, module: Handle, name: Text| {
    global(&enter()?, module, name, address, bytes)
});

/// Gives address and size of a variable.
pub fn global(state: &Session, module: Handle, name: Text, address: Out<u64>, bytes: Out<usize>) -> Answer {
    let name = name.name()?;
    let found = state.modules.known(module)?.data.module.global(name);
    let (at, size) = found.or_refuse(NOT_FOUND, format_args!("the module has no variable `{name}`"))?;
    address.set_if_given(at);
    bytes.set_if_given(size as usize);
    Ok(())
}

// Modules are loaded at once.
entry!(cuModuleGetLoadingMode, |mode: Out<i32>| mode.set(1, "mode"));
