//! `softgpu nvcc`: NVIDIA's compiler, with the options that let a program run here.

use super::links::{Links, runtime_path};
use crate::command::failure::{FAILED, Failure};
use crate::nvrtc::places;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Compiles with nvcc so that the program runs on softgpu.
#[derive(clap::Args, Debug)]
#[command(after_help = AFTER_HELP, disable_help_flag = true)]
pub struct Arguments {
    /// What nvcc is given
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
    pub arguments: Vec<OsString>,
}

const AFTER_HELP: &str = "\
nvcc is SOFTGPU_NVCC, or the first found in PATH, CUDA_HOME, CUDA_PATH, conda, Python's packages
(pip install nvidia-cuda-nvcc nvidia-cuda-cccl), /usr/local/cuda.
Added to its arguments are
  -cudart shared     so that the runtime is found when the program starts
  -lineinfo          so that findings name lines of the source
  PTX                for the newest architecture named, where only machine code was asked for";

/// Runs nvcc and returns its exit code.
///
/// # Errors
/// It was not found or can't be started.
pub fn main(arguments: &Arguments) -> Result<u8, Failure> {
    let nvcc = find()?;
    let given: Vec<String> = arguments.arguments.iter().map(|a| a.to_string_lossy().into_owned()).collect();
    let links = Links::empty()?;
    let mut command = Command::new(&nvcc);
    command.args(&arguments.arguments).args(added(&given));
    if let Some(file) = library_to_link(&nvcc)? {
        links.add("libcudart.so", &file)?;
        command.arg("-L").arg(&links.folder);
    }
    let status = command.status().map_err(|e| format!("{} can't be started: {e}", nvcc.display()))?;
    Ok(status.code().map_or(FAILED, |code| code as u8))
}

fn find() -> Result<PathBuf, Failure> {
    const VARIABLE: &str = "SOFTGPU_NVCC";
    if let Some(path) = std::env::var_os(VARIABLE).map(PathBuf::from) {
        return match path.is_file() {
            true => Ok(path),
            false => {
                Err(format!("{VARIABLE} names {}, which is no file: correct it or unset it", path.display()).into())
            }
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path).map(|folder| folder.join("nvcc"));
    // The compiler's folder lies beside that of the libraries.
    let others = places("SOFTGPU_NVRTC_DIR").into_iter().filter_map(|p| Some(p.path.parent()?.join("bin/nvcc")));
    in_path.chain(others).find(|file| file.is_file()).ok_or_else(|| {
        "nvcc was not found. Install it with `python3 -m pip install nvidia-cuda-nvcc \
         nvidia-cuda-cccl`, or set SOFTGPU_NVCC to its path"
            .to_string()
            .into()
    })
}

/// The file to link as `libcudart.so` where the compiler's own installation has none of that name, as in Python's
/// packages: NVIDIA's library with its version in the name, or softgpu's.
fn library_to_link(nvcc: &Path) -> Result<Option<PathBuf>, Failure> {
    let nvcc = nvcc.canonicalize().unwrap_or(nvcc.to_path_buf());
    let root = nvcc.parent().and_then(Path::parent).unwrap_or(Path::new("/"));
    let folders = ["lib64", "lib", "targets/x86_64-linux/lib"].map(|folder| root.join(folder));
    if folders.iter().any(|folder| folder.join("libcudart.so").exists()) {
        return Ok(None);
    }
    let versioned = folders.iter().flat_map(|f| ["libcudart.so.13", "libcudart.so.12"].map(|name| f.join(name)));
    match versioned.into_iter().find(|file| file.exists()) {
        Some(file) => Ok(Some(file)),
        None => runtime_path().map(Some),
    }
}

/// Values of an option in all of nvcc's forms: `-name value`, `--name value`, `-name=value`.
fn values<'a>(arguments: &'a [String], names: &[&str]) -> Vec<&'a str> {
    let mut found = Vec::new();
    for (i, argument) in arguments.iter().enumerate() {
        let (name, value) = argument.split_once('=').map_or((argument.as_str(), None), |(n, v)| (n, Some(v)));
        if names.contains(&name) {
            found.extend(value.or(arguments.get(i + 1).map(String::as_str)));
        }
    }
    found
}

/// What is added to nvcc's arguments.
fn added(arguments: &[String]) -> Vec<String> {
    let has = |names: &[&str]| arguments.iter().any(|a| names.contains(&a.split('=').next().unwrap_or("")));
    let mut more = Vec::new();
    if !has(&["-cudart", "--cudart"]) {
        more.extend(["-cudart", "shared"].map(String::from));
    }
    if !has(&["-lineinfo", "--generate-line-info", "-G", "--device-debug"]) {
        more.push("-lineinfo".into());
    }
    more.extend(ptx(arguments));
    more
}

/// The option that brings PTX where only machine code was asked for. (`-arch=sm_86` alone brings both.)
fn ptx(arguments: &[String]) -> Option<String> {
    let codes = values(arguments, &["-gencode", "--generate-code", "-code", "--gpu-code"]);
    let words = codes.iter().flat_map(|code| code.split([',', '=', '[', ']', '"', '\'']));
    let words: Vec<&str> = words.collect();
    let kept = codes.iter().any(|code| code.rsplit("code=").next().is_some_and(|c| c.contains("compute_")));
    if kept {
        return None;
    }
    let newest = words
        .iter()
        .filter_map(|word| word.strip_prefix("sm_"))
        .max_by_key(|sm| sm.trim_end_matches(['a', 'f']).parse::<u32>().ok())?;
    match values(arguments, &["-code", "--gpu-code"]).is_empty() {
        true => Some(format!("-gencode=arch=compute_{newest},code=compute_{newest}")),
        false => Some(format!("-code=compute_{newest}")),
    }
}
