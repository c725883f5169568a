//! Mistakes planted on purpose are found and their place is named; their corrected twins are clean.

mod ranks;

use softgpu::{Finding, FindingKind, LaunchConfig, LaunchReport, Memory, Module, Options, Profile, launch};

/// A file of kernels: its name, its text, its PTX.
#[derive(Clone, Copy)]
struct Kernels(&'static str, &'static str, &'static str);

const PLANTED: Kernels =
    Kernels("planted.cu", include_str!("../kernels/planted.cu"), include_str!("../kernels/planted.ptx"));

/// An argument: a buffer of that many bytes, filled with zeros or left alone, or a number.
enum Arg {
    Zeros(u64),
    Fresh(u64),
    Half(u64),
    Number(i32),
}
use Arg::*;

struct Device {
    memory: Memory,
    module: Module,
    profile: Profile,
}

impl Device {
    fn new() -> Device {
        Device::of(PLANTED)
    }

    fn of(kernels: Kernels) -> Device {
        let memory = Memory::new(64 << 20);
        let profile = Profile::named("sm_86").unwrap();
        let module = Module::load(kernels.2, &profile, &memory).unwrap_or_else(|e| panic!("{e}"));
        Device { memory, module, profile }
    }

    fn arguments(&self, args: &[Arg]) -> (Vec<u8>, Vec<u64>) {
        let (mut params, mut buffers) = (Vec::new(), Vec::new());
        for (n, arg) in args.iter().enumerate() {
            let size = match arg {
                Number(v) => {
                    params.extend(v.to_le_bytes());
                    continue;
                }
                Zeros(size) | Fresh(size) | Half(size) => *size,
            };
            let at = self.memory.alloc(size, &format!("argument {n}")).unwrap();
            match arg {
                Zeros(size) => self.memory.set(at, &[0], *size).unwrap(),
                Half(size) => self.memory.set(at, &[0], *size / 2).unwrap(),
                _ => {}
            }
            params.resize(params.len().next_multiple_of(8), 0);
            params.extend(at.to_le_bytes());
            buffers.push(at);
        }
        (params, buffers)
    }

    fn run(&self, kernel: &str, grid: u32, block: u32, params: Vec<u8>, opts: &Options) -> LaunchReport {
        let cfg = LaunchConfig { grid: [grid, 1, 1], block: [block, 1, 1], dynamic_shared: 0, params };
        launch(&self.module, kernel, &cfg, &self.memory, &self.profile, opts, &mut |_| {})
    }
}

fn all(seed: u64, threads: usize) -> Options {
    Options { mem: true, init: true, race: true, sync: true, seed, threads, ..Options::default() }
}

impl Kernels {
    /// The lines whose comment is a mark.
    fn marked(self, mark: &str) -> Vec<u32> {
        let mark = format!("// {mark}");
        let lines = self.1.lines().zip(1..).filter(|(line, _)| line.trim_end().ends_with(&mark));
        lines.map(|(_, number)| number).collect()
    }
}

/// The line of planted.cu whose comment is a mark.
fn marked(mark: &str) -> Option<u32> {
    PLANTED.marked(mark).first().copied()
}

/// The kernel's marked line has a finding of that kind, whatever the order of execution, and nothing else is
/// found but at the other side of the hazard; the kernel's twin has no finding.
fn caught(kernel: &str, kind: FindingKind, grid: u32, block: u32, args: fn() -> Vec<Arg>) {
    caught_on(PLANTED, kernel, kind, [grid, block], args, false);
}

/// The same where the two sides of the hazard are different threads: whichever comes second is named.
fn caught_on_either_side(kernel: &str, kind: FindingKind, grid: u32, block: u32, args: fn() -> Vec<Arg>) {
    caught_on(PLANTED, kernel, kind, [grid, block], args, true);
}

fn caught_on(
    kernels: Kernels,
    kernel: &str,
    kind: FindingKind,
    [grid, block]: [u32; 2],
    args: fn() -> Vec<Arg>,
    either: bool,
) {
    let bug = kernels.marked(&format!("BUG {kernel}"))[0];
    let also = kernels.marked(&format!("ALSO {kernel}")).first().copied();
    for (seed, threads) in [(0, 1), (0, 2), (1, 1), (2, 2), (12345, 2)] {
        let device = Device::of(kernels);
        let (params, _) = device.arguments(&args());
        let report = device.run(kernel, grid, block, params, &all(seed, threads));
        let line = |f: &Finding| f.source.as_ref().map(|s| (s.file.clone(), s.line));
        let at = |n: u32| Some((kernels.0.to_string(), n));
        let hit = report.findings.iter().find(|f| {
            let other = either && also.is_some_and(|n| line(f) == at(n));
            f.kind == kind && (line(f) == at(bug) || other)
        });
        let hit = hit.unwrap_or_else(|| panic!("seed {seed}: no {kind:?} at line {bug}: {report:#?}"));
        assert_eq!(hit.kernel, kernel);
        assert!(hit.count >= 1 && hit.ptx_line > 0 && !hit.message.is_empty());
        for f in &report.findings {
            let known = line(f) == at(bug) || also.is_some_and(|n| line(f) == at(n));
            // blocks that lose each other's updates may write the same value besides
            let named = f.kind == kind || f.rank == softgpu::Rank::Note || also.is_some();
            assert!(known && named, "seed {seed}: {report:#?}");
        }

        let twin = format!("{kernel}_fixed");
        let (params, _) = device.arguments(&args());
        let report = device.run(&twin, grid, block, params, &all(seed, threads));
        assert!(report.fault.is_none() && report.findings.is_empty(), "{twin}, seed {seed}: {report:#?}");
    }
}

#[test]
fn out_of_bounds_by_one() {
    caught("out_of_bounds", FindingKind::OutOfBounds, 2, 64, || vec![Fresh(400), Number(100)]);
    let device = Device::new();
    let (params, buffers) = device.arguments(&[Fresh(400), Number(100)]);
    let report = device.run("out_of_bounds", 2, 64, params, &all(0, 1));
    let f = &report.findings[0];
    assert_eq!((f.block, f.thread, f.address), ([1, 0, 0], [36, 0, 0], buffers[0] + 400));
    assert_eq!((f.space, f.bytes, f.count), ("global", 4, 1));
    assert!(f.allocation.contains("0 bytes past the end of argument 0"), "{}", f.allocation);
}

#[test]
fn misaligned_vector_access() {
    caught("misaligned", FindingKind::Misaligned, 1, 16, || vec![Zeros(512), Fresh(512)]);
}

#[test]
fn uninitialised_shared_read() {
    caught("uninitialised_shared", FindingKind::Uninitialised, 1, 64, || vec![Fresh(256)]);
}

#[test]
fn uninitialised_global_read() {
    caught("uninitialised_global", FindingKind::Uninitialised, 1, 32, || vec![Half(256), Fresh(128)]);
}

#[test]
fn uninitialised_local_read() {
    caught("uninitialised_local", FindingKind::Uninitialised, 1, 32, || vec![Fresh(128), Number(5)]);
}

#[test]
fn missing_barrier_between_write_and_read() {
    caught("missing_barrier_write_read", FindingKind::SharedRace, 1, 64, || vec![Fresh(256)]);
}

#[test]
fn missing_barrier_between_read_and_write() {
    caught("missing_barrier_read_write", FindingKind::SharedRace, 1, 64, || vec![Fresh(256)]);
}

#[test]
fn missing_syncwarp() {
    caught("missing_syncwarp", FindingKind::SharedRace, 1, 32, || vec![Fresh(128)]);
}

#[test]
fn missing_wait_for_an_asynchronous_copy() {
    caught("missing_copy_wait", FindingKind::AsyncCopyHazard, 1, 64, || vec![Zeros(1024), Fresh(1024)]);
}

#[test]
fn divergent_barrier() {
    caught("divergent_barrier", FindingKind::DivergentBarrier, 1, 64, || vec![Zeros(256)]);
}

#[test]
fn missing_participant_of_a_shuffle() {
    caught("missing_participant", FindingKind::MissingParticipant, 1, 32, || vec![Fresh(128)]);
}

#[test]
fn two_blocks_write_one_word() {
    caught("two_blocks_one_word", FindingKind::GlobalRace, 8, 32, || vec![Fresh(64)]);
}

#[test]
fn last_block_reduces() {
    caught("missing_fence", FindingKind::GlobalRace, 16, 64, || vec![Fresh(64), Zeros(4), Fresh(4)]);
}

#[test]
fn two_blocks_write_one_byte() {
    caught("two_blocks_one_byte", FindingKind::GlobalRace, 6, 32, || vec![Fresh(64)]);
}

#[test]
fn two_blocks_add_to_16_bits() {
    caught("two_blocks_one_half", FindingKind::GlobalRace, 6, 32, || vec![Zeros(64)]);
}

#[test]
fn all_blocks_read_a_byte_that_one_writes() {
    caught_on_either_side("all_read_one_byte", FindingKind::GlobalRace, 9, 32, || vec![Zeros(64)]);
}

#[test]
fn one_reader_of_several_is_not_waited_for() {
    caught_on_either_side("reader_without_release", FindingKind::GlobalRace, 9, 32, || {
        vec![Zeros(4), Zeros(4), Fresh(64)]
    });
}

/// Blocks that read a word for the first time at once, on two host threads, must not lose each other's mark: for each
/// word, the read that nobody waited for meets the write, whichever comes second.
#[test]
fn readers_that_come_at_once_are_all_remembered() {
    let device = Device::new();
    let (params, buffers) = device.arguments(&[Zeros(4 * 4096), Zeros(4), Fresh(4 * 64), Zeros(4)]);
    for seed in 0..100 {
        [1, 3].iter().for_each(|&at| device.memory.set(buffers[at], &[0], 4).unwrap());
        let report = device.run("many_readers", 2, 32, params.clone(), &all(seed, 2));
        let races = report.findings.iter().filter(|f| f.kind == FindingKind::GlobalRace);
        let met: u64 = races.map(|f| f.count).sum();
        assert!(met >= 4096, "seed {seed}: {met} of 4096 words: {report:#?}");
    }
}

#[test]
fn missing_wait_for_an_mbarrier() {
    caught_on_either_side("missing_mbarrier_wait", FindingKind::SharedRace, 1, 64, || vec![Fresh(256)]);
}

#[test]
fn arrival_before_the_last_read() {
    caught_on_either_side("mbarrier_arrive_too_early", FindingKind::SharedRace, 1, 64, || vec![Zeros(128), Fresh(256)]);
}

#[test]
fn missing_wait_for_a_copy_that_arrives_at_an_mbarrier() {
    caught("missing_mbarrier_copy_wait", FindingKind::AsyncCopyHazard, 1, 64, || vec![Zeros(256), Fresh(256)]);
}

#[test]
fn an_mbarrier_before_its_init() {
    let line = marked("BUG mbarrier_used_before_init");
    for (seed, threads) in [(0, 1), (1, 1), (2, 2), (12345, 2)] {
        let device = Device::new();
        let (params, _) = device.arguments(&[Fresh(256)]);
        let report = device.run("mbarrier_used_before_init", 1, 64, params, &all(seed, threads));
        let hit = report.findings.iter().any(|f| {
            matches!(f.kind, FindingKind::SharedRace | FindingKind::BarrierMisuse)
                && f.source.as_ref().map(|s| s.line) == line
        });
        assert!(hit, "seed {seed}: {report:#?}");
        let (params, _) = device.arguments(&[Fresh(256)]);
        let report = device.run("mbarrier_used_before_init_fixed", 1, 64, params, &all(seed, threads));
        assert!(report.fault.is_none() && report.findings.is_empty(), "{report:#?}");
    }
}

/// Producer and consumers over two buffers, with copies that arrive by themselves; and a barrier by tokens.
#[test]
fn pipelines_over_mbarriers_are_right_and_clean() {
    const TILES: usize = 9;
    const BLOCKS: usize = 3;
    let input: Vec<f32> = (0..BLOCKS * TILES * 32).map(|n| (n * n % 1009) as f32).collect();
    let bytes: Vec<u8> = input.iter().flat_map(|v| v.to_le_bytes()).collect();
    for (seed, threads) in [(0, 1), (0, 2), (1, 1), (2, 2), (3, 1), (4, 2), (12345, 2)] {
        let device = Device::new();
        let args = [Fresh(bytes.len() as u64), Fresh(2 * bytes.len() as u64), Number(TILES as i32)];
        let (params, buffers) = device.arguments(&args);
        device.memory.write(buffers[0], &bytes).unwrap();
        for opts in [all(seed, threads), Options { seed, threads, ..Options::default() }] {
            let report = device.run("pipeline", BLOCKS as u32, 96, params.clone(), &opts);
            assert!(report.fault.is_none() && report.findings.is_empty(), "seed {seed}: {report:#?}");
            let mut out = vec![0; 2 * bytes.len()];
            device.memory.read(buffers[1], &mut out).unwrap();
            for (n, v) in out.chunks_exact(4).enumerate() {
                let (block, tile, lane) = (n / (2 * TILES * 32), n / 32 % TILES, n % 32);
                let row = &input[(block * TILES + tile) * 32..][..32];
                let got = f32::from_le_bytes(v.try_into().unwrap());
                assert_eq!(got, row[lane] + row[31 - lane], "seed {seed}, element {n}");
            }
        }

        let (params, buffers) = device.arguments(&[Fresh(96 * 4)]);
        let report = device.run("token_barrier", 1, 96, params, &all(seed, threads));
        assert!(report.fault.is_none() && report.findings.is_empty(), "seed {seed}: {report:#?}");
        let mut out = vec![0; 96 * 4];
        device.memory.read(buffers[0], &mut out).unwrap();
        for (n, v) in out.chunks_exact(4).enumerate() {
            let got = f32::from_le_bytes(v.try_into().unwrap());
            assert_eq!(got, (5 * (95 - n) + 1000) as f32);
        }
    }
}

#[test]
fn an_mbarrier_that_is_never_full_is_reported() {
    let device = Device::new();
    let (params, _) = device.arguments(&[Fresh(256)]);
    let report = device.run("mbarrier_never_full", 1, 64, params, &all(0, 1));
    let text = report.fault.expect("a fault").to_string();
    assert!(text.contains("no thread changes anything"), "{text}");
}

#[test]
fn use_after_free() {
    let device = Device::new();
    let (params, buffers) = device.arguments(&[Zeros(128), Fresh(128)]);
    let report = device.run("use_after_free", 1, 32, params.clone(), &all(0, 1));
    assert!(report.findings.is_empty(), "{report:#?}");
    device.memory.free(buffers[0]).unwrap();
    let report = device.run("use_after_free", 1, 32, params, &all(0, 1));
    assert_eq!(report.findings.len(), 1, "{report:#?}");
    assert_eq!(report.findings[0].kind, FindingKind::UseAfterFree);
    assert_eq!(report.findings[0].source.as_ref().unwrap().line, marked("BUG use_after_free").unwrap());
    assert_eq!(report.findings[0].count, 32);
}

#[test]
fn blocks_that_wait_for_each_other_are_resident_together() {
    for (seed, threads) in [(0, 1), (0, 2), (7, 1), (8, 2)] {
        let device = Device::new();
        let args = [Zeros(4), Fresh(20 * 32 * 4), Fresh(20 * 32 * 4)];
        let (params, buffers) = device.arguments(&args);
        let report = device.run("grid_barrier", 20, 32, params, &all(seed, threads));
        assert!(report.fault.is_none() && report.findings.is_empty(), "seed {seed}: {report:#?}");
        let mut out = vec![0; 20 * 32 * 4];
        device.memory.read(buffers[2], &mut out).unwrap();
        for (n, v) in out.chunks(4).enumerate() {
            let want = ((n / 32 + 1) % 20) as f32;
            assert_eq!(f32::from_le_bytes(v.try_into().unwrap()), want, "element {n}");
        }
    }
}

#[test]
fn a_barrier_over_the_grid_is_left_out_once() {
    caught("missing_grid_barrier", FindingKind::GlobalRace, 6, 64, || vec![Fresh(6 * 64 * 4), Fresh(6 * 64 * 4)]);
}

#[test]
fn a_wait_that_never_ends_is_reported() {
    let device = Device::new();
    let (params, _) = device.arguments(&[Zeros(4)]);
    let report = device.run("never_set", 1, 32, params, &Options::default());
    let text = report.fault.expect("a fault").to_string();
    assert!(text.contains("no progress"), "{text}");
}

#[test]
fn lanes_of_a_warp_may_wait_for_each_other() {
    for seed in [0, 3] {
        let device = Device::new();
        let (params, buffers) = device.arguments(&[Zeros(4), Zeros(4)]);
        let report = device.run("lock_in_warp", 2, 64, params, &Options { seed, ..Options::default() });
        assert!(report.fault.is_none(), "{report:#?}");
        let mut sum = [0; 4];
        device.memory.read(buffers[1], &mut sum).unwrap();
        assert_eq!(u32::from_le_bytes(sum), 128);
    }
}

#[test]
fn findings_can_end_the_launch() {
    let device = Device::new();
    let (params, _) = device.arguments(&[Fresh(400), Number(100)]);
    let opts = Options { abort_on_finding: true, ..all(0, 1) };
    let report = device.run("out_of_bounds", 2, 64, params, &opts);
    assert!(matches!(report.fault, Some(softgpu::Fault::Aborted(_))), "{report:#?}");
}
