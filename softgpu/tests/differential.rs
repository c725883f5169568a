//! Random C programs, compiled by NVRTC and run on softgpu, and by the host's C compiler.
//!
//! The programs use what both compilers define alike: wrapping arithmetic is done unsigned,
//! shift amounts are masked, divisors are kept positive, floats become integers only in
//! range, and multiply-adds are not contracted. The seed is printed; set
//! SOFTGPU_DIFFERENTIAL_SEED to try another.

mod common;
mod generator;
#[path = "common/random.rs"]
mod random;

use softgpu::nvrtc::{Nvrtc, Source};
use softgpu::{LaunchConfig, Memory, Module, Options, Profile, launch};
use std::collections::HashSet;
use std::path::Path;
use std::process::Command;

/// Programs compiled together; each is run by every thread.
const PROGRAMS: usize = 40;
/// So often, each time with other programs: compilers take less time for several small files than for a large one.
const PARTS: usize = 6;
const THREADS: usize = 96;
/// Blocks they are in; there are more than host threads, so that some run several.
const BLOCKS: usize = 3;
/// 64-bit words of input for a thread.
const INPUTS: usize = 8;

/// The same word file for both sides: edge values among random ones.
fn inputs(seed: u64) -> Vec<u64> {
    let mut random = random::Random(seed ^ 0xfeed);
    let edges = [
        0,
        1,
        u64::MAX,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_ffff,
        0x7fff_ffff_ffff_ffff,
        0x8000_0000_0000_0000,
        0x3f80_0000,
        0x7f7f_ffff,
        0x0000_0001,
        0x7f80_0000,
    ];
    (0..THREADS * INPUTS)
        .map(|_| match random.below(3) {
            0 => edges[random.below(edges.len() as u64) as usize],
            1 => random.below(200),
            _ => random.next(),
        })
        .collect()
}

/// The library that the host's compiler makes of a text.
fn host_library(source: &str, folder: &Path) -> libloading::Library {
    let (c, library) = (folder.join("programs.c"), folder.join("programs.so"));
    std::fs::write(&c, source).expect("the temporary folder can be written");
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let output = Command::new(&compiler)
        .args(["-O0", "-ffp-contract=off", "-fwrapv", "-fno-strict-aliasing", "-w", "-fPIC", "-shared"])
        .arg("-o")
        .arg(&library)
        .arg(&c)
        .arg("-lm")
        .output()
        .unwrap_or_else(|e| panic!("{compiler} does not start: {e}; install a C compiler or set CC"));
    assert!(output.status.success(), "{compiler}: {}", String::from_utf8_lossy(&output.stderr));
    // SAFETY: the library was just made from the generated text, which does nothing when it is loaded.
    unsafe { libloading::Library::new(&library).expect("the compiled library loads") }
}

/// Results of the host's compiler: program-major, one word a thread.
fn on_host(source: &str, words: &[u64], folder: &Path) -> Vec<u64> {
    let library = host_library(source, folder);
    // SAFETY: each program reads INPUTS words and writes one.
    unsafe {
        let mut results = Vec::new();
        for program in 0..PROGRAMS {
            let name = format!("program_{program}");
            let call =
                library.get::<unsafe extern "C" fn(*const u64) -> u64>(name.as_bytes()).expect("the program is there");
            for thread in 0..THREADS {
                results.push(call(words[thread * INPUTS..].as_ptr()));
            }
        }
        results
    }
}

/// Results of softgpu, in the same order.
fn on_softgpu(source: &str, words: &[u64], compiler: &Nvrtc) -> Vec<u64> {
    let options = ["--gpu-architecture=compute_86", "--fmad=false", "--device-int128"].map(String::from);
    let source = Source { name: "programs.cu", text: source, headers: &[] };
    let ptx = compiler.compile(&source, &options).and_then(|p| p.ptx()).unwrap_or_else(|e| panic!("{e}"));
    let profile = Profile::named("sm_86").expect("a known profile");
    let memory = Memory::new(1 << 28);
    let module = Module::load(&ptx, &profile, &memory).unwrap_or_else(|e| panic!("{e}"));
    let input = memory.alloc(words.len() as u64 * 8, "input").unwrap();
    let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    memory.write(input, &bytes).unwrap();
    let output = memory.alloc(THREADS as u64 * 8, "output").unwrap();
    let options = Options { mem: true, init: true, race: true, sync: true, ..Options::default() };
    let mut results = Vec::new();
    for program in 0..PROGRAMS {
        let params: Vec<u8> = [input, output].iter().flat_map(|p| p.to_le_bytes()).collect();
        let config = LaunchConfig {
            grid: [BLOCKS as u32, 1, 1],
            block: [(THREADS / BLOCKS) as u32, 1, 1],
            dynamic_shared: 0,
            params,
        };
        let kernel = format!("kernel_{program}");
        let report = launch(&module, &kernel, &config, &memory, &profile, &options, &mut |_| {});
        assert!(report.fault.is_none(), "{kernel}: {:?}", report.fault);
        assert!(report.findings.is_empty(), "{kernel}: {:?}", report.findings);
        let mut bytes = vec![0; THREADS * 8];
        memory.read(output, &mut bytes).unwrap();
        results.extend(bytes.chunks_exact(8).map(|b| u64::from_le_bytes(b.try_into().unwrap())));
    }
    results
}

