//! softgpu's own entry points, with which a test sets options and reads what was found.

use crate::driver::abi::config::is_on;
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
    match &*name {
        "counters" => state.config.options.counters = is_on(&value),
        "check" | "seed" | "abort" | "streams" => {
            let set = state.config.set(&format!("SOFTGPU_{}", name.to_uppercase()), &value);
            set.or_else(|message| refuse(INVALID_VALUE, message))?;
        }
        _ => return refuse(INVALID_VALUE, format_args!("no option {name}={value}")),
    }
    if name == "seed" {
        state.random = state.config.options.seed;
        state.launches = 0;
    }
    Ok(())
});

// Gives what was collected and forgets it: `findings`, `counters` (JSON) or `message` (the last of the log).
//
// `length` holds the room in `text` and then the bytes needed with the closing zero; with too little room
// nothing is forgotten and the answer is `CUDA_ERROR_INVALID_VALUE`.
entry!(softgpu_take, |what: Text, text: Room<u8>, length: Option<&mut Count>| {
    let what = what.get("a null pointer")?.to_string_lossy();
    let length = length.or_refuse(INVALID_VALUE, "a null pointer")?;
    let mut state = lock()?;
    let found = match &*what {
        "findings" => findings_json(&state),
        "counters" => counters_json(&state),
        "message" => last_message(),
        _ => return refuse(INVALID_VALUE, format_args!("nothing is called {what}")),
    };
    let (room, needed) = (*length, found.len() + 1);
    // SAFETY: the room is looked at by its length before.
    unsafe { length.set(needed) };
    valid(text.is_given() && room.get() >= needed, "")?;
    write_text(text.of(room), &found);
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
