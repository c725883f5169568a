//! What is left behind: leaks, findings, counters.

use crate::check::{Finding, FindingKind};
use crate::counters::Counters;
use crate::driver::abi::entry::log;
use crate::driver::objects::*;

/// Notes every allocation the program did not free before the context ended.
pub fn leaks(state: &mut State, context: Handle) {
    if state.config.options.muted.contains(&FindingKind::Leak) {
        return;
    }
    let left: Vec<(u64, Linear)> =
        state.linear.iter().filter(|(_, l)| l.context == context).map(|(a, l)| (*a, l.clone())).collect();
    for (address, entry) in left {
        let message = format!(
            "{} at {address:#x} was never freed before its context ended: free it with cuMemFree or cuMemFreeAsync",
            entry.label
        );
        if state.config.findings_file.is_none() {
            log(&format!("leak: {message}"));
        }
        state.findings.push(Finding {
            kind: FindingKind::Leak,
            rank: FindingKind::Leak.rank(),
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
pub fn write_files(state: &State) {
    let write = |path: &std::path::Path, text: String| {
        if let Err(error) = std::fs::write(path, text) {
            log(&format!("{} can't be written: {error}", path.display()));
        }
    };
    if let Some(path) = &state.config.findings_file {
        // One file for each process, where the program may start others.
        let path = path.to_string_lossy().replace("%p", &std::process::id().to_string());
        write(path.as_ref(), findings_json(state));
    }
    if let Some(path) = &state.config.counters_file {
        write(path, counters_json(state));
    }
}

/// The findings so far as JSON.
pub fn findings_json(state: &State) -> String {
    serde_json::json!({ "findings": state.findings, "beyond": state.findings_beyond }).to_string()
}

/// The counters of every launch so far as JSON.
pub fn counters_json(state: &State) -> String {
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
    write_files(&state);
    if state.config.table {
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
