//! What is told of a launch.

use super::failure::Failure;
use crate::kernel::LaunchReport;

/// Findings and fault in readable form, on standard error.
pub(super) fn tell(report: &LaunchReport, kernel: &str) {
    for f in &report.findings {
        let place = match &f.source {
            Some(s) => format!("{}:{}", s.file, s.line),
            None => format!("PTX line {}", f.ptx_line),
        };
        let [bx, by, bz] = f.block;
        let [tx, ty, tz] = f.thread;
        eprintln!(
            "{place}: {:?} ({:?}) in {}, block ({bx},{by},{bz}), thread ({tx},{ty},{tz}): {}",
            f.kind, f.rank, f.kernel, f.message
        );
        for call in std::iter::successors(f.source.as_ref(), |s| s.inlined_at.as_deref()).skip(1) {
            eprintln!("    inlined at {}:{}", call.file, call.line);
        }
        if f.count > 1 {
            eprintln!("    {} times at this place", f.count);
        }
    }
    if report.findings_beyond > 0 {
        eprintln!("and {} more findings", report.findings_beyond);
    }
    if let Some(fault) = &report.fault {
        eprintln!("softgpu-run: {kernel} failed: {fault}");
    }
}

pub(super) fn write_json(path: &std::path::Path, value: &impl serde::Serialize) -> Result<(), Failure> {
    let mut text =
        serde_json::to_string_pretty(value).map_err(|e| format!("cannot put {} into JSON: {e}", path.display()))?;
    text.push('\n');
    std::fs::write(path, text).map_err(|e| format!("cannot write {}: {e}", path.display()).into())
}
