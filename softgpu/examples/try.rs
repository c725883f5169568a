use softgpu::*;
use std::time::Instant;
fn main() {
    let text = std::fs::read_to_string(std::env::args().nth(1).unwrap()).unwrap();
    let check = std::env::args().nth(2).unwrap_or_default();
    let profile = Profile::named("sm_86").unwrap();
    let memory = Memory::new(1 << 30);
    let module = Module::load(&text, &profile, &memory).unwrap_or_else(|e| panic!("{e}"));
    let on = check == "all";
    let opts = Options {
        mem: on,
        init: on,
        race: on,
        sync: on,
        counters: check == "count",
        ..Options::default()
    };
    if module.kernel("k").is_some() {
        let out = memory.alloc(512, "out").unwrap();
        memory.set(out, &[0], 512).unwrap();
        let mut params = vec![0; 48];
        params[0..4].copy_from_slice(&3i32.to_le_bytes());
        params[8..16].copy_from_slice(&2.5f64.to_le_bytes());
        params[20..24].copy_from_slice(&7f32.to_le_bytes());
        params[32..36].copy_from_slice(&4i32.to_le_bytes());
        params[40..48].copy_from_slice(&out.to_le_bytes());
        let cfg = LaunchConfig {
            grid: [1, 1, 1],
            block: [64, 1, 1],
            dynamic_shared: 512,
            params,
        };
        println!("{:?}", module.kernel("k"));
        let r = launch(&module, "k", &cfg, &memory, &profile, &opts, &mut |s| {
            print!("{s}")
        });
        println!("{r:?}");
        let mut b = vec![0; 256];
        memory.read(out, &mut b).unwrap();
        let f: Vec<f32> = b
            .chunks(4)
            .map(|c| f32::from_le_bytes(c.try_into().unwrap()))
            .collect();
        println!("{f:?}");
        return;
    }
    let n = 1024usize;
    let bf = |x: f32| ((x.to_bits()) >> 16) as u16;
    let a: Vec<f32> = (0..n * n).map(|i| ((i * 7919) % 17) as f32 - 8.0).collect();
    let b: Vec<f32> = (0..n * n)
        .map(|i| ((i * 104729) % 13) as f32 - 6.0)
        .collect();
    let bytes = |v: &[f32]| {
        v.iter()
            .flat_map(|x| bf(*x).to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let (da, db, dc) = (
        memory.alloc(n as u64 * n as u64 * 2, "a").unwrap(),
        memory.alloc(n as u64 * n as u64 * 2, "b").unwrap(),
        memory.alloc(n as u64 * n as u64 * 4, "c").unwrap(),
    );
    memory.write(da, &bytes(&a)).unwrap();
    memory.write(db, &bytes(&b)).unwrap();
    let mut params = Vec::new();
    for p in [da, db, dc] {
        params.extend(p.to_le_bytes());
    }
    for _ in 0..3 {
        params.extend((n as u32).to_le_bytes());
    }
    let cfg = LaunchConfig {
        grid: [8, 8, 1],
        block: [256, 1, 1],
        dynamic_shared: 0,
        params,
    };
    for _ in 0..4 {
        let t = Instant::now();
        let r = launch(
            &module,
            "gemm_bf16",
            &cfg,
            &memory,
            &profile,
            &opts,
            &mut |s| print!("{s}"),
        );
        println!(
            "{:?} fault {:?} findings {:?}",
            t.elapsed(),
            r.fault,
            r.findings
        );
        if let Some(c) = r.counters {
            println!("{}", c.table());
        }
    }
    let mut out = vec![0; n * n * 4];
    memory.read(dc, &mut out).unwrap();
    let mut worst = 0f32;
    for (r, c) in [(0, 0), (5, 77), (511, 511), (1000, 2), (63, 1023)] {
        let want: f32 = (0..n).map(|k| a[r * n + k] * b[k * n + c]).sum();
        let at = (r * n + c) * 4;
        worst = worst.max((want - f32::from_le_bytes(out[at..at + 4].try_into().unwrap())).abs());
    }
    println!("worst difference {worst}");
}
