//! Errors, warnings and notes: what only looks like a mistake is none, or of a lower rank, and the true one beside it is
//! still found.

use crate::Arg::{Fresh, Number, Zeros};
use crate::{Arg, Device, Kernels, all, caught_on};
use softgpu::{FindingKind, LaunchReport, Options, Rank};

const RANKS: Kernels = Kernels("ranks.cu", include_str!("../kernels/ranks.cu"), include_str!("../kernels/ranks.ptx"));

fn caught(kernel: &str, kind: FindingKind, shape: [u32; 2], args: fn() -> Vec<Arg>) {
    caught_on(RANKS, kernel, kind, shape, args, false);
}

/// Every finding is of that kind, a note, and stands on a marked line; every such line has one, whatever the order of
/// execution.
fn noted(kernel: &str, kind: FindingKind, [grid, block]: [u32; 2], args: fn() -> Vec<Arg>) {
    let lines = RANKS.marked(&format!("NOTE {kernel}"));
    assert!(!lines.is_empty());
    for (seed, threads) in [(0, 1), (0, 2), (1, 1), (2, 2), (3, 2), (12345, 2)] {
        let device = Device::of(RANKS);
        let (params, _) = device.arguments(&args());
        let report = device.run(kernel, grid, block, params.clone(), &all(seed, threads));
        let mut found: Vec<u32> = report.findings.iter().map(|f| f.source.as_ref().map_or(0, |s| s.line)).collect();
        found.sort();
        assert_eq!(found, lines, "seed {seed}: {report:#?}");
        assert!(report.findings.iter().all(|f| (f.kind, f.rank) == (kind, kind.rank())), "seed {seed}: {report:#?}");
        assert!(report.fault.is_none() && report.has(kind.rank()) && !report.has(Rank::Error), "{report:#?}");

        let silent = Options { muted: vec![kind], ..all(seed, threads) };
        let report = device.run(kernel, grid, block, params.clone(), &silent);
        assert!(report.findings.is_empty(), "seed {seed}: {report:#?}");
        let strict = Options { fail_on: kind.rank(), abort_on_finding: true, ..all(seed, threads) };
        let report = device.run(kernel, grid, block, params, &strict);
        assert!(matches!(report.fault, Some(softgpu::Fault::Aborted(_))), "seed {seed}: {report:#?}");
    }
}

/// The results of a kernel that has no finding, the bytes of one of its buffers.
fn clean(kernel: &str, [grid, block]: [u32; 2], args: &[Arg], buffer: usize, bytes: usize) -> Vec<f32> {
    let mut first: Option<Vec<u8>> = None;
    for (seed, threads) in [(0, 1), (0, 2), (1, 2), (2, 2), (12345, 2)] {
        let device = Device::of(RANKS);
        let (params, buffers) = device.arguments(args);
        let report: LaunchReport = device.run(kernel, grid, block, params, &all(seed, threads));
        assert!(report.fault.is_none() && report.findings.is_empty(), "{kernel}, seed {seed}: {report:#?}");
        let mut out = vec![0; bytes];
        device.memory.read(buffers[buffer], &mut out).unwrap();
        assert_eq!(first.get_or_insert(out.clone()), &out, "seed {seed}");
    }
    let words = first.unwrap_or_default();
    words.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

#[test]
fn the_first_read_of_a_loop_of_swaps() {
    caught("swap_read_used", FindingKind::GlobalRace, [9, 32], || vec![Zeros(4), Fresh(9 * 32 * 4)]);
    let sum = clean("swap_read_used_fixed", [9, 32], &[Zeros(4), Fresh(9 * 32 * 4)], 0, 4);
    assert_eq!(sum, [(9 * 32) as f32]);
    let sums = clean("swaps_in_shared", [3, 96], &[Fresh(48), Number(4)], 0, 48);
    assert_eq!(sums, [24.0 + 4560.0; 12]);
}

#[test]
fn a_look_that_saves_a_swap() {
    let device = Device::of(RANKS);
    let (params, buffers) = device.arguments(&[Zeros(4)]);
    let report = device.run("swap_after_a_look", 8, 64, params, &all(3, 1));
    assert!(!report.has(Rank::Error) && report.has(Rank::Note), "{report:#?}");
    assert_eq!(report.findings[0].kind, FindingKind::SwapRead);
    assert_eq!(report.findings[0].source.as_ref().unwrap().line, RANKS.marked("NOTE swap_after_a_look")[0]);
    let mut most = [0; 4];
    device.memory.read(buffers[0], &mut most).unwrap();
    assert_eq!(f32::from_le_bytes(most), 511.0);
}

#[test]
fn threads_that_write_one_word() {
    caught("one_word_of_many", FindingKind::SharedRace, [1, 96], || vec![Fresh(96 * 4)]);
    noted("same_value", FindingKind::SameValue, [1, 96], || vec![Fresh(96 * 4), Number(2)]);
}

#[test]
fn blocks_that_write_one_word() {
    caught("blocks_other_value", FindingKind::GlobalRace, [6, 32], || vec![Fresh(64)]);
    noted("blocks_same_value", FindingKind::SameValue, [17, 64], || vec![Fresh(4), Fresh(4)]);
}

#[test]
fn a_shuffle_between_a_read_and_a_write() {
    noted("shuffle_between", FindingKind::WarpOrder, [1, 32], || vec![Fresh(128)]);
    caught("half_shuffle_between", FindingKind::SharedRace, [1, 32], || vec![Fresh(128)]);
}

#[test]
fn a_fragment_stored_over_what_was_read() {
    noted("fragment_over_reads", FindingKind::WarpOrder, [1, 32], || vec![Fresh(128)]);
}

#[test]
fn members_that_have_exited() {
    caught("shuffle_with_exited", FindingKind::MissingParticipant, [1, 32], || vec![Fresh(80)]);
    let device = Device::of(RANKS);
    let (params, buffers) = device.arguments(&[Fresh(80)]);
    let report = device.run("shuffle_with_exited", 1, 32, params, &all(0, 1));
    assert!(report.findings.iter().all(|f| !f.message.contains("0x00000000")), "{report:#?}");
    let mut out = vec![0; 80];
    device.memory.read(buffers[0], &mut out).unwrap();
    let out: Vec<u32> = out.chunks_exact(4).map(|b| u32::from_le_bytes(b.try_into().unwrap())).collect();
    // lanes whose source has exited get a pattern that no sum hides
    assert_eq!(out[..16], (4..20).collect::<Vec<u32>>());
    assert_eq!(out[16..], [0x7fba_dbad; 4]);
}
