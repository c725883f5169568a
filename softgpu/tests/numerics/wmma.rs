//! `wmma` in every shape, type and layout that `<mma.h>` has, compiled by NVRTC 12 for sm_70 to sm_90, and Volta's
//! `mma.m8n8k4`, against a reference in integers. The numbers are small: every sum is exact.

use crate::common::fetched;
use crate::random::Random;
use softgpu::nvrtc::{Nvrtc, Source};
use softgpu::{FindingKind, LaunchConfig, Memory, Module, Options, Profile, Rank, launch};

/// A shape and its types: as mma.h names the factors, the factors in memory, C and D.
#[derive(Clone, Copy)]
struct Case {
    shape: [usize; 3],
    factor: &'static str,
    memory: &'static str,
    sums: [&'static str; 2],
    since: u32,
}

const SHAPES: [[usize; 3]; 3] = [[16, 16, 16], [8, 32, 16], [32, 8, 16]];

fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for shape in SHAPES {
        for sums in [["float", "float"], ["half", "half"], ["float", "half"], ["half", "float"]] {
            all.push(Case { shape, factor: "half", memory: "half", sums, since: 70 });
        }
        for factor in ["signed char", "unsigned char"] {
            all.push(Case { shape, factor, memory: factor, sums: ["int", "int"], since: 72 });
        }
        let factor = "__nv_bfloat16";
        all.push(Case { shape, factor, memory: factor, sums: ["float", "float"], since: 80 });
    }
    let (factor, sums) = ("wmma::precision::tf32", ["float", "float"]);
    all.push(Case { shape: [16, 16, 8], factor, memory: "float", sums, since: 80 });
    all.push(Case { shape: [8, 8, 4], factor: "double", memory: "double", sums: ["double", "double"], since: 80 });
    all
}

/// Each kernel of a case copies A to shared memory, multiplies and adds, and stores D by rows and by columns.
const SOURCE: &str = "
#include <mma.h>
#include <cuda_bf16.h>
using namespace nvcuda;
template <class L> struct first { static __device__ int of(int m, int k) { return k; } };
template <> struct first<wmma::row_major> { static __device__ int of(int m, int k) { return m; } };
template <int M, int N, int K, class F, class T, class C, class D, class LA, class LB>
__device__ void run(const T* a, const T* b, const C* c, D* d, D* e, int lda, int ldb, int ldc, bool rows) {
  extern __shared__ __align__(128) char memory[];
  T* shared = (T*)memory;
  int lines = first<LA>::of(M, K);
  for (int i = threadIdx.x; i < lines * lda; i += 32) shared[i] = a[i];
  __syncwarp();
  wmma::fragment<wmma::matrix_a, M, N, K, F, LA> left;
  wmma::fragment<wmma::matrix_b, M, N, K, F, LB> right;
  wmma::fragment<wmma::accumulator, M, N, K, C> sum;
  wmma::fragment<wmma::accumulator, M, N, K, D> result;
  wmma::load_matrix_sync(left, shared, lda);
  wmma::load_matrix_sync(right, b, ldb);
  wmma::load_matrix_sync(sum, c, ldc, rows ? wmma::mem_row_major : wmma::mem_col_major);
  wmma::mma_sync(result, left, right, sum);
  wmma::store_matrix_sync(d, result, ldc, wmma::mem_row_major);
  wmma::store_matrix_sync(e, result, ldc, wmma::mem_col_major);
}
";

impl Case {
    fn kernels(&self, n: usize) -> String {
        let (Case { shape: [m, columns, k], factor, memory, sums: [c, d], .. }, mut text) = (*self, String::new());
        for (l, (a, b)) in [("row", "row"), ("row", "col"), ("col", "row"), ("col", "col")].into_iter().enumerate() {
            text += &format!(
                "extern \"C\" __global__ void k{n}_{l}(const {memory}* a, const {memory}* b, const {c}* c, {d}* d, \
                 {d}* e, int lda, int ldb, int ldc, int rows) {{\n  run<{m}, {columns}, {k}, {factor}, {memory}, {c}, \
                 {d}, wmma::{a}_major, wmma::{b}_major>(a, b, c, d, e, lda, ldb, ldc, rows);\n}}\n"
            );
        }
        text
    }
}

