//! Opening the device that `--device` names.

use crate::cpu::CpuDevice;
use crate::cuda::CudaDevice;
use crate::cuda::driver::{self, Which};
use crate::device::{Device, Precision};
use crate::error::{Error, Result};
use clap::builder::{PossibleValuesParser, TypedValueParser};

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

/// Help of a command's `--precision`.
pub const PRECISIONS: &str = "f32, tf32, tf32x3, bf16 or f16";

/// Reads a `--precision`.
pub fn precision() -> impl TypedValueParser<Value = Precision> {
    PossibleValuesParser::new(Precision::ALL.map(Precision::name)).try_map(|name| name.parse::<Precision>())
}

/// A `--precision` that may be left to the device.
#[derive(Clone, Copy, Debug)]
pub enum Asked {
    Auto,
    Named(Precision),
}

impl Asked {
    /// That of a device.
    pub fn of(self, device: &dyn Device) -> Precision {
        match self {
            Asked::Auto => device.preferred(),
            Asked::Named(precision) => precision,
        }
    }
}

/// Reads a `--precision`, or `auto`.
pub fn precision_or_auto() -> impl TypedValueParser<Value = Asked> {
    const AUTO: &str = "auto";
    PossibleValuesParser::new(Precision::ALL.map(Precision::name).into_iter().chain([AUTO]))
        .try_map(|name| if name == AUTO { Ok(Asked::Auto) } else { name.parse().map(Asked::Named) })
}

/// Reads one of these names in any case; use it with `ignore_case = true`.
pub fn name_of<const N: usize>(names: [&'static str; N]) -> impl TypedValueParser<Value = String> {
    PossibleValuesParser::new(names).map(|name| name.to_lowercase())
}

/// The CUDA device that a `--device` asks for, nothing for the CPU; `auto` is the first GPU where there is one.
///
/// # Errors
/// An unknown name.
pub fn which(name: &str) -> Result<Option<Which>> {
    Ok(Some(match name {
        "cpu" => return Ok(None),
        "auto" if !driver::is_present() || driver::count().unwrap_or(0) == 0 => return Ok(None),
        "auto" | "cuda" => Which::Cuda(0),
        "softgpu" => Which::Softgpu,
        _ => Which::Cuda(name.strip_prefix("cuda:").and_then(|n| n.parse().ok()).ok_or_else(|| {
            Error::Invalid(format!("unknown device '{name}'; known are auto, cpu, cuda, cuda:N and softgpu"))
        })?),
    }))
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
        match self {
            Opened::Cuda(device) => findings(device),
            Opened::Cpu(_) => Ok(None),
        }
    }
}

/// As [`Opened::softgpu_findings`].
///
/// # Errors
/// As there.
pub fn findings(device: &CudaDevice) -> Result<Option<serde_json::Value>> {
    let Some(library) = device.softgpu else {
        return Ok(None);
    };
    let text = library.take_findings().map_err(|e| Error::Device(e.to_string()))?;
    let value =
        serde_json::from_str(&text).map_err(|e| Error::Device(format!("softgpu's findings cannot be read: {e}")))?;
    Ok(Some(value))
}

/// softgpu's counters of every kernel that `body` launches, in the order of their names.
///
/// # Errors
/// Those of the body and of softgpu; a device that is none.
pub fn counted(d: &mut CudaDevice, body: impl FnOnce(&mut CudaDevice) -> Result<()>) -> Result<Vec<serde_json::Value>> {
    let library = d.softgpu.ok_or_else(|| Error::Device("only softgpu counts".into()))?;
    let failed = |e: softgpu::LibraryError| Error::Device(e.to_string());
    library.set("counters", "1").map_err(failed)?;
    d.synchronize()?;
    library.take_counters().map_err(failed)?;
    body(d)?;
    d.synchronize()?;
    let text = library.take_counters().map_err(failed)?;
    serde_json::from_str(&text).map_err(|e| Error::Device(format!("softgpu's counters cannot be read: {e}")))
}

/// How many findings there are, those left out of the list included.
pub fn count_findings(findings: &serde_json::Value) -> usize {
    let listed = findings["findings"].as_array().map_or(0, Vec::len);
    listed + findings["beyond"].as_u64().unwrap_or(0) as usize
}

impl Backend {
    /// Whether the command line asks for a device or a number of threads.
    pub fn is_chosen(&self) -> bool {
        self.device != "auto" || self.threads.is_some()
    }

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
        let Some(which) = which(&self.device)? else {
            return cpu();
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
