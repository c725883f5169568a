//! Counts what a tiled matrix product does: its flops, the sectors it moves, the bank conflicts it has.
//!
//! `cargo run --release --example count_product`

use softgpu::{LaunchConfig, Memory, Module, Options, Profile, launch};

const PTX: &str = include_str!("kernels.ptx");
const N: u64 = 64;

fn main() {
    let profile = Profile::named("sm_86").expect("a known device");
    let memory = Memory::new(1 << 20);
    let module = Module::load(PTX, &profile, &memory).expect("known instructions");
    let mut params = Vec::new();
    for name in ["a", "b", "c"] {
        let matrix = memory.alloc(N * N * 4, name).expect("room");
        memory.set(matrix, &1f32.to_le_bytes(), N * N).expect("just allocated");
        params.extend(matrix.to_le_bytes());
    }
    params.extend((N as i32).to_le_bytes());
    let tiles = N as u32 / 16;
    let config = LaunchConfig { grid: [tiles, tiles, 1], block: [16, 16, 1], dynamic_shared: 0, params };
    let options = Options { counters: true, ..Options::default() };
    let report = launch(&module, "product", &config, &memory, &profile, &options, &mut |_| {});
    let counters = report.counters.expect("asked for");
    println!("{}", counters.table());

    // A multiplication and an addition for each of the n x n x n terms.
    assert_eq!(counters.flops_f32, 2 * N * N * N);
    // Each tile of A and B is read by as many blocks as there are tiles in a row: 2 n n n / 16 values.
    assert_eq!(counters.global_loads.bytes, 4 * 2 * N * N * N / 16);
    // Whole sectors of 32 bytes, and no bank conflicts.
    assert_eq!(counters.global_loads.moved, counters.global_loads.ideal);
    assert_eq!(counters.shared_loads.moved, counters.shared_loads.ideal);
}

#[test]
fn runs() {
    main();
}