/// A small whole number as f16.
fn f16(value: i64) -> u16 {
    let bits = (value as f32).to_bits();
    if value == 0 { 0 } else { (bits >> 16 & 0x8000) as u16 | ((bits >> 13) - (112 << 10)) as u16 & 0x7fff }
}

/// The bytes of a number in a type.
fn bytes(ty: &str, value: i64) -> Vec<u8> {
    match ty {
        "half" => f16(value).to_le_bytes().into(),
        "__nv_bfloat16" => ((value as f32).to_bits() >> 16).to_le_bytes()[..2].into(),
        "float" => (value as f32).to_le_bytes().into(),
        "double" => (value as f64).to_le_bytes().into(),
        "int" => (value as i32).to_le_bytes().into(),
        _ => vec![value as u8],
    }
}

/// The numbers of a matrix by rows, and its bytes in memory with a stride, by rows or by columns.
fn matrix(
    random: &mut Random,
    [rows, columns]: [usize; 2],
    ty: &str,
    by_rows: bool,
    stride: usize,
) -> (Vec<i64>, Vec<u8>) {
    let number =
        |random: &mut Random| if ty == "unsigned char" { random.below(8) as i64 } else { random.below(9) as i64 - 4 };
    let values: Vec<i64> = (0..rows * columns).map(|_| number(random)).collect();
    let (lines, run) = if by_rows { (rows, columns) } else { (columns, rows) };
    let mut memory = Vec::new();
    for line in 0..lines {
        for at in 0..stride {
            let (row, column) = if by_rows { (line, at) } else { (at, line) };
            memory.extend(bytes(ty, if at < run { values[row * columns + column] } else { 99 }));
        }
    }
    (values, memory)
}

fn all() -> Options {
    Options { mem: true, init: true, race: true, sync: true, ..Options::default() }
}

#[test]
fn every_fragment_of_mma_h() {
    // SAFETY: NVRTC, as it was fetched.
    let nvrtc = unsafe { Nvrtc::load(&fetched("12/nvidia/cuda_nvrtc/lib/libnvrtc.so.12")) }.unwrap();
    // the runtime's headers, and those of the compiler that they include
    let include =
        |file: &str, up: usize| format!("--include-path={}", fetched(file).ancestors().nth(up).unwrap().display());
    let runtime = include("ptxas/nvidia/cuda_runtime/include/mma.h", 1);
    let compiler = include("ptxas/nvidia/cu13/include/crt/mma.h", 2);
    let mut random = Random(7);
    let mut run = 0;
    for sm in [70, 75, 80, 90] {
        let cases: Vec<Case> = cases().into_iter().filter(|case| case.since <= sm).collect();
        let kernels: String = cases.iter().enumerate().map(|(n, case)| case.kernels(n)).collect();
        let text = format!("{SOURCE}{kernels}");
        let options = [format!("--gpu-architecture=compute_{sm}"), runtime.clone(), compiler.clone()];
        let source = Source { name: "wmma.cu", text: &text, headers: &[] };
        let ptx = nvrtc.compile(&source, &options).and_then(|p| p.ptx()).unwrap_or_else(|e| panic!("{e}"));
        let (profile, memory) = (Profile::named(&format!("sm_{sm}")).unwrap(), Memory::new(1 << 28));
        let module = Module::load(&ptx, &profile, &memory).unwrap_or_else(|e| panic!("{e}"));
        for (number, case) in cases.iter().enumerate() {
            for layout in 0..4 {
                check(&module, &profile, &memory, case, &format!("k{number}_{layout}"), layout, &mut random);
                run += 1;
            }
        }
    }
    assert_eq!(run, 4 * (12 + 18 + 2 * 23));
}

