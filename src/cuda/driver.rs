//! Opening a device: a driver's, or softgpu's.

use super::compiler::Compiler;
use super::fault::failed;
use super::find;
use super::nvrtc::Target;
use super::units::oldest;
use crate::device::Precision;
use crate::error::{Error, Result};
use cudarc::driver::sys::CUdevice_attribute_enum as Attribute;
use cudarc::driver::{CudaContext, DriverError};
use std::sync::Arc;

/// Which device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The driver's device of this number.
    Cuda(usize),
    /// The device in software.
    Softgpu,
}

/// What is known of an opened device.
#[derive(Clone, Debug)]
pub struct Properties {
    pub name: String,
    /// Compute capability times ten.
    pub sm: u32,
    pub multiprocessors: u32,
    pub clock_khz: u32,
    pub memory_clock_khz: u32,
    pub bus_bits: u32,
    pub total_memory: usize,
    /// As the driver says, such as 12040.
    pub driver_version: i32,
}

impl Properties {
    /// float32 multiply-add units of a multiprocessor (CUDA Programming Guide, arithmetic instructions).
    pub fn lanes(&self) -> u32 {
        match self.sm {
            60 | 70..=75 | 80 => 64,
            _ => 128,
        }
    }
    /// An error if the device cannot compute in a precision: why, and what to do.
    ///
    /// # Errors
    /// See there.
    pub fn supports(&self, precision: Precision) -> Result<()> {
        let from = oldest(precision);
        if self.sm >= from {
            return Ok(());
        }
        let (cards, instead) = match precision {
            Precision::F16 => ("RTX 20 or newer", "leave --precision away"),
            _ if self.sm >= oldest(Precision::F16) => ("RTX 30, A100 or newer", "choose --precision f16 or f32"),
            _ => ("RTX 30, A100 or newer", "leave --precision away"),
        };
        Err(Error::Device(format!(
            "{precision} needs the tensor cores of sm_{from} ({cards}), and {} is sm_{}; {instead}",
            self.name, self.sm
        )))
    }

    /// The precisions that it computes in, in words.
    pub fn precisions(&self) -> String {
        let able = Precision::ALL.into_iter().filter(|p| self.supports(*p).is_ok());
        // They are sm_75 and take its instructions, but have no tensor cores.
        let slow = |p| p == Precision::F16 && self.name.contains("GTX 16");
        let words = able.map(|p| format!("{p}{}", if slow(p) { " (slow: no tensor cores)" } else { "" }));
        words.collect::<Vec<_>>().join(", ")
    }

    /// Multiply-adds that a multiprocessor does in a cycle at most, with float32 sums: in float32 by its lanes, in the
    /// others dense on its tensor cores (NVIDIA's architecture whitepapers). `tf32x3` makes three of each.
    ///
    /// GeForce cards sum in float32 at half the rate of the professional cards of their generation; a GTX 16 has no
    /// tensor cores and multiplies pairs of halves instead.
    pub fn multiply_adds(&self, precision: Precision) -> u32 {
        let geforce = self.name.contains("GeForce");
        let halves = match self.sm {
            70 => 512,
            75 if self.name.contains("GTX 16") => 128,
            80 => 1024,
            90 => 2048,
            100 | 103 => 4096,
            sm if sm >= 75 && geforce => 256,
            sm if sm >= 75 => 512,
            _ => 0,
        };
        match precision {
            Precision::F32 => self.lanes(),
            Precision::F16 => halves,
            _ if self.sm < 80 => 0,
            Precision::Bf16 => halves,
            Precision::Tf32 => halves / 2,
            Precision::Tf32x3 => halves / 6,
        }
    }
    /// Floating-point operations a second at the reported clock, a multiply-add as 2; 0 where no unit does them.
    pub fn peak_flops(&self, precision: Precision) -> f64 {
        let rate = f64::from(self.multiply_adds(precision)) * f64::from(self.multiprocessors);
        2.0 * rate * f64::from(self.clock_khz) * 1e3
    }
    /// Bytes a second at the reported memory clock; two transfers a clock.
    pub fn peak_bandwidth(&self) -> f64 {
        2.0 * f64::from(self.memory_clock_khz) * 1e3 * f64::from(self.bus_bits) / 8.0
    }
}

/// An opened device with its compiler.
pub struct Driver {
    pub context: Arc<CudaContext>,
    pub properties: Properties,
    pub compiler: Compiler,
    /// Where the device is softgpu's.
    pub softgpu: Option<softgpu::Library>,
}

/// Whether a driver can be loaded.
pub fn is_present() -> bool {
    // Safety: tries to load a library by name.
    unsafe { cudarc::driver::sys::is_culib_present() }
}

