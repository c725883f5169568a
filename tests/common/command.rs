//! Running the `warp19` program: what it is told, and what must come of it.

use super::synthetic;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The program with arguments, given as one line.
pub fn warp19(line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_warp19"));
    command.args(line.split_whitespace()).stdin(Stdio::null());
    command
}

/// As [`warp19`], run in a folder.
pub fn warp19_in(dir: &Path, line: &str) -> Command {
    let mut command = warp19(line);
    command.current_dir(dir);
    command
}

/// `warp19 train` of deep-mnist on the dataset of a [`workplace`], with more arguments.
pub fn train(dir: &Path, line: &str) -> Command {
    let fixed = "train --model deep-mnist --data set --dataset shapes";
    warp19_in(dir, &format!("{fixed} {line}"))
}

/// A temporary folder with a [`synthetic::dataset`] in `set`.
pub fn workplace(train_n: usize, test_n: usize) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    synthetic::dataset(&dir.path().join("set"), train_n, test_n);
    dir
}

/// What a program wrote.
pub struct Written {
    /// To standard output.
    pub out: String,
    /// To standard error.
    pub said: String,
}

/// Runs a command that must end with that exit code.
pub fn run(command: &mut Command, code: i32) -> Written {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    ended(command, output, code)
}

/// What a command wrote, which must have ended with that exit code and without a panic.
pub fn ended(command: &Command, output: Output, code: i32) -> Written {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, said) = (text(&output.stdout), text(&output.stderr));
    let status = output.status;
    assert_eq!(status.code(), Some(code), "{command:?}, {status}: {said}{out}");
    assert!(!said.contains("panicked"), "{command:?}: {said}");
    Written { out, said }
}

/// Runs a command that must succeed, for its standard output.
pub fn ok(command: &mut Command) -> String {
    run(command, 0).out
}

/// Runs a command that must succeed and write JSON.
pub fn json(command: &mut Command) -> serde_json::Value {
    let out = ok(command);
    serde_json::from_str(&out).unwrap_or_else(|e| panic!("{command:?}: {e} in {out}"))
}

/// Runs a command that must fail with exit code 1 and say all of `parts`, for its standard error.
pub fn fails(command: &mut Command, parts: &[&str]) -> String {
    let said = run(command, 1).said;
    for part in parts {
        assert!(said.contains(part), "{command:?}: '{part}' is not in: {said}");
    }
    said
}
