//! `softgpu run`: starts a program on softgpu, waits for it, tells what was found.

use super::inspect::inspect;
use super::links::Links;
use crate::check::Rank;
use crate::command::failure::{CLEAN, FINDINGS, Failure};
use serde::Deserialize;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicI32, Ordering};

/// Runs a CUDA program on a device in software, with checks.
#[derive(clap::Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// Modelled device, such as sm_86
    #[arg(long, value_name = "NAME")]
    pub device: Option<String>,
    /// Checks to run: all, none, or some of mem,init,race,sync [default: all]
    #[arg(long, value_name = "LIST")]
    pub check: Option<String>,
    /// Device memory in bytes, such as 2G
    #[arg(long, value_name = "BYTES")]
    pub memory: Option<String>,
    /// Seed of the order of blocks, warps and streams
    #[arg(long, value_name = "N")]
    pub seed: Option<String>,
    /// When queued work runs: late (as late as it may) or eager
    #[arg(long, value_name = "late|eager")]
    pub streams: Option<String>,
    /// Least rank of a finding that makes the exit code 3: error, warning or note [default: error]
    #[arg(long, value_name = "RANK")]
    pub fail_on: Option<String>,
    /// Kinds of findings that are not reported, such as leak,warp_order
    #[arg(long, value_name = "KINDS")]
    pub mute: Option<String>,
    /// Bytes at least between allocations, such as 1M [default: 512]
    #[arg(long, value_name = "BYTES")]
    pub gap: Option<String>,
    /// Put every allocation against a guard: outside an allocation is an error without checks, too
    #[arg(long)]
    pub guard: bool,
    /// Write the findings to this file, as JSON
    #[arg(long, value_name = "F.json")]
    pub findings: Option<PathBuf>,
    /// Write the counters of every launch to this file, as JSON
    #[arg(long, value_name = "F.json")]
    pub counters: Option<PathBuf>,
    /// The program with its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "PROGRAM [ARGUMENT]")]
    pub program: Vec<OsString>,
}

const AFTER_HELP: &str = "\
What is not given is as the SOFTGPU_* variables say.

Exit code: the program's own if it is not 0 (128 and the signal's number if a signal ended it); else 3 if the checks
found an error (or what --fail-on tells), else 0. 1: the program was not started.

Example:
  softgpu nvcc saxpy.cu -o saxpy && softgpu run --device sm_80 -- ./saxpy 1000";

/// Runs the command and returns the exit code.
///
/// # Errors
/// The program was not started.
pub fn main(arguments: &Arguments) -> Result<u8, Failure> {
    let links = Links::new()?;
    let program = find(&arguments.program[0])?;
    let path = with_first(&links.folder, "LD_LIBRARY_PATH");
    inspect(&program, &links.folder, &path)?;
    let mut command = Command::new(&program);
    command.args(&arguments.program[1..]).env("LD_LIBRARY_PATH", path);
    let fail_on = arguments.fail_on.clone().or_else(|| std::env::var("SOFTGPU_FAIL").ok());
    let rank: Rank = fail_on.as_deref().unwrap_or("error").parse()?;
    let guard = arguments.guard.then(|| "1".to_string());
    let check = arguments.check.clone().or_else(|| std::env::var("SOFTGPU_CHECK").ok()).unwrap_or("all".into());
    let settings = [
        ("SOFTGPU_CHECK", Some(&check)),
        ("SOFTGPU_DEVICE", arguments.device.as_ref()),
        ("SOFTGPU_MEMORY", arguments.memory.as_ref()),
        ("SOFTGPU_SEED", arguments.seed.as_ref()),
        ("SOFTGPU_STREAMS", arguments.streams.as_ref()),
        ("SOFTGPU_FAIL", fail_on.as_ref()),
        ("SOFTGPU_MUTE", arguments.mute.as_ref()),
        ("SOFTGPU_GAP", arguments.gap.as_ref()),
        ("SOFTGPU_GUARD", guard.as_ref()),
    ];
    command.envs(settings.into_iter().filter_map(|(name, value)| Some((name, value?))));
    // One file for each process: a program may start others.
    command.env("SOFTGPU_FINDINGS", links.folder.join("findings-%p.json"));
    if let Some(file) = &arguments.counters {
        command.env("SOFTGPU_COUNTERS", std::path::absolute(file).unwrap_or(file.clone()));
    }
    let status = wait(command).map_err(|e| format!("{} can't be started: {e}", program.display()))?;
    let found = Found::read(&links.folder)?;
    if let Some(file) = &arguments.findings {
        crate::command::report::write_json(file, &found)?;
    }
    tell(&found);
    Ok(match (code(status), found.has(rank)) {
        (CLEAN, false) => CLEAN,
        (CLEAN, _) => FINDINGS,
        (code, _) => code,
    })
}

/// The program's file: as given where it has a slash, else in `PATH`.
fn find(name: &OsStr) -> Result<PathBuf, Failure> {
    let given = Path::new(name);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path).map(|folder| folder.join(given));
    let found =
        if given.components().count() > 1 { Some(given.to_path_buf()) } else { places.find(|file| file.is_file()) };
    match found.filter(|file| file.is_file()) {
        Some(file) => Ok(file),
        None => Err(format!("there is no program {}", given.display()).into()),
    }
}