fn check(
    module: &Module,
    profile: &Profile,
    memory: &Memory,
    case: &Case,
    kernel: &str,
    layout: usize,
    random: &mut Random,
) {
    let [m, n, k] = case.shape;
    let (a_rows, b_rows, c_rows) = (layout < 2, layout.is_multiple_of(2), random.below(2) == 0);
    // strides of 16 or 32 bytes more than there is
    let more = |ty: &str, random: &mut Random| (16 << random.below(2)) / bytes(ty, 0).len();
    let lda = if a_rows { k } else { m } + more(case.memory, random);
    let ldb = if b_rows { n } else { k } + more(case.memory, random);
    let ldc = m.max(n) + 16;
    let (a, a_bytes) = matrix(random, [m, k], case.memory, a_rows, lda);
    let (b, b_bytes) = matrix(random, [k, n], case.memory, b_rows, ldb);
    let (c, c_bytes) = matrix(random, [m, n], case.sums[0], c_rows, ldc);
    let size = bytes(case.sums[1], 0).len();
    let mut params = Vec::new();
    let mut outputs = Vec::new();
    for image in [&a_bytes, &b_bytes, &c_bytes] {
        let at = memory.alloc(image.len() as u64, "a matrix").unwrap();
        memory.write(at, image).unwrap();
        params.extend(at.to_le_bytes());
    }
    for rows in [m, n] {
        let at = memory.alloc((rows * ldc * size) as u64, "the result").unwrap();
        memory.set(at, &[0], (rows * ldc * size) as u64).unwrap();
        params.extend(at.to_le_bytes());
        outputs.push(at);
    }
    for number in [lda, ldb, ldc, usize::from(c_rows)] {
        params.extend((number as i32).to_le_bytes());
    }
    let dynamic_shared = a_bytes.len() as u32;
    let config = LaunchConfig { grid: [1; 3], block: [32, 1, 1], dynamic_shared, params };
    let report = launch(module, kernel, &config, memory, profile, &all(), &mut |_| {});
    assert!(report.fault.is_none() && report.findings.is_empty(), "{kernel} of {:?}: {report:#?}", case.shape);
    for (by_rows, at) in [(true, outputs[0]), (false, outputs[1])] {
        for row in 0..m {
            for column in 0..n {
                let sum: i64 = (0..k).map(|i| a[row * k + i] * b[i * n + column]).sum::<i64>() + c[row * n + column];
                let index = if by_rows { row * ldc + column } else { column * ldc + row };
                let mut found = vec![0; size];
                memory.read(at + (index * size) as u64, &mut found).unwrap();
                let what = format!("{kernel}, {:?} of {}, at {row}, {column}", case.shape, case.factor);
                assert_eq!(found, bytes(case.sums[1], sum), "{what}: not {sum}");
            }
        }
    }
}

/// Loads a 16 x 16 matrix of f16 from so many bytes behind a buffer's start, with a stride.
fn load(space: &str, before: &str, offset: usize, stride: usize) -> String {
    format!(
        ".version 7.0\n.target sm_70\n.address_size 64\n.visible .entry k(.param .u64 p)\n{{\n.reg .b64 %q<9>;\n\
         .reg .b32 %r<20>; .shared .align 128 .b8 tile[1024];\nld.param.u64 %q1, [p];\nmov.u64 %q2, tile;\n\
         cvta.shared.u64 %q4, %q2;\nmov.u32 %r0, %tid.x; mul.wide.u32 %q3, %r0, 32; add.u64 %q5, %q2, %q3;\n{before}\n\
         wmma.load.a.sync.aligned.row.m16n16k16{space}.f16 {{%r1, %r2, %r3, %r4, %r5, %r6, %r7, %r8}}, [{}+{offset}], \
         {stride};\nret;\n}}\n",
        match space {
            ".shared" => "%q2",
            ".global" => "%q1",
            _ => "%q4",
        }
    )
}

fn findings(text: &str, bytes: u64, opts: &Options) -> Vec<FindingKind> {
    let (profile, memory) = (Profile::named("sm_70").unwrap(), Memory::new(1 << 24));
    let module = Module::load(text, &profile, &memory).unwrap_or_else(|e| panic!("{e}"));
    let at = memory.alloc(bytes, "matrix").unwrap();
    memory.set(at, &[0], bytes).unwrap();
    let config = LaunchConfig { grid: [1; 3], block: [32, 1, 1], dynamic_shared: 0, params: at.to_le_bytes().into() };
    let report = launch(&module, "k", &config, &memory, &profile, opts, &mut |_| {});
    if !opts.mem {
        assert!(matches!(report.fault, Some(softgpu::Fault::MisalignedAddress(_))), "{report:?}");
    }
    report.findings.iter().filter(|f| f.rank == Rank::Error).map(|f| f.kind).collect()
}