fn differential(major: &str, library: &str, default_seed: u64) {
    let seed = std::env::var("SOFTGPU_DIFFERENTIAL_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(default_seed);
    println!("differential test with NVRTC {major}: SOFTGPU_DIFFERENTIAL_SEED={seed}");
    // SAFETY: NVRTC, as it was fetched.
    let compiler = unsafe { Nvrtc::load(&common::fetched(&format!("{major}/{library}"))) }.expect("NVRTC loads");
    let folder = std::env::temp_dir().join(format!("softgpu-differential-{}-{major}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let words = inputs(seed);
    let mut different = HashSet::new();
    for part in 0..PARTS {
        let first = seed.wrapping_mul(1000).wrapping_add((part * PROGRAMS) as u64);
        let programs: Vec<String> =
            (0..PROGRAMS).map(|i| generator::program(first.wrapping_add(i as u64), i)).collect();
        let host = on_host(&generator::host_source(&programs), &words, &folder);
        let device = on_softgpu(&generator::device_source(&programs), &words, &compiler);
        let wrong: Vec<usize> = (0..host.len()).filter(|&at| host[at] != device[at]).collect();
        if let Some(&at) = wrong.first() {
            let (program, thread) = (at / THREADS, at % THREADS);
            let mut programs_wrong: Vec<usize> = wrong.iter().map(|at| at / THREADS).collect();
            programs_wrong.dedup();
            panic!(
                "seed {seed}, part {part}: of {PROGRAMS} programs {programs_wrong:?} differ; program {program}, \
                 thread {thread}: host {:#x}, softgpu {:#x}, inputs {:x?}\n{}",
                host[at],
                device[at],
                &words[thread * INPUTS..][..INPUTS],
                programs[program]
            );
        }
        different.extend(host);
    }
    std::fs::remove_dir_all(&folder).ok();
    // A generator whose programs all give one value would test nothing.
    assert!(different.len() > PARTS * PROGRAMS * 10, "only {} values", different.len());
}

#[test]
fn nvrtc_12_and_the_host_agree() {
    differential("12", "nvidia/cuda_nvrtc/lib/libnvrtc.so.12", 13);
}

#[test]
fn nvrtc_13_and_the_host_agree() {
    differential("13", "nvidia/cu13/lib/libnvrtc.so.13", 12);
}

/// Programs whose stores of 8, 16 and 32 bits lie among other threads' and other blocks', in global and in shared memory:
/// what the host does thread by thread is there in the end, and no check takes a neighbour for the same place.
#[test]
fn narrow_stores_are_those_of_a_serial_program() {
    use generator::stores;
    let seed = std::env::var("SOFTGPU_DIFFERENTIAL_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(8u64);
    println!("narrow stores: SOFTGPU_DIFFERENTIAL_SEED={seed}");
    // SAFETY: NVRTC, as it was fetched.
    let compiler = unsafe { Nvrtc::load(&common::fetched("13/nvidia/cu13/lib/libnvrtc.so.13")) }.expect("NVRTC loads");
    let folder = std::env::temp_dir().join(format!("softgpu-stores-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let programs: Vec<String> = (0..PROGRAMS).map(|n| stores::program(seed.wrapping_mul(1000) + n as u64, n)).collect();
    let library = host_library(&stores::host_source(&programs), &folder);
    let options = ["--gpu-architecture=compute_86", "--fmad=false", "--device-int128"].map(String::from);
    let text = stores::device_source(&programs);
    let source = Source { name: "stores.cu", text: &text, headers: &[] };
    let ptx = compiler.compile(&source, &options).and_then(|p| p.ptx()).unwrap_or_else(|e| panic!("{e}"));
    let (profile, memory) = (Profile::named("sm_86").expect("a known profile"), Memory::new(1 << 28));
    let module = Module::load(&ptx, &profile, &memory).unwrap_or_else(|e| panic!("{e}"));
    let words = inputs(seed);
    let input = memory.alloc(words.len() as u64 * 8, "input").unwrap();
    memory.write(input, &words.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<u8>>()).unwrap();
    let mut random = random::Random(seed);
    let start: Vec<u8> = (0..stores::bytes(stores::THREADS)).map(|_| random.next() as u8).collect();
    let out = memory.alloc(start.len() as u64, "elements").unwrap();
    let params: Vec<u8> = [input, out].iter().flat_map(|p| p.to_le_bytes()).collect();
    let blocks = (stores::THREADS / stores::BLOCK) as u32;
    let config = LaunchConfig { grid: [blocks, 1, 1], block: [stores::BLOCK as u32, 1, 1], dynamic_shared: 0, params };
    let mut different = HashSet::new();
    for (n, program) in programs.iter().enumerate() {
        for kernel in [format!("global_{n}"), format!("shared_{n}")] {
            let mut expected = start.clone();
            // SAFETY: the function reads INPUTS words a thread, and changes the bytes of the arrays.
            unsafe {
                let call = library.get::<unsafe extern "C" fn(*const u64, *mut u8)>(kernel.as_bytes());
                call.expect("the program is there")(words.as_ptr(), expected.as_mut_ptr());
            }
            for order in [0, seed + 1] {
                memory.write(out, &start).unwrap();
                let opts = Options {
                    mem: true,
                    init: true,
                    race: true,
                    sync: true,
                    seed: order,
                    threads: 2,
                    ..Options::default()
                };
                let report = launch(&module, &kernel, &config, &memory, &profile, &opts, &mut |_| {});
                assert!(report.fault.is_none() && report.findings.is_empty(), "{kernel}: {report:#?}\n{}", program);
                let mut found = vec![0; start.len()];
                memory.read(out, &mut found).unwrap();
                let wrong = (0..found.len()).find(|&at| found[at] != expected[at]);
                assert!(wrong.is_none(), "{kernel}, order {order}: byte {wrong:?}\n{}", program);
            }
            different.insert(expected);
        }
    }
    std::fs::remove_dir_all(&folder).ok();
    assert_eq!(different.len(), 2 * PROGRAMS, "programs that do the same");
}
