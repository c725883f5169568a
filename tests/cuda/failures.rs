//! What happens when something is missing, too old, full, damaged or too small.

use crate::common::command::{fails, run, warp19, warp19_in, workplace};
use crate::common::nvrtc;
use softgpu::nvrtc::Nvrtc;
use std::path::{Path, PathBuf};
use std::process::Command;
use warp19::cuda::nvrtc::{self, Target};
use warp19::cuda::units::UnitKind;
use warp19::device::Precision;

/// `verify` of the cheapest operations on softgpu.
fn verify(cache: &Path) -> Command {
    let mut command = warp19("verify --device softgpu --only adam,dropout");
    command.env("WARP19_NVRTC", nvrtc("13")).env("WARP19_CACHE", cache);
    command
}

/// What brings an NVRTC that suits every device.
const ADVICE: &str = "pip install nvidia-cuda-nvrtc-cu12";

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap();
    entries.map(|f| f.unwrap().path()).collect()
}

#[test]
fn without_a_driver() {
    let text = fails(&mut warp19("verify --device cuda:63 --only memory"), &[]);
    if warp19::cuda::driver::is_present() {
        assert!(text.contains("cuda:63") || text.contains("does not start"), "{text}");
    } else {
        assert!(text.contains("libcuda.so was not found") && text.contains("--device cpu"), "{text}");
    }
}

#[test]
fn with_variables_that_mean_nothing() {
    let cache = tempfile::tempdir().unwrap();
    for (name, value, says) in [
        ("WARP19_TILE", "4", "0, 1, 2, 3"),
        ("WARP19_TILE", "128x128", "0, 1, 2, 3"),
        ("WARP19_WINOGRAD", "yes", "0, 1"),
        ("WARP19_GRAPH", "off", "0, 1"),
        ("WARP19_TILES", "2", "there is no variable"),
        ("WARP19_NVRTC_DIR", "/nowhere", "nothing of that kind"),
    ] {
        let mut command = verify(cache.path());
        if name == "WARP19_NVRTC_DIR" {
            command.env_remove("WARP19_NVRTC");
        }
        fails(command.env(name, value), &[name, says]);
    }
    // Set to nothing is not set; other programs' variables are theirs.
    run(verify(cache.path()).env("WARP19_TILE", "").env("WARP20_TILE", "9"), 0);
    // A command that uses no device refuses them too.
    fails(warp19("params").env("WARP19_BATCH", "3"), &["WARP19_BATCH", "WARP19_BENCH_BATCH"]);
    let report = "kernels report --arch sm_86";
    fails(warp19(report).env("WARP19_NVDISASM", "/nowhere"), &["WARP19_NVDISASM=/nowhere"]);
}

#[test]
fn with_a_precision_that_the_device_lacks() {
    let verify = |device: &str, major: &str, precision: &str| {
        let mut command = warp19(&format!("verify --device softgpu --only conv --precision {precision}"));
        command.env("SOFTGPU_DEVICE", device).env("WARP19_NVRTC", nvrtc(major));
        command
    };
    for precision in ["tf32", "tf32x3", "bf16"] {
        fails(&mut verify("sm_75", "13", precision), &[precision, "tensor cores of sm_80", "--precision f16 or f32"]);
        fails(&mut verify("sm_61", "12", precision), &[precision, "is sm_61", "leave --precision away"]);
    }
    fails(&mut verify("sm_61", "12", "f16"), &["f16 needs the tensor cores of sm_75", "leave --precision away"]);
    run(&mut verify("sm_86", "13", "fp16"), 2);
}

#[test]
fn without_nvrtc() {
    let empty = tempfile::tempdir().unwrap();
    let named = [empty.path().to_str().unwrap(), "WARP19_NVRTC", ADVICE];
    fails(verify(empty.path()).env("WARP19_NVRTC", empty.path()), &named);
}

#[test]
fn with_an_nvrtc_that_does_not_know_the_device() {
    let cache = tempfile::tempdir().unwrap();
    fails(verify(cache.path()).env("SOFTGPU_DEVICE", "sm_61"), &["sm_61", "begins at sm_75", ADVICE]);
}

