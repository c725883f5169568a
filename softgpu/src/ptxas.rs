//! `ptxas`, NVIDIA's assembler: what it says of a kernel's needs. softgpu does without it; where it is at hand
//! (`SOFTGPU_PTXAS`), the registers of a launch are those of a card.

use serde::Serialize;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// The variable that names it.
pub(crate) const VARIABLE: &str = "SOFTGPU_PTXAS";

/// A kernel's needs, by `ptxas`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Usage {
    /// Its name in the PTX.
    pub kernel: String,
    /// Registers of a thread.
    pub registers: u32,
    /// Static shared memory of a block, bytes.
    pub shared: u32,
    /// Local memory of a thread, bytes.
    pub stack: u32,
    /// Bytes stored because registers ran out.
    pub spill_stores: u32,
    /// Bytes loaded for the same reason.
    pub spill_loads: u32,
}

/// What the kernels of a text need when it is assembled for that compute capability (times ten).
///
/// # Errors
/// It doesn't run, or its message where it refuses the text.
pub fn assemble(ptxas: &Path, text: &str, sm: u32) -> Result<Vec<Usage>, String> {
    let failed = |e: std::io::Error| format!("{VARIABLE} names {}, which does not run: {e}", ptxas.display());
    let mut child = Command::new(ptxas)
        .args(["-v", "-o", "/dev/null", "/dev/stdin"])
        .arg(format!("-arch=sm_{sm}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let input = child.stdin.take();
    let output = std::thread::scope(|scope| {
        // It may stop reading; its own message says why.
        scope.spawn(move || input.map(|mut pipe| pipe.write_all(text.as_bytes())));
        child.wait_with_output()
    })
    .map_err(failed)?;
    let log = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    if output.status.success() {
        Ok(usage(&log))
    } else {
        Err(format!("{} refuses the text for sm_{sm}:\n{}", ptxas.display(), log.trim_end()))
    }
}

/// The kernels in the words of `ptxas -v`, or of NVRTC with `--ptxas-options=-v`:
/// `Compiling entry function 'NAME' for ...`, `N bytes stack frame, N bytes spill stores, N bytes spill loads`,
/// `Used N registers, ..., N bytes smem, ...`.
pub fn usage(log: &str) -> Vec<Usage> {
    let mut found: Vec<Usage> = Vec::new();
    for line in log.lines() {
        if let Some((_, rest)) = line.split_once("Compiling entry function '") {
            let kernel = rest.split('\'').next().unwrap_or("").to_string();
            found.push(Usage { kernel, ..Usage::default() });
        }
        let Some(last) = found.last_mut() else {
            continue;
        };
        let number = |what: &str| -> Option<u32> {
            let before = line.split_once(what)?.0.trim_end();
            before.rsplit([' ', ',']).next()?.parse().ok()
        };
        last.registers = number("registers").unwrap_or(last.registers);
        last.shared = number("bytes smem").unwrap_or(last.shared);
        last.stack = number("bytes stack frame").unwrap_or(last.stack);
        last.spill_stores = number("bytes spill stores").unwrap_or(last.spill_stores);
        last.spill_loads = number("bytes spill loads").unwrap_or(last.spill_loads);
    }
    found
}
