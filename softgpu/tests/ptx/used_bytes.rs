//! initcheck and `.pragma "used_bytes_mask"`: NVRTC 13 loads a whole vector for a part of it and
//! says which bytes count.

use softgpu::{FindingKind, LaunchConfig, Memory, Module, Options, Profile, launch};

/// A kernel that stores 12 bytes and loads 16 of the same space, with `pragma` before the load.
fn kernel(space: &str, pragma: &str) -> String {
    let (variable, base) = match space {
        "global" => ("", "ld.param.u64 %q1, [p];"),
        "local" => (".local .align 16 .b8 depot[16];", "mov.u64 %q1, depot;"),
        _ => (".shared .align 16 .b8 buffer[16];", "mov.u64 %q1, buffer;"),
    };
    format!(
        ".version 8.8\n.target sm_80\n.address_size 64\n\
         .visible .entry k(.param .u64 p)\n{{\n{variable}\n.reg .b32 %r<6>;\n.reg .b64 %q<2>;\n\
         {base}\nmov.b32 %r1, 7;\nst.{space}.v2.b32 [%q1], {{%r1, %r1}};\n\
         st.{space}.b32 [%q1+8], %r1;\n{pragma}\n\
         ld.{space}.v4.b32 {{%r2, %r3, %r4, %r5}}, [%q1];\nret;\n}}\n"
    )
}

fn findings(space: &str, pragma: &str) -> Vec<FindingKind> {
    let profile = Profile::named("sm_86").expect("a known profile");
    let memory = Memory::new(1 << 24);
    let module = Module::load(&kernel(space, pragma), &profile, &memory).unwrap_or_else(|e| panic!("{e}"));
    let buffer = memory.alloc(16, "buffer").expect("room");
    let config =
        LaunchConfig { grid: [1, 1, 1], block: [1, 1, 1], dynamic_shared: 0, params: buffer.to_le_bytes().to_vec() };
    let options = Options { init: true, ..Options::default() };
    let report = launch(&module, "k", &config, &memory, &profile, &options, &mut |_| {});
    assert!(report.fault.is_none(), "{:?}", report.fault);
    report.findings.iter().map(|f| f.kind).collect()
}

#[test]
fn bytes_that_are_not_used_may_be_unwritten() {
    for space in ["global", "local", "shared"] {
        let clean: [FindingKind; 0] = [];
        assert_eq!(findings(space, ".pragma \"used_bytes_mask 4095\";"), clean, "{space}");
        assert_eq!(findings(space, ".pragma \"used_bytes_mask 0xfff\";"), clean, "{space}");
    }
}

#[test]
fn bytes_that_are_used_may_not() {
    for space in ["global", "local", "shared"] {
        for pragma in ["", ".pragma \"used_bytes_mask 8191\";", ".pragma \"nounroll\";"] {
            let found = findings(space, pragma);
            assert_eq!(found, [FindingKind::Uninitialised], "{space} {pragma}");
        }
    }
}
