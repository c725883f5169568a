//! softgpu's own entry points, with which a test sets options and reads what was found.

use crate::driver::abi::config::set_checks;
use crate::driver::abi::*;
use crate::driver::engine::report::{counters_json, findings_json};
use crate::driver::objects::*;

// Sets an option of the running driver: `check`, `seed`, `abort`, `counters`, `streams`.
//
// The value is as that of the variable `SOFTGPU_CHECK` and so on.
entry!(softgpu_set, |name: Text, value: Text| {
    let (name, value) = (name.get("a null pointer")?, value.get("a null pointer")?);
    let (name, value) = (name.to_string_lossy(), value.to_string_lossy());
    let mut state = lock()?;
    let mut config = state.driver.config.lock().unwrap_or_else(|p| p.into_inner());
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
});

// Gives what was collected and forgets it: `findings`, `counters` (JSON) or `message` (the last of the log).
//
// `length` holds the room in `text` and then the bytes needed with the closing zero; with too little room
// nothing is forgotten and the answer is `CUDA_ERROR_INVALID_VALUE`.
entry!(softgpu_take, |what: Text, text: Room<u8>, length: Option<&mut usize>| {
    let what = what.get("a null pointer")?.to_string_lossy();
    let length = required(length, "a null pointer")?;
    let mut state = lock()?;
    let found = match &*what {
        "findings" => findings_json(&state),
        "counters" => counters_json(&state),
        "message" => last_message(),
        _ => return refuse(INVALID_VALUE, format!("nothing is called {what}")),
    };
    let room = std::mem::replace(length, found.len() + 1);
    if !text.is_given() || room < *length {
        return refuse(INVALID_VALUE, "");
    }
    // SAFETY: the length that came with the text.
    write_text(unsafe { text.of(room) }, &found);
    match &*what {
        "findings" => {
            state.findings.clear();
            state.findings_beyond = 0;
        }
        "counters" => state.counters.clear(),
        _ => {}
    }
    Ok(())
});
