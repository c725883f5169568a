//! `warp19 ladder`: the product step by step, with what each step costs (docs/ladder.md).

use super::timing::{self, Timing};
use super::{backend, output};
use crate::conformance::{Bound, Comparison, compare_within, values};
use crate::cuda::driver::Which;
use crate::cuda::ladder::{Operands, steps};
use crate::cuda::operations::product::Sizes;
use crate::cuda::sass::{self, Mix};
use crate::cuda::units::{LADDER, UnitKind};
use crate::cuda::{CudaDevice, report};
use crate::device::{DType, Device, Precision, download_f32};
use crate::error::{Error, Result};
use rayon::prelude::*;
use serde::Serialize;
use serde_json::Value;

#[derive(clap::Args)]
pub struct Args {
    /// auto (a GPU where there is one, else softgpu), cuda, cuda:N or softgpu.
    #[arg(long, default_value = "auto")]
    device: String,
    /// Rows, columns and inner dimension, or the three as MxNxK [default: 512 on softgpu, 2048 on a GPU].
    #[arg(long)]
    size: Option<String>,
    /// Results as JSON.
    #[arg(long)]
    json: bool,
}

/// What a step showed.
#[derive(Serialize)]
struct Step {
    kernel: &'static str,
    idea: &'static str,
    comparison: Comparison,
    /// softgpu's counters.
    counters: Option<Value>,
    /// On a GPU.
    timing: Option<Timing>,
    /// The machine code's innermost loop, where there is a disassembler.
    main_loop: Option<Mix>,
}

pub fn run(args: &Args) -> Result<()> {
    let which = match backend::which(&args.device)? {
        Some(which) => which,
        None if args.device == "auto" => Which::Softgpu,
        None => return Err(Error::Invalid("the ladder's kernels are CUDA's; give --device softgpu, or cuda".into())),
    };
    let mut device = CudaDevice::open(which)?;
    let default = if device.softgpu.is_some() { "512" } else { "2048" };
    let sizes = sizes(args.size.as_deref().unwrap_or(default))?;
    let (description, steps) = (device.describe(), climb(&mut device, sizes)?);
    let findings = backend::findings(&device)?;
    if args.json {
        let all = serde_json::json!({"device": description, "steps": steps, "softgpu_findings": findings});
        output::print_json(&all)?;
    } else {
        output::print(&table(&description, sizes, &steps))?;
    }
    if let Some((kernel, failure)) = steps.iter().find_map(|s| Some((s.kernel, s.comparison.failure.as_ref()?))) {
        return Err(Error::Device(format!("{kernel} is wrong: {failure}")));
    }
    match findings.as_ref().map_or(0, backend::count_findings) {
        0 => Ok(()),
        count => Err(Error::Device(format!("softgpu has {count} finding(s); its log above names the lines"))),
    }
}

/// `512` or `300x200x100`.
fn sizes(text: &str) -> Result<Sizes> {
    let numbers: Option<Vec<usize>> = text.split('x').map(|n| n.parse().ok()).collect();
    match numbers.as_deref() {
        Some(&[m]) => Ok(Sizes { m, n: m, k: m }),
        Some(&[m, n, k]) => Ok(Sizes { m, n, k }),
        _ => Err(Error::Invalid(format!("--size {text}: give one number, or rows, columns and inner as 300x200x100"))),
    }
}

/// `a b` in f64, row-major.
fn product(s: Sizes, a: &[f32], b: &[f32], of: impl Fn(f32) -> f64 + Sync) -> Vec<f64> {
    let mut c = vec![0.0; s.m * s.n];
    c.par_chunks_mut(s.n).zip(a.par_chunks(s.k)).for_each(|(c, a)| {
        for (&a, b) in a.iter().zip(b.chunks_exact(s.n)) {
            for (c, &b) in c.iter_mut().zip(b) {
                *c += of(a) * of(b);
            }
        }
    });
    c
}

