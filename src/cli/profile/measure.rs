//! Measuring each operation of a step: by events on a GPU, by the clock on the CPU, by counters on softgpu.

use crate::cli::backend::{self, Opened};
use crate::cli::timing::WARM_UP;
use crate::cpu::CpuDevice;
use crate::cuda::CudaDevice;
use crate::device::{Device, Precision};
use crate::error::Result;
use crate::ops::operation::Planned;
use serde::Serialize;
use serde_json::Value;
use std::time::Instant;

/// An operation of the step.
#[derive(Clone, Serialize)]
pub struct Row {
    pub phase: &'static str,
    pub layer: String,
    pub operation: &'static str,
    pub sizes: String,
    /// By the description: padding counted, 0 where memory bounds it.
    pub flops: u64,
    /// That must be moved at least.
    pub bytes: u64,
    #[serde(flatten)]
    pub cost: Cost,
}

/// What an operation costs, or several.
#[derive(Clone, Serialize)]
#[serde(untagged)]
pub enum Cost {
    Time {
        /// Median.
        seconds: f64,
        /// Of the arithmetic peak.
        share_of_flops: Option<f64>,
        /// Of the memory's peak.
        share_of_bandwidth: Option<f64>,
    },
    Count(Count),
}

/// softgpu's counts, exact and repeatable.
#[derive(Clone, Default, Serialize)]
pub struct Count {
    pub kernels: Vec<String>,
    pub warp_instructions: u64,
    pub tensor_multiply_adds: u64,
    /// Moved from and to global memory.
    pub global_bytes: u64,
    /// Over the banks of shared memory, each of up to 128 bytes.
    pub shared_passes: u64,
}

/// A step's operations, their sum, and the step as it is run.
pub struct Profile {
    pub rows: Vec<Row>,
    pub sum: Cost,
    pub step: Cost,
}

/// What a device can do at most.
#[derive(Serialize)]
pub struct Peaks {
    pub flops: f64,
    pub bandwidth: f64,
    /// Where the figures come from.
    pub source: String,
}

impl Peaks {
    /// Measured on the CPU, by the reported clocks on a GPU.
    pub fn of(opened: &Opened, precision: Precision) -> Peaks {
        match opened {
            Opened::Cpu(d) => Peaks {
                flops: d.peak_flops(precision),
                bandwidth: d.peak_bandwidth(),
                source: "measured: multiply-adds in registers, numbers in memory changed in place".into(),
            },
            Opened::Cuda(d) => Peaks {
                flops: d.properties.peak_flops(precision),
                bandwidth: d.properties.peak_bandwidth(),
                source: format!("by the reported clocks, dense {precision}"),
            },
        }
    }
}

impl Cost {
    fn time(seconds: f64, flops: u64, bytes: u64, peaks: Option<&Peaks>) -> Cost {
        let share = |work: u64, peak: f64| (work > 0 && peak > 0.0).then(|| work as f64 / seconds.max(1e-9) / peak);
        Cost::Time {
            seconds,
            share_of_flops: peaks.and_then(|p| share(flops, p.flops)),
            share_of_bandwidth: peaks.and_then(|p| share(bytes, p.bandwidth)),
        }
    }

    /// Seconds, or instructions of warps: what shares of the step are counted in.
    pub fn amount(&self) -> f64 {
        match self {
            Cost::Time { seconds, .. } => *seconds,
            Cost::Count(count) => count.warp_instructions as f64,
        }
    }
}

impl Count {
    fn of(counters: &[Value]) -> Count {
        let sum = |value: &dyn Fn(&Value) -> &Value| counters.iter().filter_map(|c| value(c).as_u64()).sum::<u64>();
        let moved =
            |space: &str| ["loads", "stores"].map(|t| sum(&|c| &c[format!("{space}_{t}")]["moved"])).iter().sum();
        let global: u64 = moved("global");
        Count {
            kernels: counters.iter().filter_map(|c| Some(c["kernel"].as_str()?.into())).collect(),
            warp_instructions: sum(&|c| &c["warp_instructions"]),
            tensor_multiply_adds: sum(&|c| &c["tensor_multiply_adds"]),
            global_bytes: 32 * global,
            shared_passes: moved("shared"),
        }
    }
}

