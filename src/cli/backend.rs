//! Opening the device that `--device` names.

use crate::cpu::CpuDevice;
use crate::cuda::CudaDevice;
use crate::cuda::driver::{self, Which};
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

/// A device that was opened.
pub enum Opened {
    Cpu(Box<CpuDevice>),
    Cuda(Box<CudaDevice>),
}

impl Opened {
    /// As the contract.
    pub fn device(&mut self) -> &mut dyn Device {
        match self {
            Opened::Cpu(d) => d.as_mut(),
            Opened::Cuda(d) => d.as_mut(),
        }
    }

    /// The findings of softgpu's checks so far, where the device is softgpu's.
    ///
    /// # Errors
    /// Those of softgpu, and findings that are no JSON.
    pub fn softgpu_findings(&self) -> Result<Option<serde_json::Value>> {
        let Opened::Cuda(device) = self else {
            return Ok(None);
        };
        let Some(library) = device.softgpu else {
            return Ok(None);
        };
        let text = library.take_findings().map_err(|e| Error::Device(e.to_string()))?;
        let value = serde_json::from_str(&text)
            .map_err(|e| Error::Device(format!("softgpu's findings cannot be read: {e}")))?;
        Ok(Some(value))
    }
}

impl Backend {
    /// Opens it; see [`Backend::open_kind`].
    ///
    /// # Errors
    /// As there.
    pub fn open(&self) -> Result<Box<dyn Device>> {
        Ok(match self.open_kind()? {
            Opened::Cpu(d) => d,
            Opened::Cuda(d) => d,
        })
    }

    /// Opens it. `auto` takes the first GPU where a driver and NVRTC work, else the CPU, and says why on standard
    /// error where there is a GPU that cannot be used.
    ///
    /// # Errors
    /// An unknown name; a device that is not there or cannot be driven, with what to do.
    pub fn open_kind(&self) -> Result<Opened> {
        let cpu = || Ok(Opened::Cpu(Box::new(CpuDevice::new(self.threads.map(usize::from))?)));
        let which = match self.device.as_str() {
            "cpu" => return cpu(),
            "auto" if !driver::is_present() || driver::count().unwrap_or(0) == 0 => return cpu(),
            "auto" | "cuda" => Which::Cuda(0),
            "softgpu" => Which::Softgpu,
            name => Which::Cuda(name.strip_prefix("cuda:").and_then(|n| n.parse().ok()).ok_or_else(|| {
                Error::Invalid(format!("unknown device '{name}'; known are auto, cpu, cuda, cuda:N and softgpu"))
            })?),
        };
        match CudaDevice::open(which) {
            Err(e) if self.device == "auto" => {
                eprintln!("warning: the GPU is not used: {e}");
                cpu()
            }
            opened => Ok(Opened::Cuda(Box::new(opened?))),
        }
    }
}
