//! How fast the interpreter is: float32 and bf16 matrix products, without and with all checks, and a plain product
//! whose threads read neighbouring addresses, or addresses a row apart.

use criterion::{Criterion, criterion_group, criterion_main};
use softgpu::{LaunchConfig, Memory, Module, Options, Profile, launch};

struct Case {
    memory: Memory,
    module: Module,
    profile: Profile,
    cfg: LaunchConfig,
    kernel: &'static str,
}

impl Case {
    /// A product of two `n x n` matrices whose elements have that many bytes, `tile` rows and so many threads a block.
    fn new(ptx: &str, kernel: &'static str, n: u32, bytes: u64, [tile, threads]: [u32; 2]) -> Case {
        let profile = Profile::named("sm_86").expect("a profile of that name");
        let memory = Memory::new(256 << 20);
        let module = Module::load(ptx, &profile, &memory).unwrap_or_else(|e| panic!("{e}"));
        let mut params = Vec::new();
        for size in [bytes, bytes, 4] {
            let total = u64::from(n) * u64::from(n) * size;
            let at = memory.alloc(total, "matrix").expect("room for a matrix");
            memory.set(at, &[0], total).expect("a fill");
            params.extend(at.to_le_bytes());
        }
        let size = |info: softgpu::KernelInfo| info.param_bytes as usize;
        let all = module.kernel(kernel).map_or(0, size);
        while params.len() < all {
            params.extend(n.to_le_bytes());
        }
        let cfg = LaunchConfig { grid: [n / tile, n / tile, 1], block: [threads, 1, 1], dynamic_shared: 0, params };
        Case { memory, module, profile, cfg, kernel }
    }

    fn run(&self, opts: &Options) {
        let report = launch(&self.module, self.kernel, &self.cfg, &self.memory, &self.profile, opts, &mut |_| {});
        assert!(report.fault.is_none() && report.findings.is_empty(), "{report:?}");
    }
}

fn gemm(c: &mut Criterion) {
    let sgemm = include_str!("../tests/kernels/sgemm.ptx");
    let naive = include_str!("../tests/kernels/naive.ptx");
    let bf16 = include_str!("../tests/kernels/gemm_bf16.ptx");
    let cases = [
        ("sgemm 512", Case::new(sgemm, "sgemm", 512, 4, [64, 256])),
        ("bf16 mma 1024", Case::new(bf16, "gemm_bf16", 1024, 2, [128, 256])),
        ("naive 256, by columns", Case::new(naive, "by_columns", 256, 4, [32, 1024])),
        ("naive 256, by rows", Case::new(naive, "by_rows", 256, 4, [32, 1024])),
    ];
    let plain = Options::default();
    let checked = Options { mem: true, init: true, race: true, sync: true, ..Options::default() };
    let mut group = c.benchmark_group("gemm");
    group.sample_size(10);
    for (name, case) in &cases {
        group.bench_function(*name, |b| b.iter(|| case.run(&plain)));
        group.bench_function(format!("{name}, all checks"), |b| b.iter(|| case.run(&checked)));
    }
    group.finish();
}

criterion_group!(benches, gemm);
criterion_main!(benches);
