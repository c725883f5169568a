//! What is left behind: leaks, findings, counters; and the functions a test reads them with.

use super::config::set_checks;
use super::entry::*;
use super::errors::*;
use super::state::*;
use crate::check::{Finding, FindingKind};
use crate::counters::Counters;
use std::ffi::{CStr, c_char};

/// Notes every allocation the program did not free before the context ended.
pub fn leaks(state: &mut State, context: Handle) {
    let left: Vec<(u64, Linear)> =
        state.linear.iter().filter(|(_, l)| l.context == context).map(|(a, l)| (*a, l.clone())).collect();
    for (address, entry) in left {
        let message = format!(
            "{} at {address:#x} was never freed before its context ended: free it with cuMemFree or cuMemFreeAsync",
            entry.label
        );
        log(&format!("leak: {message}"));
        state.findings.push(Finding {
            kind: FindingKind::Leak,
            kernel: String::new(),
            ptx_line: 0,
            source: None,
            block: [0; 3],
            thread: [0; 3],
            address,
            space: "global",
            bytes: u32::try_from(entry.bytes).unwrap_or(u32::MAX),
            allocation: entry.label,
            message,
            count: 1,
        });
    }
}

/// Writes the files asked for by `SOFTGPU_FINDINGS` and `SOFTGPU_COUNTERS`.
pub fn write_files(driver: &Driver, state: &State) {
    let config = driver.config();
    let write = |path: &std::path::Path, text: String| {
        if let Err(error) = std::fs::write(path, text) {
            log(&format!("{} can't be written: {error}", path.display()));
        }
    };
    if let Some(path) = &config.findings_file {
        write(path, findings_json(state));
    }
    if let Some(path) = &config.counters_file {
        write(path, counters_json(state));
    }
}

fn findings_json(state: &State) -> String {
    serde_json::json!({ "findings": state.findings, "beyond": state.findings_beyond }).to_string()
}

fn counters_json(state: &State) -> String {
    serde_json::to_string(&state.counters).unwrap_or_else(|error| error.to_string())
}

/// At the end of the process: the files, and the table when asked for. Work still queued does not run.
pub extern "C" fn at_exit() {
    let Some(driver) = DRIVER.get() else {
        return;
    };
    // A thread that still holds the lock will never give it back now.
    let Ok(state) = driver.state.try_lock() else {
        return;
    };
    write_files(driver, &state);
    if driver.config().table {
        table(&state);
    }
}

/// Prints the counters summed per kernel.
fn table(state: &State) {
    let mut sums: Vec<Counters> = Vec::new();
    for counters in &state.counters {
        match sums.iter_mut().find(|s| s.kernel == counters.kernel) {
            Some(sum) => sum.add(counters),
            None => sums.push(counters.clone()),
        }
    }
    for sum in sums {
        eprintln!("{}", sum.table());
    }
}

/// Sets an option of the running driver: `check`, `seed`, `abort`, `counters`, `streams`.
///
/// The value is as that of the variable `SOFTGPU_CHECK` and so on. A symbol of softgpu's own, no CUDA.
#[unsafe(no_mangle)]
pub extern "C" fn softgpu_set(name: *const c_char, value: *const c_char) -> CuResult {
    call("softgpu_set", || {
        if name.is_null() || value.is_null() {
            return refuse(INVALID_VALUE, "a null pointer");
        }
        let driver = driver()?;
        // SAFETY: two C strings.
        let (name, value) = unsafe { (CStr::from_ptr(name), CStr::from_ptr(value)) };
        let (name, value) = (name.to_string_lossy(), value.to_string_lossy());
        let mut state = driver.lock();
        let mut config = driver.config.lock().unwrap_or_else(|p| p.into_inner());
        let on = !value.is_empty() && value != "0";
        match &*name {
            "check" => {
                if let Err(message) = set_checks(&mut config.options, &value) {
                    return refuse(INVALID_VALUE, message);
                }
            }
            "seed" => match value.parse() {
                Ok(seed) => {
                    config.options.seed = seed;
                    state.random = seed;
                    state.launches = 0;
                }
                Err(_) => return refuse(INVALID_VALUE, format!("seed {value} is no whole number")),
            },
            "abort" => config.options.abort_on_finding = on,
            "counters" => config.options.counters = on,
            "streams" if value == "late" || value == "eager" => config.eager = value == "eager",
            _ => return refuse(INVALID_VALUE, format!("no option {name}={value}")),
        }
        Ok(())
    })
}

/// Gives what was collected and forgets it: `findings`, `counters` (JSON) or `message` (the last of the log).
///
/// `length` holds the room in `text` and then the bytes needed with the closing zero; with too little room
/// nothing is forgotten and the answer is `CUDA_ERROR_INVALID_VALUE`.
#[unsafe(no_mangle)]
pub extern "C" fn softgpu_take(what: *const c_char, text: *mut c_char, length: *mut usize) -> CuResult {
    call("softgpu_take", || {
        if what.is_null() || length.is_null() {
            return refuse(INVALID_VALUE, "a null pointer");
        }
        let mut state = driver()?.lock();
        // SAFETY: a C string.
        let what = unsafe { CStr::from_ptr(what) }.to_string_lossy();
        let found = match &*what {
            "findings" => findings_json(&state),
            "counters" => counters_json(&state),
            "message" => last_message(),
            _ => return refuse(INVALID_VALUE, format!("nothing is called {what}")),
        };
        // SAFETY: not null.
        let room = unsafe { length.replace(found.len() + 1) };
        if text.is_null() || room < found.len() + 1 {
            return refuse(INVALID_VALUE, "");
        }
        // SAFETY: room enough.
        unsafe {
            std::ptr::copy_nonoverlapping(found.as_ptr(), text.cast(), found.len());
            *text.add(found.len()) = 0;
        }
        match &*what {
            "findings" => {
                state.findings.clear();
                state.findings_beyond = 0;
            }
            "counters" => state.counters.clear(),
            _ => {}
        }
        Ok(())
    })
}