#[test]
fn loads_are_checked() {
    let fill = "st.shared.v4.u32 [%q5], {%r0, %r0, %r0, %r0}; st.shared.v4.u32 [%q5+16], {%r0, %r0, %r0, %r0};";
    let filled = format!("{fill} bar.warp.sync -1;");
    for space in [".global", ".shared", ""] {
        assert_eq!(findings(&load(space, &filled, 0, 16), 1024, &all()), []);
        assert_eq!(findings(&load(space, &filled, 32, 24), 1024, &all()), []);
        // a start between rows, and rows that aren't 16 bytes apart
        assert_eq!(findings(&load(space, &filled, 16, 16), 1024, &all()), [FindingKind::Misaligned]);
        assert_eq!(findings(&load(space, &filled, 0, 20), 1024, &all()), [FindingKind::Misaligned]);
        assert_eq!(findings(&load(space, &filled, 0, 20), 1024, &Options::default()), []);
    }
    // half of the lanes have exited: synccheck's to tell, and no other check's
    let half = format!("{filled} .reg .pred %p; setp.ge.u32 %p, %r0, 16; @%p exit;");
    let missing = load(".shared", &half, 0, 16);
    assert_eq!(findings(&missing, 64, &all()), [FindingKind::MissingParticipant]);
    assert_eq!(findings(&missing, 64, &Options { sync: false, ..all() }), []);
    // the last rows behind the end
    assert_eq!(findings(&load(".global", "", 0, 32), 15 * 64 + 16, &all()), [FindingKind::OutOfBounds]);
    assert_eq!(findings(&load(".shared", &filled, 0, 40), 64, &all()), [FindingKind::OutOfBounds]);
    // memory that nothing has written, and that other lanes have just written
    assert_eq!(findings(&load(".shared", "", 0, 16), 64, &all()), [FindingKind::Uninitialised]);
    assert_eq!(findings(&load("", fill, 0, 16), 64, &all()), [FindingKind::SharedRace]);
}

#[test]
fn what_is_no_wmma_is_refused_by_name() {
    let (profile, memory) = (Profile::named("sm_90").unwrap(), Memory::new(1 << 24));
    let text = |instruction: &str| {
        format!(
            ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k(.param .u64 p)\n{{\n.reg .b64 %q<9>; .reg \
             .b32 %r<40>;\nld.param.u64 %q1, [p];\n{instruction}\nret;\n}}\n"
        )
    };
    for (instruction, words) in [
        ("wmma.load.a.sync.aligned.row.m8n8k32.s4 {%r1}, [%q1];", "4-bit and 1-bit integers"),
        ("wmma.load.b.sync.aligned.col.m8n8k128.b1 {%r1}, [%q1];", "4-bit and 1-bit integers"),
        ("wmma.load.a.sync.aligned.row.m16n16k16.bf16 {%r1, %r2}, [%q1];", "operands are not those"),
        ("wmma.load.d.sync.aligned.row.m16n16k16.f16 {%r1, %r2, %r3, %r4}, [%q1];", "not one of its forms"),
    ] {
        let Err(error) = Module::load(&text(instruction), &profile, &memory) else { panic!("{instruction} is loaded") };
        assert!(error.to_string().contains(words), "{instruction}: {error}");
    }
}

