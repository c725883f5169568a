//! Random programs in the C that NVRTC and a host compiler understand alike.

pub mod stores;

use crate::random::Random;
use std::fmt::Write;

impl Random {
    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len() as u64) as usize]
    }
}

/// Definitions both sides share; `DEVICE` marks functions, `CALLED` those that are not to be inlined.
const COMMON: &str = r#"
typedef unsigned char u8; typedef signed char i8; typedef short i16; typedef unsigned short u16;
typedef int i32; typedef unsigned int u32; typedef long long i64; typedef unsigned long long u64;
typedef float f32; typedef double f64;
DEVICE u64 bits_f32(f32 x) { union { f32 f; u32 u; } v; v.f = x; return x != x ? 0x7fffffffu : v.u; }
DEVICE u64 bits_f64(f64 x) { union { f64 f; u64 u; } v; v.f = x; return x != x ? 0x7fffffffffffffffull : v.u; }
DEVICE f32 as_f32(u64 x) { union { f32 f; u32 u; } v; v.u = (u32)x; return v.f != v.f ? 1.5f : v.f; }
DEVICE f64 as_f64(u64 x) { union { f64 f; u64 u; } v; v.u = x; return v.f != v.f ? 2.5 : v.f; }
DEVICE i32 to_i32(f64 x) { return x > -2e9 && x < 2e9 ? (i32)x : 7; }
DEVICE i64 to_i64(f64 x) { return x > -9e18 && x < 9e18 ? (i64)x : 7; }
DEVICE u32 to_u32(f32 x) { return x > 0.0f && x < 4e9f ? (u32)x : 7; }
typedef unsigned __int128 u128;
CALLED u64 divide(u64 a, u64 b) { return (u64)(((u128)a << 64 | b) / (b >> (a & 63) | 1)); }
CALLED u64 modulo(u64 a, u64 b) { return (u64)(((u128)a * b + a) % (b >> (a & 63) | 1)); }
CALLED u64 gcd(u64 a, u64 b) { return b & 0xffff ? gcd(b & 0xffff, a % (b & 0xffff)) : a; }
typedef u64 (*binary)(u64, u64);
CALLED u64 apply(u64 a, u64 b) { binary f = a % 3 == 0 ? divide : a % 3 == 1 ? modulo : gcd; return f(b, a); }
DEVICE u32 mix(u64 h) { h ^= h >> 29; h *= 0xbf58476d1ce4e5b9ull; return (u32)(h ^ (h >> 32)); }
"#;

const HOST: &str = r#"
#include <math.h>
#define DEVICE static
#define CALLED static __attribute__((noinline))
DEVICE unsigned popc(unsigned x) { return __builtin_popcount(x); }
DEVICE unsigned clz(unsigned x) { return x ? __builtin_clz(x) : 32; }
DEVICE unsigned mulhi(unsigned a, unsigned b) { return (unsigned)(((unsigned long long)a * b) >> 32); }
DEVICE unsigned long long mulhi64(unsigned long long a, unsigned long long b)
{ return (unsigned long long)(((unsigned __int128)a * b) >> 64); }
DEVICE unsigned brev(unsigned x) { unsigned r = 0; for (int i = 0; i < 32; i++) r |= (x >> i & 1) << (31 - i); return r; }
DEVICE unsigned rotate(unsigned x, unsigned n) { n &= 31; return n ? x << n | x >> (32 - n) : x; }
"#;

const GPU: &str = r#"
#define DEVICE static __device__
#define CALLED static __device__ __noinline__
DEVICE unsigned popc(unsigned x) { return __popc(x); }
DEVICE unsigned clz(unsigned x) { return __clz(x); }
DEVICE unsigned mulhi(unsigned a, unsigned b) { return __umulhi(a, b); }
DEVICE unsigned long long mulhi64(unsigned long long a, unsigned long long b) { return __umul64hi(a, b); }
DEVICE unsigned brev(unsigned x) { return __brev(x); }
DEVICE unsigned rotate(unsigned x, unsigned n) { return __funnelshift_l(x, x, n); }
"#;

