//! What softgpu doesn't know it refuses at load, with the instruction and its line; what the ISA documents
//! it accepts. Both lists agree with ptxas 13.5 for these targets, apart from what softgpu names as
//! not supported.

use super::support::{all, kernel, load};
use softgpu::{LaunchConfig, Memory, Module, Profile, launch};

/// The line of the instruction under test in [`kernel`]'s text.
const LINE: u32 = 13;

const SETUP: &str = ".shared .align 16 .b8 tile[256];\nmov.u32 %r1, tile;";

fn refused(target: &str, instruction: &str, words: &[&str]) {
    let text = kernel(target, &format!("{SETUP}\n{instruction}"));
    assert_eq!(text.lines().nth(LINE as usize - 1), Some(instruction));
    let error = match load(target, &text) {
        Err(error) => error,
        Ok(()) => panic!("{target}: {instruction} was accepted"),
    };
    assert_eq!(error.line, LINE, "{instruction}: {error}");
    assert_eq!(error.text, instruction);
    let opcode = instruction.split_whitespace().next().unwrap();
    let opcode = opcode.trim_end_matches(';');
    let shown = error.to_string();
    assert!(shown.contains(opcode), "{shown}");
    for word in words {
        assert!(shown.contains(word), "{instruction}: no '{word}' in: {shown}");
    }
}

fn accepted(target: &str, instruction: &str) {
    let text = kernel(target, &format!("{SETUP}\n{instruction}"));
    if let Err(error) = load(target, &text) {
        panic!("{target}: {instruction}: {error}");
    }
}

#[test]
fn what_is_not_supported_is_named() {
    for (instruction, words) in [
        ("wgmma.fence.sync.aligned;", &["wgmma"][..]),
        (
            "wgmma.mma_async.sync.aligned.m64n8k16.f32.f16.f16 {%f1, %f2, %f3, %f4}, %x1, %x2, 1, 1, 1, 0, 0;",
            &["warpgroup"],
        ),
        ("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r1], [%out], 16, [%r2];", &["TMA"]),
        (
            "cp.async.bulk.tensor.1d.shared::cluster.global.mbarrier::complete_tx::bytes [%r1], [%out, {%r2}], [%r3];",
            &["TMA"],
        ),
        ("cp.async.bulk.commit_group;", &["TMA"]),
        ("cp.reduce.async.bulk.global.shared::cta.bulk_group.add.u32 [%out], [%r1], 16;", &["TMA"]),
        ("prefetch.tensormap [%out];", &["TMA"]),
        ("fence.proxy.async;", &["proxy"]),
        ("fence.mbarrier_init.release.cluster;", &["clusters"]),
        ("barrier.cluster.arrive;", &["cluster"]),
        ("barrier.cluster.wait;", &["cluster"]),
        ("mapa.shared::cluster.u32 %r2, %r1, 0;", &["cluster"]),
        ("ld.shared::cluster.u32 %r2, [%r1];", &["shared::cluster"]),
        ("mbarrier.arrive.shared::cluster.b64 _, [%r1];", &["cluster"]),
        ("setmaxnreg.inc.sync.aligned.u32 64;", &["setmaxnreg"]),
        ("griddepcontrol.wait;", &["dependent launch"]),
        ("multimem.ld_reduce.global.add.u32 %r2, [%out];", &["multimem"]),
        ("frobnicate.u32 %r2, %r1;", &["not known"]),
        ("add.frob.u32 %r2, %r1, %r1;", &["frob"]),
        ("ld.global.frob.u32 %r2, [%out];", &["frob"]),
    ] {
        refused("sm_90", instruction, words);
    }
}