/// Volta's four products at once, with the layouts of A and B as they are written.
#[test]
fn quads_of_volta() {
    let mut random = Random(70);
    let f16 = |v: i64| u32::from(f16(v));
    for (a_rows, b_rows) in [(true, false), (false, true), (true, true), (false, false)] {
        for half_sums in [true, false] {
            let [a, b, c] = [8 * 4, 4 * 8, 8 * 8]
                .map(|n: usize| -> Vec<i64> { (0..4 * n).map(|_| random.below(9) as i64 - 4).collect() });
            // what lane l holds: row or column of element i, by the ISA's tables
            let upper = |l: usize| 4 * usize::from(l >= 16);
            let quad = |l: usize| l % 16 / 4;
            let a_at = |l: usize, i: usize| if a_rows { (l % 4 + upper(l), i) } else { (i + upper(l), l % 4) };
            let b_at = |l: usize, i: usize| if b_rows { (l % 4, i + upper(l)) } else { (i, l % 4 + upper(l)) };
            let c_at = |l: usize, i: usize| match half_sums {
                true => (l % 4 + upper(l), i),
                false => ((l & 1) + (i & 2) + upper(l), (i & 4) + (l & 2) + (i & 1)),
            };
            let mut words = Vec::new();
            for l in 0..32 {
                let a = |i| f16(a[quad(l) * 32 + a_at(l, i).0 * 4 + a_at(l, i).1]);
                let b = |i| f16(b[quad(l) * 32 + b_at(l, i).0 * 8 + b_at(l, i).1]);
                let c = |i| c[quad(l) * 64 + c_at(l, i).0 * 8 + c_at(l, i).1];
                words.extend([a(0) | a(1) << 16, a(2) | a(3) << 16, b(0) | b(1) << 16, b(2) | b(3) << 16]);
                words.extend((0..8).map(|i| match half_sums {
                    true if i < 4 => f16(c(2 * i)) | f16(c(2 * i + 1)) << 16,
                    true => 0,
                    false => (c(i) as f32).to_bits(),
                }));
            }
            let name = |rows: bool| if rows { "row" } else { "col" };
            let (ty, count) = if half_sums { ("f16", 4) } else { ("f32", 8) };
            let list = |first: usize| {
                let all: Vec<String> = (first..first + count).map(|r| format!("%r{r}")).collect();
                all.join(", ")
            };
            let mut text = String::from(
                ".version 7.0\n.target sm_70\n.address_size 64\n.visible .entry k(.param .u64 p)\n{\n.reg .b64 %q<4>; \
                 .reg .b32 %r<40>;\nld.param.u64 %q1, [p]; mov.u32 %r0, %tid.x; mul.wide.u32 %q2, %r0, 48; \
                 add.u64 %q1, %q1, %q2;\n",
            );
            (1..=12).for_each(|r| text += &format!("ld.global.u32 %r{r}, [%q1+{}];\n", 4 * (r - 1)));
            text += &format!(
                "mma.sync.aligned.m8n8k4.{}.{}.{ty}.f16.f16.{ty} {{{}}}, {{%r1, %r2}}, {{%r3, %r4}}, {{{}}};\n",
                name(a_rows),
                name(b_rows),
                list(20),
                list(5)
            );
            (0..count).for_each(|r| text += &format!("st.global.u32 [%q1+{}], %r{};\n", 4 * r, 20 + r));
            text += "ret;\n}\n";
            let (profile, memory) = (Profile::named("sm_70").unwrap(), Memory::new(1 << 24));
            let module = Module::load(&text, &profile, &memory).unwrap_or_else(|e| panic!("{e}"));
            let at = memory.alloc(32 * 48, "registers").unwrap();
            let image: Vec<u8> = words.iter().flat_map(|w: &u32| w.to_le_bytes()).collect();
            memory.write(at, &image).unwrap();
            let params = at.to_le_bytes().into();
            let config = LaunchConfig { grid: [1; 3], block: [32, 1, 1], dynamic_shared: 0, params };
            let report = launch(&module, "k", &config, &memory, &profile, &all(), &mut |_| {});
            assert!(report.fault.is_none() && report.findings.is_empty(), "{report:?}");
            let mut image = vec![0; 32 * 48];
            memory.read(at, &mut image).unwrap();
            let word = |l: usize, r: usize| u32::from_le_bytes(image[48 * l + 4 * r..][..4].try_into().unwrap());
            for l in 0..32 {
                for i in 0..8 {
                    let ((row, column), q) = (c_at(l, i), quad(l));
                    let product = |k: usize| a[q * 32 + row * 4 + k] * b[q * 32 + k * 8 + column];
                    let sum = (0..4).map(product).sum::<i64>() + c[q * 64 + row * 8 + column];
                    let (found, expected) = match half_sums {
                        true => (word(l, i / 2) >> (16 * (i % 2)) & 0xffff, f16(sum)),
                        false => (word(l, i), (sum as f32).to_bits()),
                    };
                    assert_eq!(found, expected, "lane {l}, element {i}");
                }
            }
        }
    }
}
