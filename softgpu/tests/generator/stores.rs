//! Random programs that store 8, 16 and 32 bits: every thread has elements of its own, whose neighbours in a word are
//! other threads' and other blocks'. Between phases the elements change hands.

use super::{COMMON, GPU, HOST, TYPES, Writer};
use crate::random::Random;
use std::fmt::Write;

/// Threads of a block, and of all blocks.
pub const BLOCK: usize = 32;
pub const THREADS: usize = 96;
/// Elements a thread has of each array.
const OWN: usize = 4;
pub const PHASES: usize = 3;

/// Bytes of the three arrays for so many threads, one behind the other.
pub fn bytes(threads: usize) -> usize {
    threads * OWN * 7
}

/// The function of a phase: what thread `t` of so many does to its elements of three arrays.
fn phase(random: &mut Random, number: usize, phase: usize) -> String {
    let mut w = Writer { random: Random(random.next()), variables: Vec::new(), text: String::new(), loops: 0 };
    let head = format!("DEVICE void stores_{number}_{phase}(u32 t, u32 threads, const u64 *in, u8 *m)");
    writeln!(w.text, "{head}\n{{").expect("a string");
    let arrays = ["u32 *m32 = (u32 *)m", "u16 *m16 = (u16 *)(m32 + threads * 4)", "u8 *m8 = (u8 *)(m16 + threads * 4)"];
    arrays.iter().for_each(|array| w.line(1, &format!("{array};")));
    w.line(1, "u32 array[8]; for (int i = 0; i < 8; i++) array[i] = (u32)in[i] + i;");
    for i in 0..4 {
        let of = TYPES[w.random.below(4) as usize];
        w.line(1, &format!("{of} v{i} = ({of})in[{i}];"));
        w.variables.push((format!("v{i}"), of));
    }
    let shift = w.random.below(32);
    for k in 0..OWN {
        // an odd factor: each element has one thread
        w.line(1, &format!("u32 e{k} = ((t + {shift}) % threads + threads * {k}) * 37 % (threads * 4);"));
    }
    for _ in 0..6 + w.random.below(8) {
        let (k, array) = (w.random.below(OWN as u64), w.random.pick(&["m8", "m16", "m32", "m8", "m16"]));
        let value = w.expression("u32", 2);
        let op = w.random.pick(&["=", "=", "+=", "^="]);
        let store = format!("{array}[e{k}] {op} ({})({value});", array.replace('m', "u"));
        match w.random.below(4) {
            0 => {
                let condition = w.condition();
                w.line(1, &format!("if ({condition}) {store}"));
            }
            1 => {
                let other = w.random.below(OWN as u64);
                w.line(1, &format!("v0 += {array}[e{other}]; {store}"));
            }
            _ => w.line(1, &store),
        }
    }
    w.text + "}\n"
}

/// The functions of a program, for both sides.
pub fn program(seed: u64, number: usize) -> String {
    let mut random = Random(seed);
    (0..PHASES).map(|p| phase(&mut random, number, p)).collect()
}

fn calls(number: usize, between: &str, arguments: &str) -> String {
    let call = |p| format!("stores_{number}_{p}({arguments}); {between}");
    (0..PHASES).map(call).collect()
}

/// `global_N(in, m)` runs the first phase for all threads, `shared_N(in, m)` all phases for each block.
pub fn host_source(programs: &[String]) -> String {
    let mut text = format!("{HOST}{COMMON}");
    for (n, program) in programs.iter().enumerate() {
        let blocks = bytes(BLOCK);
        let all = |p: usize| {
            format!(
                "for (u32 t = 0; t < {BLOCK}; t++) stores_{n}_{p}(t, {BLOCK}, in + 8 * ({BLOCK} * b + t), m + {blocks} * b);"
            )
        };
        let phases: String = (0..PHASES).map(all).collect();
        let global = format!("for (u32 t = 0; t < {THREADS}; t++) stores_{n}_0(t, {THREADS}, in + 8 * t, m);");
        let count = THREADS / BLOCK;
        writeln!(
            text,
            "{program}\nvoid global_{n}(const u64 *in, u8 *m) {{ {global} }}\n\
             void shared_{n}(const u64 *in, u8 *m) {{ for (u32 b = 0; b < {count}; b++) {{ {phases} }} }}"
        )
        .expect("a string");
    }
    text
}

/// The same as kernels; blocks have their arrays in shared memory, as they find them in `m`, and write them back.
pub fn device_source(programs: &[String]) -> String {
    let mut text = format!("{GPU}{COMMON}");
    for (n, program) in programs.iter().enumerate() {
        let (size, calls) = (bytes(BLOCK), calls(n, "__syncthreads();", &format!("t, {BLOCK}, in + 8 * i, s")));
        writeln!(
            text,
            "{program}\nextern \"C\" __global__ void global_{n}(const u64 *in, u8 *m)\n\
             {{ u32 t = blockIdx.x * blockDim.x + threadIdx.x; stores_{n}_0(t, {THREADS}, in + 8 * t, m); }}\n\
             extern \"C\" __global__ void shared_{n}(const u64 *in, u8 *m)\n\
             {{ __shared__ __align__(16) u8 s[{size}]; u32 t = threadIdx.x, i = blockIdx.x * {BLOCK} + t;\n\
             m += blockIdx.x * {size}; for (u32 k = t; k < {size}; k += {BLOCK}) s[k] = m[k]; __syncthreads();\n\
             {calls} for (u32 k = t; k < {size}; k += {BLOCK}) m[k] = s[k]; }}"
        )
        .expect("a string");
    }
    text
}