/// Costs of some rows together.
pub fn total<'a>(rows: impl Iterator<Item = &'a Row>, peaks: Option<&Peaks>) -> Cost {
    let (mut time, mut flops, mut bytes, mut count) = (None, 0, 0, Count::default());
    for row in rows {
        (flops, bytes) = (flops + row.flops, bytes + row.bytes);
        match &row.cost {
            Cost::Time { seconds, .. } => time = Some(time.unwrap_or(0.0) + seconds),
            Cost::Count(c) => {
                count.warp_instructions += c.warp_instructions;
                count.tensor_multiply_adds += c.tensor_multiply_adds;
                count.global_bytes += c.global_bytes;
                count.shared_passes += c.shared_passes;
            }
        }
    }
    time.map_or(Cost::Count(count), |seconds| Cost::time(seconds, flops, bytes, peaks))
}

/// Runs a step operation by operation and as a whole, so many times.
///
/// # Errors
/// Those of the device.
pub fn profile(opened: &mut Opened, plan: &[Planned], steps: u16, peaks: Option<&Peaks>) -> Result<Profile> {
    let (costs, step) = match opened {
        Opened::Cuda(d) if d.softgpu.is_some() => count(d, plan)?,
        Opened::Cuda(d) => {
            let began = Instant::now();
            while began.elapsed() < WARM_UP {
                d.record("step", plan)?;
                d.synchronize()?;
            }
            medians(plan, steps, peaks, &mut || {
                let each = d.seconds_of_each(plan)?;
                Ok((each, d.seconds_of(&mut |d| d.record("step", plan))?))
            })?
        }
        Opened::Cpu(d) => medians(plan, steps, peaks, &mut || clocked(d, plan))?,
    };
    let row = |(planned, cost): (&Planned, Cost)| {
        let is = planned.operation.description();
        Row {
            phase: planned.phase,
            layer: planned.layer.clone(),
            operation: is.name,
            sizes: is.sizes.clone(),
            flops: is.flops,
            bytes: is.bytes,
            cost,
        }
    };
    let rows: Vec<Row> = plan.iter().zip(costs).map(row).collect();
    Ok(Profile { sum: total(rows.iter(), peaks), rows, step })
}

/// Seconds of each operation, then of the step as it is run.
fn clocked(d: &mut CpuDevice, plan: &[Planned]) -> Result<(Vec<f64>, f64)> {
    let mut each = Vec::with_capacity(plan.len());
    for planned in plan {
        let start = Instant::now();
        d.run(&planned.operation)?;
        each.push(start.elapsed().as_secs_f64());
    }
    let start = Instant::now();
    d.record("step", plan)?;
    Ok((each, start.elapsed().as_secs_f64()))
}

/// Medians of several measurements of each operation and of the step, after one that does not count.
fn medians(
    plan: &[Planned],
    steps: u16,
    peaks: Option<&Peaks>,
    measure: &mut dyn FnMut() -> Result<(Vec<f64>, f64)>,
) -> Result<(Vec<Cost>, Cost)> {
    measure()?;
    let (mut each, mut whole) = (vec![Vec::new(); plan.len()], Vec::new());
    for step in 1..=steps {
        eprintln!("step {step} of {steps}");
        let (seconds, step) = measure()?;
        each.iter_mut().zip(seconds).for_each(|(all, s)| all.push(s));
        whole.push(step);
    }
    let work = plan.iter().map(|p| p.operation.description()).map(|is| (is.flops, is.bytes));
    let (flops, bytes) = work.clone().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let cost = |(all, (flops, bytes)): (&mut Vec<f64>, _)| Cost::time(median(all), flops, bytes, peaks);
    let costs = each.iter_mut().zip(work).map(cost).collect();
    Ok((costs, Cost::time(median(&mut whole), flops, bytes, peaks)))
}

fn median(all: &mut [f64]) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// softgpu's counts of each operation, then of the step recorded as a whole.
fn count(d: &mut CudaDevice, plan: &[Planned]) -> Result<(Vec<Cost>, Cost)> {
    let mut costs = Vec::new();
    for planned in plan {
        eprintln!("{} {}", planned.phase, planned.layer);
        let counters = backend::counted(d, |d| d.run(&planned.operation))?;
        costs.push(Cost::Count(Count::of(&counters)));
    }
    eprintln!("the step as a whole");
    let counters = backend::counted(d, |d| d.record("step", plan))?;
    Ok((costs, Cost::Count(Count::of(&counters))))
}