#[test]
fn qualifiers_that_an_instruction_does_not_have() {
    for instruction in [
        "prefetch.global.L1::evict_last [%out];",
        "prefetch.shared.L1 [%r1];",
        "prefetch.global [%out];",
        "prefetchu.L2 [%out];",
        "applypriority.global.L2::evict_last [%out], 128;",
        "applypriority.global.L2::evict_normal [%out], 64;",
        "discard.global.L1 [%out], 128;",
        "discard.global.L2 [%out], 64;",
        "pmevent 16;",
        "pmevent %r1;",
        "brkpt.x;",
        "exit.x;",
        "ld.global.L2::evict_last.b32 %r2, [%out];",
        "ld.global.L1::frob.b32 %r2, [%out];",
        "ld.global.ca.L1::evict_last.b32 %r2, [%out];",
        "ld.global.L2::512B.b32 %r2, [%out];",
        "ld.global.L2::cache_hint.b32 %r2, [%out];",
        "ld.global.b32 %r2, [%out], %x1;",
        "ld.shared.L1::evict_last.b32 %r2, [%r1];",
        "ld.shared.L2::128B.b32 %r2, [%r1];",
        "ld.global.wt.b32 %r2, [%out];",
        "ld.global.wb.b32 %r2, [%out];",
        "ld.relaxed.gpu.global.cs.b32 %r2, [%out];",
        "ld.acquire.global.b32 %r2, [%out];",
        "ld.release.gpu.global.b32 %r2, [%out];",
        "ld.volatile.gpu.global.b32 %r2, [%out];",
        "ld.weak.gpu.global.b32 %r2, [%out];",
        "ld.mmio.global.b32 %r2, [%out];",
        "ld.global.nc.cv.b32 %r2, [%out];",
        "ld.shared.nc.b32 %r2, [%r1];",
        "ld.relaxed.gpu.global.nc.b32 %r2, [%out];",
        "ldu.global.ca.b32 %r2, [%out];",
        "st.global.cv.b32 [%out], %r2;",
        "st.global.ca.b32 [%out], %r2;",
        "st.global.nc.b32 [%out], %r2;",
        "st.acquire.gpu.global.b32 [%out], %r2;",
        "st.global.L2::128B.b32 [%out], %r2;",
        "atom.global.add.ca.u32 %r2, [%out], 1;",
        "atom.global.L1::evict_last.add.u32 %r2, [%out], 1;",
        "atom.volatile.global.add.u32 %r2, [%out], 1;",
        "atom.global.add.f16x2 %r2, [%out], %r1;",
        "red.global.add.noftz.f32 [%out], 1.0;",
        "red.global.add.noftz.bf16x2 [%out], %r1;",
        "atom.global.max.noftz.f16x2 %r2, [%out], %r1;",
        "red.acquire.gpu.global.add.u32 [%out], 1;",
        "cp.async.cg.shared.global.L2::evict_last [%r1], [%out], 16;",
        "cp.async.cg.shared.global [%r1], [%out], 4;",
        "membar.gpu;",
        "fence.gl;",
        "fence.sc;",
        "nanosleep.b32 %r2;",
        // of a later architecture
        "fence.acquire.gpu;",
        "mbarrier.arrive.shared.b64 %x1, [%r1], 2;",
        "mbarrier.arrive.relaxed.cta.shared::cta.b64 %x1, [%r1];",
        "mbarrier.arrive.expect_tx.shared::cta.b64 %x1, [%r1], 16;",
        "mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%r1], 16;",
        "mbarrier.complete_tx.shared::cta.b64 [%r1], 16;",
        "mbarrier.try_wait.shared.b64 %p1, [%r1], %x1;",
        "mbarrier.test_wait.relaxed.cta.shared::cta.b64 %p1, [%r1], %x1;",
    ] {
        refused("sm_80", instruction, &[]);
    }
}

