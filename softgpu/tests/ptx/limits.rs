//! What a launch may ask for, on every profile.

use softgpu::ptxas::Usage;
use softgpu::{Fault, LaunchConfig, LaunchReport, Memory, Module, Options, Profile, Registers, launch};

/// A kernel that reads `alive` words, all before it writes the first of them.
fn hungry(sm: u32, directives: &str, alive: usize) -> String {
    let mut body = String::new();
    for i in 0..alive {
        body += &format!("ld.volatile.global.u32 %v{i}, [%out+{}];\n", 4 * i);
    }
    for i in 0..alive {
        body += &format!("st.volatile.global.u32 [%out+{}], %v{i};\n", 4 * i);
    }
    format!(
        ".version 7.0\n.target sm_{sm}\n.address_size 64\n.visible .entry k(.param .u64 p) {directives}\n{{\n\
         .reg .b64 %out;\n.reg .b32 %v<{}>;\nld.param.u64 %out, [p];\n{body}ret;\n}}\n",
        alive.max(1)
    )
}

struct Kernel {
    profile: Profile,
    memory: Memory,
    module: Module,
    params: Vec<u8>,
}

impl Kernel {
    fn new(profile: &Profile, directives: &str, alive: usize) -> Kernel {
        let memory = Memory::new(1 << 20);
        let text = hungry(profile.sm, directives, alive);
        let module = Module::load(&text, profile, &memory).unwrap();
        let buffer = memory.alloc(4 * 256, "words").unwrap();
        Kernel { profile: profile.clone(), memory, module, params: buffer.to_le_bytes().to_vec() }
    }

    fn launch(&self, block: [u32; 3], dynamic_shared: u32) -> Option<Fault> {
        self.run(block, dynamic_shared, &Options::default()).fault
    }

    fn run(&self, block: [u32; 3], dynamic_shared: u32, options: &Options) -> LaunchReport {
        let config = LaunchConfig { grid: [1, 1, 1], block, dynamic_shared, params: self.params.clone() };
        launch(&self.module, "k", &config, &self.memory, &self.profile, options, &mut |_| ())
    }

    fn registers(&self) -> Registers {
        self.module.kernel("k").unwrap().registers
    }
}

/// `threads` are the most a block can have, as 65,536 registers are dealt out in units of 256 a warp to warps in fours.
#[test]
fn registers_limit_the_block() {
    for name in Profile::NAMES {
        let profile = Profile::named(name).unwrap();
        for (alive, threads) in [(10, 1024), (64, 1024), (65, 896), (80, 768), (128, 512), (129, 384), (200, 256)] {
            let kernel = Kernel::new(&profile, "", alive);
            let count = alive as u32;
            let registers = Registers { count, known: false };
            assert_eq!(kernel.registers(), registers, "{name} {alive}");
            assert_eq!(kernel.launch([threads, 1, 1], 0), None, "{name} {alive} {threads}");
            if threads == 1024 {
                continue;
            }
            match kernel.launch([threads + 1, 1, 1], 0) {
                Some(Fault::OutOfResources(message)) => assert!(
                    message.contains(&format!("at least {alive} registers"))
                        && message.contains(&format!("for {threads} threads")),
                    "{message}"
                ),
                other => panic!("{name} {alive}: {other:?}"),
            }
        }
    }
}

