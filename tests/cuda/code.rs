//! The kernels as machine code, for every architecture: what they need, and what their main loops consist of.

use crate::common::nvrtc;
use softgpu::nvrtc::Nvrtc;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use warp19::cuda::nvrtc::{self, Target};
use warp19::cuda::plan;
use warp19::cuda::report::{self, Compiled};
use warp19::cuda::sass::{self, Mix};
use warp19::cuda::units::{Unit, UnitKind, tiles};
use warp19::device::Precision;

fn load(major: &str) -> Nvrtc {
    let file = nvrtc(major).join(format!("libnvrtc.so.{major}"));
    // SAFETY: NVRTC, as it was fetched.
    unsafe { Nvrtc::load(&file) }.unwrap()
}

/// A unit as machine code, compiled once for all tests here.
fn compiled(nvrtc: &Nvrtc, sm: u32, unit: Unit) -> Arc<Compiled> {
    type Slot = Arc<OnceLock<Arc<Compiled>>>;
    static DONE: Mutex<BTreeMap<(i32, u32, String), Slot>> = Mutex::new(BTreeMap::new());
    let slot = DONE.lock().unwrap().entry((nvrtc.version.0, sm, unit.name())).or_default().clone();
    slot.get_or_init(|| Arc::new(report::compile(nvrtc, sm, unit).unwrap())).clone()
}

/// Registers and shared memory of a multiprocessor's block on every architecture here.
const REGISTERS: u32 = 65_536;
const SHARED: u32 = 48 << 10;

fn compiles_without_spills(major: &str, architectures: &[u32], chosen: impl Fn(u32, Unit) -> bool) {
    let nvrtc = load(major);
    for &sm in architectures {
        for unit in Unit::all(sm).into_iter().filter(|&unit| chosen(sm, unit)) {
            let compiled = compiled(&nvrtc, sm, unit);
            let mut names: Vec<&str> = compiled.usage.iter().map(|u| u.kernel.as_str()).collect();
            let kernels = unit.kernels();
            let mut listed: Vec<&str> = kernels.iter().map(|k| k.symbol.as_str()).collect();
            names.sort_unstable();
            listed.sort_unstable();
            assert_eq!(names, listed, "kernels of {}", unit.name());
            for u in &compiled.usage {
                let what = format!("{} {} on sm_{sm}: {u:?}", unit.name(), u.kernel);
                assert_eq!((u.spill_stores, u.spill_loads, u.stack), (0, 0, 0), "{what}");
                assert!(u.registers > 0 && u.shared <= SHARED, "{what}");
                let threads = kernels.iter().find(|k| k.symbol == u.kernel).unwrap().threads as u32;
                assert!(u.registers.next_multiple_of(8) * threads <= REGISTERS, "{what}");
            }
        }
    }
}

/// All but the products by tensor cores, of which there are many.
fn common(unit: Unit) -> bool {
    !matches!(unit.kind, UnitKind::Gemm(_) | UnitKind::Conv(_)) || unit.precision == Precision::F32
}

/// The GTX 1080, which NVRTC 13 does not know.
#[test]
fn a_gtx_1080_needs_no_spills() {
    compiles_without_spills("12", &[61], |_, _| true);
}

#[test]
fn an_ampere_needs_no_spills() {
    compiles_without_spills("13", &[86], |_, unit| common(unit));
}

/// The kernels with the most registers, by the first and the last architectures that the compiler knows.
#[test]
fn the_widest_kernels_need_no_spills() {
    compiles_without_spills("13", &[75, 90, 120], |_, unit| {
        let widest = matches!(unit.kind, UnitKind::Gemm(0) | UnitKind::Conv(0) | UnitKind::ConvWinograd);
        widest && unit.precision == Precision::F32
    });
}

#[test]
#[ignore = "every kernel of those above on every architecture; scripts/test.sh --all runs it"]
fn every_architecture_needs_no_spills() {
    compiles_without_spills("13", &[75, 80, 86, 89, 90, 100, 120], |_, unit| common(unit));
}

/// Tensor cores: the widest tile, which takes the most registers, in a precision of each kind.
#[test]
fn tensor_cores_need_no_spills() {
    compiles_without_spills("13", &[75, 86, 120], |sm, unit| {
        let precision = match sm {
            75 => Precision::F16,
            86 => Precision::Bf16,
            _ => Precision::Tf32x3,
        };
        unit.precision == precision && matches!(unit.kind, UnitKind::Gemm(0) | UnitKind::Conv(0))
    });
}

#[test]
#[ignore = "every tile of tensor cores; scripts/test.sh --all runs it"]
fn every_tile_of_tensor_cores_needs_no_spills() {
    compiles_without_spills("13", &[75, 80, 86, 89, 90, 100, 120], |_, unit| !common(unit));
}

#[test]
#[ignore = "the architectures above by the older compiler too; scripts/test.sh --all runs it"]
fn the_older_nvrtc_needs_no_spills() {
    compiles_without_spills("12", &[75, 80, 86, 89, 90, 100, 120], |_, _| true);
}

