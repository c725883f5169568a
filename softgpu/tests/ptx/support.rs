//! A device and a kernel with one buffer of 32-bit words.

use softgpu::{LaunchConfig, LaunchReport, LoadError, Memory, Module, Options, Profile, launch};

/// A module of one kernel `k(.param .u64 out)` whose address is in `%out`, for a target.
pub fn kernel(target: &str, body: &str) -> String {
    format!(
        ".version 8.6\n.target {target}\n.address_size 64\n.visible .entry k(.param .u64 p)\n{{\n\
         .reg .b64 %out, %x<8>;\n.reg .b32 %r<32>;\n.reg .f32 %f<16>;\n.reg .pred %p<8>;\n\
         ld.param.u64 %out, [p];\n{body}\nret;\n}}\n"
    )
}

/// Loads a text for the profile named like its target.
pub fn load(target: &str, text: &str) -> Result<(), LoadError> {
    let memory = Memory::new(1 << 20);
    let profile = Profile::named(target).expect("a known profile");
    Module::load(text, &profile, &memory).map(|module| module.unload(&memory))
}

/// Every check and the counters.
pub fn all() -> Options {
    Options { mem: true, init: true, race: true, sync: true, counters: true, ..Options::default() }
}

/// What a run left: its report, the buffer, and what it printed.
pub struct Run {
    pub report: LaunchReport,
    pub words: Vec<u32>,
    pub printed: String,
}

impl Run {
    /// The buffer of a run without faults or findings.
    pub fn clean(self) -> Vec<u32> {
        assert!(self.report.fault.is_none() && self.report.findings.is_empty(), "{:#?}", self.report);
        self.words
    }
}

/// Runs kernel `k` of a text with a buffer of words, given at its start.
pub fn run(target: &str, text: &str, grid: u32, block: u32, start: &[u32], opts: &Options) -> Run {
    let memory = Memory::new(16 << 20);
    let profile = Profile::named(target).expect("a known profile");
    let module = Module::load(text, &profile, &memory).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let out = memory.alloc(4 * start.len() as u64, "out").unwrap();
    let bytes: Vec<u8> = start.iter().flat_map(|v| v.to_le_bytes()).collect();
    memory.write(out, &bytes).unwrap();
    let config = LaunchConfig {
        grid: [grid, 1, 1],
        block: [block, 1, 1],
        dynamic_shared: 0,
        params: [out, 0, 0, 0].iter().flat_map(|v| v.to_le_bytes()).collect(),
    };
    let mut printed = String::new();
    let report = launch(&module, "k", &config, &memory, &profile, opts, &mut |text| printed += text);
    let mut bytes = vec![0; 4 * start.len()];
    memory.read(out, &mut bytes).unwrap();
    let words = bytes.chunks_exact(4);
    Run { report, words: words.map(|b| u32::from_le_bytes(b.try_into().expect("four"))).collect(), printed }
}