/// A kernel that promises its block gets as few registers as that block needs; one told to use few does.
#[test]
fn launch_bounds_and_maxnreg_cap_registers() {
    let profile = Profile::default();
    for (directives, count, most) in [
        (".maxntid 1024, 1, 1", 64, 1024),
        (".maxntid 512", 128, 512),
        (".maxntid 256, 2, 1", 128, 512),
        (".maxntid 256, 1, 1\n.minnctapersm 3", 80, 256),
        (".reqntid 32, 32, 1", 64, 1024),
        (".maxntid 256", 150, 256),
        (".maxntid 96", 150, 96),
        (".maxnreg 40", 40, 1024),
        (".maxnreg 100", 100, 512),
    ] {
        let kernel = Kernel::new(&profile, directives, 150);
        assert_eq!(kernel.registers().count, count, "{directives}");
        let block = if directives.contains("reqntid") { [32, 32, 1] } else { [most, 1, 1] };
        assert_eq!(kernel.launch(block, 0), None, "{directives}");
        if most < 1024 {
            assert!(kernel.launch([most + 1, 1, 1], 0).is_some(), "{directives}");
        }
    }
    assert_eq!(Kernel::new(&profile, "", 300).registers().count, 255);
    assert_eq!(Kernel::new(&profile, "", 0).registers().count, 1);
}

/// A kernel whose every value is alive at once has no more registers than a thread can have.
#[test]
fn a_thread_has_255_registers_at_most() {
    assert_eq!(Kernel::new(&Profile::default(), "", 300).registers().count, 255);
    assert_eq!(Kernel::new(&Profile::default(), "", 0).registers().count, 1);
}

/// Rows worked out by hand from the rules in the occupancy calculator.
#[test]
fn occupancy_by_hand() {
    for (name, threads, registers, shared, blocks, bound) in [
        ("sm_86", 256, 32, 0, 6, "threads"),
        ("sm_86", 64, 32, 0, 16, "blocks"),
        ("sm_86", 256, 128, 0, 2, "registers"),
        // 100 KiB / (48 KiB + 1 KiB reserved)
        ("sm_86", 128, 32, 48 << 10, 2, "shared memory"),
        ("sm_86", 128, 32, 99 << 10, 1, "shared memory"),
        ("sm_61", 128, 32, 48 << 10, 2, "shared memory"),
        ("sm_75", 1024, 64, 0, 1, "threads"),
        ("sm_90", 128, 168, 0, 3, "registers"),
        ("sm_86", 128, 32, 100 << 10, 0, "nothing fits"),
        ("sm_80", 1024, 65, 0, 0, "registers"),
        ("sm_89", 1025, 16, 0, 0, "nothing fits"),
    ] {
        let found = Profile::named(name).unwrap().occupancy(threads, registers, shared);
        assert_eq!((found.blocks_per_sm, found.limited_by), (blocks, bound), "{name} {threads} {registers} {shared}");
    }
}

/// What ptxas says counts more than what was counted here.
#[test]
fn known_registers_are_taken() {
    let mut kernel = Kernel::new(&Profile::default(), "", 10);
    let usage = Usage { kernel: "k".into(), registers: 72, ..Usage::default() };
    kernel.module.know_registers(&[usage]);
    assert_eq!(kernel.registers(), Registers { count: 72, known: true });
    assert_eq!(kernel.launch([896, 1, 1], 0), None);
    let refused = kernel.launch([897, 1, 1], 0);
    assert!(matches!(refused, Some(Fault::OutOfResources(m)) if m.contains("threads of 72 registers")));
}

#[test]
fn threads_and_shared_memory_of_each_profile() {
    for (name, optin) in [("sm_61", 48), ("sm_75", 64), ("sm_80", 163), ("sm_86", 99), ("sm_89", 99), ("sm_90", 227)] {
        let kernel = Kernel::new(&Profile::named(name).unwrap(), "", 1);
        let refused = |block, shared| match kernel.launch(block, shared) {
            None => false,
            Some(Fault::InvalidLaunch(_)) => true,
            other => panic!("{other:?}"),
        };
        assert!(!refused([32, 32, 1], 0) && !refused([1, 16, 64], 0), "{name}");
        assert!(refused([32, 33, 1], 0) && refused([1, 1, 65], 0), "{name}");
        assert!(!refused([1, 1, 1], optin << 10), "{name}");
        assert!(refused([1, 1, 1], (optin << 10) + 1), "{name}");
    }
}