/// The registers that softgpu counts in the PTX, where ptxas can't be asked, beside those ptxas gives: a launch that a
/// card takes must not be refused for them. In float32 ptxas gives at most 4 fewer. Where numbers of 16 bits are packed
/// it finds an order with up to 7 fewer, which leaves every block room; for tensor cores' kernels one with up to 17
/// fewer, and `tests/tensor` launches them.
#[test]
fn softgpu_counts_registers_from_below() {
    for (major, sm) in [("12", 61), ("13", 86)] {
        let nvrtc = load(major);
        let profile = softgpu::Profile::named(&format!("sm_{sm}")).unwrap();
        let (mut over, mut ratio) = (0, 0.0f64);
        for unit in Unit::all(sm).into_iter().filter(|&unit| common(unit)) {
            let target = Target::Ptx(sm);
            let ptx = nvrtc::compile(&nvrtc, unit.file(), target, &unit.options()).unwrap();
            let text = String::from_utf8(ptx.code).unwrap();
            let memory = softgpu::Memory::new(1 << 20);
            let module = softgpu::Module::load(&text, &profile, &memory).unwrap();
            for u in &compiled(&nvrtc, sm, unit).usage {
                let counted = module.kernel(&u.kernel).unwrap().registers.count;
                if unit.precision == Precision::F32 {
                    over = over.max(counted.saturating_sub(u.registers));
                }
                let threads = unit.kernels().iter().find(|k| k.symbol == u.kernel).unwrap().threads as u32;
                assert!(counted.next_multiple_of(8) * threads <= REGISTERS, "{}: {counted} registers", u.kernel);
                ratio = ratio.max(f64::from(u.registers) / f64::from(counted));
            }
        }
        println!("sm_{sm}: ptxas gives at most {over} fewer, and {ratio:.2} times as many");
        assert!(over <= 4 && ratio <= 3.0, "{over} {ratio}");
    }
}

fn tool() -> PathBuf {
    sass::nvdisasm().unwrap().expect("nvdisasm: run scripts/fetch_nvrtc.sh, or name it in WARP19_NVDISASM")
}

/// A kernel's name in the code of a unit.
fn symbol(unit: Unit, kernel: &str) -> String {
    unit.kernels().into_iter().find(|k| k.name == kernel).unwrap().symbol
}

fn mixes(nvrtc: &Nvrtc, sm: u32, unit: Unit) -> BTreeMap<String, Mix> {
    let compiled = compiled(nvrtc, sm, unit);
    let mixes = sass::disassemble(&tool(), &compiled.cubin).unwrap();
    mixes.into_iter().map(|m| (m.kernel.clone(), m)).collect()
}

/// In the widest tile at least 89 % of the main loop's instructions are multiply-adds in products and 84 % in
/// convolutions, 83 % in the next tile's; one instruction is issued a cycle, so that is the share of the peak that can
/// be reached. The next tile is read between them: where all reads stood together, 91 % were multiply-adds, and a
/// cycle-level simulator took 7 to 9 % more cycles for the loop.
#[test]
fn main_loops_are_multiply_adds() {
    let nvrtc = load("13");
    for sm in [86, 90] {
        for (kind, kernels, least) in [
            (UnitKind::Gemm(0), ["gemm_nn", "gemm_nt", "gemm_tn"], 0.89),
            (UnitKind::Conv(0), ["conv_forward", "conv_backward_data", "conv_backward_weight"], 0.84),
            (UnitKind::Conv(1), ["conv_forward", "conv_backward_data", "conv_backward_weight"], 0.83),
        ] {
            let unit = kind.at(Precision::F32);
            let found = mixes(&nvrtc, sm, unit);
            for kernel in kernels {
                let m = &found[&symbol(unit, kernel)];
                println!("sm_{sm} {} {kernel}: {:.1} %", unit.name(), 100.0 * m.multiply_add_share());
                assert!(m.multiply_add_share() >= least, "sm_{sm} {} {m:?}", unit.name());
                // All of the tile's multiply-adds are in the loop, once.
                let (UnitKind::Gemm(t) | UnitKind::Conv(t)) = kind else { unreachable!() };
                let tile = tiles(Precision::F32)[t];
                let all = 16 * tile.thread_m * tile.thread_n;
                assert_eq!(m.main_loop["FFMA"], all, "{m:?}");
                let apart = m.reads_after.windows(2).all(|two| two[1] - two[0] >= all / 16);
                assert!(t > 0 || m.reads_after.len() >= 4 && apart, "reads in a bunch: {m:?}");
                assert!(!m.main_loop.contains_key("LDL") && !m.main_loop.contains_key("STL"), "{m:?}");
            }
        }
    }
}

