//! The command `softgpu-run`: one kernel, one launch, arguments from the command line.
//!
//! `argument` reads the ARG words, `npy` reads and writes NumPy files, `nvrtc` compiles .cu
//! files, this module ties them together and decides the exit code.

pub mod argument;
pub mod npy;
pub mod nvrtc;

use crate::exec::{LaunchConfig, LaunchReport, Module, Options, ParamInfo, launch, registers_in};
use crate::memory::Memory;
use crate::profile::Profile;
use crate::ptxas;
use argument::Argument;
use std::collections::HashMap;
use std::io::Write;
use std::path::PathBuf;

/// Exit code: the kernel ran and nothing was found.
pub const CLEAN: u8 = 0;
/// Exit code: refused, or failed while running.
pub const FAILED: u8 = 1;
/// Exit code: wrong usage.
pub const USAGE: u8 = 2;
/// Exit code: the checks found something.
pub const FINDINGS: u8 = 3;

/// Runs a CUDA kernel on a device in software, with checks.
#[derive(clap::Parser, Debug)]
#[command(name = "softgpu-run", version, after_help = AFTER_HELP)]
pub struct Arguments {
    /// CUDA C++ (.cu, compiled by NVRTC) or PTX (.ptx)
    #[arg(value_name = "FILE.cu|FILE.ptx", value_parser = source_file)]
    pub file: PathBuf,
    /// Kernel to run; a C++ name is found in its mangled form if only one kernel has it
    #[arg(long, value_name = "NAME")]
    pub kernel: String,
    /// Blocks in the grid
    #[arg(long, value_name = "X[,Y[,Z]]", value_parser = dimensions)]
    pub grid: [u32; 3],
    /// Threads in a block
    #[arg(long, value_name = "X[,Y[,Z]]", value_parser = dimensions)]
    pub block: [u32; 3],
    /// Dynamic shared memory of a block
    #[arg(long, value_name = "BYTES", default_value_t = 0)]
    pub smem: u32,
    /// Modelled device: sm_61, sm_75, sm_80, sm_86, sm_89 or sm_90
    #[arg(long, default_value = "sm_86", value_parser = profile)]
    pub profile: Profile,
    /// Checks to run: all, none, or some of mem,init,race,sync
    #[arg(long, default_value = "all", value_parser = checks)]
    pub check: Checks,
    /// Seed of the order of blocks and warps; 0 is the natural order
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Write the findings to this file, as JSON
    #[arg(long, value_name = "F.json")]
    pub findings: Option<PathBuf>,
    /// Write the counters to this file, as JSON
    #[arg(long, value_name = "F.json")]
    pub counters: Option<PathBuf>,
    /// Option for NVRTC, such as -DN=4; may be given more than once
    #[arg(long, value_name = "OPTION", allow_hyphen_values = true)]
    pub nvrtc_option: Vec<String>,
    /// One for each kernel parameter, in order
    #[arg(last = true, value_name = "ARG", value_parser = argument::parse)]
    pub arguments: Vec<Argument>,
}

const AFTER_HELP: &str = "\
Arguments:
  i32:N u32:N i64:N u64:N f32:X f64:X   a scalar
  in:F.npy                              a buffer read from a NumPy file
  inout:IN.npy:OUT.npy                  a buffer read, and written back afterwards
  out:F.npy:DTYPE:SHAPE                 an uninitialised buffer written afterwards,
                                        such as out:c.npy:float32:64x64
  raw:FILE                              the bytes of a file, as a struct by value

Exit code: 0 clean, 1 refused or failed, 2 wrong usage, 3 findings.

Example:
  softgpu-run saxpy.cu --kernel saxpy --grid 4 --block 256 -- f32:2 in:x.npy inout:y.npy:z.npy i32:1000";

/// Which checks are on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checks {
    /// Bounds, alignment, use after free.
    pub mem: bool,
    /// Reads of memory nobody wrote.
    pub init: bool,
    /// Unordered conflicting accesses.
    pub race: bool,
    /// Barriers.
    pub sync: bool,
}

