//! The SOFTGPU_* variables, end to end: a program that talks to the driver is run with each of them.
//!
//! The program is this file's `child`, run by the tests in a process of its own.

mod common;

use cudarc::driver::sys::{CUdevice_attribute, CUfunction_attribute, CUuuid, cuGetExportTable};
use cudarc::driver::{CudaContext, LaunchConfig, PushKernelArg, result};
use cudarc::nvrtc::Ptx;
use softgpu::Library;
use std::path::PathBuf;
use std::process::{Command, Output};

/// Each thread writes its number; `far` writes beyond a buffer of 64 words when there are more threads.
const TEXT: &str = ".version 7.0\n.target sm_61\n.address_size 64\n\
    .visible .entry number(.param .u64 out)\n{\n.reg .b64 %x<4>;\n.reg .b32 %r<2>;\n\
    ld.param.u64 %x1, [out];\nmov.u32 %r1, %tid.x;\nmul.wide.u32 %x2, %r1, 4;\nadd.s64 %x3, %x1, %x2;\n\
    st.global.u32 [%x3], %r1;\nret;\n}\n\
    .visible .entry big(.param .u64 out)\n{\nret;\n}\n";

/// What the other tests run: allocates, launches 65 threads on 64 words, and says what happened.
#[test]
#[ignore = "run by the other tests, with variables set"]
fn child() {
    // the test harness has begun a line
    println!();
    Library::load().unwrap();
    for _ in 0..2 {
        // SAFETY: place for an address, and an identifier that lives.
        let code = unsafe { cuGetExportTable(&mut std::ptr::null(), &CUuuid { bytes: [0; 16] }) };
        println!("tables {code:?}");
    }
    match result::init() {
        Ok(()) => {}
        Err(error) => {
            println!("init {:?}", error.0);
            return;
        }
    }
    let context = CudaContext::new(0).unwrap();
    let get = |a: CUdevice_attribute| context.attribute(a).unwrap();
    println!(
        "device {}.{}",
        get(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR),
        get(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)
    );
    println!("memory {}", result::mem_get_info().unwrap().1);
    let most = get(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
    println!("shared {most}");
    // SAFETY: softgpu checks context and address.
    println!("large {:?}", unsafe { result::malloc_sync(17 << 20) }.map_err(|e| e.0));
    let module = context.load_module(Ptx::from_src(TEXT)).unwrap();
    let big = module.load_function("big").unwrap();
    let registers = CUfunction_attribute::CU_FUNC_ATTRIBUTE_NUM_REGS;
    println!("registers {}", big.get_attribute(registers).unwrap());
    let attribute = CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
    println!("beyond {:?}", big.set_attribute(attribute, most + 1).map_err(|e| e.0));
    println!("within {:?}", big.set_attribute(attribute, most).map_err(|e| e.0));
    let stream = context.default_stream();
    let mut out = stream.alloc_zeros::<u32>(64).unwrap();
    let launch = |shared: i32| {
        let mut builder = stream.launch_builder(&big);
        builder.arg(&0u64);
        let config = LaunchConfig { grid_dim: (1, 1, 1), block_dim: (32, 1, 1), shared_mem_bytes: shared as u32 };
        // SAFETY: the arguments are of the kernel's types; what it does with them, softgpu checks.
        unsafe { builder.launch(config) }.map(|_| ()).map_err(|e| e.0)
    };
    println!("launch {:?} {:?}", launch(most), launch(most + 1));
    let number = module.load_function("number").unwrap();
    let mut builder = stream.launch_builder(&number);
    builder.arg(&mut out);
    let config = LaunchConfig { grid_dim: (1, 1, 1), block_dim: (65, 1, 1), shared_mem_bytes: 0 };
    // SAFETY: the arguments are of the kernel's types; what it does with them, softgpu checks.
    unsafe { builder.launch(config) }.unwrap();
    println!("end {:?}", stream.synchronize().map_err(|e| e.0));
    // the large allocation is never freed
    drop((out, module, number, big, stream));
    drop(context);
}

struct Answer {
    lines: Vec<String>,
    errors: String,
}

impl Answer {
    fn of(&self, word: &str) -> &str {
        let found = self.lines.iter().find_map(|l| l.strip_prefix(word));
        found.unwrap_or_else(|| panic!("no {word}: {:?}\n{}", self.lines, self.errors))
    }
}

fn child_with(variables: &[(&str, &str)]) -> Answer {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--ignored", "--nocapture", "--test-threads=1"]);
    for (name, _) in std::env::vars().filter(|v| v.0.starts_with("SOFTGPU_")) {
        if name != "SOFTGPU_LIBRARY" {
            command.env_remove(name);
        }
    }
    command.envs(variables.iter().copied());
    let Output { status, stdout, stderr } = command.output().unwrap();
    let errors = String::from_utf8_lossy(&stderr).into_owned();
    assert!(status.success(), "{}\n{errors}", String::from_utf8_lossy(&stdout));
    let text = String::from_utf8_lossy(&stdout);
    Answer { lines: text.lines().map(str::to_string).collect(), errors }
}

/// A file that is not there yet.
fn file(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("softgpu-{}-{name}", std::process::id()));
    std::fs::remove_file(&path).ok();
    path
}

