//! `warp19 devices`.

use crate::cpu::CpuDevice;
use crate::device::Device;
use crate::error::Result;

#[derive(clap::Args)]
pub struct Args {}

pub fn run(_: &Args) -> Result<()> {
    let cpu = CpuDevice::new(None)?;
    super::print(&format!(
        "cpu      {}\n\
         cuda     not in this version: it computes on the CPU only\n\
         softgpu  not in this version\n",
        cpu.describe()
    ))
}
