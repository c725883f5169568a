//! Loading a module: parse, place the variables, decode every function.

use crate::check::Source;
use crate::isa::decoder::{Decoder, SharedLayout, Symbol, placed};
use crate::kernel::{KernelInfo, LoadError, ParamInfo, Registers};
use crate::load::contents::{image, module_uses, place_shared, refuse};
use crate::machine::code::Code;
use crate::machine::program::{Function, Program, Slot};
use crate::memory::Memory;
use crate::profile::Profile;
use crate::ptx::{self, Space};
use crate::ptxas::Usage;
use std::collections::HashMap;

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
    globals: Vec<(String, u64, u64)>,
    allocations: Vec<u64>,
}

impl Module {
    /// Parses, checks and decodes a PTX text and places its variables in device memory.
    ///
    /// Errors: a syntax error, an instruction or modifier that isn't known, a target newer than the
    /// profile, no memory left for the variables.
    pub fn load(text: &str, profile: &Profile, memory: &Memory) -> Result<Module, LoadError> {
        let mut allocations = Vec::new();
        load(text, profile, memory, &mut allocations).map_err(|mut e| {
            for a in &allocations {
                // they were allocated a moment ago
                let _ = memory.free(*a);
            }
            if e.text.is_empty() && e.line > 0 {
                e.text = text.lines().nth(e.line as usize - 1).unwrap_or("").trim().to_string();
            }
            e
        })
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

fn load(text: &str, profile: &Profile, memory: &Memory, allocations: &mut Vec<u64>) -> Result<Module, LoadError> {
    let tree = ptx::parse(text).map_err(|e| refuse(e.line, e.message))?;
    let target: String = tree.target.chars().filter(char::is_ascii_digit).collect();
    let target_sm = match target.parse::<u32>() {
        Ok(sm) if sm <= profile.sm => sm,
        Ok(_) => {
            let message = format!("the text is for {}, the device is {}", tree.target, profile.name);
            return Err(refuse(0, message));
        }
        Err(_) => {
            return Err(refuse(0, format!("the target '{}' is not known", tree.target)));
        }
    };
    // definitions replace declarations of the same name
    let mut numbers: HashMap<&str, u32> = HashMap::new();
    let mut bodies = Vec::new();
    for f in tree.functions.iter().filter(|f| f.has_body) {
        numbers.insert(f.name, bodies.len() as u32);
        bodies.push(f);
    }
    for (new, old) in &tree.aliases {
        if let Some(&n) = numbers.get(old) {
            numbers.insert(new, n);
        }
    }
    let mut symbols: HashMap<&str, Symbol> = HashMap::new();
    for (name, n) in &numbers {
        symbols.insert(name, Symbol::Function(*n));
    }
    let mut globals = Vec::new();
    for (n, v) in tree.variables.iter().enumerate() {
        match v.space {
            Space::Shared => {
                symbols.insert(v.name, Symbol::Shared(n));
            }
            Space::Global | Space::Const if v.is_extern => {
                return Err(refuse(v.line, format!("'{}' is declared but defined nowhere", v.name)));
            }
            Space::Global | Space::Const => {
                let bytes = v.bytes().max(1);
                let label = format!("variable {}", v.name);
                let placed = match v.managed {
                    true => memory.alloc_managed(bytes, &label),
                    false => memory.alloc(bytes, &label),
                };
                let at = placed.map_err(|e| refuse(v.line, e.to_string()))?;
                allocations.push(at);
                symbols.insert(v.name, Symbol::Address(at));
                globals.push((v.name.to_string(), at, v.bytes()));
            }
            _ => {
                return Err(refuse(v.line, format!("'{}' is in a space that modules don't have", v.name)));
            }
        }
    }
    for v in tree.variables.iter().filter(|v| matches!(v.space, Space::Global | Space::Const)) {
        let Some(Symbol::Address(at)) = symbols.get(v.name) else {
            continue;
        };
        let image = image(v, &symbols)?;
        memory.write(*at, &image).map_err(|e| refuse(v.line, e.to_string()))?;
    }
    let files: HashMap<u32, &str> = tree.files.iter().copied().collect();
    let mut code = Vec::new();
    let mut program = Program {
        places: tree
            .places
            .iter()
            .map(|p| Source { file: files.get(&p.file).unwrap_or(&"?").to_string(), line: p.line })
            .collect(),
        ..Program::default()
    };
    let uses = module_uses(&tree, &bodies, &numbers);
    // variables inside device functions are shared by every kernel of the module: one place for all
    let mut inner = HashMap::new();
    let mut inner_bytes = 0u64;
    for (n, f) in bodies.iter().enumerate() {
        for (id, v) in f.vars.iter().enumerate().filter(|(_, v)| v.space == Space::Shared) {
            if !f.is_entry {
                inner_bytes = placed(inner_bytes, v);
                inner.insert((n, id), inner_bytes as u32);
                inner_bytes += v.bytes();
            }
        }
        if f.vars.iter().any(|v| matches!(v.space, Space::Global | Space::Const)) {
            return Err(refuse(f.line, "global variables inside a function are not supported"));
        }
    }
    // module variables that device functions use keep one place, too
    let mut common = SharedLayout { inner, bytes: inner_bytes as u32, ..SharedLayout::default() };
    for (n, f) in bodies.iter().enumerate() {
        if !f.is_entry {
            for &v in &uses[n].direct {
                place_shared(&mut common, v, &tree.variables[v]);
            }
        }
    }
    let mut entries = Vec::new();
    for (n, f) in bodies.iter().enumerate() {
        let mut layout = common.clone();
        if f.is_entry {
            for (id, v) in f.vars.iter().enumerate().filter(|(_, v)| v.space == Space::Shared) {
                let at = placed(u64::from(layout.bytes), v) as u32;
                layout.inner.insert((n, id), at);
                layout.bytes = at + v.bytes() as u32;
            }
            for &v in &uses[n].direct {
                place_shared(&mut layout, v, &tree.variables[v]);
            }
        }
        // unsized arrays lie behind everything else, all at one place
        let dynamic = layout.bytes.next_multiple_of(layout.dynamic_align.max(16));
        for v in tree.variables.iter().enumerate().filter(|(_, v)| v.space == Space::Shared) {
            if v.1.count.is_none() {
                layout.offsets.insert(v.0, dynamic);
            }
        }
        let mut decoder = Decoder {
            function: f,
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
            has_calls: false,
            releases: false,
            sm: profile.sm,
            target: target_sm,
        };
        decoder.place_variables(n);
        decoder.decode()?;
        let local = decoder.local_bytes;
        let slot = |id: &u32, d: &Decoder<'_>| Slot {
            offset: d.var_offsets[*id as usize] as u32,
            bytes: f.vars[*id as usize].bytes() as u32,
        };
        let (params, returns) = if f.is_entry {
            (Vec::new(), Vec::new())
        } else {
            (
                f.params.iter().map(|p| slot(p, &decoder)).collect(),
                f.returns.iter().map(|p| slot(p, &decoder)).collect(),
            )
        };
        let kernel_params: Vec<ParamInfo> = if f.is_entry {
            f.params
                .iter()
                .map(|&p| {
                    let v = &f.vars[p as usize];
                    let offset = decoder.var_offsets[p as usize] as u32;
                    ParamInfo { name: v.name.into(), offset, size: v.bytes() as u32, align: v.align }
                })
                .collect()
        } else {
            Vec::new()
        };
        let releases = decoder.releases;
        let done = decoder.finish();
        let static_shared = layout.bytes;
        program.functions.push(Function {
            entry: done.entry,
            rows: done.rows,
            preds: done.preds,
            fills: done.fills,
            local,
            params,
            returns,
            releases,
        });
        if f.is_entry {
            let param_bytes = kernel_params.iter().map(|p| p.offset + p.size).max().unwrap_or(0);
            let mut info = KernelInfo {
                name: f.name.to_string(),
                params: kernel_params,
                param_bytes,
                static_shared,
                local_bytes: local,
                reqntid: f.reqntid,
                maxntid: f.maxntid,
                minnctapersm: f.minnctapersm,
                registers: Registers::default(),
            };
            let (alive, bound) = (done.pressure, info.bound());
            info.registers = Registers::counted(alive, f.maxnreg, bound, f.minnctapersm, profile);
            entries.push(Entry {
                info,
                function: n as u32,
                variable_rows: done.variable_rows,
                dynamic_offset: dynamic,
                has_calls: uses[n].calls,
            });
        }
    }
    // SAFETY: the decoder and `finish` made them together with the program.
    let code = unsafe { Code::new(code) };
    Ok(Module { code, program, entries, globals, allocations: allocations.clone() })
}