/// Number of the driver's devices.
///
/// # Errors
/// No driver, or one that does not start, and what to do.
pub fn count() -> Result<usize> {
    if !is_present() {
        return Err(Error::Device(
            "no CUDA driver: libcuda.so was not found by the loader. Install NVIDIA's driver (it comes with the \
             graphics driver; no toolkit is needed), or compute with --device cpu"
                .into(),
        ));
    }
    let count = CudaContext::device_count()
        .map_err(|e| failed("the CUDA driver does not start (is its kernel module loaded? try nvidia-smi)", &e))?;
    Ok(count.max(0) as usize)
}

/// Opens a device and finds a compiler for it.
///
/// # Errors
/// No driver, no such device, no NVRTC for it: each with what was looked for and what to do.
pub fn open(which: Which) -> Result<Driver> {
    let (ordinal, softgpu) = match which {
        Which::Softgpu => {
            let library = softgpu::Library::load().map_err(|e| Error::Device(format!("--device softgpu: {e}")))?;
            (0, Some(library))
        }
        Which::Cuda(ordinal) => {
            let count = count()?;
            if ordinal >= count {
                return Err(Error::Device(format!(
                    "--device cuda:{ordinal}: the driver has {count} device(s), numbered from 0; \
                     CUDA_VISIBLE_DEVICES may hide some"
                )));
            }
            (ordinal, None)
        }
    };
    let context = CudaContext::new(ordinal).map_err(|e| failed("cannot open the CUDA device", &e))?;
    // Safety: everything runs on one stream, in order; no events between streams are needed.
    unsafe { context.disable_event_tracking() };
    let properties = properties(&context).map_err(|e| failed("cannot read the device's attributes", &e))?;
    let compiler = compiler(&properties, softgpu.is_some())?;
    Ok(Driver { context, properties, compiler, softgpu })
}

fn properties(context: &CudaContext) -> std::result::Result<Properties, DriverError> {
    let (major, minor) = context.compute_capability()?;
    let attribute = |a| context.attribute(a).map(|v| v.max(0) as u32);
    let mut driver_version = 0;
    // Safety: a number to write to; the driver is initialised.
    unsafe { cudarc::driver::sys::cuDriverGetVersion(&mut driver_version).result()? };
    Ok(Properties {
        name: context.name()?,
        sm: (10 * major + minor) as u32,
        multiprocessors: attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?,
        clock_khz: attribute(Attribute::CU_DEVICE_ATTRIBUTE_CLOCK_RATE)?,
        memory_clock_khz: attribute(Attribute::CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE)?,
        bus_bits: attribute(Attribute::CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH)?,
        total_memory: context.total_mem()?,
        driver_version,
    })
}

fn compiler(properties: &Properties, softgpu: bool) -> Result<Compiler> {
    let nvrtc = find::find(properties.sm, Some(properties.driver_version)).map_err(Error::Device)?;
    let target = Target::of(&nvrtc, properties.sm).ok_or_else(|| Error::Device(find::remedy(properties.sm)))?;
    let target = match target {
        Target::Cubin(sm) if softgpu => Target::Ptx(sm),
        target => target,
    };
    Ok(Compiler::new(nvrtc, target))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(name: &str, sm: u32) -> Properties {
        let (multiprocessors, clock_khz, memory_clock_khz) = (20, 1_700_000, 7_000_000);
        let (bus_bits, total_memory, driver_version) = (256, 8 << 30, 13_000);
        Properties {
            name: name.into(),
            sm,
            multiprocessors,
            clock_khz,
            memory_clock_khz,
            bus_bits,
            total_memory,
            driver_version,
        }
    }

    #[test]
    fn cards_say_what_they_compute_in_and_why_not_in_the_rest() {
        for (name, sm, able) in [
            ("GeForce GTX 1080", 61, "f32"),
            ("NVIDIA GeForce GTX 1660", 75, "f32, f16 (slow: no tensor cores)"),
            ("GeForce RTX 2080", 75, "f32, f16"),
            ("A100 80GB", 80, "f32, tf32, tf32x3, bf16, f16"),
            ("GeForce RTX 5090", 120, "f32, tf32, tf32x3, bf16, f16"),
        ] {
            assert_eq!(card(name, sm).precisions(), able, "{name}");
        }
        let why = |sm, precision| card("a card", sm).supports(precision).unwrap_err().to_string();
        assert!(why(61, Precision::F16).contains("f16 needs the tensor cores of sm_75"));
        assert!(why(61, Precision::Bf16).contains("a card is sm_61; leave --precision away"));
        assert!(why(75, Precision::Tf32).contains("sm_80 (RTX 30, A100 or newer)"));
        assert!(why(75, Precision::Bf16).contains("choose --precision f16 or f32"));
    }
}
