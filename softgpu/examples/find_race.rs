//! A kernel without a barrier between writing and reading shared memory: the race is found at its line, for every order
//! of warps; with the barrier nothing is found.
//!
//! `cargo run --release --example find_race`

use softgpu::{Finding, FindingKind, LaunchConfig, Memory, Module, Options, Profile, launch};

const PTX: &str = include_str!("kernels.ptx");

fn main() {
    for seed in 0..4 {
        let findings = run("reverse_race", seed);
        let race = findings.first().expect("the race is found");
        let line = race.source.as_ref().expect("compiled with -lineinfo").line;
        println!("seed {seed}: {:?} at kernels.cu:{line}: {}", race.kind, race.message);
        assert!(findings.iter().all(|f| f.kind == FindingKind::SharedRace));
        assert!(run("reverse", seed).is_empty());
    }
}

/// What the race check finds in a launch of one block of 64 threads. The seed draws the order of warps and lanes.
fn run(kernel: &str, seed: u64) -> Vec<Finding> {
    let profile = Profile::default();
    let memory = Memory::new(1 << 20);
    let module = Module::load(PTX, &profile, &memory).expect("known instructions");
    let values = memory.alloc(64 * 4, "values").expect("room");
    memory.set(values, &1f32.to_le_bytes(), 64).expect("just allocated");
    let params = values.to_le_bytes().to_vec();
    let config = LaunchConfig { grid: [1, 1, 1], block: [64, 1, 1], dynamic_shared: 0, params };
    let options = Options { race: true, seed, ..Options::default() };
    launch(&module, kernel, &config, &memory, &profile, &options, &mut |_| {}).findings
}

#[test]
fn runs() {
    main();
}
