//! What the kernels move, counted by softgpu: regression tests of their quality that need no GPU.

use crate::common::operation::{conv, linear, run};
use crate::softgpu;
use serde_json::Value;
use warp19::conformance::{example, values};
use warp19::cuda::CudaDevice;
use warp19::device::{DType, Device, Owner, Precision, View, upload_f32};
use warp19::ops::cast::Cast;
use warp19::ops::conv::ConvShape;
use warp19::ops::dropout::Dropout;
use warp19::ops::layer::Pass;
use warp19::ops::linear::LinearShape;
use warp19::ops::operation::Kind;
use warp19::ops::optimizer::{Adam, AdamParams, Epsilon, Sgd, SgdParams};
use warp19::ops::pool::{Pool, PoolShape};
use warp19::ops::scaling::Scaling;

/// The counters of every kernel launched in `body`.
fn counted(d: &mut CudaDevice, body: impl FnOnce(&mut CudaDevice)) -> Vec<Value> {
    let library = d.softgpu.unwrap();
    d.synchronize().unwrap();
    library.take_counters().unwrap();
    body(d);
    d.synchronize().unwrap();
    let all: Value = serde_json::from_str(&library.take_counters().unwrap()).unwrap();
    let list = all.as_array().or_else(|| all["kernels"].as_array());
    list.unwrap_or_else(|| panic!("{all:#}")).clone()
}

fn number(c: &Value, path: [&str; 2]) -> f64 {
    c[path[0]][path[1]].as_f64().unwrap_or_else(|| panic!("{path:?} in {c:#}"))
}

fn share(c: &Value, traffic: &str) -> f64 {
    let (ideal, moved) = (number(c, [traffic, "ideal"]), number(c, [traffic, "moved"]));
    if moved == 0.0 { 1.0 } else { ideal / moved }
}

fn full(d: &mut CudaDevice, len: usize) -> View {
    let v = d.alloc(DType::F32, len).unwrap();
    upload_f32(d, v, &values(1, len, 1.0)).unwrap();
    v
}

/// `x, w, b, y` of a convolution.
fn operands(d: &mut CudaDevice, s: &ConvShape) -> [View; 4] {
    [s.x_len(), s.w_len(), s.k, s.y_len()].map(|len| full(d, len))
}

/// Full sectors in global memory, passes over the banks of shared memory without conflicts, no local memory.
fn wastes_nothing(what: &str, c: &Value) {
    let sectors = ["global_loads", "global_stores"].map(|t| share(c, t));
    // Passes over the banks against those without a bank conflict.
    let passes = ["shared_loads", "shared_stores"].map(|t| 1.0 / share(c, t));
    println!("{what}: full sectors {sectors:.3?}, passes over the banks {passes:.3?} of the least");
    assert!(sectors[0] >= 0.95 && sectors[1] >= 0.95, "{what}: {sectors:?} {c:#}");
    assert!(passes[0] <= 1.05 && passes[1] <= 1.05, "{what}: {passes:?} {c:#}");
    assert_eq!(c["local_bytes_read"], 0, "{what}");
}

#[test]
fn products_and_convolutions_waste_nothing() {
    let (_alone, d) = &mut softgpu("all", "1");
    d.set_winograd(Some(false));
    for tile in [0, 1, 2] {
        d.set_tile(Some(tile));
        let s = ConvShape { n: 4, h: 14, w: 14, c: 64, k: 128, kernel: 3 };
        let [x, w, b, y] = operands(d, &s);
        let l = LinearShape { n: 128, inputs: 512, outputs: 256 };
        let (lx, lw, lb, ly) = (full(d, 128 * 512), full(d, 512 * 256), full(d, 256), full(d, 128 * 256));
        let counters = counted(d, |d| {
            let passes = |x, w, b, y| {
                [
                    (Pass::Forward { relu: true }, vec![x, w, b, y]),
                    (Pass::BackwardData { masked: false }, vec![y, w, x]),
                    (Pass::BackwardWeight, vec![x, y, w, b]),
                ]
            };
            for (pass, views) in passes(x, w, b, y) {
                run(d, conv(&s, pass), &views);
            }
            for (pass, views) in passes(lx, lw, lb, ly) {
                run(d, linear(&l, pass), &views);
            }
        });
        assert_eq!(counters.len(), 6);
        for c in &counters {
            wastes_nothing(&format!("tile {tile} {}", c["kernel"]), c);
        }
    }
}

#[test]
fn tensor_cores_waste_nothing() {
    let (_alone, d) = &mut softgpu("all", "1");
    let s = ConvShape { n: 4, h: 14, w: 14, c: 64, k: 128, kernel: 3 };
    let l = LinearShape { n: 128, inputs: 512, outputs: 256 };
    let passes = [Pass::Forward { relu: true }, Pass::BackwardData { masked: true }, Pass::BackwardWeight];
    // Two tiles of each precision, and each tile in one.
    let tiles = [(Precision::Bf16, 0..3), (Precision::F16, 0..1), (Precision::Tf32, 0..2), (Precision::Tf32x3, 0..1)];
    for (precision, tiles) in tiles {
        for tile in tiles {
            d.set_tile(Some(tile));
            let owner = Owner::new();
            let kinds = passes.into_iter().flat_map(|pass| [conv(&s, pass), linear(&l, pass)]);
            let all: Vec<_> = kinds.map(|kind| example(d, &owner, kind, precision).unwrap()).collect();
            let counters = counted(d, |d| all.iter().for_each(|operation| d.run(operation).unwrap()));
            assert_eq!(counters.len(), 6);
            for c in &counters {
                wastes_nothing(&format!("tile {tile} {}", c["kernel"]), c);
                assert!(c["tensor_multiply_adds"].as_u64() > Some(0), "{c:#}");
            }
        }
    }
}

