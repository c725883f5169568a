//! The commands around the kernels: timings of `verify`, `kernels report`, `kernels dump`, `devices`.

use crate::common::command::{json, ok, warp19};
use crate::common::nvrtc;
use serde_json::Value;
use std::process::Command;
use warp19::cuda::units::Unit;

/// The program with an NVRTC.
fn with_nvrtc(line: &str) -> Command {
    let mut command = warp19(line);
    command.env("WARP19_NVRTC", nvrtc("13"));
    command
}

/// The same path as on a GPU: events, the cache flushed, shares of the peaks that the attributes give.
#[test]
fn verify_times_the_kernels_where_asked() {
    let verify = |line: &str| with_nvrtc(&format!("verify --device softgpu --only memory {line}"));
    let all = json(&mut verify("--timing 0,1 --json"));
    // Each layer that is timed was compared with the naive kernels on the device, forward and both gradients.
    let compared: Vec<(&str, &str)> = all["comparisons"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|c| Some((c["operation"].as_str()?.strip_suffix(" against naive")?, c["shape"].as_str()?)))
        .collect();
    for shape in ["1x28x28x64 -> 64, 3x3", "1x2x2x512 -> 512, 3x3", "1x4096 -> 4096"] {
        let conv = if shape.contains("3x3") { "conv" } else { "linear" };
        for result in ["forward relu y", "backward_data masked dx", "backward_weight dw", "backward_weight db"] {
            assert!(compared.contains(&(&format!("{conv}_{result}"), shape)), "{conv}_{result} {shape}: {compared:?}");
        }
    }
    let timings = all["timings"].as_array().unwrap();
    let names: Vec<&str> = timings.iter().filter_map(|t| t["operation"].as_str()).collect();
    for name in [
        "gemm_nn",
        "conv_forward",
        "conv_backward_data",
        "conv_backward_weight",
        "linear_forward",
        "linear_backward_data",
        "linear_backward_weight",
        "pool_forward",
        "dropout",
        "adam and average",
    ] {
        assert!(names.contains(&name), "{names:?}");
    }
    for t in timings {
        let number = |what: &str| t[what].as_f64().unwrap();
        assert!(number("fastest") > 0.0 && number("share_of_bandwidth") > 0.0, "{t}");
        assert!(number("fastest") <= number("seconds") && number("seconds") <= number("slowest"), "{t}");
        assert!(number("warm_up") >= 0.3, "a GPU's clock is low at first: {t}");
        let arithmetic = number("flops") > 0.0;
        assert_eq!(number("share_of_flops") > 0.0, arithmetic, "{t}");
    }
    // softgpu's times say nothing about a GPU.
    assert!(!ok(&mut verify("")).contains("of peak"));
}

/// `kernels report` and `kernels dump` for an architecture.
fn reported_and_dumped(sm: u32, major: &str) {
    let kernels = |line: &str| {
        let mut command = warp19(&format!("kernels {line}"));
        command.env("WARP19_NVRTC", nvrtc(major));
        command
    };
    let all = json(&mut kernels(&format!("report --arch sm_{sm} --json")));
    let rows = all.as_array().unwrap();
    assert_eq!(rows.len(), Unit::all(sm).iter().map(|u| u.kernels().len()).sum::<usize>());
    for r in rows {
        let number = |path: &str| r.pointer(path).and_then(Value::as_u64);
        assert!(number("/usage/registers") > Some(0) && number("/occupancy/warps") > Some(0), "{r}");
        // nvdisasm 13 reads no machine code before sm_75.
        assert_eq!(number("/instructions") > Some(0), sm >= 75, "{r}");
    }

    let dir = tempfile::tempdir().unwrap();
    ok(kernels(&format!("dump --arch sm_{sm} --out")).arg(dir.path()));
    let read = |name: String| std::fs::read(dir.path().join(&name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let list: Value = serde_json::from_slice(&read("kernels.json".into())).unwrap();
    let units = list["units"].as_array().unwrap();
    assert_eq!(units.len(), Unit::all(sm).len());
    for unit in units {
        let name = unit["name"].as_str().unwrap();
        let [source, ptx, cubin] = ["cu", "ptx", "cubin"].map(|kind| read(format!("{name}.{kind}")));
        let (source, ptx) = (String::from_utf8(source).unwrap(), String::from_utf8(ptx).unwrap());
        assert!(!source.contains("#include"), "{name}.cu stands alone");
        assert_eq!(&cubin[..4], b"\x7fELF", "{name}.cubin");
        let options = unit["options"].as_array().unwrap();
        assert!(options.iter().any(|o| *o == format!("--gpu-architecture=sm_{sm}")), "{unit}");
        for kernel in unit["kernels"].as_array().unwrap() {
            let entry = format!(".entry {}(", kernel["name"].as_str().unwrap());
            assert!(ptx.contains(&entry), "{name}.ptx: {entry}");
        }
    }
}

/// Of the device with the fewest.
#[test]
fn kernels_report_and_dump_cover_every_kernel() {
    reported_and_dumped(61, "12");
}

#[test]
#[ignore = "the kernels in 16 bits too, beside those above; scripts/test.sh --all runs it"]
fn kernels_report_and_dump_cover_16_bits() {
    reported_and_dumped(75, "13");
}

#[test]
fn devices_names_what_was_found() {
    let text = ok(&mut with_nvrtc("devices"));
    let path = nvrtc("13");
    for found in ["cpu", "softgpu", "nvrtc", "cache", path.to_str().unwrap()] {
        assert!(text.contains(found), "{text}");
    }
    if !warp19::cuda::driver::is_present() {
        assert!(text.contains("no CUDA driver"), "{text}");
    }
}