#[test]
fn what_the_isa_documents_is_accepted() {
    for instruction in [
        "prefetch.L1 [%out];",
        "prefetch.global.L2::evict_last [%out];",
        "prefetch.local.L1 [%out];",
        "prefetchu.L1 [%out];",
        "applypriority.global.L2::evict_normal [%out], 128;",
        "discard.global.L2 [%out], 128;",
        "discard.L2 [%out], 128;",
        "brkpt;",
        "pmevent 3;",
        "pmevent.mask 255;",
        "ld.global.L1::evict_last.b32 %r2, [%out];",
        "ld.global.L2::128B.b32 %r2, [%out];",
        "ld.global.ca.L2::cache_hint.b32 %r2, [%out], %x1;",
        "ld.global.L1::no_allocate.L2::256B.b32 %r2, [%out];",
        "ld.global.nc.L1::no_allocate.b32 %r2, [%out];",
        "ld.relaxed.gpu.global.L1::evict_last.b32 %r2, [%out];",
        "ld.mmio.relaxed.sys.global.b32 %r2, [%out];",
        "ld.global.lu.b32 %r2, [%out];",
        "ldu.global.b32 %r2, [%out];",
        "ld.shared.cg.b32 %r2, [%r1];",
        "st.shared.wt.b32 [%r1], %r2;",
        "st.global.L1::evict_first.b32 [%out], %r2;",
        "st.global.L2::cache_hint.b32 [%out], %r2, %x1;",
        "atom.global.add.L2::cache_hint.u32 %r2, [%out], 1, %x1;",
        "atom.acquire.global.add.u32 %r2, [%out], 1;",
        "atom.acq_rel.gpu.global.add.u32 %r2, [%out], 1;",
        "red.release.gpu.global.add.u32 [%out], 1;",
        "red.global.add.noftz.f16x2 [%out], %r1;",
        "cp.async.ca.shared.global.L2::128B [%r1], [%out], 16;",
        "cp.async.cg.shared.global.L2::cache_hint [%r1], [%out], 16, %x1;",
        "cp.async.cg.shared.global.L2::cache_hint.L2::128B [%r1], [%out], 16, %r2, %x1;",
        "cp.async.cg.shared.global.L2::cache_hint [%r1], [%out], 16, %p1, %x1;",
        "membar.gl;",
        "fence.acq_rel.gpu;",
        "fence.sc.sys;",
        "fence.gpu;",
        "nanosleep.u32 100;",
    ] {
        accepted("sm_80", instruction);
    }
}

/// Of five kernels three come to what is not supported: by themselves, by a function, by an address of one.
#[test]
fn only_kernels_that_come_to_it_are_refused() {
    let kernel = |name: &str, body: &str| {
        format!(
            ".visible .entry {name}(.param .u64 p)\n{{\n.reg .b32 %r<4>;\n.reg .b64 %x<4>;\n{body}\nld.param.u64 \
             %x1, [p];\nst.global.u32 [%x1], 7;\nret;\n}}\n"
        )
    };
    let texture = "tex.2d.v4.u32.s32 {%r0, %r1, %r2, %r3}, [%x1, {%r0, %r1}];";
    let text = [
        ".version 8.6\n.target sm_80\n.address_size 64\n".to_string(),
        format!(".func inner()\n{{\n.reg .b32 %r<4>;\n.reg .b64 %x<4>;\n{texture}\nret;\n}}\n"),
        ".func fine()\n{\nret;\n}\n.func outer()\n{\ncall.uni inner, ();\nret;\n}\n".to_string(),
        kernel("plain", "call.uni fine, ();"),
        kernel("direct", "cp.async.bulk.commit_group;"),
        kernel("called", "call.uni outer, ();"),
        kernel("by_address", "mov.u64 %x2, fine;\nproto: .callprototype ()_ ();\ncall %x2, (), proto;"),
        kernel("alone", ""),
    ];
    let text = text.concat();
    let (memory, profile) = (Memory::new(1 << 20), Profile::named("sm_80").expect("a known profile"));
    let module = Module::load_what_runs(&text, &profile, &memory).unwrap();
    assert_eq!(module.kernel_names(), ["plain", "alone"]);
    let refused: Vec<&str> = module.refused().iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(refused, ["direct", "called", "by_address"]);
    for ((_, error), word) in module.refused().iter().zip(["TMA", "tex", "tex"]) {
        assert!(error.message.contains(word) && error.line > 3 && !error.text.is_empty(), "{error}");
    }
    let out = memory.alloc(4, "out").unwrap();
    for name in ["plain", "alone"] {
        memory.set(out, &[0], 4).unwrap();
        let params = out.to_le_bytes().to_vec();
        let config = LaunchConfig { grid: [1; 3], block: [1; 3], dynamic_shared: 0, params };
        let report = launch(&module, name, &config, &memory, &profile, &all(), &mut |_| {});
        let mut word = [0; 4];
        memory.read(out, &mut word).unwrap();
        assert!(report.fault.is_none() && report.findings.is_empty() && word[0] == 7, "{name}: {report:#?}");
    }
    // Nothing of it is loaded where all of it has to run, or none of it can.
    assert_eq!(load("sm_80", &text).unwrap_err().line, 8);
    let none =
        text.split(".visible .entry plain").next().unwrap().to_string() + &kernel("called", "call.uni inner, ();");
    assert!(Module::load_what_runs(&none, &profile, &memory).is_err());
}
