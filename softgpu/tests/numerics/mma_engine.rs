//! `mma.sync` as an instruction: registers in, registers out, refusals.

use crate::random::Random;
use softgpu::numerics::mma::{self, Accumulator, Architecture, Element, Operation};
use softgpu::{LaunchConfig, Memory, Module, Options, Profile, launch};

/// A kernel of one mma: each lane reads its registers from the buffer (a, b, c in order) and
/// writes those of d.
fn kernel(instruction: &str, wide: bool, counts: [usize; 3], target: &str) -> String {
    let (bytes, ty, letter) = if wide { (8, "f64", "d") } else { (4, "b32", "r") };
    let [na, nb, nc] = counts;
    let mut text = format!(
        ".version 8.0\n.target {target}\n.address_size 64\n\
         .visible .entry k(.param .u64 i, .param .u64 o)\n{{\n.reg .{ty} %{letter}<40>;\n\
         .reg .b64 %q<5>;\n.reg .b32 %t;\nld.param.u64 %q1, [i];\nld.param.u64 %q2, [o];\n\
         mov.u32 %t, %tid.x;\nmul.wide.u32 %q3, %t, {};\nadd.s64 %q1, %q1, %q3;\n\
         mul.wide.u32 %q4, %t, {};\nadd.s64 %q2, %q2, %q4;\n",
        (na + nb + nc) * bytes,
        nc * bytes
    );
    let list = |from: usize, count: usize| {
        let names: Vec<String> = (from..from + count).map(|i| format!("%{letter}{i}")).collect();
        format!("{{{}}}", names.join(", "))
    };
    for i in 0..na + nb + nc {
        text += &format!("ld.global.{ty} %{letter}{i}, [%q1+{}];\n", i * bytes);
    }
    let d = na + nb + nc;
    text += &format!("{instruction} {}, {}, {}, {};\n", list(d, nc), list(0, na), list(na, nb), list(na + nb, nc));
    for i in 0..nc {
        text += &format!("st.global.{ty} [%q2+{}], %{letter}{};\n", i * bytes, d + i);
    }
    text + "ret;\n}\n"
}

/// Runs the kernel on register rows `[register][lane]`; returns those of d.
fn run(ptx: &str, profile: &str, wide: bool, rows: &[[u64; 32]], nc: usize) -> Vec<[u64; 32]> {
    let profile = Profile::named(profile).unwrap();
    let memory = Memory::new(1 << 26);
    let module = Module::load(ptx, &profile, &memory).unwrap_or_else(|e| panic!("{e}"));
    let bytes = if wide { 8 } else { 4 };
    let mut image = Vec::new();
    for lane in 0..32 {
        for row in rows {
            image.extend(&row[lane].to_le_bytes()[..bytes]);
        }
    }
    let input = memory.alloc(image.len() as u64, "input").unwrap();
    memory.write(input, &image).unwrap();
    let output = memory.alloc((32 * nc * bytes) as u64, "output").unwrap();
    let config = LaunchConfig {
        grid: [1, 1, 1],
        block: [32, 1, 1],
        dynamic_shared: 0,
        params: [input, output].iter().flat_map(|p| p.to_le_bytes()).collect(),
    };
    let options = Options { mem: true, init: true, race: true, sync: true, ..Options::default() };
    let report = launch(&module, "k", &config, &memory, &profile, &options, &mut |_| {});
    assert!(report.fault.is_none() && report.findings.is_empty(), "{report:?}");
    let mut data = vec![0; 32 * nc * bytes];
    memory.read(output, &mut data).unwrap();
    let mut d = vec![[0; 32]; nc];
    for (at, chunk) in data.chunks_exact(bytes).enumerate() {
        let mut value = [0; 8];
        value[..bytes].copy_from_slice(chunk);
        d[at % nc][at / nc] = u64::from_le_bytes(value);
    }
    d
}

