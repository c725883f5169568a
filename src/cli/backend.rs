//! Opening the device that `--device` names.

use crate::cpu::CpuDevice;
use crate::device::Device;
use crate::error::{Error, Result};

/// The flags every computing command shares.
#[derive(clap::Args)]
pub struct Backend {
    /// auto, cpu, cuda, cuda:N or softgpu.
    #[arg(long, default_value = "auto")]
    pub device: String,
    /// Threads of the CPU backend; default: one a processor.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
}

impl Backend {
    /// Opens it.
    ///
    /// # Errors
    /// An unknown name, or a device this build cannot drive.
    pub fn open(&self) -> Result<Box<dyn Device>> {
        match self.device.as_str() {
            "auto" | "cpu" => Ok(Box::new(CpuDevice::new(self.threads.map(usize::from))?)),
            name if name == "cuda" || name.starts_with("cuda:") || name == "softgpu" => {
                Err(Error::Device(format!(
                    "--device {name}: this version computes on the CPU only; use --device cpu or leave the flag away"
                )))
            }
            name => Err(Error::Invalid(format!(
                "unknown device '{name}'; known are auto, cpu, cuda, cuda:N and softgpu"
            ))),
        }
    }
}
