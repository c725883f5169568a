//! Loading a module: parse, place the variables, decode every function.

use crate::check::Source;
use crate::isa::decoder::{Decoder, SharedLayout, Symbol};
use crate::isa::list::ROWS;
use crate::kernel::{KernelInfo, LoadError, ParamInfo, Registers};
use crate::load::contents::{image, module_uses, refusal, refuse};
use crate::load::expected::expected;
use crate::load::finish::Finished;
use crate::load::shared;
use crate::machine::inst::Code;
use crate::machine::program::{Function, Program, Slot};
use crate::memory::Memory;
use crate::profile::Profile;
use crate::ptx::{self, Space};
use crate::ptxas::Usage;
use std::collections::{BTreeMap, HashMap};

/// A kernel of a module.
#[derive(Clone, Debug)]
pub struct Entry {
    pub info: KernelInfo,
    pub function: u32,
    pub variable_rows: u32,
    /// Where dynamic shared memory begins.
    pub dynamic_offset: u32,
    pub has_calls: bool,
}

/// A loaded PTX module.
pub struct Module {
    code: Code,
    program: Program,
    entries: Vec<Entry>,
    /// Kernels that can't run, and why.
    refused: Vec<(String, LoadError)>,
    globals: Vec<(String, u64, u64)>,
    allocations: Vec<u64>,
}

impl Module {
    /// Parses, checks and decodes a PTX text and places its variables in device memory.
    ///
    /// Errors: a syntax error, an instruction or modifier that isn't known, a target newer than the
    /// profile, no memory left for the variables.
    pub fn load(text: &str, profile: &Profile, memory: &Memory) -> Result<Module, LoadError> {
        load(text, profile, memory, true)
    }

    /// As [`Module::load`], but an instruction that isn't known refuses only the kernels that come to it, not those
    /// beside them.
    ///
    /// Errors: as above where it leaves no kernel.
    pub fn load_what_runs(text: &str, profile: &Profile, memory: &Memory) -> Result<Module, LoadError> {
        load(text, profile, memory, false)
    }

    /// Kernels that [`Module::load_what_runs`] has left out, and why.
    pub fn refused(&self) -> &[(String, LoadError)] {
        &self.refused
    }

    /// Names of the kernels, in the order of the text.
    pub fn kernel_names(&self) -> Vec<&str> {
        self.entries.iter().map(|e| e.info.name.as_str()).collect()
    }

    /// What is known of one kernel.
    pub fn kernel(&self, name: &str) -> Option<KernelInfo> {
        self.entry(name).map(|e| e.info.clone())
    }

    /// Takes the kernels' registers from ptxas.
    pub fn know_registers(&mut self, usage: &[Usage]) {
        for entry in &mut self.entries {
            if let Some(found) = usage.iter().find(|u| u.kernel == entry.info.name && u.registers > 0) {
                entry.info.registers = Registers { count: found.registers, known: true };
            }
        }
    }

    /// Address and size of a `.global` or `.const` variable.
    pub fn global(&self, name: &str) -> Option<(u64, u64)> {
        self.globals.iter().find(|g| g.0 == name).map(|g| (g.1, g.2))
    }

    /// Frees the module's variables.
    pub fn unload(self, memory: &Memory) {
        for a in self.allocations {
            // whoever freed one of them by hand has been told about it then
            let _ = memory.free(a);
        }
    }

    pub(crate) fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|e| e.info.name == name)
    }

    pub(crate) fn code(&self) -> &Code {
        &self.code
    }

    pub(crate) fn program(&self) -> &Program {
        &self.program
    }
}

fn load(text: &str, profile: &Profile, memory: &Memory, whole: bool) -> Result<Module, LoadError> {
    let shown = |mut e: LoadError| {
        if e.text.is_empty() && e.line > 0 {
            e.text = text.lines().nth(e.line as usize - 1).unwrap_or("").trim().to_string();
        }
        e
    };
    let mut allocations = Vec::new();
    let loaded = decode(text, profile, memory, &mut allocations, whole);
    if loaded.is_err() {
        for a in &allocations {
            // they were allocated a moment ago
            let _ = memory.free(*a);
        }
    }
    let mut module = loaded.map_err(shown)?;
    module.refused = module.refused.into_iter().map(|(name, error)| (name, shown(error))).collect();
    Ok(module)
}

