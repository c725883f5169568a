//! Functions and their attributes.

use super::*;

pub(super) fn known_function(state: &State, function: Handle) -> Answer<&Function> {
    match state.functions.get(&function) {
        Some(function) => Ok(function),
        None => refuse(INVALID_HANDLE, format!("{function:#x} is no function, or its module has been unloaded")),
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
pub extern "C" fn cuFuncGetParamInfo(function: Handle, index: usize, offset: *mut usize, size: *mut usize) -> CuResult {
    call("cuFuncGetParamInfo", || {
        let (driver, mut state, context) = enter()?;
        let function = function_of(driver, &mut state, context, function)?;
        let info = known_function(&state, function)?.info.clone();
        let Some(p) = info.params.get(index) else {
            return refuse(INVALID_VALUE, format!("kernel {} has {} parameters", info.name, info.params.len()));
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
pub fn function_attribute(driver: &Driver, state: &State, function: Handle, attribute: i32) -> Answer<i32> {
    let f = known_function(state, function)?;
    let profile = driver.config().profile;
    Ok(match attribute {
        0 => f.info.max_threads(&profile) as i32,
        1 => f.info.static_shared as i32,
        2 => 0,
        3 => f.info.local_bytes as i32,
        4 => f.info.registers.count as i32,
        5 => f.data.versions.0,
        6 => profile.sm as i32,
        7 => 0,
        8 => f.max_dynamic_shared as i32,
        9 => f.carveout,
        10..=15 => 0,
        _ => {
            return refuse(INVALID_VALUE, format!("{attribute} is no function attribute"));
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
            return refuse(INVALID_VALUE, format!("attribute {attribute} can't be set to {value}"));
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
