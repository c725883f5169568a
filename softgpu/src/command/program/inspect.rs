//! What a program asks for, looked at before it starts.

use crate::command::failure::Failure;
use object::elf::{FileHeader64, PT_INTERP};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, FileKind};
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

/// NVIDIA's libraries of kernels, by the beginnings of their files' names, which softgpu does not have; the libraries
/// themselves need NVIDIA's runtime inside.
const NOT_HERE: &[(&str, &str)] = &[
    ("libcublas", "cuBLAS"),
    ("libcudnn", "cuDNN"),
    ("libcufft", "cuFFT"),
    ("libcufile", "cuFile"),
    ("libcurand", "cuRAND"),
    ("libcusolver", "cuSOLVER"),
    ("libcusparse", "cuSPARSE"),
    ("libcutensor", "cuTENSOR"),
    ("libnccl", "NCCL"),
    ("libnpp", "NPP"),
    ("libnvjpeg", "nvJPEG"),
];

/// Refuses a program that can't run here, and says what to do.
///
/// Scripts and what else is no ELF program pass: what they load is not known.
///
/// # Errors
/// The program needs a library that softgpu does not have; it has NVIDIA's runtime linked in; or it finds another
/// driver or runtime than softgpu's.
pub fn inspect(program: &Path, links: &Path, library_path: &OsStr) -> Result<(), Failure> {
    let bytes = std::fs::read(program).map_err(|e| format!("{}: {e}", program.display()))?;
    if !has_loader(&bytes) {
        return Ok(());
    }
    // The loader lists what it would load, as `ldd` asks it to, and starts nothing.
    let mut loader = Command::new(program);
    loader.env("LD_TRACE_LOADED_OBJECTS", "1").env("LD_LIBRARY_PATH", library_path);
    let listed = loader.output().map_err(|e| format!("{} can't be started: {e}", program.display()))?;
    let libraries = String::from_utf8_lossy(&listed.stdout).into_owned();
    let names = libraries.lines().filter_map(|line| line.trim().split([' ', '/']).find(|word| !word.is_empty()));
    let names: Vec<&str> = names.collect();
    let program = program.display();

    let missing = |(file, name): &(&str, &'static str)| names.iter().any(|n| n.starts_with(file)).then_some(*name);
    let missing: Vec<&str> = NOT_HERE.iter().filter_map(missing).collect();
    if !missing.is_empty() {
        return Err(format!(
            "{program} needs {}, which softgpu does not have: it runs kernels that come as PTX with the program",
            missing.join(" and ")
        )
        .into());
    }
    for line in libraries.lines() {
        let Some((name, file)) = line.trim().split_once(" => ") else { continue };
        let ours = ["libcuda.so", "libcudart.so"].iter().any(|library| name.starts_with(library));
        if name.starts_with("libcudart.so") && !links.join(name).exists() {
            return Err(format!(
                "{program} needs {name}; softgpu has the runtime of CUDA 12 and 13: compile it with one of those"
            )
            .into());
        }
        if ours && !file.starts_with(&*links.to_string_lossy()) {
            return Err(format!(
                "{program} finds {name} as {file}, not softgpu's, by an RPATH inside it: remove that with `patchelf \
                 --remove-rpath` or link with -Wl,--enable-new-dtags"
            )
            .into());
        }
    }
    let has = |word: &[u8]| bytes.windows(word.len()).any(|w| w == word);
    let shared = names.iter().any(|name| name.starts_with("libcudart.so"));
    if !shared && has(b".nv_fatbin\0") && has(b"libcuda.so.1") {
        return Err(format!(
            "{program} has NVIDIA's CUDA runtime linked in, as nvcc does if not told otherwise; that runtime accepts \
             NVIDIA's driver only. Link with `nvcc -cudart shared`, or compile with `softgpu nvcc`"
        )
        .into());
    }
    Ok(())
}

/// Whether a file is a program for this machine's loader.
fn has_loader(bytes: &[u8]) -> bool {
    if !matches!(FileKind::parse(bytes), Ok(FileKind::Elf64)) {
        return false;
    }
    let Ok(header) = FileHeader64::<Endianness>::parse(bytes) else { return false };
    let Ok(endian) = header.endian() else { return false };
    let segments = header.program_headers(endian, bytes).unwrap_or_default();
    segments.iter().any(|segment| segment.p_type(endian) == PT_INTERP)
}