fn source_file(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    match path.extension().and_then(|e| e.to_str()) {
        Some("cu" | "ptx") => Ok(path),
        _ => Err("the file must end in .cu or .ptx".into()),
    }
}

fn dimensions(text: &str) -> Result<[u32; 3], String> {
    let mut size = [1; 3];
    let words: Vec<&str> = text.split(',').collect();
    if words.len() > 3 {
        return Err("at most three numbers, X,Y,Z".into());
    }
    for (place, word) in size.iter_mut().zip(words) {
        *place = word
            .trim()
            .parse()
            .ok()
            .filter(|&n: &u32| n > 0)
            .ok_or_else(|| format!("`{word}` is not a whole number above zero"))?;
    }
    Ok(size)
}

fn profile(text: &str) -> Result<Profile, String> {
    Profile::named(text)
        .ok_or_else(|| format!("no such profile; known are {}", Profile::NAMES.join(", ")))
}

fn checks(text: &str) -> Result<Checks, String> {
    let mut options = Options::default();
    crate::driver::config::set_checks(&mut options, text)?;
    Ok(Checks {
        mem: options.mem,
        init: options.init,
        race: options.race,
        sync: options.sync,
    })
}

/// Why nothing ran, or why it ended badly, with the exit code.
#[derive(Debug)]
pub struct Failure {
    /// [`FAILED`] or [`USAGE`].
    pub code: u8,
    /// One paragraph.
    pub message: String,
}

impl From<String> for Failure {
    fn from(message: String) -> Failure {
        Failure {
            code: FAILED,
            message,
        }
    }
}

fn usage(message: String) -> Failure {
    Failure {
        code: USAGE,
        message,
    }
}

/// Runs the command and returns the exit code; what went wrong is on standard error.
pub fn main(arguments: &Arguments) -> u8 {
    match run(arguments) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("softgpu-run: {}", failure.message);
            failure.code
        }
    }
}

fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let profile = &arguments.profile;
    let (ptx, registers) = ptx_text(arguments)?;
    let memory = Memory::new(profile.memory_bytes);
    let mut module = Module::load(&ptx, profile, &memory)
        .map_err(|e| format!("{} is refused: {e}", arguments.file.display()))?;
    module.know_registers(&registers);
    let kernel = find_kernel(&module, &arguments.kernel)?;
    let info = module
        .kernel(&kernel)
        .ok_or_else(|| format!("{kernel} has no description; this is a mistake of softgpu"))?;
    let (params, buffers) = place(
        &arguments.arguments,
        &info.params,
        info.param_bytes,
        &memory,
    )?;

    let options = Options {
        mem: arguments.check.mem,
        init: arguments.check.init,
        race: arguments.check.race,
        sync: arguments.check.sync,
        counters: arguments.counters.is_some(),
        seed: arguments.seed,
        ..Options::default()
    };
    let config = LaunchConfig {
        grid: arguments.grid,
        block: arguments.block,
        dynamic_shared: arguments.smem,
        params,
    };
    let mut output = std::io::stdout().lock();
    // A closed pipe ends what is printed, not the kernel.
    let mut print = |text: &str| drop(output.write_all(text.as_bytes()));
    let report = launch(
        &module, &kernel, &config, &memory, profile, &options, &mut print,
    );
    output.flush().ok();

    tell(&report, &kernel);
    if let Some(path) = &arguments.findings {
        // The same form as the driver's SOFTGPU_FINDINGS.
        let found = serde_json::json!({
            "findings": report.findings,
            "beyond": report.findings_beyond,
        });
        write_json(path, &found)?;
    }
    if let (Some(path), Some(counters)) = (&arguments.counters, &report.counters) {
        write_json(path, counters)?;
    }
    if report.fault.is_none() {
        for buffer in &buffers {
            buffer.write_back(&memory)?;
        }
    }
    Ok(
        if !report.findings.is_empty() || report.findings_beyond > 0 {
            FINDINGS
        } else if report.fault.is_some() {
            FAILED
        } else {
            CLEAN
        },
    )
}

