//! `warp19 devices`: what this machine has to compute with, and why anything is missing.

use super::output;
use crate::cpu::CpuDevice;
use crate::cuda::{compiler, driver, find, sass};
use crate::device::{Device, Precision};
use crate::error::Result;
use std::fmt::Write;

#[derive(clap::Args)]
pub struct Args {
    /// Every place that was looked at.
    #[arg(long)]
    verbose: bool,
}

pub fn run(args: &Args) -> Result<()> {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        writeln!(text, "{name:<10}{value}").expect("a string takes all");
    };
    line("cpu", CpuDevice::new(None)?.describe());
    match driver::count() {
        Err(e) => line("cuda", format!("none: {e}")),
        Ok(0) => line("cuda", "the driver is there and has no device (CUDA_VISIBLE_DEVICES may hide some)".into()),
        Ok(n) => {
            for ordinal in 0..n {
                line(&format!("cuda:{ordinal}"), device(ordinal));
            }
        }
    }
    let search = find::search();
    for nvrtc in &search.found {
        let (major, minor) = nvrtc.version;
        let (first, last) = (nvrtc.architectures.first(), nvrtc.architectures.last());
        let range = first.zip(last).map_or(String::new(), |(a, b)| format!(", sm_{a} to sm_{b}"));
        line("nvrtc", format!("{major}.{minor}{range} ({})", nvrtc.path.display()));
    }
    if search.found.is_empty() {
        line("nvrtc", format!("none found. {}", find::remedy(86)));
    }
    if args.verbose || search.found.is_empty() {
        for missed in &search.missed {
            line("", missed.clone());
        }
    }
    match softgpu::library_path() {
        Ok(path) => line("softgpu", format!("{} (--device softgpu)", path.display())),
        Err(e) => line("softgpu", format!("none: {e}")),
    }
    let cache = compiler::cache_folder();
    line("cache", cache.map_or("none: neither WARP19_CACHE nor HOME is set".into(), |p| p.display().to_string()));
    let nvdisasm = match sass::nvdisasm() {
        Ok(Some(path)) => path.display().to_string(),
        Ok(None) => "none (only `kernels report` uses it)".into(),
        Err(e) => e.to_string(),
    };
    line("nvdisasm", nvdisasm);
    output::print(&text)
}

/// A GPU in one line, with what keeps it from being used.
fn device(ordinal: usize) -> String {
    match driver::open(driver::Which::Cuda(ordinal)) {
        Ok(d) => {
            let p = &d.properties;
            format!(
                "{}, sm_{}, {} multiprocessors, {:.1} GiB, {:.1} TFLOP/s float32, {:.0} GB/s, computes in {}, driver \
                 for CUDA {}.{}",
                p.name,
                p.sm,
                p.multiprocessors,
                p.total_memory as f64 / f64::from(1 << 30),
                p.peak_flops(Precision::F32) / 1e12,
                p.peak_bandwidth() / 1e9,
                p.precisions(),
                p.driver_version / 1000,
                p.driver_version % 1000 / 10
            )
        }
        Err(e) => format!("cannot be used: {e}"),
    }
}