fn json(path: &PathBuf) -> serde_json::Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    std::fs::remove_file(path).ok();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn without_any() {
    let answer = child_with(&[]);
    assert_eq!(answer.of("device "), "8.6");
    assert_eq!(answer.of("memory "), (8u64 << 30).to_string());
    assert!(answer.of("large ").starts_with("Ok"));
    assert_eq!(answer.of("end "), "Ok(())");
    assert_eq!(answer.of("registers "), "1");
    assert!(!answer.errors.contains("warp instructions"), "{}", answer.errors);
}

/// A kernel that does nothing still gets a few registers of ptxas.
#[test]
fn ptxas_tells_the_registers() {
    let ptxas = common::fetched("ptxas/nvidia/cu13/bin/ptxas");
    let answer = child_with(&[("SOFTGPU_PTXAS", ptxas.to_str().unwrap())]);
    let registers: u32 = answer.of("registers ").parse().unwrap();
    assert!((2..=8).contains(&registers), "{registers}");
}

#[test]
fn memory_is_limited() {
    let answer = child_with(&[("SOFTGPU_MEMORY", "16M")]);
    assert_eq!(answer.of("memory "), (16u64 << 20).to_string());
    assert_eq!(answer.of("large "), "Err(CUDA_ERROR_OUT_OF_MEMORY)");
    assert!(answer.errors.contains("17825792 bytes asked for"), "{}", answer.errors);
}

#[test]
fn devices_have_their_own_limits() {
    // Programming Guide, "Technical Specifications per Compute Capability": the most shared memory a block
    for (name, capability, shared) in [
        ("sm_61", "6.1", 48 << 10),
        ("sm_70", "7.0", 96 << 10),
        ("sm_75", "7.5", 64 << 10),
        ("sm_80", "8.0", 163 << 10),
        ("sm_86", "8.6", 99 << 10),
        ("sm_89", "8.9", 99 << 10),
        ("sm_90", "9.0", 227 << 10),
    ] {
        let answer = child_with(&[("SOFTGPU_DEVICE", name)]);
        assert_eq!(answer.of("device "), capability);
        assert_eq!(answer.of("shared "), shared.to_string(), "{name}");
        assert_eq!(answer.of("beyond "), "Err(CUDA_ERROR_INVALID_VALUE)");
        assert_eq!(answer.of("within "), "Ok(())");
        assert_eq!(answer.of("launch "), "Ok(()) Err(CUDA_ERROR_INVALID_VALUE)", "{name}");
    }
}

#[test]
fn findings_go_to_a_file() {
    let path = file("findings.json");
    let answer = child_with(&[("SOFTGPU_CHECK", "all"), ("SOFTGPU_FINDINGS", path.to_str().unwrap())]);
    assert_eq!(answer.of("end "), "Ok(())");
    let findings = json(&path);
    let list = findings["findings"].as_array().unwrap();
    let find = |kind: &str| {
        let found = list.iter().find(|f| f["kind"] == kind);
        found.unwrap_or_else(|| panic!("no {kind}: {findings}"))
    };
    let astray = find("out_of_bounds");
    assert_eq!(astray["kernel"], "number");
    assert_eq!(astray["ptx_line"], 12);
    assert_eq!(astray["thread"], serde_json::json!([64, 0, 0]));
    assert_eq!(astray["bytes"], 4);
    assert_eq!(astray["count"], 1);
    assert_eq!(find("leak")["bytes"], 17 << 20);
    assert_eq!(findings["beyond"], 0);
}

#[test]
fn a_finding_can_end_the_launch() {
    let answer = child_with(&[("SOFTGPU_CHECK", "mem"), ("SOFTGPU_ABORT", "1")]);
    assert_eq!(answer.of("end "), "Err(CUDA_ERROR_LAUNCH_FAILED)");
}