/// The PTX of the file, as it is or from NVRTC, and the registers of its kernels where a compiler tells them.
fn ptx_text(arguments: &Arguments) -> Result<(String, HashMap<String, u32>), Failure> {
    let (path, sm) = (&arguments.file, arguments.profile.sm);
    let text = std::fs::read_to_string(path)
        .map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    if path.extension().is_some_and(|e| e == "ptx") {
        if !arguments.nvrtc_option.is_empty() {
            return Err(usage(
                "--nvrtc-option is for .cu files; a .ptx file is not compiled".into(),
            ));
        }
        let registers = match std::env::var_os(ptxas::VARIABLE) {
            Some(file) => ptxas::registers(file.as_ref(), &text, sm)?,
            None => HashMap::new(),
        };
        return Ok((text, registers));
    }
    let compiler = nvrtc::Nvrtc::find(sm)?;
    let mut options = vec![
        // for the machine code's account of registers; the PTX is the same as for compute_N
        format!("--gpu-architecture=sm_{sm}"),
        "--ptxas-options=-v".into(),
        "-lineinfo".into(),
    ];
    if let Some(folder) = path.parent() {
        let folder = if folder.as_os_str().is_empty() {
            ".".into()
        } else {
            folder.display().to_string()
        };
        options.push(format!("--include-path={folder}"));
    }
    options.extend(arguments.nvrtc_option.iter().cloned());
    let compiled = compiler.compile(&text, &path.display().to_string(), &options)?;
    Ok((compiled.ptx, registers_in(&compiled.log)))
}

/// The PTX name of the kernel meant: its own, or the only mangled form of it.
fn find_kernel(module: &Module, name: &str) -> Result<String, Failure> {
    let names = module.kernel_names();
    if names.contains(&name) {
        return Ok(name.into());
    }
    let mangled = format!("_Z{}{name}", name.len());
    let matching: Vec<&&str> = names.iter().filter(|n| n.starts_with(&mangled)).collect();
    match matching[..] {
        [only] => Ok(only.to_string()),
        [] if names.is_empty() => Err(Failure::from(format!(
            "there is no kernel {name}: the file has no kernels at all"
        ))),
        [] => Err(Failure::from(format!(
            "there is no kernel {name}; the file has {}",
            names.join(", ")
        ))),
        _ => Err(Failure::from(format!(
            "{name} could be any of {}; give the whole name",
            names.join(", ")
        ))),
    }
}

/// A device buffer that is written to a file afterwards.
struct Buffer {
    address: u64,
    bytes: usize,
    dtype: npy::Dtype,
    shape: Vec<usize>,
    file: PathBuf,
}

impl Buffer {
    fn write_back(&self, memory: &Memory) -> Result<(), Failure> {
        let mut data = vec![0; self.bytes];
        memory
            .read(self.address, &mut data)
            .map_err(|e| format!("cannot read back {}: {e}", self.file.display()))?;
        let array = npy::Array {
            dtype: self.dtype,
            shape: self.shape.clone(),
            data,
        };
        array
            .write(&self.file)
            .map_err(|e| Failure::from(format!("cannot write {}: {e}", self.file.display())))
    }
}

