//! The CUDA backend inside this process. A process has one softgpu, so one test runs at a time.

mod colour;
#[path = "../common/mod.rs"]
mod common;
mod counters;
mod device;
mod full;
mod gemm;
mod precision;
mod step;
mod tiles;

use std::sync::{Mutex, MutexGuard};
use warp19::cuda::CudaDevice;
use warp19::cuda::driver::Which;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// softgpu with these checks, counting or not, and the right to use it alone.
fn softgpu(check: &str, counters: &str) -> (MutexGuard<'static, ()>, CudaDevice) {
    let alone = ONE_AT_A_TIME.lock().unwrap_or_else(|e| e.into_inner());
    let d = CudaDevice::open(Which::Softgpu)
        .unwrap_or_else(|e| panic!("{e}\n(scripts/fetch_nvrtc.sh fetches NVRTC for the tests)"));
    let library = d.softgpu.expect("opened as softgpu");
    library.set("check", check).unwrap();
    library.set("counters", counters).unwrap();
    (alone, d)
}

fn no_findings(d: &CudaDevice) {
    let findings = d.softgpu.unwrap().take_findings().unwrap();
    let value: serde_json::Value = serde_json::from_str(&findings).unwrap();
    assert_eq!(value["findings"].as_array().map(Vec::len), Some(0), "{value:#}");
}