#[test]
fn kinds_can_be_muted_and_any_rank_can_fail() {
    let path = file("muted.json");
    let to_file = ("SOFTGPU_FINDINGS", path.to_str().unwrap());
    child_with(&[("SOFTGPU_CHECK", "all"), ("SOFTGPU_MUTE", "leak, same_value"), to_file]);
    let findings = json(&path);
    let list = findings["findings"].as_array().unwrap();
    assert!(list.iter().all(|f| f["kind"] != "leak"), "{findings}");
    assert!(list.iter().any(|f| f["kind"] == "out_of_bounds" && f["rank"] == "error"), "{findings}");
    let muted = child_with(&[("SOFTGPU_CHECK", "mem"), ("SOFTGPU_ABORT", "1"), ("SOFTGPU_MUTE", "out_of_bounds")]);
    assert_eq!(muted.of("end "), "Ok(())");
    let strict = child_with(&[("SOFTGPU_CHECK", "mem"), ("SOFTGPU_ABORT", "1"), ("SOFTGPU_FAIL", "note")]);
    assert_eq!(strict.of("end "), "Err(CUDA_ERROR_LAUNCH_FAILED)");
}

#[test]
fn guards_need_no_memcheck() {
    // without memcheck the word behind the buffer belongs to nobody, and the write goes there
    for check in ["none", "race"] {
        assert_eq!(child_with(&[("SOFTGPU_CHECK", check)]).of("end "), "Ok(())");
        let guarded = child_with(&[("SOFTGPU_CHECK", check), ("SOFTGPU_GUARD", "1"), ("SOFTGPU_GAP", "1M")]);
        assert_eq!(guarded.of("end "), "Err(CUDA_ERROR_ILLEGAL_ADDRESS)");
    }
}

#[test]
fn counters_go_to_a_file_and_to_a_table() {
    let path = file("counters.json");
    let answer = child_with(&[
        ("SOFTGPU_PROFILE", "1"),
        ("SOFTGPU_COUNTERS", path.to_str().unwrap()),
        ("SOFTGPU_THREADS", "2"),
        ("SOFTGPU_SEED", "3"),
    ]);
    let counters = json(&path);
    let list = counters.as_array().unwrap();
    let number = list.iter().find(|c| c["kernel"] == "number").unwrap();
    // six instructions, three warps for 65 threads
    assert_eq!(number["warp_instructions"], 6 * 3);
    assert_eq!(number["thread_instructions"], 6 * 65);
    assert_eq!(number["global_stores"]["bytes"], 4 * 65);
    assert_eq!(number["grid"], serde_json::json!([1, 1, 1]));
    for words in ["number", "thread instructions", "390", "unique global bytes"] {
        assert!(answer.errors.contains(words), "{}", answer.errors);
    }
}

#[test]
fn what_cannot_be_understood_is_refused() {
    for (name, value) in [
        ("SOFTGPU_CHECK", "rice"),
        ("SOFTGPU_DEVICE", "sm_42"),
        ("SOFTGPU_MEMORY", "much"),
        ("SOFTGPU_STREAMS", "soon"),
        ("SOFTGPU_FAIL", "never"),
        ("SOFTGPU_MUTE", "thunder"),
        ("SOFTGPU_GAP", "wide"),
    ] {
        let answer = child_with(&[(name, value)]);
        assert_eq!(answer.of("init "), "CUDA_ERROR_INVALID_VALUE", "{name}");
        assert!(answer.errors.contains(value), "{}", answer.errors);
        let quiet = child_with(&[(name, value), ("SOFTGPU_QUIET", "1")]);
        assert!(!quiet.errors.contains(value), "{}", quiet.errors);
    }
}

/// What says nothing about the program is said once, at the debug level alone.
#[test]
fn undocumented_tables_are_asked_for_in_silence() {
    let lines = |variables: &[(&str, &str)]| {
        let answer = child_with(variables);
        assert_eq!(answer.of("tables "), "CUDA_ERROR_NOT_SUPPORTED");
        answer.errors.matches("cuGetExportTable").count()
    };
    assert_eq!(lines(&[]), 0);
    assert_eq!(lines(&[("SOFTGPU_DEBUG", "0")]), 0);
    assert_eq!(lines(&[("SOFTGPU_DEBUG", "1")]), 1);
    assert_eq!(lines(&[("SOFTGPU_DEBUG", "1"), ("SOFTGPU_QUIET", "1")]), 0);
}