/// The host's file: `program_N(const u64 *input)`.
pub fn host_source(programs: &[String]) -> String {
    let mut text = format!("{HOST}{COMMON}");
    for (i, program) in programs.iter().enumerate() {
        writeln!(text, "{program}").expect("a string");
        writeln!(text, "u64 program_{i}(const u64 *in) {{ return body_{i}(in); }}").expect("a string");
    }
    text
}

/// The device's file: `kernel_N(const u64 *input, u64 *output)`.
pub fn device_source(programs: &[String]) -> String {
    let mut text = format!("{GPU}{COMMON}");
    for (i, program) in programs.iter().enumerate() {
        writeln!(text, "{program}").expect("a string");
        writeln!(
            text,
            "extern \"C\" __global__ void kernel_{i}(const u64 *in, u64 *out)\n\
             {{ unsigned t = blockIdx.x * blockDim.x + threadIdx.x; out[t] = body_{i}(in + 8 * t); }}"
        )
        .expect("a string");
    }
    text
}

const INTEGERS: [&str; 8] = ["i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64"];
const TYPES: [&str; 10] = ["i32", "u32", "i64", "u64", "f32", "f64", "i16", "u8", "i8", "u16"];

fn is_float(of: &str) -> bool {
    of.starts_with('f')
}

/// The unsigned type arithmetic is done in, so that it wraps: at least 32 bits wide.
fn wide(of: &str) -> &'static str {
    if of.ends_with("64") { "u64" } else { "u32" }
}

struct Writer {
    random: Random,
    /// Name and type of what can be read.
    variables: Vec<(String, &'static str)>,
    text: String,
    loops: usize,
}

/// One function `body_N`: declarations from the input, statements, a mixed result.
pub fn program(seed: u64, number: usize) -> String {
    let mut w = Writer { random: Random(seed), variables: Vec::new(), text: String::new(), loops: 0 };
    writeln!(w.text, "DEVICE u64 body_{number}(const u64 *in)\n{{").expect("a string");
    for i in 0..8 {
        let of = TYPES[w.random.below(TYPES.len() as u64) as usize];
        let value = match of {
            "f32" => format!("as_f32(in[{i}])"),
            "f64" => format!("as_f64(in[{i}])"),
            _ => format!("({of})in[{i}]"),
        };
        writeln!(w.text, "    {of} v{i} = {value};").expect("a string");
        w.variables.push((format!("v{i}"), of));
    }
    writeln!(w.text, "    u32 array[8];\n    for (int i = 0; i < 8; i++) array[i] = (u32)in[i] + i;")
        .expect("a string");
    let statements = 3 + w.random.below(5);
    for _ in 0..statements {
        w.statement(1, 2);
    }
    writeln!(w.text, "    u64 h = {number};").expect("a string");
    for (name, of) in w.variables.clone() {
        let value = match of {
            "f32" => format!("bits_f32({name})"),
            "f64" => format!("bits_f64({name})"),
            _ => format!("(u64){name}"),
        };
        writeln!(w.text, "    h = h * 0x9e3779b97f4a7c15ull + {value};").expect("a string");
    }
    w.text.push_str("    for (int i = 0; i < 8; i++) h = h * 31 + array[i];\n    return h;\n}\n");
    w.text
}

impl Writer {
    fn line(&mut self, depth: usize, text: &str) {
        writeln!(self.text, "{}{text}", "    ".repeat(depth)).expect("a string");
    }

    fn assignment(&mut self, depth: usize) {
        // The first eight are ours to write; loop counters are not.
        let (name, of) = self.variables[self.random.below(8) as usize].clone();
        let value = self.expression(of, 3);
        self.line(depth, &format!("{name} = {value};"));
    }

