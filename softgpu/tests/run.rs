//! The command softgpu-run, as a program.

mod common;

use common::fetched;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const SCALE: &str = r#"
.version 7.0
.target sm_75
.address_size 64
.visible .entry scale(.param .u64 scale_x, .param .u64 scale_y, .param .f32 scale_a, .param .u32 scale_n)
{
    .reg .pred %p;
    .reg .b32 %r<6>;
    .reg .b64 %d<6>;
    .reg .f32 %f<4>;
    ld.param.u64 %d1, [scale_x];
    ld.param.u64 %d2, [scale_y];
    ld.param.f32 %f1, [scale_a];
    ld.param.u32 %r1, [scale_n];
    mov.u32 %r2, %ctaid.x;
    mov.u32 %r3, %ntid.x;
    mov.u32 %r4, %tid.x;
    mad.lo.s32 %r5, %r2, %r3, %r4;
    setp.ge.s32 %p, %r5, %r1;
    @%p bra DONE;
    mul.wide.s32 %d3, %r5, 4;
    add.s64 %d4, %d1, %d3;
    add.s64 %d5, %d2, %d3;
    ld.global.f32 %f2, [%d4];
    mul.rn.f32 %f3, %f2, %f1;
    st.global.f32 [%d5], %f3;
DONE:
    ret;
}
"#;

/// A folder of its own for one test, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("softgpu-run-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
    fn write(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().into()
    }
    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().into()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// A version 1 .npy file of float32.
fn npy(values: &[f32]) -> Vec<u8> {
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({},), }}\n", values.len());
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(values.iter().flat_map(|v| v.to_le_bytes()));
    file
}

