//! The programs of `clients/runtime`, compiled by nvcc and run by `softgpu run`: each has the outcome that
//! `programs.txt` there says.

mod common;

use common::fetched;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

const SOFTGPU: &str = env!("CARGO_BIN_EXE_softgpu");

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/runtime")
}

/// A line of `programs.txt`.
struct Program {
    name: String,
    options: Vec<String>,
    arguments: Vec<String>,
    code: i32,
    words: Vec<String>,
}

fn programs() -> Vec<Program> {
    let text = std::fs::read_to_string(sources().join("programs.txt")).unwrap();
    let bugs = std::fs::read_to_string(sources().join("bugs.cu")).unwrap();
    let mark = |word: &str| match word.split_once('@') {
        Some((before, name)) => {
            let line = bugs.lines().position(|line| line.contains(&format!("; // {name}: ")));
            format!("{before}{}", line.unwrap_or_else(|| panic!("bugs.cu marks no {name}")) + 1)
        }
        None => word.to_string(),
    };
    let list = |text: &str, by: char| -> Vec<String> {
        text.split(by).map(str::trim).filter(|word| !word.is_empty()).map(String::from).collect()
    };
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let read = |line: &str| {
        let parts: Vec<&str> = line.split('|').map(str::trim).collect();
        let [name, options, arguments, code, words] = parts[..] else { panic!("programs.txt: {line}") };
        Program {
            name: name.into(),
            options: list(options, ' '),
            arguments: list(arguments, ' '),
            code: code.parse().unwrap(),
            words: list(words, ';').iter().map(|word| mark(word)).collect(),
        }
    };
    lines.map(read).collect()
}

/// Where the programs are compiled to.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    FOLDER.get_or_init(|| tempfile::tempdir().unwrap()).path()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs `softgpu nvcc`, in the folder of the sources.
fn nvcc(arguments: &[&str]) -> Output {
    let mut command = Command::new(SOFTGPU);
    command.arg("nvcc").args(arguments).current_dir(sources());
    command.env("SOFTGPU_NVCC", fetched("ptxas/nvidia/cu13/bin/nvcc")).output().unwrap()
}

/// Compiles a program, with the architecture of the device that runs it.
fn compile(name: &str, options: &[&str]) -> PathBuf {
    let program = folder().join(name);
    let source = format!("{name}.cu");
    let output = nvcc(&[&["-std=c++17", "-arch=sm_86", &source, "-o", program.to_str().unwrap()], options].concat());
    assert!(output.status.success(), "{name} does not compile: {}", text(&output));
    program
}

/// `softgpu run` with its options, a program and its arguments.
fn run(options: &[&str], program: &Path, arguments: &[String]) -> Output {
    let mut command = Command::new(SOFTGPU);
    command.arg("run").args(options).arg("--").arg(program).args(arguments);
    for variable in ["SOFTGPU_CHECK", "SOFTGPU_DEVICE", "SOFTGPU_QUIET"] {
        command.env_remove(variable);
    }
    command.output().unwrap()
}

#[test]
fn programs_have_their_outcomes() {
    let (mut compiled, mut wrong) = (HashSet::new(), Vec::new());
    for program in programs() {
        let options: Vec<&str> = program.options.iter().map(String::as_str).collect();
        let file = match compiled.insert(program.name.clone()) {
            true => compile(&program.name, &options),
            false => folder().join(&program.name),
        };
        let output = run(&[], &file, &program.arguments);
        let (code, text) = (output.status.code(), text(&output));
        let missing: Vec<&String> = program.words.iter().filter(|word| !text.contains(*word)).collect();
        if code != Some(program.code) || !missing.is_empty() {
            let what = format!("{} {}", program.name, program.arguments.join(" "));
            wrong.push(format!("{what}: exit code {code:?}, not {}; without {missing:?}:\n{text}", program.code));
        }
    }
    assert!(compiled.len() > 6 && wrong.is_empty(), "{}", wrong.join("\n"));
}
