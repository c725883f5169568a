//! Runs a kernel with all checks and prints what was found: nothing, and then a write behind the end.
//!
//! `cargo run --release --example run_kernel`

use softgpu::{LaunchConfig, LaunchReport, Memory, Module, Options, Profile, launch};

const PTX: &str = include_str!("kernels.ptx");
const N: usize = 1000;

fn main() {
    let profile = Profile::named("sm_86").expect("a known device");
    let memory = Memory::new(1 << 20);
    let module = Module::load(PTX, &profile, &memory).expect("softgpu knows every instruction in it");
    let x = upload(&memory, "x", &(0..N).map(|i| i as f32).collect::<Vec<f32>>());
    let y = upload(&memory, "y", &[1.0; N]);

    // One launch with the right n, and one with an n that is larger than the buffers.
    for n in [N as i32, N as i32 + 4] {
        let report = saxpy(&module, &memory, &profile, x, y, n);
        println!("n = {n}: {} findings", report.findings.len());
        for finding in &report.findings {
            let line = finding.source.as_ref().map_or(0, |source| source.line);
            println!("  {:?} at kernels.cu:{line}: {}", finding.kind, finding.message);
        }
        assert_eq!(report.findings.is_empty(), n == N as i32);
    }
}

/// One launch of y = 2 x + y, with all checks.
fn saxpy(module: &Module, memory: &Memory, profile: &Profile, x: u64, y: u64, n: i32) -> LaunchReport {
    // The arguments lie at the offsets that `module.kernel("saxpy")` tells: 0, 8, 16 and 24.
    let mut params = vec![0; 28];
    params[..4].copy_from_slice(&2f32.to_le_bytes());
    params[8..16].copy_from_slice(&x.to_le_bytes());
    params[16..24].copy_from_slice(&y.to_le_bytes());
    params[24..].copy_from_slice(&n.to_le_bytes());
    let config = LaunchConfig { grid: [4, 1, 1], block: [256, 1, 1], dynamic_shared: 0, params };
    let options = Options { mem: true, init: true, race: true, sync: true, ..Options::default() };
    launch(module, "saxpy", &config, memory, profile, &options, &mut |text| print!("{text}"))
}

fn upload(memory: &Memory, name: &str, values: &[f32]) -> u64 {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let address = memory.alloc(bytes.len() as u64, name).expect("room");
    memory.write(address, &bytes).expect("just allocated");
    address
}

#[test]
fn runs() {
    main();
}
