//! What a step takes on a card that is not here, by count: a prediction, and no measurement.

use super::count::Machine;
use super::layers::{Way, convolution, linear, winograd_cycles};
use crate::cuda::driver::Properties;
use crate::cuda::units::tiles;
use crate::device::Precision;
use crate::ops::layer::{LayerPass, LayerShape, Pass};
use crate::ops::operation::{Kind, Operation};
use softgpu::Profile;

/// Share of the memory's peak that long reads and writes reach; an assumption.
const MEMORY: f64 = 0.85;
/// Share of the float32 peak that the kernels of the first layer reach; an assumption.
const DIRECT: f64 = 0.4;
/// Seconds between two kernels of a graph; an assumption.
const LAUNCH: f64 = 1.5e-6;
/// Share of an H100's tensor cores that `mma.sync` reaches: 62.9 % on average, as others quote Luo et al.,
/// "Benchmarking and Dissecting the Nvidia Hopper GPU Architecture" (arXiv 2402.13499).
const MMA_ON_HOPPER: f64 = 0.629;

/// What is predicted of an operation.
pub struct Prediction {
    pub seconds: f64,
    /// How it is computed, such as `gemm_nn 128x64, 2 parts`.
    pub how: String,
}

/// The cards that are known: name, multiprocessors, clocks and bus of softgpu's boards (`softgpu/src/profile.rs`),
/// which are NVIDIA's figures.
pub fn cards() -> Vec<Properties> {
    let card = |p: Profile| Properties {
        name: p.board.into(),
        sm: p.sm,
        multiprocessors: p.sm_count,
        clock_khz: p.clock_khz,
        memory_clock_khz: p.memory_clock_khz,
        bus_bits: p.bus_bits,
        total_memory: 0,
        driver_version: 0,
    };
    Profile::NAMES.into_iter().filter_map(Profile::named).map(card).collect()
}

/// The part of a board's name that tells it from the others: `RTX 3090`, `A100 80GB`, `H100 SXM`.
pub fn short(card: &Properties) -> &str {
    card.name.trim_start_matches("GeForce ")
}

/// A card by its name, which may be written `rtx3090`, or `a100` for `A100 80GB`.
pub fn card(name: &str) -> Option<Properties> {
    let plain = |s: &str| s.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let wanted = plain(name);
    cards().into_iter().find(|c| !wanted.is_empty() && plain(short(c)).starts_with(&wanted))
}

/// A device as tensor cores are reached by the kernels here.
fn machine(card: &Properties, precision: Precision, mma_alone: bool) -> Machine {
    let mut machine = Machine::of(card, precision);
    if precision != Precision::F32 && card.sm == 90 && mma_alone {
        machine.rate *= MMA_ON_HOPPER;
    }
    machine
}

/// Seconds of an operation on a card. `mma_alone`: tensor cores as `mma.sync` reaches them; else their dense peak.
pub fn operation(operation: &Operation, card: &Properties, mma_alone: bool) -> Prediction {
    let (precision, is) = (operation.precision(), operation.description());
    let on = machine(card, precision, mma_alone);
    let memory = is.bytes as f64 / (MEMORY * card.peak_bandwidth());
    let clock = f64::from(card.clock_khz) * 1e3;
    let arithmetic = match operation.kind() {
        Kind::Layer(l) => Some(layer(l, precision, &on, &Machine::of(card, Precision::F32))),
        _ => None,
    };
    let (cycles, how) = arithmetic.unwrap_or((0.0, "memory".into()));
    Prediction { seconds: LAUNCH + memory.max(cycles / clock), how }
}

/// Cycles of a pass through a layer on a device in a precision, and how it is computed; `lanes`: the device in float32.
fn layer(l: &LayerPass, precision: Precision, on: &Machine, lanes: &Machine) -> (f64, String) {
    let s = l.shape.as_conv();
    let vector = [s.c, s.k].iter().all(|n| n.is_multiple_of(16 / precision.storage().size()));
    let way = match &l.shape {
        LayerShape::Conv(s) => convolution(s, l.pass, precision, vector, None),
        LayerShape::Linear(s) => Way::Product(linear(s, l.pass, precision, vector)),
    };
    match way {
        Way::Direct { .. } => {
            let peak = lanes.rate * lanes.multiprocessors as f64;
            (s.flops() as f64 / 2.0 / peak / DIRECT, "direct".into())
        }
        Way::Winograd { parts } => {
            let backward = matches!(l.pass, Pass::BackwardData { .. });
            (winograd_cycles(&s, backward, parts, on), format!("winograd, {parts} part(s)"))
        }
        Way::Product(product) => {
            let plan = product.plan(on, None);
            let t = tiles(precision)[plan.tile];
            let how = format!("{} {}x{}, {} part(s)", product.kernel, t.m, t.n, plan.parts);
            (product.cycles(on, plan), how)
        }
    }
}