#[test]
fn winograd_wastes_nothing() {
    let (_alone, d) = &mut softgpu("all", "1");
    d.set_winograd(Some(true));
    let s = ConvShape { n: 8, h: 14, w: 14, c: 64, k: 128, kernel: 3 };
    let [x, w, b, y] = operands(d, &s);
    let counters = counted(d, |d| {
        run(d, conv(&s, Pass::Forward { relu: true }), &[x, w, b, y]);
        run(d, conv(&s, Pass::BackwardData { masked: false }), &[y, w, x]);
    });
    assert_eq!(counters.len(), 2);
    for c in &counters {
        let what = c["kernel"].as_str().unwrap();
        assert!(what.contains("_winograd_"), "{what}");
        wastes_nothing(what, c);
    }
}

/// A product in parts: one thread of a block fences, before its count and after, and not every thread.
#[test]
fn the_parts_of_a_sum_meet_by_one_threads_fences() {
    let (_alone, mut d) = softgpu("none", "1");
    let d = &mut d;
    d.set_winograd(Some(true));
    let s = ConvShape { n: 1, h: 4, w: 4, c: 512, k: 512, kernel: 3 };
    let [x, w, b, y] = operands(d, &s);
    let counters = counted(d, |d| run(d, conv(&s, Pass::Forward { relu: true }), &[x, w, b, y]));
    let c = &counters[0];
    let (blocks, parts) = (c["blocks"].as_u64().unwrap(), c["grid"][2].as_u64().unwrap());
    assert!(parts > 1, "{c:#}");
    // Fences are the only instructions of their class in this kernel.
    assert_eq!(c["by_class"]["other"]["threads"].as_u64(), Some(2 * blocks), "{c:#}");
}

/// Memory-bound kernels move the bytes they must, and at most 5 % more.
#[test]
fn memory_bound_kernels_move_what_they_must() {
    let (_alone, d) = &mut softgpu("all", "1");
    for precision in [Precision::F32, Precision::Bf16, Precision::F16] {
        // Beyond what the operation must move at least, so many bytes.
        let check = |d: &mut CudaDevice, kind: Kind, more: i64| {
            let owner = Owner::new();
            let operation = example(d, &owner, kind, precision).unwrap();
            let counters = counted(d, |d| d.run(&operation).unwrap());
            let moved: f64 = counters
                .iter()
                .map(|c| 32.0 * (number(c, ["global_loads", "moved"]) + number(c, ["global_stores", "moved"])))
                .sum();
            let bytes = (operation.description().bytes as i64 + more) as f64;
            println!("{precision} {operation}: {:.3} x the bytes it must move", moved / bytes);
            assert!(moved <= 1.05 * bytes, "{precision} {operation}: {moved} bytes for {bytes}: {counters:#?}");
        };
        let shape = PoolShape { n: 4, h: 28, w: 28, c: 64 };
        check(d, Kind::Pool(Pool { shape, backward: false }), 0);
        check(d, Kind::Pool(Pool { shape, backward: true }), 0);
        check(d, Kind::Dropout(Dropout { seed: 1, layer: 0, p: 0.5, len: shape.x_len() }), 0);
        let len = 1 << 20;
        // The copy of the weights counts as read and written, but is only written where no step is left out.
        let copy = if precision.is_half() { -2 * len as i64 } else { 0 };
        let params = AdamParams { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, epsilon_kind: Epsilon::Outer };
        check(d, Kind::Adam(Adam { params, len, average: true }), copy);
        let params = SgdParams { momentum: 0.9, l2: 5e-4 };
        check(d, Kind::Sgd(Sgd { params, decayed: vec![(0, 4096)], len, average: true }), copy);
        if precision.is_half() {
            check(d, Kind::Cast(Cast { len }), 0);
        }
        if precision.scales_gradients() {
            check(d, Kind::Scaling(Scaling { len }), 0);
        }
        // The first layer: x with its borders and the weights for each strip, y; the gradient's partial sums of each
        // strip.
        let s = ConvShape { n: 8, h: 28, w: 28, c: 1, k: 64, kernel: 3 };
        check(d, conv(&s, Pass::Forward { relu: true }), 0);
        // A strip of 14 rows writes its partial sums, and they are read once: 5 % of the whole here, by design.
        let partial = 2 * 2 * s.n * 4 * (s.w_len() + s.k);
        check(d, conv(&s, Pass::BackwardWeight), partial as i64);
    }
}
