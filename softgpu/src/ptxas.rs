//! `ptxas`, NVIDIA's assembler: what it says of a PTX text's registers. softgpu does without it; where it is at hand
//! (`SOFTGPU_PTXAS`), the registers of a launch are those of a card.

use crate::exec::registers_in;
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// The variable that names it.
pub const VARIABLE: &str = "SOFTGPU_PTXAS";

/// Registers by kernel when the text is assembled for that compute capability (times ten).
///
/// # Errors
/// It doesn't run, or its message where it refuses the text.
pub fn registers(ptxas: &Path, text: &str, sm: u32) -> Result<HashMap<String, u32>, String> {
    let failed = |e: std::io::Error| {
        format!(
            "{VARIABLE} names {}, which does not run: {e}",
            ptxas.display()
        )
    };
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
    let log = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    if output.status.success() {
        Ok(registers_in(&log))
    } else {
        Err(format!(
            "{} refuses the text for sm_{sm}:\n{}",
            ptxas.display(),
            log.trim_end()
        ))
    }
}
