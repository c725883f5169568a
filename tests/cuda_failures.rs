//! What happens when something is missing, too old, full, damaged or too small.

mod common;

use common::nvrtc;
use std::path::Path;
use std::process::{Command, Output};
use warp19::cuda::nvrtc::{Nvrtc, Target};
use warp19::cuda::units::Unit;

/// `verify` of the cheapest operations on softgpu.
fn verify(cache: &Path, variables: &[(&str, &Path)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_warp19"));
    command.args(["verify", "--device", "softgpu", "--only", "adam,dropout"]);
    command
        .env("WARP19_NVRTC", nvrtc("13"))
        .env("WARP19_CACHE", cache);
    command.envs(variables.iter().copied());
    command.output().unwrap()
}

fn text(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&both).into_owned()
}

#[test]
fn without_a_driver() {
    let output = Command::new(env!("CARGO_BIN_EXE_warp19"))
        .args(["verify", "--device", "cuda:63", "--only", "memory"])
        .output()
        .unwrap();
    let text = text(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    if warp19::cuda::driver::is_present() {
        assert!(
            text.contains("cuda:63") || text.contains("does not start"),
            "{text}"
        );
    } else {
        assert!(
            text.contains("libcuda.so was not found") && text.contains("--device cpu"),
            "{text}"
        );
    }
}

#[test]
fn without_nvrtc() {
    let empty = tempfile::tempdir().unwrap();
    let output = verify(empty.path(), &[("WARP19_NVRTC", empty.path())]);
    let text = text(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let named = [
        empty.path().to_str().unwrap(),
        "WARP19_NVRTC",
        "pip install nvidia-cuda-nvrtc-cu12",
    ];
    assert!(named.iter().all(|n| text.contains(n)), "{text}");
}

#[test]
fn with_an_nvrtc_that_does_not_know_the_device() {
    let cache = tempfile::tempdir().unwrap();
    let output = verify(cache.path(), &[("SOFTGPU_DEVICE", Path::new("sm_61"))]);
    let text = text(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("sm_61") && text.contains("begins at sm_75"),
        "{text}"
    );
    assert!(
        text.contains("pip install nvidia-cuda-nvrtc-cu12"),
        "{text}"
    );
}

#[test]
fn with_an_nvrtc_older_than_the_device() {
    let file = nvrtc("12").join("libnvrtc.so.12");
    let nvrtc = Nvrtc::load(&file).unwrap();
    let (oldest, newest) = (nvrtc.architectures[0], *nvrtc.architectures.last().unwrap());
    // PTX of the newest it knows, which the driver compiles for the device.
    assert_eq!(nvrtc.target(newest + 40), Some(Target::Ptx(newest)));
    assert_eq!(nvrtc.target(oldest - 1), None);
    let unit = Unit::ConvWinograd;
    let output = nvrtc
        .compile(unit.file(), Target::Ptx(newest), &unit.options())
        .unwrap();
    let text = String::from_utf8(output.code).unwrap();
    assert!(text.contains(&format!(".target sm_{newest}")), "{text}");
    // Machine code for it there is none, and the command says what to do.
    let output = Command::new(env!("CARGO_BIN_EXE_warp19"))
        .args(["kernels", "report", "--arch", "sm_240"])
        .env("WARP19_NVRTC", &file)
        .output()
        .unwrap();
    let text = self::text(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("sm_240") && text.contains("pip install nvidia-cuda-nvrtc"),
        "{text}"
    );
}

#[test]
fn a_kernel_that_does_not_compile_shows_nvrtcs_log() {
    let nvrtc = Nvrtc::load(&nvrtc("13").join("libnvrtc.so.13")).unwrap();
    // Without its constants.
    let error = nvrtc
        .compile("dropout.cu", Target::Cubin(86), &[])
        .unwrap_err();
    assert!(
        error.contains("kernels/dropout.cu(") && error.contains("DROPOUT_THREADS"),
        "{error}"
    );
}

#[test]
fn with_a_damaged_cache() {
    let cache = tempfile::tempdir().unwrap();
    let first = verify(cache.path(), &[]);
    assert!(first.status.success(), "{}", text(&first));
    let files = || -> Vec<_> {
        std::fs::read_dir(cache.path())
            .unwrap()
            .map(|f| f.unwrap().path())
            .collect()
    };
    let before: Vec<Vec<u8>> = files().iter().map(|f| std::fs::read(f).unwrap()).collect();
    assert_eq!(before.len(), 2, "{:?}", files());
    for file in files() {
        let mut bytes = std::fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x55;
        bytes.truncate(bytes.len() - 100);
        std::fs::write(&file, bytes).unwrap();
    }
    let second = verify(cache.path(), &[]);
    assert!(second.status.success(), "{}", text(&second));
    let after: Vec<Vec<u8>> = files().iter().map(|f| std::fs::read(f).unwrap()).collect();
    assert!(
        before == after,
        "damaged files are compiled and written anew"
    );
}

#[test]
fn with_a_cache_that_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    // A file where the folder should be: the same refusal for every user, root included.
    let file = folder.path().join("file");
    std::fs::write(&file, "in the way").unwrap();
    let output = verify(&file.join("cache"), &[]);
    let text = text(&output);
    assert!(output.status.success(), "{text}");
    assert!(
        text.contains("warning: compiled kernels cannot be kept") && text.contains("WARP19_CACHE"),
        "{text}"
    );
    assert_eq!(
        text.matches("cannot be kept").count(),
        1,
        "one warning is enough: {text}"
    );
}

#[test]
fn two_processes_with_one_cache() {
    let cache = tempfile::tempdir().unwrap();
    let outputs = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| verify(cache.path(), &[])))
            .collect();
        runs.into_iter()
            .map(|r| r.join().unwrap())
            .collect::<Vec<_>>()
    });
    for output in &outputs {
        assert!(output.status.success(), "{}", text(output));
    }
    let left: Vec<_> = std::fs::read_dir(cache.path())
        .unwrap()
        .map(|f| f.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 2, "no temporary file stays: {left:?}");
}

#[test]
fn with_too_little_device_memory() {
    let (cache, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    common::synthetic_dataset(data.path(), 64, 16);
    let output = Command::new(env!("CARGO_BIN_EXE_warp19"))
        .args([
            "train", "--model", "vgg19", "--device", "softgpu", "--steps", "1", "--batch", "4",
            "--data",
        ])
        .arg(data.path())
        .args(["--out"])
        .arg(data.path().join("run"))
        .env("SOFTGPU_MEMORY", "256M")
        .env("WARP19_NVRTC", nvrtc("13"))
        .env("WARP19_CACHE", cache.path())
        .output()
        .unwrap();
    let text = text(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("out of device memory") && text.contains("--batch"),
        "{text}"
    );
    assert!(!text.contains("panicked"), "{text}");
}