    fn statement(&mut self, depth: usize, budget: usize) {
        match self.random.below(if budget == 0 { 4 } else { 9 }) {
            0..=2 => self.assignment(depth),
            3 => {
                let (at, value) = (self.expression("u32", 1), self.expression("u32", 2));
                self.line(depth, &format!("array[{at} & 7] = {value};"));
            }
            4 | 5 => {
                let condition = self.condition();
                self.line(depth, &format!("if ({condition}) {{"));
                self.block(depth + 1, budget - 1);
                if self.random.below(2) == 0 {
                    self.line(depth, "} else {");
                    self.block(depth + 1, budget - 1);
                }
                self.line(depth, "}");
            }
            6 | 7 => {
                let counter = format!("count_{}", self.loops);
                self.loops += 1;
                let bound = self.expression("u32", 1);
                let head = format!("for (u32 {counter} = 0, n = ({bound}) & 15; {counter} < n; {counter}++) {{");
                self.line(depth, &head);
                self.variables.push((counter, "u32"));
                let before = self.variables.len();
                self.block(depth + 1, budget - 1);
                if self.random.below(3) == 0 {
                    let condition = self.condition();
                    let word = self.random.pick(&["break", "continue"]);
                    self.line(depth + 1, &format!("if ({condition}) {word};"));
                    self.assignment(depth + 1);
                }
                self.variables.truncate(before - 1);
                self.line(depth, "}");
            }
            _ => {
                let value = self.expression("u32", 2);
                self.line(depth, &format!("switch (({value}) & 3) {{"));
                for case in 0..3 {
                    self.line(depth, &format!("case {case}:"));
                    self.assignment(depth + 1);
                    if self.random.below(4) != 0 {
                        self.line(depth + 1, "break;");
                    }
                }
                self.line(depth, "default:");
                self.assignment(depth + 1);
                self.line(depth, "}");
            }
        }
    }

    fn block(&mut self, depth: usize, budget: usize) {
        for _ in 0..1 + self.random.below(3) {
            self.statement(depth, budget);
        }
    }

    fn condition(&mut self) -> String {
        let of = TYPES[self.random.below(TYPES.len() as u64) as usize];
        let (a, b) = (self.expression(of, 2), self.expression(of, 1));
        let compare = self.random.pick(&["<", "<=", ">", ">=", "==", "!="]);
        let first = format!("({a}) {compare} ({b})");
        match self.random.below(5) {
            0 => format!("{first} && {}", self.simple_condition()),
            1 => format!("{first} || {}", self.simple_condition()),
            2 => format!("!({first})"),
            _ => first,
        }
    }

    fn simple_condition(&mut self) -> String {
        let value = self.expression("u32", 1);
        format!("(({value}) & 1)")
    }

    /// A variable, converted, or a constant.
    fn leaf(&mut self, of: &str) -> String {
        let own: Vec<String> = self.variables.iter().filter(|v| v.1 == of).map(|v| v.0.clone()).collect();
        let choice = self.random.below(4);
        if choice < 2 && !own.is_empty() {
            return own[self.random.below(own.len() as u64) as usize].clone();
        }
        if is_float(of) {
            let suffix = if of == "f32" { "f" } else { "" };
            let text = self.random.pick(&["0.0", "1.0", "-1.5", "0.1", "3e10", "1e-30", "-7.25"]);
            return format!("({text}{suffix})");
        }
        if choice == 2 {
            return format!("(({of})array[{} & 7])", self.random.below(8));
        }
        match self.random.below(3) {
            0 => format!("(({of}){})", self.random.below(100)),
            1 => format!("(({of})0x{:x}ull)", self.random.next()),
            _ => format!("(({of})-{})", self.random.below(1000)),
        }
    }