#[test]
fn with_an_nvrtc_older_than_the_device() {
    let file = nvrtc("12").join("libnvrtc.so.12");
    // SAFETY: NVRTC, as it was fetched.
    let nvrtc = unsafe { Nvrtc::load(&file) }.unwrap();
    let (oldest, newest) = (nvrtc.architectures[0], *nvrtc.architectures.last().unwrap());
    // PTX of the newest it knows, which the driver compiles for the device.
    assert_eq!(Target::of(&nvrtc, newest + 40), Some(Target::Ptx(newest)));
    assert_eq!(Target::of(&nvrtc, oldest - 1), None);
    let unit = UnitKind::ConvWinograd.at(Precision::F32);
    let output = nvrtc::compile(&nvrtc, unit.file(), Target::Ptx(newest), &unit.options()).unwrap();
    let text = String::from_utf8(output.code).unwrap();
    assert!(text.contains(&format!(".target sm_{newest}")), "{text}");
    // Machine code for it there is none, and the command says what to do.
    fails(
        warp19("kernels report --arch sm_240").env("WARP19_NVRTC", &file),
        &["sm_240", "pip install nvidia-cuda-nvrtc"],
    );
}

#[test]
fn a_kernel_that_does_not_compile_shows_nvrtcs_log() {
    // SAFETY: NVRTC, as it was fetched.
    let nvrtc = unsafe { Nvrtc::load(&nvrtc("13").join("libnvrtc.so.13")) }.unwrap();
    // Without its constants.
    let error = nvrtc::compile(&nvrtc, "dropout.cu", Target::Cubin(86), &[]).unwrap_err();
    assert!(error.contains("kernels/dropout.cu(") && error.contains("DROPOUT_THREADS"), "{error}");
}

#[test]
fn with_a_damaged_cache() {
    let cache = tempfile::tempdir().unwrap();
    let contents = || -> Vec<Vec<u8>> {
        let files = files(cache.path());
        files.iter().map(|f| std::fs::read(f).unwrap()).collect()
    };
    // What takes seconds says so: at the first unit, and not at every one.
    let said = run(&mut verify(cache.path()), 0).said;
    assert_eq!(said.matches("compiling the CUDA kernels for sm_86").count(), 1, "{said}");
    assert!(said.contains(cache.path().to_str().unwrap()), "{said}");
    let before = contents();
    assert_eq!(before.len(), 2, "{:?}", files(cache.path()));
    for file in files(cache.path()) {
        let mut bytes = std::fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x55;
        bytes.truncate(bytes.len() - 100);
        std::fs::write(&file, bytes).unwrap();
    }
    run(&mut verify(cache.path()), 0);
    assert!(before == contents(), "damaged files are compiled and written anew");
    let said = run(&mut verify(cache.path()), 0).said;
    assert!(!said.contains("compiling"), "nothing is left to compile: {said}");
}

#[test]
fn with_a_cache_that_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    // A file where the folder should be: the same refusal for every user, root included.
    let file = folder.path().join("file");
    std::fs::write(&file, "in the way").unwrap();
    let text = run(&mut verify(&file.join("cache")), 0).said;
    assert!(text.contains("warning: compiled kernels cannot be kept") && text.contains("WARP19_CACHE"), "{text}");
    assert_eq!(text.matches("cannot be kept").count(), 1, "one warning is enough: {text}");
}

#[test]
fn two_processes_with_one_cache() {
    let cache = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| run(&mut verify(cache.path()), 0));
        }
    });
    let left = files(cache.path());
    assert_eq!(left.len(), 2, "no temporary file stays: {left:?}");
}

#[test]
fn with_too_little_device_memory() {
    let (cache, dir) = (tempfile::tempdir().unwrap(), workplace(64, 16));
    let vgg19 = "train --model vgg19 --device softgpu --steps 1 --batch 4 --data set --out run";
    fails(
        warp19_in(dir.path(), vgg19)
            .env("SOFTGPU_MEMORY", "256M")
            .env("WARP19_NVRTC", nvrtc("13"))
            .env("WARP19_CACHE", cache.path()),
        &["out of device memory", "--batch"],
    );
}
