//! Single instructions through the whole engine, against Rust semantics written here (or
//! rustc_apfloat's) and not taken from softgpu.

mod approximate;
mod bitwise;
mod convert;
mod floating;
mod integer;
#[path = "../common/random.rs"]
mod random;
mod video;

use random::Random;
use softgpu::{LaunchConfig, Memory, Module, Options, Profile, launch};

/// What a result must be.
pub enum Expect {
    /// These bits.
    Bits(Box<dyn Fn([u64; 3]) -> u64>),
    /// These bits of an f64, or any NaN where that is one.
    F64(Box<dyn Fn([u64; 3]) -> u64>),
    /// An f32 accepted by a judge of (operands, result).
    Judge(Box<dyn Fn([u64; 3], u64) -> bool>),
}

/// One instruction: `$d`, `$a`, `$b`, `$c` stand for its registers.
pub struct Row {
    pub text: String,
    /// Width of the result and of the operands, in bits; 1 is a predicate (result only).
    pub widths: Vec<u32>,
    /// Values worth trying, for all operands.
    pub edges: &'static [u64],
    pub expect: Expect,
}

/// A row whose result is fixed to the bit.
pub fn exact(
    text: impl Into<String>,
    widths: &[u32],
    edges: &'static [u64],
    f: impl Fn([u64; 3]) -> u64 + 'static,
) -> Row {
    Row { text: text.into(), widths: widths.to_vec(), edges, expect: Expect::Bits(Box::new(f)) }
}

/// Lanes of one launch: every pair of edges fits.
const LANES: usize = 1024;

fn register(width: u32, name: char) -> String {
    match width {
        16 => format!("%h{name}"),
        32 => format!("%r{name}"),
        64 => format!("%q{name}"),
        _ => format!("%p{name}"),
    }
}

fn kernel(number: usize, row: &Row) -> String {
    let mut text = format!(
        ".visible .entry k{number}(.param .u64 i, .param .u64 o)\n{{\n\
         .reg .pred %pd;\n.reg .b16 %h<1>, %ha, %hb, %hc, %hd;\n.reg .b32 %ra, %rb, %rc, %rd, %t;\n\
         .reg .b64 %qa, %qb, %qc, %qd, %x, %y, %z;\nld.param.u64 %x, [i];\nld.param.u64 %y, [o];\n\
         mov.u32 %t, %tid.x;\nmul.wide.u32 %z, %t, 24;\nadd.s64 %x, %x, %z;\n\
         mul.wide.u32 %z, %t, 8;\nadd.s64 %y, %y, %z;\n"
    );
    for (n, (&width, name)) in row.widths[1..].iter().zip(['a', 'b', 'c']).enumerate() {
        let r = register(width, name);
        text += &format!("ld.global.b{width} {r}, [%x+{}];\n", 8 * n);
    }
    let mut body = row.text.clone();
    for (&width, name) in row.widths.iter().zip(['d', 'a', 'b', 'c']) {
        body = body.replace(&format!("${name}"), &register(width, name));
    }
    text += &format!("{body}\nmov.b64 %z, 0;\nst.global.b64 [%y], %z;\n");
    let d = register(row.widths[0], 'd');
    text += &match row.widths[0] {
        1 => "selp.b64 %z, 1, 0, %pd;\nst.global.b64 [%y], %z;\n".into(),
        width => format!("st.global.b{width} [%y], {d};\n"),
    };
    text + "ret;\n}\n"
}

fn mask(width: u32) -> u64 {
    if width >= 64 { !0 } else { (1 << width) - 1 }
}

/// Runs every row on edge values and random ones.
pub fn check(rows: &[Row], seed: u64) {
    let mut text = ".version 8.6\n.target sm_90\n.address_size 64\n".replace('$', "");
    for (number, row) in rows.iter().enumerate() {
        text += &kernel(number, row);
    }
    let profile = Profile::named("sm_90").expect("a known profile");
    let memory = Memory::new(1 << 26);
    let module = Module::load(&text, &profile, &memory).unwrap_or_else(|e| panic!("{e}"));
    let input = memory.alloc(24 * LANES as u64, "input").unwrap();
    let output = memory.alloc(8 * LANES as u64, "output").unwrap();
    let mut random = Random(seed);
    let mut wrong = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        let count = row.edges.len();
        let operands: Vec<[u64; 3]> = (0..LANES)
            .map(|lane| {
                std::array::from_fn(|n| {
                    let width = *row.widths.get(n + 1).unwrap_or(&64);
                    let value = match n {
                        0 if lane < count * count => row.edges[lane % count],
                        1 if lane < count * count => row.edges[lane / count],
                        _ => match random.next() % 4 {
                            0 | 1 => row.edges[random.next() as usize % count],
                            2 => random.next() % 70,
                            _ => random.next(),
                        },
                    };
                    value & mask(width)
                })
            })
            .collect();
        let bytes: Vec<u8> = operands.iter().flatten().flat_map(|v| v.to_le_bytes()).collect();
        memory.write(input, &bytes).unwrap();
        let config = LaunchConfig {
            grid: [1, 1, 1],
            block: [LANES as u32, 1, 1],
            dynamic_shared: 0,
            params: [input, output].iter().flat_map(|p| p.to_le_bytes()).collect(),
        };
        let options = Options::default();
        let kernel = format!("k{number}");
        let report = launch(&module, &kernel, &config, &memory, &profile, &options, &mut |_| {});
        assert!(report.fault.is_none(), "{}: {:?}", row.text, report.fault);
        let mut results = vec![0; 8 * LANES];
        memory.read(output, &mut results).unwrap();
        for (given, result) in operands.iter().zip(results.chunks_exact(8)) {
            let result = u64::from_le_bytes(result.try_into().unwrap());
            let (right, want) = match &row.expect {
                Expect::Bits(f) => {
                    let want = f(*given) & mask(row.widths[0]);
                    (result == want, format!("{want:#x}"))
                }
                Expect::F64(f) => {
                    let want = f(*given);
                    let both = f64::from_bits(want).is_nan() && f64::from_bits(result).is_nan();
                    (result == want || both, format!("{want:#x}"))
                }
                Expect::Judge(f) => (f(*given, result), "a value within the bound".into()),
            };
            if !right {
                let used = &given[..row.widths.len() - 1];
                wrong.push(format!("{}  of {used:x?}: {result:#x} instead of {want}", row.text));
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}