#[test]
fn each_shape_through_the_interpreter() {
    use Accumulator as C;
    use Element as E;
    let mut random = Random(3);
    let cases = [
        ("m16n8k8", "f32.f16.f16.f32", E::F16, E::F16, C::F32, "sm_75"),
        ("m16n8k8", "f16.f16.f16.f16", E::F16, E::F16, C::F16, "sm_75"),
        ("m16n8k16", "f32.f16.f16.f32", E::F16, E::F16, C::F32, "sm_86"),
        ("m16n8k16", "f16.f16.f16.f16", E::F16, E::F16, C::F16, "sm_90"),
        ("m16n8k16", "f32.bf16.bf16.f32", E::Bf16, E::Bf16, C::F32, "sm_86"),
        ("m16n8k16", "f32.bf16.bf16.f32", E::Bf16, E::Bf16, C::F32, "sm_90"),
        ("m16n8k8", "f32.bf16.bf16.f32", E::Bf16, E::Bf16, C::F32, "sm_89"),
        ("m16n8k4", "f32.tf32.tf32.f32", E::Tf32, E::Tf32, C::F32, "sm_80"),
        ("m16n8k8", "f32.tf32.tf32.f32", E::Tf32, E::Tf32, C::F32, "sm_86"),
        ("m8n8k4", "f64.f64.f64.f64", E::F64, E::F64, C::F64, "sm_80"),
        ("m16n8k16", "f64.f64.f64.f64", E::F64, E::F64, C::F64, "sm_90"),
        ("m8n8k16", "s32.s8.s8.s32", E::S8, E::S8, C::S32, "sm_75"),
        ("m16n8k16", "s32.u8.s8.s32", E::U8, E::S8, C::S32, "sm_86"),
        ("m16n8k32", "s32.s8.u8.s32", E::S8, E::U8, C::S32, "sm_86"),
    ];
    for (shape, types, a, b, c, profile) in cases {
        let size: Vec<usize> = shape.split(['m', 'n', 'k']).filter_map(|x| x.parse().ok()).collect();
        let sm = profile[3..].parse().unwrap();
        for saturate in [false, true] {
            if saturate && c != C::S32 {
                continue;
            }
            let op = Operation {
                m: size[0],
                n: size[1],
                k: size[2],
                a,
                b,
                c,
                saturate,
                architecture: Architecture::of(sm).unwrap(),
            }
            .check()
            .unwrap();
            let wide = c == C::F64;
            let counts = [op.a_registers(), op.b_registers(), op.c_registers()];
            let word = if saturate { ".satfinite" } else { "" };
            let name = format!("mma.sync.aligned.{shape}.row.col{word}.{types}");
            let ptx = kernel(&name, wide, counts, profile);
            let total: usize = counts.iter().sum();
            let rows: Vec<[u64; 32]> = (0..total)
                .map(|i| {
                    std::array::from_fn(|_| match (c, i < counts[0] + counts[1]) {
                        // Sums near the limit, so that saturation shows.
                        (C::S32, false) => 0x7fff_f000 + random.next() % 0x1000,
                        (C::F64, _) => (random.next() as f64 / 1e14 - 40.0).to_bits(),
                        _ => random.next() & 0xbfff_bfff,
                    })
                })
                .collect();
            let d = run(&ptx, profile, wide, &rows, counts[2]);
            let split = |from: usize, count: usize| &rows[from..from + count];
            let (ra, rb) = (split(0, counts[0]), split(counts[0], counts[1]));
            let rc = split(counts[0] + counts[1], counts[2]);
            let expected: Vec<[u64; 32]> = if wide {
                let mut d = vec![[0; 32]; counts[2]];
                mma::execute_f64(&op, ra, rb, rc, &mut d);
                d
            } else {
                let narrow =
                    |rows: &[[u64; 32]]| -> Vec<[u32; 32]> { rows.iter().map(|r| r.map(|x| x as u32)).collect() };
                let mut d = vec![[0; 32]; counts[2]];
                mma::execute_slow(&op, &narrow(ra), &narrow(rb), &narrow(rc), &mut d);
                d.iter().map(|r| r.map(u64::from)).collect()
            };
            assert_eq!(d, expected, "{name} on {profile}");
        }
    }
}

#[test]
fn what_the_device_lacks_is_refused() {
    let profile = |name| Profile::named(name).unwrap();
    let memory = Memory::new(1 << 24);
    let name = "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32";
    let ptx = kernel(name, false, [4, 2, 4], "sm_75");
    let error = Module::load(&ptx, &profile("sm_75"), &memory).err().expect("a refusal");
    assert!(error.message.contains("Turing"), "{error}");
    let bad = kernel("mma.sync.aligned.m16n8k16.row.col.satfinite.f32.bf16.bf16.f32", false, [4, 2, 4], "sm_80");
    let error = Module::load(&bad, &profile("sm_86"), &memory).err().expect("a refusal");
    assert!(error.message.contains("satfinite"), "{error}");
}