    fn expression(&mut self, of: &str, depth: usize) -> String {
        if depth == 0 || self.random.below(6) == 0 {
            return self.leaf(of);
        }
        if is_float(of) {
            return self.float(of, depth);
        }
        let a = self.expression(of, depth - 1);
        let b = self.expression(of, depth - 1);
        let u = wide(of);
        let bits = if u == "u64" { 63 } else { 31 };
        match self.random.below(17) {
            0 => format!("(({of})(({u})({a}) + ({u})({b})))"),
            1 => format!("(({of})(({u})({a}) - ({u})({b})))"),
            2 | 3 => format!("(({of})(({u})({a}) * ({u})({b})))"),
            4 => {
                let op = self.random.pick(&["&", "|", "^", "& ~"]);
                format!("(({of})(({u})({a}) {op} ({u})({b})))")
            }
            5 => format!("(({of})(({u})({a}) << (({u})({b}) & {bits})))"),
            6 => format!("(({of})(({a}) >> (({b}) & 7)))"),
            7 => {
                let op = self.random.pick(&["/", "%"]);
                format!("(({of})(({a}) {op} ((({b}) & 63) + 1)))")
            }
            8 => {
                // A constant divisor becomes a multiplication by its reciprocal.
                let op = self.random.pick(&["/", "%"]);
                let divisor = 1 + self.random.below(100);
                format!("(({of})(({a}) {op} ({of}){divisor}))")
            }
            9 => {
                let condition = self.condition();
                format!("({condition} ? ({a}) : ({b}))")
            }
            10 => {
                let op = self.random.pick(&["<", ">"]);
                format!("(({a}) {op} ({b}) ? ({a}) : ({b}))")
            }
            11 => {
                let from = INTEGERS[self.random.below(8) as usize];
                let value = self.expression(from, depth - 1);
                format!("(({of})({value}))")
            }
            12 => {
                let f = self.random.pick(&["popc", "clz", "brev", "mix"]);
                format!("(({of}){f}((u32)({a})))")
            }
            13 => {
                let f = self.random.pick(&["mulhi", "mulhi64", "rotate"]);
                format!("(({of}){f}(({u})({a}), ({u})({b})))")
            }
            14 => {
                let f = self.random.pick(&["divide", "modulo", "gcd", "apply"]);
                format!("(({of}){f}((u64)({a}), (u64)({b})))")
            }
            15 => {
                let value = self.expression("f64", depth - 1);
                let f = self.random.pick(&["to_i32", "to_i64"]);
                format!("(({of}){f}({value}))")
            }
            _ => {
                let value = self.expression("f32", depth - 1);
                format!("(({of})to_u32({value}))")
            }
        }
    }

    fn float(&mut self, of: &str, depth: usize) -> String {
        let a = self.expression(of, depth - 1);
        let b = self.expression(of, depth - 1);
        let suffix = if of == "f32" { "f" } else { "" };
        match self.random.below(12) {
            0 => format!("(({a}) + ({b}))"),
            1 => format!("(({a}) - ({b}))"),
            2 | 3 => format!("(({a}) * ({b}))"),
            4 => format!("(({a}) / ({b}))"),
            5 => {
                let c = self.expression(of, depth - 1);
                format!("fma{suffix}({a}, {b}, {c})")
            }
            6 => format!("sqrt{suffix}(fabs{suffix}({a}))"),
            7 => {
                let f = self.random.pick(&["floor", "ceil", "trunc", "rint", "fabs"]);
                format!("{f}{suffix}({a})")
            }
            8 => {
                let from = INTEGERS[self.random.below(8) as usize];
                let value = self.expression(from, depth - 1);
                format!("(({of})({value}))")
            }
            9 => {
                let from = if of == "f32" { "f64" } else { "f32" };
                let value = self.expression(from, depth - 1);
                format!("(({of})({value}))")
            }
            10 => {
                let condition = self.condition();
                format!("({condition} ? ({a}) : ({b}))")
            }
            _ => format!("(-({a}))"),
        }
    }
}
