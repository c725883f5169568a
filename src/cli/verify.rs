//! `warp19 verify`: the conformance suite on the user's own device.

use super::backend::Backend;
use crate::conformance::{self, Comparison, cases};
use crate::error::{Error, Result};
use std::fmt::Write;
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
    /// Results as JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<()> {
    let chosen: Vec<_> = cases::all()
        .into_iter()
        .filter(|c| args.only.is_empty() || args.only.iter().any(|o| o == c.operation()))
        .collect();
    if chosen.is_empty() {
        return Err(Error::Invalid(format!(
            "no cases of {}",
            args.only.join(", ")
        )));
    }
    let mut device = args.backend.open()?;
    eprintln!("{}: {} cases", device.describe(), chosen.len());
    let (start, mut results) = (Instant::now(), Vec::new());
    for case in &chosen {
        results.extend(conformance::run(device.as_mut(), case)?);
    }
    let seconds = start.elapsed().as_secs_f64();
    let findings = super::backend::softgpu_findings()?;
    let failed = results.iter().filter(|r| r.failure.is_some()).count();
    if args.json {
        super::print_json(&serde_json::json!({
            "device": device.describe(), "comparisons": results, "failed": failed, "seconds": seconds,
            "softgpu_findings": findings,
        }))?;
    } else {
        super::print(&table(&results, args.all))?;
        super::print(&format!(
            "{} comparisons, {failed} failed, {seconds:.1} s\n",
            results.len()
        ))?;
        if let Some(findings) = &findings {
            super::print(&format!("softgpu: {} finding(s)\n", count(findings)))?;
        }
    }
    let found = findings.as_ref().map_or(0, count);
    if failed > 0 || found > 0 {
        let detail = results.iter().find_map(|r| {
            r.failure
                .as_ref()
                .map(|f| format!("; the first: {} {}: {f}", r.operation, r.shape))
        });
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

/// The worst comparison of each operation, or all.
fn table(results: &[Comparison], all: bool) -> String {
    let mut rows: Vec<&Comparison> = Vec::new();
    for r in results {
        match rows.iter_mut().find(|o| !all && o.operation == r.operation) {
            Some(worst) if badness(r) > badness(worst) => *worst = r,
            Some(_) => {}
            None => rows.push(r),
        }
    }
    let mut text = format!(
        "{:<30} {:<28} {:>10} {:>9} {:>9}\n",
        "operation",
        if all { "shape" } else { "worst shape" },
        "max error",
        "of bound",
        "NMSE"
    );
    for r in rows {
        let verdict = r
            .failure
            .as_ref()
            .map_or(String::new(), |f| format!("  FAILED: {f}"));
        writeln!(
            text,
            "{:<30} {:<28} {:>10.2e} {:>8.1}% {:>9.1e}{verdict}",
            r.operation,
            r.shape,
            r.max_error,
            100.0 * r.share_of_bound,
            r.nmse
        )
        .expect("a string takes all");
    }
    text
}

fn badness(r: &Comparison) -> f64 {
    if r.failure.is_some() {
        f64::INFINITY
    } else {
        r.share_of_bound
    }
}