/// Loads a text; where not the `whole` has to run, kernels that can't are left out.
fn decode(
    text: &str,
    profile: &Profile,
    memory: &Memory,
    allocations: &mut Vec<u64>,
    whole: bool,
) -> Result<Module, LoadError> {
    let tree = ptx::parse(text).map_err(|e| refuse(e.line, e.message))?;
    let target = target_of(&tree, profile)?;
    // definitions replace declarations of the same name
    let bodies: Vec<&ptx::Function<'_>> = tree.functions.iter().filter(|f| f.has_body).collect();
    let mut numbers: HashMap<&str, u32> = bodies.iter().enumerate().map(|(n, f)| (f.name, n as u32)).collect();
    for (new, old) in &tree.aliases {
        if let Some(&n) = numbers.get(old) {
            numbers.insert(new, n);
        }
    }
    let mut symbols: HashMap<&str, Symbol> = numbers.iter().map(|(name, n)| (*name, Symbol::Function(*n))).collect();
    let globals = place_globals(&tree, memory, &mut symbols, allocations)?;
    let files: HashMap<u32, &str> = tree.files.iter().copied().collect();
    let mut code = Vec::new();
    let mut program = Program::default();
    for place in &tree.places {
        let inlined_at = place.inlined_at.map(|n| Box::new(program.places[n as usize].clone()));
        let file = files.get(&place.file).unwrap_or(&"?").to_string();
        program.places.push(Source { file, line: place.line, inlined_at });
    }
    let uses = module_uses(&tree, &bodies, &numbers);
    let common = shared::common(&tree, &bodies, &uses)?;
    let (mut entries, mut refused) = (Vec::new(), BTreeMap::new());
    for (n, f) in bodies.iter().enumerate() {
        let (mut layout, dynamic_offset) = shared::of_function(&common, &tree, n, f, &uses[n]);
        let mut decoder = Decoder {
            function: f,
            rows: &ROWS,
            symbols: &symbols,
            shared: &mut layout,
            code: &mut code,
            program: &mut program,
            protos: Vec::new(),
            constants: Vec::new(),
            constant_ids: HashMap::new(),
            preds: vec![None; f.regs.len()],
            pred_count: 0,
            var_offsets: Vec::new(),
            local_bytes: 0,
            starts: Vec::new(),
            releases: false,
            sm: profile.sm,
            target,
        };
        decoder.place_variables(n);
        if let Err(error) = decoder.decode(&expected(f)) {
            // no kernel that is left comes to it
            program.functions.push(Function::default());
            refused.insert(n, error);
            continue;
        }
        let (local, releases) = (decoder.local_bytes, decoder.releases);
        let offsets = std::mem::take(&mut decoder.var_offsets);
        let done = decoder.finish();
        if f.is_entry {
            let info = kernel_info(f, &offsets, &layout, local, done.pressure, profile);
            let (variable_rows, has_calls) = (done.variable_rows, uses[n].calls);
            entries.push(Entry { info, function: n as u32, variable_rows, dynamic_offset, has_calls });
        }
        program.functions.push(function_of(f, &offsets, local, releases, done));
    }
    let why = |n: usize| refusal(n, &uses, &refused, &bodies);
    entries.retain(|e| why(e.function as usize).is_none());
    if let Some(first) = refused.values().next()
        && (whole || entries.is_empty())
    {
        return Err(first.clone());
    }
    let kernels = bodies.iter().enumerate().filter(|(_, f)| f.is_entry);
    let left_out = kernels.filter_map(|(n, f)| Some((f.name.to_string(), why(n)?.clone())));
    let refused = left_out.collect();
    // SAFETY: the decoder and `finish` made them together with the program.
    let code = unsafe { Code::new(code) };
    Ok(Module { code, program, entries, refused, globals, allocations: allocations.clone() })
}