/// Packs the arguments at the parameters' offsets, with the buffers they need allocated.
fn place(
    arguments: &[Argument],
    params: &[ParamInfo],
    bytes: u32,
    memory: &Memory,
) -> Result<(Vec<u8>, Vec<Buffer>), Failure> {
    if arguments.len() != params.len() {
        let list: Vec<String> = params
            .iter()
            .map(|p| format!("{} ({} bytes)", p.name, p.size))
            .collect();
        return Err(usage(format!(
            "the kernel has {} parameters but {} arguments were given; the parameters are: {}",
            params.len(),
            arguments.len(),
            list.join(", ")
        )));
    }
    let mut packed = vec![0; bytes as usize];
    let mut buffers = Vec::new();
    for (index, (argument, param)) in arguments.iter().zip(params).enumerate() {
        let number = index + 1;
        let value = match argument {
            Argument::Integer { .. } | Argument::Float { .. } => argument
                .scalar_bytes(param.size)
                .map_err(|e| usage(format!("argument {number} ({}): {e}", param.name)))?,
            Argument::Raw(path) => std::fs::read(path)
                .map_err(|e| format!("argument {number}: cannot read {}: {e}", path.display()))?,
            Argument::In(path) => allocate(memory, read(path)?, None, &mut buffers, number)?,
            Argument::InOut(from, to) => {
                allocate(memory, read(from)?, Some(to.clone()), &mut buffers, number)?
            }
            Argument::Out { file, dtype, shape } => {
                let count = shape.iter().product::<usize>();
                let bytes = count * dtype.bytes();
                let address = memory
                    .alloc(bytes.max(1) as u64, &format!("argument {number}"))
                    .map_err(|e| format!("argument {number}: {e}"))?;
                buffers.push(Buffer {
                    address,
                    bytes,
                    dtype: *dtype,
                    shape: shape.clone(),
                    file: file.clone(),
                });
                address.to_le_bytes().to_vec()
            }
        };
        if value.len() != param.size as usize {
            return Err(usage(format!(
                "argument {number} has {} bytes, but the kernel's parameter {} has {}",
                value.len(),
                param.name,
                param.size
            )));
        }
        let at = param.offset as usize;
        packed[at..at + value.len()].copy_from_slice(&value);
    }
    Ok((packed, buffers))
}

fn read(path: &std::path::Path) -> Result<npy::Array, Failure> {
    npy::Array::read(path)
        .map_err(|e| Failure::from(format!("cannot read {}: {e}", path.display())))
}

fn allocate(
    memory: &Memory,
    array: npy::Array,
    file: Option<PathBuf>,
    buffers: &mut Vec<Buffer>,
    number: usize,
) -> Result<Vec<u8>, Failure> {
    let bytes = array.data.len();
    let address = memory
        .alloc(bytes.max(1) as u64, &format!("argument {number}"))
        .map_err(|e| format!("argument {number}: {e}"))?;
    memory
        .write(address, &array.data)
        .map_err(|e| format!("argument {number}: {e}"))?;
    if let Some(file) = file {
        buffers.push(Buffer {
            address,
            bytes,
            dtype: array.dtype,
            shape: array.shape,
            file,
        });
    }
    Ok(address.to_le_bytes().to_vec())
}

/// Findings and fault in readable form, on standard error.
fn tell(report: &LaunchReport, kernel: &str) {
    for f in &report.findings {
        let place = match &f.source {
            Some(s) => format!("{}:{}", s.file, s.line),
            None => format!("PTX line {}", f.ptx_line),
        };
        let [bx, by, bz] = f.block;
        let [tx, ty, tz] = f.thread;
        eprintln!(
            "{place}: {:?} in {}, block ({bx},{by},{bz}), thread ({tx},{ty},{tz}): {}",
            f.kind, f.kernel, f.message
        );
        if f.count > 1 {
            eprintln!("    {} times at this place", f.count);
        }
    }
    if report.findings_beyond > 0 {
        eprintln!("and {} more findings", report.findings_beyond);
    }
    if let Some(fault) = &report.fault {
        eprintln!("softgpu-run: {kernel} failed: {fault}");
    }
}

fn write_json(path: &std::path::Path, value: &impl serde::Serialize) -> Result<(), Failure> {
    let mut text = serde_json::to_string_pretty(value)
        .map_err(|e| format!("cannot put {} into JSON: {e}", path.display()))?;
    text.push('\n');
    std::fs::write(path, text).map_err(|e| format!("cannot write {}: {e}", path.display()).into())
}
