//! Kernel launches: arguments, limits, and running them.

use super::entry::{Answer, Refusal, log, refuse};
use super::errors::*;
use super::state::*;
use crate::kernel::{Fault, KernelInfo, LaunchConfig};
use crate::profile::Profile;
use std::ffi::c_void;
use std::sync::Arc;

/// A launch with its arguments copied.
#[derive(Clone)]
pub struct Launch {
    pub function: Handle,
    pub info: Arc<KernelInfo>,
    pub data: Arc<ModuleData>,
    pub config: LaunchConfig,
}

/// Grid, block and dynamic shared memory as a call gives them.
#[derive(Clone, Copy)]
pub struct Shape {
    pub grid: [u32; 3],
    pub block: [u32; 3],
    pub shared: u32,
}

impl Launch {
    /// Checks a launch against the device's and the kernel's limits and copies its arguments.
    ///
    /// # Safety
    /// `params` and `extra` are what the driver API says of `cuLaunchKernel`'s.
    pub unsafe fn prepare(
        state: &State,
        profile: &Profile,
        context: Handle,
        function: Handle,
        shape: Shape,
        params: *const *const c_void,
        extra: *const *const c_void,
    ) -> Answer<Launch> {
        let Some(f) = state.functions.get(&function) else {
            return refuse(INVALID_HANDLE, format!("{function:#x} is no function, or its module has been unloaded"));
        };
        if f.context != context {
            return refuse(INVALID_HANDLE, format!("kernel {} belongs to a context that is not current", f.info.name));
        }
        // SAFETY: passed on.
        let params = unsafe { pack(&f.info, params, extra)? };
        let config = LaunchConfig { grid: shape.grid, block: shape.block, dynamic_shared: shape.shared, params };
        check(profile, f, &config)?;
        Ok(Launch { function, info: f.info.clone(), data: f.data.clone(), config })
    }

    /// Runs the kernel and keeps what the checks found.
    pub fn run(&self, driver: &'static Driver, mut state: Locked) -> (Locked, Answer) {
        state.launches += 1;
        let config = driver.config();
        let mut options = config.options;
        if options.seed != 0 {
            options.seed ^= state.launches << 32;
        }
        drop(state);
        let report = crate::engine::launch(
            &self.data.module,
            &self.info.name,
            &self.config,
            &driver.memory,
            &config.profile,
            &options,
            &mut |text| print!("{text}"),
        );
        for finding in &report.findings {
            log(&finding.message);
        }
        let mut state = driver.relock();
        state.findings.extend(report.findings);
        state.findings_beyond += report.findings_beyond;
        state.counters.extend(report.counters);
        let outcome = match report.fault {
            None => Ok(()),
            Some(fault) => {
                Err(Refusal { code: code_of(&fault), message: format!("kernel {}: {fault}", self.info.name) })
            }
        };
        (state, outcome)
    }
}

fn code_of(fault: &Fault) -> CuResult {
    match fault {
        Fault::IllegalAddress(_) => ILLEGAL_ADDRESS,
        Fault::MisalignedAddress(_) => MISALIGNED_ADDRESS,
        Fault::IllegalInstruction(_) => ILLEGAL_INSTRUCTION,
        Fault::Assert(_) => ASSERT,
        Fault::LaunchTimeout(_) => LAUNCH_TIMEOUT,
        Fault::InvalidLaunch(_) => INVALID_VALUE,
        Fault::OutOfResources(_) => LAUNCH_OUT_OF_RESOURCES,
        _ => LAUNCH_FAILED,
    }
}

/// The opt-in for dynamic shared memory, which only the driver knows; all else is the kernel's and the device's.
fn check(profile: &Profile, f: &Function, config: &LaunchConfig) -> Answer {
    let name = &f.info.name;
    if let Err(fault) = f.info.accepts(config, profile) {
        return refuse(code_of(&fault), format!("kernel {name}: {fault}"));
    }
    if config.dynamic_shared > f.max_dynamic_shared {
        return refuse(
            INVALID_VALUE,
            format!(
                "kernel {name}: {} bytes of dynamic shared memory; {} are allowed (static: {}). Set CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES first to use more, up to {} bytes a block on {}",
                config.dynamic_shared,
                f.max_dynamic_shared,
                f.info.static_shared,
                profile.shared_per_block_optin,
                profile.name
            ),
        );
    }
    Ok(())
}

/// Gathers the arguments at the kernel's offsets, from an array of pointers or from one buffer
/// (`CU_LAUNCH_PARAM_BUFFER_POINTER` 1, `CU_LAUNCH_PARAM_BUFFER_SIZE` 2, `CU_LAUNCH_PARAM_END` 0).
unsafe fn pack(info: &KernelInfo, params: *const *const c_void, extra: *const *const c_void) -> Answer<Vec<u8>> {
    let name = &info.name;
    let mut bytes = vec![0; info.param_bytes as usize];
    if !params.is_null() && !extra.is_null() {
        return refuse(INVALID_VALUE, format!("kernel {name}: both kernelParams and extra are given"));
    }
    if !extra.is_null() {
        let (mut buffer, mut size) = (std::ptr::null::<u8>(), None);
        let mut at = 0;
        loop {
            // SAFETY: the list ends with CU_LAUNCH_PARAM_END.
            let (key, value) = unsafe { (*extra.add(at) as usize, *extra.add(at + 1)) };
            match key {
                0 => break,
                1 => buffer = value.cast(),
                // SAFETY: a pointer to a size_t, by the API.
                2 => size = Some(unsafe { *value.cast::<usize>() }),
                other => {
                    return refuse(INVALID_VALUE, format!("kernel {name}: {other} is no key of extra"));
                }
            }
            at += 2;
        }
        match size {
            Some(n) if n >= bytes.len() && !buffer.is_null() => {
                // SAFETY: the buffer has n bytes.
                unsafe { std::ptr::copy_nonoverlapping(buffer, bytes.as_mut_ptr(), bytes.len()) };
                return Ok(bytes);
            }
            other => {
                return refuse(
                    INVALID_VALUE,
                    format!("kernel {name} takes {} bytes of parameters, the buffer has {other:?}", bytes.len()),
                );
            }
        }
    }
    if params.is_null() && !info.params.is_empty() {
        return refuse(
            INVALID_VALUE,
            format!("kernel {name} takes {} parameters and none are given", info.params.len()),
        );
    }
    for (i, p) in info.params.iter().enumerate() {
        // SAFETY: one pointer for each parameter, by the API.
        let from = unsafe { *params.add(i) };
        if from.is_null() {
            return refuse(INVALID_VALUE, format!("kernel {name}: the pointer to parameter {i} is null"));
        }
        let to = &mut bytes[p.offset as usize..(p.offset + p.size) as usize];
        // SAFETY: each points to a value of the parameter's size.
        unsafe { std::ptr::copy_nonoverlapping(from.cast(), to.as_mut_ptr(), to.len()) };
    }
    Ok(bytes)
}