/// The target's compute capability, times ten.
fn target_of(tree: &ptx::Module<'_>, profile: &Profile) -> Result<u32, LoadError> {
    let digits: String = tree.target.chars().filter(char::is_ascii_digit).collect();
    match digits.parse() {
        Ok(sm) if sm <= profile.sm => Ok(sm),
        Ok(_) => Err(refuse(0, format!("the text is for {}, the device is {}", tree.target, profile.name))),
        Err(_) => Err(refuse(0, format!("the target '{}' is not known", tree.target))),
    }
}

/// Places the module's variables and writes what they hold at first; gives names, addresses and sizes of those in
/// device memory.
fn place_globals<'a>(
    tree: &ptx::Module<'a>,
    memory: &Memory,
    symbols: &mut HashMap<&'a str, Symbol>,
    allocations: &mut Vec<u64>,
) -> Result<Vec<(String, u64, u64)>, LoadError> {
    let mut placed = Vec::new();
    for (n, v) in tree.variables.iter().enumerate() {
        let symbol = match v.space {
            Space::Shared => Symbol::Shared(n),
            Space::Global | Space::Const if v.is_extern => {
                return Err(refuse(v.line, format!("'{}' is declared but defined nowhere", v.name)));
            }
            Space::Global | Space::Const => {
                let bytes = v.bytes().max(1);
                let label = format!("variable {}", v.name);
                let at = if v.managed { memory.alloc_managed(bytes, &label) } else { memory.alloc(bytes, &label) };
                let at = at.map_err(|e| refuse(v.line, e.to_string()))?;
                allocations.push(at);
                placed.push((v, at));
                Symbol::Address(at)
            }
            _ => return Err(refuse(v.line, format!("'{}' is in a space that modules don't have", v.name))),
        };
        symbols.insert(v.name, symbol);
    }
    for (v, at) in &placed {
        let image = image(v, symbols)?;
        memory.write(*at, &image).map_err(|e| refuse(v.line, e.to_string()))?;
    }
    Ok(placed.into_iter().map(|(v, at)| (v.name.to_string(), at, v.bytes())).collect())
}

/// A function as the engine calls it.
fn function_of(f: &ptx::Function<'_>, offsets: &[u64], local: u32, releases: bool, done: Finished) -> Function {
    let slots = |list: &[u32]| -> Vec<Slot> {
        // a kernel's parameters lie in a space of their own
        let list = if f.is_entry { &[] } else { list };
        let slot = |&p: &u32| Slot { offset: offsets[p as usize] as u32, bytes: f.vars[p as usize].bytes() as u32 };
        list.iter().map(slot).collect()
    };
    Function {
        entry: done.entry,
        rows: done.rows,
        preds: done.preds,
        fills: done.fills,
        local,
        params: slots(&f.params),
        returns: slots(&f.returns),
        releases,
    }
}

/// What is known of a kernel; `alive` values of 32 bits are needed at once.
fn kernel_info(
    f: &ptx::Function<'_>,
    offsets: &[u64],
    layout: &SharedLayout,
    local_bytes: u32,
    alive: u32,
    profile: &Profile,
) -> KernelInfo {
    let param = |&p: &u32| {
        let v = &f.vars[p as usize];
        ParamInfo { name: v.name.into(), offset: offsets[p as usize] as u32, size: v.bytes() as u32, align: v.align }
    };
    let params: Vec<ParamInfo> = f.params.iter().map(param).collect();
    let mut info = KernelInfo {
        name: f.name.to_string(),
        param_bytes: params.iter().map(|p| p.offset + p.size).max().unwrap_or(0),
        params,
        static_shared: layout.bytes,
        local_bytes,
        reqntid: f.reqntid,
        maxntid: f.maxntid,
        minnctapersm: f.minnctapersm,
        registers: Registers::default(),
    };
    info.registers = Registers::counted(alive, f.maxnreg, info.bound(), f.minnctapersm, profile);
    info
}
