//! A test of a kernel, to be copied into a project of your own: the result is right, no check finds anything, and both
//! hold for several orders of blocks, warps and lanes.
//!
//! In your project it is a file in `tests/`, without `main`. Compile the kernel at each run with [`softgpu::nvrtc`], as
//! `compiled` does here where NVRTC is at hand, or keep its PTX beside it.

use softgpu::nvrtc::{self, Source};
use softgpu::{LaunchConfig, Memory, Module, Options, Profile, launch};

/// The kernel's PTX: fresh from its source, or, without a compiler, as it was kept.
fn compiled() -> String {
    let source = Source { name: "kernels.cu", text: include_str!("kernels.cu"), headers: &[] };
    match nvrtc::find(86) {
        Ok(nvrtc) => {
            let options = ["--gpu-architecture=compute_86".to_string(), "-lineinfo".to_string()];
            nvrtc.compile(&source, &options).and_then(|program| program.ptx()).expect("the kernel compiles")
        }
        Err(why) => {
            println!("the PTX that is kept beside the kernel is tested: {why}");
            include_str!("kernels.ptx").to_string()
        }
    }
}

/// Checks that `reverse` turns its values round.
fn check(ptx: &str, seed: u64) {
    let profile = Profile::named("sm_86").expect("a known device");
    let memory = Memory::new(1 << 20);
    let module = Module::load(ptx, &profile, &memory).expect("known instructions");
    let values: Vec<f32> = (0..64).map(|i| i as f32).collect();
    let buffer = memory.alloc(64 * 4, "values").expect("room");
    memory.write(buffer, &values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>()).expect("just allocated");

    let params = buffer.to_le_bytes().to_vec();
    let config = LaunchConfig { grid: [1, 1, 1], block: [64, 1, 1], dynamic_shared: 0, params };
    let options = Options { mem: true, init: true, race: true, sync: true, seed, ..Options::default() };
    let report = launch(&module, "reverse", &config, &memory, &profile, &options, &mut |text| print!("{text}"));
    assert!(report.fault.is_none(), "{:?}", report.fault);
    assert!(report.findings.is_empty(), "{:?}", report.findings);

    let mut bytes = [0; 64 * 4];
    memory.read(buffer, &mut bytes).expect("still allocated");
    let result: Vec<f32> = bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().expect("four"))).collect();
    assert!(result.iter().eq(values.iter().rev()), "{result:?}");
}

#[test]
fn reverse_turns_values_round() {
    let ptx = compiled();
    for seed in 0..8 {
        check(&ptx, seed);
    }
}

fn main() {
    check(&compiled(), 0);
    println!("the kernel is right; `cargo test --example kernel_test` runs this as a test");
}
