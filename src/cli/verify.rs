//! `warp19 verify`: the conformance suite on the user's own device.

use super::backend::{Backend, Opened};
use super::output;
use super::timing::{self, Timing};
use crate::conformance::{self, Comparison, cases};
use crate::error::{Error, Result};
use std::time::Instant;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    backend: Backend,
    /// Only these operations: conv, linear, pool, dropout, loss, adam, sgd, gather, memory.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Every comparison, not the worst of each operation; with --json too.
    #[arg(long)]
    all: bool,
    /// Images for the timings at the end; 0: none. Default: 64 on a GPU, none on softgpu, whose times say nothing about
    /// one. The CPU backend has `cargo bench`.
    #[arg(long)]
    timing: Option<usize>,
    /// Results as JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<()> {
    let chosen: Vec<_> =
        cases::all().into_iter().filter(|c| args.only.is_empty() || args.only.iter().any(|o| o == c.group())).collect();
    if chosen.is_empty() {
        return Err(Error::Invalid(format!("no cases of {}", args.only.join(", "))));
    }
    let mut opened = args.backend.open_kind()?;
    let device = opened.device();
    eprintln!("{}: {} cases", device.describe(), chosen.len());
    let (start, mut results) = (Instant::now(), Vec::new());
    for case in &chosen {
        results.extend(conformance::run(device, case)?);
    }
    let seconds = start.elapsed().as_secs_f64();
    let description = device.describe();
    let findings = opened.softgpu_findings()?;
    let timings = match &mut opened {
        Opened::Cuda(d) => {
            let batch = args.timing.unwrap_or(if d.softgpu.is_some() { 0 } else { 64 });
            if batch > 0 { timing::timings(d, batch)? } else { Vec::new() }
        }
        Opened::Cpu(_) => Vec::new(),
    };
    let failed = results.iter().filter(|r| r.failure.is_some()).count();
    if args.json {
        output::print_json(&serde_json::json!({
            "device": description, "comparisons": results, "failed": failed, "seconds": seconds,
            "softgpu_findings": findings, "timings": timings,
        }))?;
    } else {
        output::print(&table(&results, args.all))?;
        output::print(&format!("{} comparisons, {failed} failed, {seconds:.1} s\n", results.len()))?;
        if !timings.is_empty() {
            output::print(&format!("\n{}", timing_table(&timings)))?;
        }
        if let Some(findings) = &findings {
            output::print(&format!("softgpu: {} finding(s)\n", count(findings)))?;
        }
    }
    let found = findings.as_ref().map_or(0, count);
    if failed > 0 || found > 0 {
        let detail = results
            .iter()
            .find_map(|r| r.failure.as_ref().map(|f| format!("; the first: {} {}: {f}", r.operation, r.shape)));
        return Err(Error::Device(format!(
            "{failed} of {} comparisons failed, {found} finding(s) of softgpu{}",
            results.len(),
            detail.unwrap_or_default()
        )));
    }
    Ok(())
}

fn count(findings: &serde_json::Value) -> usize {
    let listed = findings["findings"].as_array().map_or(0, Vec::len);
    listed + findings["beyond"].as_u64().unwrap_or(0) as usize
}

/// Times and shares of the device's peaks, which its reported clocks give.
fn timing_table(timings: &[Timing]) -> String {
    let row = |t: &Timing| {
        let rate = |work: u64| work as f64 / t.seconds.max(1e-9);
        let arithmetic = match t.flops {
            0 => [String::new(), String::new()],
            flops => [format!("{:.2}", rate(flops) / 1e12), format!("{:.1} %", 100.0 * t.share_of_flops)],
        };
        let memory = [format!("{:.1}", rate(t.bytes) / 1e9), format!("{:.1} %", 100.0 * t.share_of_bandwidth)];
        let time = [t.operation.clone(), t.shape.clone(), format!("{:.3} ms", 1e3 * t.seconds)];
        time.into_iter().chain(arithmetic).chain(memory).collect()
    };
    let rows: Vec<Vec<String>> = timings.iter().map(row).collect();
    output::table(&["<operation", "<shape", ">time", ">TFLOP/s", ">of peak", ">GB/s", ">of peak"], &rows)
}

/// The worst comparison of each operation, or all.
fn table(results: &[Comparison], all: bool) -> String {
    let mut shown: Vec<&Comparison> = Vec::new();
    for r in results {
        match shown.iter_mut().find(|o| !all && o.operation == r.operation) {
            Some(worst) if badness(r) > badness(worst) => *worst = r,
            Some(_) => {}
            None => shown.push(r),
        }
    }
    let row = |r: &&Comparison| {
        let share = format!("{:.1} %", 100.0 * r.share_of_bound);
        let verdict = r.failure.as_ref().map_or(String::new(), |f| format!("FAILED: {f}"));
        let (error, nmse) = (format!("{:.2e}", r.max_error), format!("{:.1e}", r.nmse));
        vec![r.operation.clone(), r.shape.clone(), error, share, nmse, verdict]
    };
    let rows: Vec<Vec<String>> = shown.iter().map(row).collect();
    let shape = if all { "<shape" } else { "<worst shape" };
    output::table(&["<operation", shape, ">max error", ">of bound", ">NMSE", "<"], &rows)
}

fn badness(r: &Comparison) -> f64 {
    if r.failure.is_some() { f64::INFINITY } else { r.share_of_bound }
}