fn floats(path: &str, count: usize) -> Vec<f32> {
    let file = std::fs::read(path).unwrap_or_else(|e| panic!("{path}: {e}"));
    file[file.len() - 4 * count..].chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

fn run(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_softgpu-run")).args(words).output().expect("the command starts")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("not killed")
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_clean_kernel() {
    let f = Folder::new("clean");
    let ptx = f.write("scale.ptx", SCALE.as_bytes());
    let x: Vec<f32> = (0..100).map(|i| i as f32).collect();
    let input = f.write("x.npy", &npy(&x));
    let (out, findings, counters) = (f.path("y.npy"), f.path("f.json"), f.path("c.json"));
    let output = run(&[
        &ptx,
        "--kernel",
        "scale",
        "--grid",
        "4",
        "--block",
        "32,1",
        "--check",
        "all",
        "--seed",
        "5",
        "--profile",
        "sm_80",
        "--smem",
        "128",
        "--findings",
        &findings,
        "--counters",
        &counters,
        "--",
        &format!("in:{input}"),
        &format!("out:{out}:float32:10x10"),
        "f32:-2.5",
        "u32:100",
    ]);
    assert_eq!(code(&output), 0, "{}", error(&output));
    let want: Vec<f32> = x.iter().map(|v| v * -2.5).collect();
    assert_eq!(floats(&out, 100), want);
    let header = std::fs::read(&out).unwrap();
    assert!(String::from_utf8_lossy(&header).contains("'shape': (10, 10)"));
    let found: serde_json::Value = serde_json::from_slice(&std::fs::read(&findings).unwrap()).unwrap();
    assert_eq!(found["findings"].as_array().map(Vec::len), Some(0));
    assert_eq!(found["beyond"], 0);
    let counted: serde_json::Value = serde_json::from_slice(&std::fs::read(&counters).unwrap()).unwrap();
    assert!(counted.is_object(), "{counted}");
}

#[test]
fn a_buffer_is_read_and_written_back() {
    let f = Folder::new("inout");
    let ptx = f.write("scale.ptx", SCALE.as_bytes());
    let input = f.write("x.npy", &npy(&[1.0, 2.0, 3.0]));
    let other = f.write("y.npy", &npy(&[7.0, 8.0, 9.0]));
    let out = f.path("z.npy");
    let output = run(&[
        &ptx,
        "--kernel",
        "scale",
        "--grid",
        "1",
        "--block",
        "32",
        "--",
        &format!("in:{input}"),
        &format!("inout:{other}:{out}"),
        "f32:2",
        "i32:2",
    ]);
    assert_eq!(code(&output), 0, "{}", error(&output));
    assert_eq!(floats(&out, 3), [2.0, 4.0, 9.0]);
    assert_eq!(floats(&other, 3), [7.0, 8.0, 9.0], "the input file stays");
}

#[test]
fn a_finding_is_told_and_exits_with_3() {
    let f = Folder::new("finding");
    let ptx = f.write("scale.ptx", SCALE.as_bytes());
    let input = f.write("x.npy", &npy(&[1.0; 32]));
    let findings = f.path("f.json");
    // One element too many: thread 32 reads past the end of both buffers.
    let words = |check: &'static str| {
        vec![
            ptx.clone(),
            "--kernel".into(),
            "scale".into(),
            "--grid".into(),
            "2".into(),
            "--block".into(),
            "32".into(),
            "--check".into(),
            check.into(),
            "--findings".into(),
            findings.clone(),
            "--".into(),
            format!("in:{input}"),
            format!("out:{}:float32:32", f.path("y.npy")),
            "f32:1".into(),
            "u32:33".into(),
        ]
    };
    let all = words("mem");
    let output = run(&all.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(code(&output), 3, "{}", error(&output));
    assert!(error(&output).contains("OutOfBounds"), "{}", error(&output));
    let found: serde_json::Value = serde_json::from_slice(&std::fs::read(&findings).unwrap()).unwrap();
    let first = &found["findings"][0];
    assert_eq!(first["kind"], "out_of_bounds");
    assert_eq!(first["block"], serde_json::json!([1, 0, 0]));
    assert_eq!(first["thread"], serde_json::json!([0, 0, 0]));
}

#[test]
fn refusals_exit_with_1() {
    let f = Folder::new("refused");
    let unknown = SCALE.replace("mul.rn.f32 %f3", "mull.rn.f32 %f3");
    let bad = f.write("bad.ptx", unknown.as_bytes());
    let good = f.write("good.ptx", SCALE.as_bytes());
    let rest = ["--grid", "1", "--block", "32", "--"];
    let arguments = ["u64:0", "u64:0", "f32:1", "u32:0"];
    let try_it = |file: &str, kernel: &str, extra: &[&str]| {
        let mut words = vec![file, "--kernel", kernel];
        words.extend(extra);
        words.extend(rest);
        words.extend(arguments);
        run(&words)
    };
    for (output, part) in [
        (try_it(&bad, "scale", &[]), "mull"),
        (try_it(&good, "skale", &[]), "scale"),
        (try_it(&f.path("none.ptx"), "scale", &[]), "cannot read"),
        (try_it(&good, "scale", &["--smem", "200000"]), "shared memory"),
    ] {
        assert_eq!(code(&output), 1, "{part}: {}", error(&output));
        assert!(error(&output).contains(part), "{part}: {}", error(&output));
    }
}

#[test]
fn wrong_usage_exits_with_2() {
    let f = Folder::new("usage");
    let ptx = f.write("scale.ptx", SCALE.as_bytes());
    for (words, part) in [
        ("", "required arguments"),
        ("PTX", "--kernel"),
        ("PTX --kernel scale --grid 0 --block 1", "not a whole number above zero"),
        ("PTX --kernel scale --grid 1,1,1,1 --block 1", "at most three numbers"),
        ("PTX --kernel scale --grid 1 --block 1 --profile sm_42", "known are sm_61"),
        ("PTX --kernel scale --grid 1 --block 1 --check rice", "`rice` is no check"),
        ("PTX --kernel scale --grid 1 --block 1 -- i31:4", "no kind of argument"),
        ("PTX --kernel scale --grid 1 --block 1 -- u32:1", "4 parameters but 1 arguments"),
        ("PTX --kernel scale --grid 1 --block 1 -- u64:0 u64:0 f64:0 u32:1", "argument 3 has 8 bytes"),
        (
            "PTX --kernel scale --grid 1 --block 1 -- u64:0 u32:0 f32:0 u32:1",
            "an integer of 4 bytes for a parameter of 8",
        ),
        ("PTX --kernel scale --grid 1 --block 1 -- u64:0 u64:0 f32:0 i64:5000000000", "does not fit"),
        ("scale.txt --kernel scale --grid 1 --block 1", "must end in .cu or .ptx"),
    ] {
        let words: Vec<&str> = words.split_whitespace().map(|word| if word == "PTX" { &ptx } else { word }).collect();
        let output = run(&words);
        assert_eq!(code(&output), 2, "{words:?}: {}", error(&output));
        assert!(error(&output).contains(part), "{words:?}: {}", error(&output));
    }
}

const CU: &str = r#"
extern "C" int printf(const char *, ...);
struct Pair { int a; float b; };
extern "C" __global__ void tell(Pair p, double *out, short factor)
{
    if (threadIdx.x == 0) printf("a %d b %.2f\n", p.a, p.b);
    out[threadIdx.x] = FACTOR * p.a + factor;
}
extern "C" __global__ void race(int *out)
{
    __shared__ int s[64];
    s[threadIdx.x] = threadIdx.x;
    out[threadIdx.x] = s[63 - threadIdx.x];
}
__global__ void plain(int *out) { out[0] = 7; }
"#;

#[test]
fn a_cu_file_is_compiled_by_both_nvrtc() {
    let f = Folder::new("cu");
    let cu = f.write("tell.cu", CU.as_bytes());
    let pair = f.write("pair.bin", &[3, 0, 0, 0, 0, 0, 0, 0x40]);
    for (major, library) in [("12", "nvidia/cuda_nvrtc/lib/libnvrtc.so.12"), ("13", "nvidia/cu13/lib/libnvrtc.so.13")] {
        let with = |words: &[&str]| {
            Command::new(env!("CARGO_BIN_EXE_softgpu-run"))
                .env("SOFTGPU_NVRTC", fetched(&format!("{major}/{library}")))
                .args(words)
                .output()
                .expect("the command starts")
        };
        let out = f.path("out.npy");
        let output = with(&[
            &cu,
            "--kernel",
            "tell",
            "--grid",
            "1",
            "--block",
            "4",
            "--nvrtc-option",
            "-DFACTOR=10",
            "--",
            &format!("raw:{pair}"),
            &format!("out:{out}:float64:4"),
            "i32:-1",
        ]);
        assert_eq!(code(&output), 0, "{}", error(&output));
        assert_eq!(String::from_utf8_lossy(&output.stdout), "a 3 b 2.00\n");
        let file = std::fs::read(&out).unwrap();
        assert_eq!(file[file.len() - 8..], 29.0f64.to_le_bytes());

        let output = with(&[
            &cu,
            "--kernel",
            "race",
            "--grid",
            "1",
            "--block",
            "64",
            "--nvrtc-option=-DFACTOR=1",
            "--",
            &format!("out:{out}:int32:64"),
        ]);
        assert_eq!(code(&output), 3, "{}", error(&output));
        // The line of the .cu file where the hazard is.
        assert!(error(&output).contains("tell.cu:1"), "{}", error(&output));

        let output = with(&[
            &cu,
            "--kernel",
            "plain",
            "--grid",
            "1",
            "--block",
            "1",
            "--nvrtc-option=-DFACTOR=1",
            "--",
            &format!("out:{out}:int32:1"),
        ]);
        assert_eq!(code(&output), 0, "{}", error(&output));

        let output = with(&[&cu, "--kernel", "tell", "--grid", "1", "--block", "1", "--", "u64:0", "u64:0", "i32:0"]);
        assert_eq!(code(&output), 1);
        assert!(error(&output).contains("FACTOR"), "{}", error(&output));
    }
}

#[test]
fn a_missing_nvrtc_is_said_with_the_command_that_brings_it() {
    let f = Folder::new("missing");
    let cu = f.write("tell.cu", CU.as_bytes());
    let output = Command::new(env!("CARGO_BIN_EXE_softgpu-run"))
        .env("SOFTGPU_NVRTC", "/nowhere/libnvrtc.so")
        .args([&cu, "--kernel", "tell", "--grid", "1", "--block", "1"])
        .output()
        .unwrap();
    assert_eq!(code(&output), 1);
    assert!(error(&output).contains("pip install nvidia-cuda-nvrtc"), "{}", error(&output));
}

/// NVRTC tells the registers of a .cu file, ptxas those of a .ptx file; without it they are counted.
#[test]
fn registers_are_those_of_the_compiler() {
    let folder = Folder::new("registers");
    let source = "extern \"C\" __global__ void k(volatile unsigned* p) {\n    unsigned v[96];\n    \
        _Pragma(\"unroll\") for (int i = 0; i < 96; i++) v[i] = p[i];\n    \
        _Pragma(\"unroll\") for (int i = 0; i < 96; i++) p[i] = v[i];\n}\n";
    let cu = folder.write("k.cu", source.as_bytes());
    let words = folder.write("words.npy", &npy(&[0.5; 96]));
    let (counters, buffer) = (folder.path("c.json"), format!("in:{words}"));
    let registers = |file: &str, threads: &str, more: &[&str], ptxas: Option<&Path>| {
        std::fs::remove_file(&counters).ok();
        let mut command = Command::new(env!("CARGO_BIN_EXE_softgpu-run"));
        command
            .args([file, "--kernel", "k", "--grid", "1", "--block", threads])
            .args(["--check", "none", "--counters", &counters])
            .args(more)
            .args(["--", &buffer])
            .env("SOFTGPU_NVRTC", fetched("13/nvidia/cu13/lib/libnvrtc.so.13"));
        if let Some(ptxas) = ptxas {
            command.env("SOFTGPU_PTXAS", ptxas);
        }
        let output = command.output().unwrap();
        if !output.status.success() {
            return Err((code(&output), error(&output)));
        }
        let text = std::fs::read_to_string(&counters).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let count = json["registers"].as_u64().unwrap();
        Ok((count, json["registers_known"].as_bool().unwrap()))
    };
    let (own, known) = registers(&cu, "512", &[], None).unwrap();
    assert!((97..=128).contains(&own) && known, "{own} {known}");
    let few = registers(&cu, "512", &["--nvrtc-option=--maxrregcount=64"], None);
    let (few, known) = few.unwrap();
    assert!(few <= 64 && known, "{few}");
    let (code, message) = registers(&cu, "1024", &[], None).unwrap_err();
    let wanted = format!("threads of {own} registers");
    assert!(code == 1 && message.contains(&wanted), "{message}");

    // SAFETY: NVRTC, as it was fetched.
    let nvrtc = unsafe { softgpu::nvrtc::Nvrtc::load(&fetched("13/nvidia/cu13/lib/libnvrtc.so.13")) }.unwrap();
    let source = softgpu::nvrtc::Source { name: "k.cu", text: source, headers: &[] };
    let options = ["--gpu-architecture=compute_86".to_string()];
    let compiled = nvrtc.compile(&source, &options).unwrap().ptx().unwrap();
    let ptx = folder.write("k.ptx", compiled.as_bytes());
    assert_eq!(registers(&ptx, "512", &[], None), Ok((98, false)));
    let ptxas = fetched("ptxas/nvidia/cu13/bin/ptxas");
    assert_eq!(registers(&ptx, "512", &[], Some(&ptxas)), Ok((own, true)));
    let (code, message) = registers(&ptx, "512", &[], Some(Path::new("/none"))).unwrap_err();
    assert!(code == 1 && message.contains("SOFTGPU_PTXAS names /none"), "{message}");
    // what ptxas refuses, no card runs
    let wrong = folder.write("wrong.ptx", compiled.replace("ret;", "ret; foo;").as_bytes());
    let (code, message) = registers(&wrong, "512", &[], Some(&ptxas)).unwrap_err();
    assert!(code == 1 && message.contains("refuses the text for sm_86"), "{message}");
}
