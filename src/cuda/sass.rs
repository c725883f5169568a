//! The machine code of a cubin through `nvdisasm`: how many instructions of which kind, and the innermost loop.

use super::settings;
use crate::error::{Error, Result};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Instruction counts of one kernel.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mix {
    pub kernel: String,
    pub instructions: usize,
    /// The loop with the largest share of [`MULTIPLY_ADDS`]: its instructions by name, `FFMA` and `LDS` and so on.
    pub main_loop: BTreeMap<String, usize>,
    /// Multiply-adds of the main loop before each of its reads of global memory, which are spread where these differ.
    pub reads_after: Vec<usize>,
}

/// The instructions that multiply and add: of float32, and of tensor cores.
pub const MULTIPLY_ADDS: [&str; 2] = ["FFMA", "HMMA"];

fn multiply_adds(counts: &BTreeMap<String, usize>) -> usize {
    MULTIPLY_ADDS.iter().filter_map(|&name| counts.get(name)).sum()
}

impl Mix {
    /// Instructions of the main loop.
    pub fn loop_instructions(&self) -> usize {
        self.main_loop.values().sum()
    }
    /// Share of multiply-adds in the main loop: a bound on the share of the peak that it can reach, where one
    /// instruction is issued a cycle.
    pub fn multiply_add_share(&self) -> f64 {
        multiply_adds(&self.main_loop) as f64 / self.loop_instructions().max(1) as f64
    }
}

/// Where `nvdisasm` is: `WARP19_NVDISASM`, the `PATH`, a toolkit, or beside a pip package of it.
///
/// # Errors
/// `WARP19_NVDISASM` names no file.
pub fn nvdisasm() -> Result<Option<PathBuf>> {
    if let Some(path) = settings::path("WARP19_NVDISASM", |p| p.is_file())? {
        return Ok(Some(path));
    }
    let variable = |name: &str| settings::value(name).map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(["CUDA_HOME", "CUDA_PATH"].into_iter().filter_map(variable).map(|r| r.join("bin")));
    folders.push("/usr/local/cuda/bin".into());
    // scripts/fetch_nvrtc.sh leaves it there.
    let caches = std::env::current_dir().unwrap_or_default();
    let caches = caches.ancestors().map(|a| a.join(".cache/nvrtc")).chain(variable(super::find::FOLDER));
    folders.extend(caches.map(|c| c.join("tools/nvidia/cu13/bin")));
    // .../nvidia/cu13/lib has the libraries, .../nvidia/cu13/bin the tools.
    folders.extend(super::find::places().into_iter().map(|p| p.path.join("../bin")));
    Ok(folders.into_iter().map(|f| f.join("nvdisasm")).find(|f| f.is_file()))
}

/// Disassembles a cubin.
///
/// # Errors
/// The tool does not run, or does not read this architecture.
pub fn disassemble(tool: &Path, cubin: &[u8]) -> Result<Vec<Mix>> {
    let failed = |what: String| Error::Device(format!("{}: {what}", tool.display()));
    let mut file = tempfile::NamedTempFile::new().map_err(|e| failed(e.to_string()))?;
    std::io::Write::write_all(&mut file, cubin).map_err(|e| failed(e.to_string()))?;
    let output = Command::new(tool).arg("-c").arg(file.path()).output();
    let output = output.map_err(|e| failed(e.to_string()))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_string()));
    }
    Ok(parse(&String::from_utf8_lossy(&output.stdout)))
}

/// Kernels begin with `.text.NAME:`, places to jump to are `.L_x_N:`, instructions `/*ADDRESS*/ [@P] NAME ... ;`.
fn parse(text: &str) -> Vec<Mix> {
    let mut out = Vec::new();
    let mut kernel: Option<(String, Vec<String>, BTreeMap<String, usize>)> = None;
    for line in text.lines().chain([".text.:"]) {
        let word = line.trim();
        if let Some(name) = line.strip_prefix(".text.") {
            let next = (name.trim_end_matches(':').to_string(), Vec::new(), BTreeMap::new());
            if let Some((name, instructions, labels)) = kernel.replace(next) {
                out.push(mix(name, &instructions, &labels));
            }
        } else if let Some((_, instructions, labels)) = &mut kernel {
            if let Some(label) = word.strip_suffix(':').filter(|l| l.starts_with(".L_x_")) {
                labels.insert(label.to_string(), instructions.len());
            } else if let Some((_, rest)) = word.strip_prefix("/*").and_then(|w| w.split_once("*/"))
                && rest.contains(';')
            {
                instructions.push(rest.trim().to_string());
            }
        }
    }
    out
}

fn mix(kernel: String, instructions: &[String], labels: &BTreeMap<String, usize>) -> Mix {
    let name = |i: &String| {
        let mut words = i.split_whitespace().filter(|w| !w.starts_with('@'));
        let word = words.next().unwrap_or("").trim_end_matches(';');
        word.split('.').next().unwrap_or("").to_string()
    };
    let mut best = (0.0, BTreeMap::new(), Vec::new());
    for (end, i) in instructions.iter().enumerate() {
        let target = i.contains("BRA").then(|| i.split('`').nth(1)).flatten();
        let label = target.map(|t| t.trim_start_matches('(').split(')').next().unwrap_or(""));
        let Some(&start) = label.and_then(|l| labels.get(l)).filter(|&&s| s <= end) else {
            continue;
        };
        let (mut counts, mut reads_after) = (BTreeMap::new(), Vec::new());
        for i in &instructions[start..=end] {
            let name = name(i);
            if matches!(name.as_str(), "LDG" | "LDGSTS") {
                reads_after.push(multiply_adds(&counts));
            }
            *counts.entry(name).or_insert(0) += 1;
        }
        let share = multiply_adds(&counts) as f64 / (end + 1 - start) as f64;
        if share > best.0 {
            best = (share, counts, reads_after);
        }
    }
    Mix { kernel, instructions: instructions.len(), main_loop: best.1, reads_after: best.2 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_innermost_loop() {
        let text = ".text.f:\n        /*0000*/                   MOV R1, c[0x0][0x28] ;\n.L_x_1:\n\
                    .L_x_0:\n        /*0010*/                   FFMA R0, R1, R2, R0 ;\n\
                    \x20       /*0020*/              @!P0 LDS.128 R4, [R3] ;\n\
                    \x20       /*0030*/               @P0 BRA `(.L_x_0) ;\n\
                    \x20       /*0040*/               @P1 BRA `(.L_x_1) ;\n        /*0050*/ EXIT ;\n";
        let got = parse(text);
        assert_eq!((got[0].kernel.as_str(), got[0].instructions), ("f", 6));
        let want = [("BRA", 1), ("FFMA", 1), ("LDS", 1)];
        assert_eq!(got[0].main_loop, want.map(|(n, c)| (n.to_string(), c)).into());
    }
}
