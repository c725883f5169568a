//! `warp19 verify`: the conformance suite on the user's own device.

use super::backend::{self, Backend, Opened, count_findings};
use super::timing::{self, Timing};
use super::{output, progress};
use crate::conformance::{self, Comparison, cases, full};
use crate::device::Precision;
use crate::error::{Error, Result};
use std::time::Instant;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    backend: Backend,
    #[arg(long, default_value_t, value_parser = backend::precision(), help = backend::PRECISIONS)]
    precision: Precision,
    /// Only these operations: conv, linear, pool, dropout, loss, adam, sgd, gather, cast, scaling, memory.
    #[arg(long, value_delimiter = ',', value_parser = cases::GROUPS, hide_possible_values = true)]
    only: Vec<String>,
    /// Every comparison, not the worst of each operation; with --json too.
    #[arg(long)]
    all: bool,
    /// Batches at which the kernels of VGG19 are compared with naive ones on the device, and timed; 0: none. Default:
    /// 64,128 on a GPU, none on softgpu, whose times say nothing about one. The CPU backend has `cargo bench`.
    #[arg(long, value_delimiter = ',')]
    timing: Option<Vec<usize>>,
    /// Results as JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<()> {
    let chosen: Vec<_> = cases::all(args.precision)
        .into_iter()
        .filter(|c| args.only.is_empty() || args.only.iter().any(|o| o == c.group()))
        .collect();
    if chosen.is_empty() {
        return Err(Error::Invalid(format!("no cases of {} in {}", args.only.join(", "), args.precision)));
    }
    let mut opened = args.backend.open_kind()?;
    if let (Opened::Cpu(_), Some([batch, ..])) = (&opened, args.timing.as_deref()) {
        return Err(Error::Invalid(format!(
            "--timing is for CUDA devices; times of the CPU's operations: warp19 profile --device cpu --batch {}",
            batch.max(&1)
        )));
    }
    let device = opened.device();
    device.supports(args.precision)?;
    eprintln!("{}: {} cases", device.describe(), chosen.len());
    let (start, mut results) = (Instant::now(), Vec::new());
    let mut tell = counted("cases");
    for (done, case) in chosen.iter().enumerate() {
        tell(done, chosen.len());
        results.extend(conformance::run(&mut [&mut *device], case, args.precision)?);
    }
    tell(chosen.len(), chosen.len());
    let description = device.describe();
    let mut timings = Vec::new();
    if let Opened::Cuda(d) = &mut opened {
        let default = if d.softgpu.is_some() { vec![] } else { vec![64, 128] };
        for &batch in args.timing.as_ref().unwrap_or(&default).iter().filter(|&&batch| batch > 0) {
            eprintln!("the layers of VGG19 at batch {batch}: comparing with naive kernels, then timing");
            let (kinds, mut tell) = (full::kinds(batch), counted("layers"));
            for (done, kind) in kinds.iter().enumerate() {
                tell(done, kinds.len());
                results.extend(full::against_naive(d, kind, args.precision)?);
            }
            tell(kinds.len(), kinds.len());
            let _waiting = progress::waiting("timing the kernels");
            timings.extend(timing::timings(d, batch, args.precision)?);
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let findings = opened.softgpu_findings()?;
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
            output::print(&format!("softgpu: {} finding(s)\n", count_findings(findings)))?;
        }
    }
    let found = findings.as_ref().map_or(0, count_findings);
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

/// Shows how many of these have been checked.
fn counted(things: &'static str) -> impl FnMut(usize, usize) {
    progress::counting("checking", things, move |done, all| format!("checked {done} of {all} {things}"))
}

/// Medians, how far the slowest run is from the fastest, and shares of the device's peaks, which its reported clocks
/// give.
fn timing_table(timings: &[Timing]) -> String {
    let row = |t: &Timing| {
        let rate = |work: u64| work as f64 / t.seconds.max(1e-9);
        let arithmetic = match t.flops {
            0 => [String::new(), String::new()],
            flops => [format!("{:.2}", rate(flops) / 1e12), format!("{:.1} %", 100.0 * t.share_of_flops)],
        };
        let memory = [format!("{:.1}", rate(t.bytes) / 1e9), format!("{:.1} %", 100.0 * t.share_of_bandwidth)];
        let spread = 100.0 * (t.slowest - t.fastest) / t.seconds.max(1e-9);
        let median = format!("{:.3} ms", 1e3 * t.seconds);
        let time = [t.operation.clone(), t.shape.clone(), median, format!("{spread:.0} %")];
        time.into_iter().chain(arithmetic).chain(memory).collect()
    };
    let rows: Vec<Vec<String>> = timings.iter().map(row).collect();
    output::table(&["<operation", "<shape", ">median", ">spread", ">TFLOP/s", ">of peak", ">GB/s", ">of peak"], &rows)
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
