//! The same seed gives the same run, whatever the number of host threads.

use softgpu::{LaunchConfig, LaunchReport, Memory, Module, Options, Profile, launch};

const PTX: &str = include_str!("../kernels/planted.ptx");
const BLOCKS: u32 = 24;
const THREADS: u32 = 96;

fn tickets(seed: u64, threads: usize) -> (Vec<u8>, LaunchReport) {
    let memory = Memory::new(16 << 20);
    let profile = Profile::named("sm_86").unwrap();
    let module = Module::load(PTX, &profile, &memory).unwrap_or_else(|e| panic!("{e}"));
    let bytes = u64::from(4 * BLOCKS * THREADS);
    let out = memory.alloc(bytes, "out").unwrap();
    let config = LaunchConfig {
        grid: [BLOCKS, 1, 1],
        block: [THREADS, 1, 1],
        dynamic_shared: 0,
        params: out.to_le_bytes().to_vec(),
    };
    let opts = Options { seed, threads, ..super::support::all() };
    let report = launch(&module, "tickets", &config, &memory, &profile, &opts, &mut |_| {});
    let mut out_bytes = vec![0; bytes as usize];
    memory.read(out, &mut out_bytes).unwrap();
    (out_bytes, report)
}

#[test]
fn the_number_of_host_threads_changes_nothing() {
    let mut different = 0;
    let plain = tickets(0, 1).0;
    for seed in [0, 1, 2, 3, 77] {
        let (one, report) = tickets(seed, 1);
        assert!(report.fault.is_none() && report.findings.is_empty(), "{report:#?}");
        different += u32::from(one != plain);
        for _ in 0..3 {
            let (two, other) = tickets(seed, 2);
            assert!(one == two, "seed {seed}: other results with two host threads");
            assert_eq!(report.counters, other.counters, "seed {seed}");
        }
    }
    assert!(different >= 3, "seeds draw no different order");
}

#[test]
fn launches_draw_their_own_order() {
    let memory = Memory::new(16 << 20);
    let profile = Profile::named("sm_86").unwrap();
    let module = Module::load(PTX, &profile, &memory).unwrap_or_else(|e| panic!("{e}"));
    let bytes = u64::from(4 * THREADS);
    let out = memory.alloc(bytes, "out").unwrap();
    let config =
        LaunchConfig { grid: [1, 1, 1], block: [THREADS, 1, 1], dynamic_shared: 0, params: out.to_le_bytes().to_vec() };
    let opts = Options { seed: 5, ..Options::default() };
    let results: std::collections::HashSet<Vec<u8>> = (0..4)
        .map(|_| {
            launch(&module, "tickets", &config, &memory, &profile, &opts, &mut |_| {});
            let mut now = vec![0; bytes as usize];
            memory.read(out, &mut now).unwrap();
            now
        })
        .collect();
    assert!(results.len() > 1);
}