/// Runs every step that the device can, and compares each with the product in f64.
fn climb(d: &mut CudaDevice, s: Sizes) -> Result<Vec<Step>> {
    // Numbers that bfloat16 holds as they are, so that all steps compute the same product.
    let draw = |seed, len, scale| {
        let exact = |v: &f32| DType::Bf16.round(f64::from(*v)) as f32;
        values(seed, len, scale).iter().map(exact).collect::<Vec<_>>()
    };
    let (a, b) = (draw(1, s.m * s.k, 1.0), draw(2, s.k * s.n, (3.0 / s.k as f32).sqrt()));
    let on = Operands::new(d, s, &a, &b)?;
    let want = product(s, &a, &b, f64::from);
    let magnitudes = product(s, &a, &b, |v| f64::from(v).abs());
    let tensor = Bound::Sum { additions: s.k as f64 + 2.0, magnitudes, stored: DType::F32 };
    let nvrtc = report::nvrtc_for(d.properties.sm).ok().zip(sass::nvdisasm()?);
    let shape = format!("{}x{}x{}", s.m, s.n, s.k);
    let mut out = Vec::new();
    for step in steps(d.properties.sm) {
        let rung = &LADDER[step];
        eprintln!("{}", rung.kernel);
        // Numbers that no sum gives, so that an element that is not written shows.
        d.upload(on.c, &vec![0xff; on.c.bytes().len()])?;
        let counters = match d.softgpu {
            Some(_) => backend::counted(d, |d| d.climb(step, &on))?.pop(),
            None => d.climb(step, &on).map(|()| None)?,
        };
        let bound = if rung.is_bf16() { &tensor } else { &Bound::Contract };
        let comparison = compare_within(bound, rung.kernel, &shape, &download_f32(d, on.c)?, &want);
        let timing = if d.softgpu.is_none() { Some(timed(d, step, &on)?) } else { None };
        let mut main_loop = None;
        if let Some((nvrtc, tool)) = &nvrtc {
            let code = report::compile(nvrtc, d.properties.sm, UnitKind::Ladder(step).at(Precision::F32))?.cubin;
            // An older architecture than the tool knows has no row, as without the tool.
            let mixes = sass::disassemble(tool, &code).unwrap_or_default();
            main_loop = mixes.into_iter().find(|m| m.kernel == rung.kernel);
        }
        out.push(Step { kernel: rung.kernel, idea: rung.idea, comparison, counters, timing, main_loop });
    }
    Ok(out)
}

/// A step's time on a GPU.
fn timed(d: &mut CudaDevice, step: usize, on: &Operands) -> Result<Timing> {
    let (rung, Sizes { m, n, k }) = (&LADDER[step], on.sizes);
    let factor = if rung.is_bf16() { 2 } else { 4 };
    let work = (2 * (m * n * k) as u64, (factor * (m * k + k * n) + 4 * m * n) as u64);
    let precision = if rung.is_bf16() { Precision::Bf16 } else { Precision::F32 };
    timing::time(d, (rung.kernel, format!("{m}x{n}x{k}")), work, precision, &mut |d| d.climb(step, on))
}

/// What softgpu counted of a step, by multiply-add where it is a quantity.
fn counted_cells(c: &Value, multiply_adds: f64) -> [String; 5] {
    let sum = |traffic: [&str; 2], what: &str| traffic.iter().map(|t| c[t][what].as_f64().unwrap_or(0.0)).sum::<f64>();
    let (global, shared) = (["global_loads", "global_stores"], ["shared_loads", "shared_stores"]);
    let (sectors, wavefronts) = (sum(global, "moved"), sum(shared, "moved"));
    let conflicts = if wavefronts > 0.0 { wavefronts / sum(shared, "ideal") } else { 1.0 };
    [
        format!("{:.3}", c["thread_instructions"].as_f64().unwrap_or(0.0) / multiply_adds),
        format!("{:.2}", 32.0 * sectors / multiply_adds),
        format!("{:.1} %", 100.0 * sum(global, "ideal") / sectors.max(1.0)),
        format!("{:.3}", 32.0 * wavefronts / multiply_adds),
        format!("{conflicts:.2}x"),
    ]
}

fn table(device: &str, s: Sizes, steps: &[Step]) -> String {
    let none = || "-".to_string();
    let timed = steps.iter().any(|step| step.timing.is_some());
    let row = |step: &Step| {
        let counted = step.counters.as_ref().map(|c| counted_cells(c, (s.m * s.n * s.k) as f64));
        let main_loop = step.main_loop.as_ref().filter(|m| !m.main_loop.is_empty());
        let share = main_loop.map_or_else(none, |m| format!("{:.1} %", 100.0 * m.multiply_add_share()));
        let mut cells = vec![step.kernel.to_string(), format!("{:.1} %", 100.0 * step.comparison.share_of_bound)];
        cells.extend(counted.unwrap_or_else(|| std::array::from_fn(|_| none())));
        cells.push(share);
        cells.extend(step.timing.iter().flat_map(|t| {
            let rate = t.flops as f64 / t.seconds.max(1e-9) / 1e12;
            [format!("{:.3}", 1e3 * t.seconds), format!("{rate:.2}")]
        }));
        cells.push(step.idea.into());
        cells
    };
    let rows: Vec<Vec<String>> = steps.iter().map(row).collect();
    let heads = ["<step", ">of bound", ">instructions", ">bytes", ">full sectors", ">reads", ">conflicts", ">mul-adds"];
    let times: &[&str] = if timed { &[">ms", ">TFLOP/s"] } else { &[] };
    let table = output::table(&[&heads, times, &["<idea"]].concat(), &rows);
    let Sizes { m, n, k } = s;
    let mut text = format!(
        "C[{m},{n}] = A[{m},{k}] B[{k},{n}] on {device}\n\n{table}\ninstructions: of threads, for one multiply-add. \
         bytes: moved from and to global memory, the same. reads: words\nthat shared memory could have given, 32 a \
         pass, the same. conflicts: its passes against the least. mul-adds:\nshare of the innermost loop's machine \
         code (FFMA; HMMA on tensor cores).\n"
    );
    if steps.iter().any(|s| s.main_loop.is_none()) {
        text += "No machine code was read: `pip install nvidia-cuda-nvdisasm` brings the tool for sm_75 and newer.\n";
    }
    text
}