/// Tensor cores: of the instructions of the widest tile's main loop so many are mma, in 16 bits at least 36 % (cuBLAS
/// 13's 128x64x64 has 37 %); tf32 takes two instructions to round each factor, tf32x3 an addition too for each number
/// of a step's sum. All of the tile's mma are in the loop, once, and ldmatrix reads 16x16 at once.
#[test]
fn main_loops_of_tensor_cores_are_mma() {
    let nvrtc = load("13");
    let products = ["gemm_nn", "gemm_nt", "gemm_tn"];
    let convolutions = ["conv_forward", "conv_backward_data", "conv_backward_weight"];
    for (kind, kernels, precision, least) in [
        (UnitKind::Gemm(0), products, Precision::Bf16, 0.36),
        (UnitKind::Conv(0), convolutions, Precision::Bf16, 0.36),
        (UnitKind::Gemm(0), products, Precision::Tf32, 0.14),
        (UnitKind::Gemm(0), products, Precision::Tf32x3, 0.14),
    ] {
        let unit = kind.at(precision);
        let tile = tiles(precision)[0];
        let found = mixes(&nvrtc, 86, unit);
        for kernel in kernels {
            let m = &found[&symbol(unit, kernel)];
            println!("{} {kernel}: {:.1} % of {}", unit.name(), 100.0 * m.multiply_add_share(), m.loop_instructions());
            assert!(m.multiply_add_share() >= least, "{} {m:?}", unit.name());
            let (deep, times) = match precision {
                Precision::Tf32 => (8, 1),
                Precision::Tf32x3 => (8, 3),
                _ => (16, 1),
            };
            // A warp has 8 thread_m x 4 thread_n, an mma 16 x 8.
            let mma = tile.thread_m / 2 * (tile.thread_n / 2) * (tile.k / deep) * times;
            assert_eq!(m.main_loop["HMMA"], mma, "{m:?}");
            if precision.is_half() {
                assert_eq!(m.main_loop["LDSM"], (tile.thread_m / 2 + tile.thread_n / 4) * 2, "{m:?}");
            }
            assert!(!m.main_loop.contains_key("LDL") && !m.main_loop.contains_key("STL"), "{m:?}");
        }
    }
}

/// Winograd's main loop: 2 x 64 multiply-adds for each of 8 channels, and the transforms of a patch and two filters. It
/// needs 2.25 times fewer multiply-adds, so that it pays from a share of 40 % on; this is what it was when it was
/// written, less one.
#[test]
fn winograd_is_mostly_multiply_adds() {
    let nvrtc = load("13");
    for sm in [86, 90] {
        let found = mixes(&nvrtc, sm, UnitKind::ConvWinograd.at(Precision::F32));
        assert_eq!(found.len(), 2);
        for (kernel, m) in &found {
            println!("sm_{sm} {kernel}: {:.1} %", 100.0 * m.multiply_add_share());
            assert!(m.multiply_add_share() >= 0.70 && m.main_loop["FFMA"] >= 1024, "{m:?}");
            // 2 points x 4 for each of 8 channels.
            assert!(m.main_loop["LDS"] <= 66, "{m:?}");
            assert!(!m.main_loop.contains_key("LDL") && !m.main_loop.contains_key("STL"), "{m:?}");
        }
    }
}

/// The plan's count of registers and shared memory (`cuda::plan::footprint`) is the most that ptxas gives on any
/// architecture, or a little more.
fn footprints_are_true(major: &str, architectures: &[u32], chosen: impl Fn(u32, Unit) -> bool) {
    let nvrtc = load(major);
    let mut wrong = Vec::new();
    for &sm in architectures {
        for unit in Unit::all(sm).into_iter().filter(|&unit| chosen(sm, unit)) {
            let tile = match unit.kind {
                UnitKind::Gemm(tile @ 0..3) | UnitKind::Conv(tile @ 0..3) => Some(tile),
                UnitKind::ConvWinograd => None,
                _ => continue,
            };
            let compiled = compiled(&nvrtc, sm, unit);
            for kernel in unit.kernels() {
                let counted =
                    tile.map_or(plan::WINOGRAD, |tile| plan::footprint(kernel.name, tile, unit.precision, sm));
                let used = compiled.usage.iter().find(|u| u.kernel == kernel.symbol).unwrap();
                let what = format!("{} on sm_{sm}: {used:?}, counted {counted:?}", kernel.symbol);
                assert_eq!(counted.threads as usize, kernel.threads, "{what}");
                let registers = used.registers <= counted.registers && 2 * used.registers > counted.registers;
                // Before sm_80 two tiles are there, filled through registers.
                let shared = if sm < 80 { used.shared <= counted.shared } else { used.shared == counted.shared };
                if !(registers && shared) {
                    wrong.push(what);
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_plan_counts_registers_and_shared_memory_as_ptxas_does() {
    footprints_are_true("12", &[61], |_, unit| unit.precision == Precision::F32);
    footprints_are_true("13", &[86], |_, unit| match unit.kind {
        UnitKind::Gemm(0) => matches!(unit.precision, Precision::F32 | Precision::Bf16 | Precision::Tf32x3),
        _ => unit.precision == Precision::F32,
    });
}

#[test]
#[ignore = "every precision on every architecture, beside some above; scripts/test.sh --all runs it"]
fn the_plan_counts_registers_and_shared_memory_as_ptxas_does_everywhere() {
    footprints_are_true("13", &[75, 80, 86, 89, 90, 100, 120], |_, _| true);
}