/// A list of folders, with one before those that it has.
fn with_first(folder: &Path, variable: &str) -> OsString {
    let others = std::env::var_os(variable).filter(|list| !list.is_empty());
    let mut list = folder.as_os_str().to_os_string();
    if let Some(others) = others {
        list.push(":");
        list.push(others);
    }
    list
}

/// The process that signals are handed on to.
static CHILD: AtomicI32 = AtomicI32::new(0);

extern "C" fn hand_on(signal: i32) {
    // SAFETY: kill may be called in a signal handler.
    unsafe { libc::kill(CHILD.load(Ordering::Relaxed), signal) };
}

/// Runs the program to its end. Signals meant to end it are its own to answer: those from a terminal reach it anyway,
/// others are handed on, and the findings are told afterwards.
fn wait(mut command: Command) -> std::io::Result<ExitStatus> {
    let mut child = command.spawn()?;
    CHILD.store(child.id() as i32, Ordering::Relaxed);
    for (signal, handler) in [
        (libc::SIGINT, libc::SIG_IGN),
        (libc::SIGQUIT, libc::SIG_IGN),
        (libc::SIGTERM, hand_on as *const () as usize),
        (libc::SIGHUP, hand_on as *const () as usize),
    ] {
        // SAFETY: the handler does nothing that a handler may not do.
        unsafe { libc::signal(signal, handler) };
    }
    child.wait()
}

/// The exit code of a shell for a program that ended so.
fn code(status: ExitStatus) -> u8 {
    match (status.code(), status.signal()) {
        (Some(code), _) => code as u8,
        (None, signal) => 128 + signal.unwrap_or(0) as u8,
    }
}

/// What a run's processes found.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Found {
    findings: Vec<serde_json::Value>,
    beyond: u64,
}

impl Found {
    fn read(folder: &Path) -> Result<Found, Failure> {
        let mut all = Found::default();
        let list = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let is_findings = |file: &PathBuf| file.extension().is_some_and(|e| e == "json");
        let mut files: Vec<PathBuf> = list.flatten().map(|entry| entry.path()).filter(is_findings).collect();
        files.sort();
        for file in files {
            let text = std::fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
            let one: Found = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", file.display()))?;
            all.findings.extend(one.findings);
            all.beyond += one.beyond;
        }
        Ok(all)
    }

    /// The ranks of the findings.
    fn ranks(&self) -> impl Iterator<Item = Rank> {
        let rank = |finding: &serde_json::Value| Rank::deserialize(&finding["rank"]).unwrap_or_default();
        self.findings.iter().map(rank)
    }

    fn has(&self, rank: Rank) -> bool {
        self.ranks().any(|r| r >= rank)
    }

    /// How many there are, as `2 findings (1 error, 1 note)`.
    fn count(&self) -> String {
        let ranks = [(Rank::Error, "error"), (Rank::Warning, "warning"), (Rank::Note, "note")];
        let some = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let of_rank = ranks.map(|(rank, name)| (self.ranks().filter(|r| *r == rank).count(), name));
        let mut parts: Vec<String> = of_rank.iter().filter(|(n, _)| *n > 0).map(|(n, name)| some(*n, name)).collect();
        if self.beyond > 0 {
            parts.push(format!("{} not listed", self.beyond));
        }
        let all = some(self.findings.len() + self.beyond as usize, "finding");
        if parts.is_empty() { all } else { format!("{all} ({})", parts.join(", ")) }
    }
}

/// A kernel's name as its source has it.
fn demangled(name: &str) -> String {
    cpp_demangle::Symbol::new(name).ok().and_then(|symbol| symbol.demangle().ok()).unwrap_or(name.into())
}

/// Prints the findings, on standard error.
fn tell(found: &Found) {
    for finding in &found.findings {
        let text = |name: &str| finding[name].as_str().unwrap_or_default().to_string();
        let place = match finding["source"].as_object() {
            Some(source) => format!("{}:{}", source["file"].as_str().unwrap_or_default(), source["line"]),
            None if finding["ptx_line"] == 0 => String::new(),
            None => format!("PTX line {}", finding["ptx_line"]),
        };
        let triple = |name: &str| format!("({},{},{})", finding[name][0], finding[name][1], finding[name][2]);
        let at = if place.is_empty() { String::new() } else { format!(" at {place}") };
        let kernel = demangled(&text("kernel"));
        let inside = if kernel.is_empty() {
            String::new()
        } else {
            format!(" in {kernel}, block {}, thread {}", triple("block"), triple("thread"))
        };
        eprintln!("========= {} {}{at}{inside}", text("rank"), text("kind"));
        let mut call = &finding["source"]["inlined_at"];
        while let Some(file) = call["file"].as_str() {
            eprintln!("=========     inlined at {file}:{}", call["line"]);
            call = &call["inlined_at"];
        }
        eprintln!("=========     {}", text("message"));
        if let Some(address) = finding["address"].as_u64().filter(|address| *address > 0) {
            eprintln!("=========     address {address:#x} ({}): {}", text("space"), text("allocation"));
        }
        if finding["count"].as_u64() > Some(1) {
            eprintln!("=========     {} times at this place", finding["count"]);
        }
    }
    eprintln!("========= softgpu: {}", found.count());
}
