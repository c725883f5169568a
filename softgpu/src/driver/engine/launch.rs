//! Kernel launches: arguments, limits, and running them.

use crate::driver::abi::*;
use crate::driver::objects::*;
use crate::kernel::{Fault, KernelInfo, LaunchConfig};
use crate::profile::Profile;
use std::ffi::c_void;
use std::marker::PhantomData;

/// A launch as a program asks for it.
pub struct Request<'a> {
    function: Handle,
    shape: Shape,
    arguments: Arguments<'a>,
}

/// Where a launch's arguments are.
enum Arguments<'a> {
    Bytes(Vec<u8>),
    Pointers { params: Pointers<'a>, extra: Pointers<'a> },
}

/// `kernelParams` or `extra` of a launch, as the driver API describes them.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct Pointers<'a>(*const *const c_void, PhantomData<&'a c_void>);

impl Pointers<'_> {
    pub fn none() -> Self {
        Pointers(std::ptr::null(), PhantomData)
    }

    /// # Safety
    /// They live as long as the program has been promised.
    pub unsafe fn new(pointers: &[usize]) -> Self {
        Pointers(pointers.as_ptr().cast(), PhantomData)
    }
}

impl<'a> Request<'a> {
    /// A launch with arguments where the program put them.
    ///
    /// # Safety
    /// `params` and `extra` are what the driver API says of `cuLaunchKernel`'s, for this function.
    pub unsafe fn new(function: Handle, shape: Shape, params: Pointers<'a>, extra: Pointers<'a>) -> Self {
        Request { function, shape, arguments: Arguments::Pointers { params, extra } }
    }

    /// A launch with its parameters in one piece.
    pub fn with_bytes(function: Handle, shape: Shape, params: Vec<u8>) -> Self {
        Request { function, shape, arguments: Arguments::Bytes(params) }
    }
}

impl Session {
    /// Checks a launch and queues it; one of a cooperative kernel must fit the device at once.
    pub fn queue_launch(&mut self, mut request: Request, stream: Handle, cooperative: bool) -> Answer {
        request.function = self.function_of(request.function)?;
        let shape = request.shape;
        let launch = self.prepare(request)?;
        if cooperative {
            let profile = self.driver.config().profile;
            let threads: u32 = shape.block.iter().product();
            let shared = launch.info.static_shared + shape.shared;
            let resident = profile.occupancy(threads, launch.info.registers.count, shared).blocks * profile.sm_count;
            let blocks: u64 = shape.grid.iter().map(|&n| u64::from(n)).product();
            if blocks > u64::from(resident) {
                return refuse(
                    COOPERATIVE_LAUNCH_TOO_LARGE,
                    format!("{blocks} blocks; {resident} can be resident at once on {}", profile.name),
                );
            }
        }
        self.submit(stream, Work::Kernel(launch), "a launch").map(|_| ())
    }

    /// Checks a launch against the device's and the kernel's limits and copies its arguments.
    pub fn prepare(&self, request: Request) -> Answer<Launch> {
        let Request { function, shape, arguments } = request;
        let f = self.functions.known(function)?;
        if f.context != self.context {
            return refuse(INVALID_HANDLE, format!("kernel {} belongs to a context that is not current", f.info.name));
        }
        let params = match arguments {
            Arguments::Bytes(bytes) => fitting(&f.info, Some(&bytes), Some(bytes.len()))?,
            // SAFETY: `Request::new` has them for this function.
            Arguments::Pointers { params, extra } => unsafe { gather(&f.info, params.0, extra.0)? },
        };
        let config = LaunchConfig { grid: shape.grid, block: shape.block, dynamic_shared: shape.shared, params };
        check(&self.driver.config().profile, f, &config)?;
        Ok(Launch { function, info: f.info.clone(), data: f.data.clone(), config })
    }

    /// Runs a kernel and keeps what the checks found.
    pub fn launch(&mut self, launch: &Launch) -> Answer {
        self.launches += 1;
        let config = self.driver.config();
        let mut options = config.options;
        if options.seed != 0 {
            options.seed ^= self.launches << 32;
        }
        let (driver, kernel) = (self.driver, &launch.info.name);
        let report = self.unlocked(|| {
            let mut print = |text: &str| print!("{text}");
            let (module, memory) = (&launch.data.module, &driver.memory);
            let report =
                crate::engine::launch(module, kernel, &launch.config, memory, &config.profile, &options, &mut print);
            for finding in &report.findings {
                log(&finding.message);
            }
            report
        });
        self.findings.extend(report.findings);
        self.findings_beyond += report.findings_beyond;
        self.counters.extend(report.counters);
        match report.fault {
            None => Ok(()),
            Some(fault) => refuse(code_of(&fault), format!("kernel {kernel}: {fault}")),
        }
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
                "kernel {name}: {} bytes of dynamic shared memory; {} are allowed (static: {}). \
                 Set CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES first to use more, up to {} bytes a block on {}",
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

/// The parameters from a buffer, whose size the program gives as `size`.
fn fitting(info: &KernelInfo, buffer: Option<&[u8]>, size: Option<usize>) -> Answer<Vec<u8>> {
    let (name, needed) = (&info.name, info.param_bytes as usize);
    match buffer.and_then(|bytes| bytes.get(..needed)) {
        Some(bytes) => Ok(bytes.to_vec()),
        None => {
            refuse(INVALID_VALUE, format!("kernel {name} takes {needed} bytes of parameters, the buffer has {size:?}"))
        }
    }
}

/// Gathers the arguments at the kernel's offsets, from an array of pointers or from one buffer.
///
/// # Safety
/// The pointers are what the driver API says of `cuLaunchKernel`'s `kernelParams` and `extra`, for this kernel.
unsafe fn gather(info: &KernelInfo, params: *const *const c_void, extra: *const *const c_void) -> Answer<Vec<u8>> {
    let name = &info.name;
    if !params.is_null() && !extra.is_null() {
        return refuse(INVALID_VALUE, format!("kernel {name}: both kernelParams and extra are given"));
    }
    if !extra.is_null() {
        // SAFETY: by the caller.
        let (buffer, size) = unsafe { buffer_of(name, extra)? };
        // SAFETY: not null; it has `size` bytes, by the API.
        let bytes = size.filter(|_| !buffer.is_null()).map(|n| unsafe { std::slice::from_raw_parts(buffer, n) });
        return fitting(info, bytes, size);
    }
    if params.is_null() && !info.params.is_empty() {
        return refuse(
            INVALID_VALUE,
            format!("kernel {name} takes {} parameters and none are given", info.params.len()),
        );
    }
    let mut bytes = vec![0; info.param_bytes as usize];
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

/// The buffer with all arguments and its size, from the list of keys and values `extra`
/// (`CU_LAUNCH_PARAM_BUFFER_POINTER` 1, `CU_LAUNCH_PARAM_BUFFER_SIZE` 2, `CU_LAUNCH_PARAM_END` 0).
///
/// # Safety
/// It is such a list, with its end.
unsafe fn buffer_of(kernel: &str, extra: *const *const c_void) -> Answer<(*const u8, Option<usize>)> {
    let (mut buffer, mut size) = (std::ptr::null::<u8>(), None);
    for pair in 0.. {
        // SAFETY: keys and values alternate up to the end.
        let key = unsafe { *extra.add(2 * pair) as usize };
        if key == 0 {
            break;
        }
        // SAFETY: every other key has a value.
        let value = unsafe { *extra.add(2 * pair + 1) };
        match key {
            1 => buffer = value.cast(),
            // SAFETY: a pointer to a size_t, by the API.
            2 => size = Some(unsafe { *value.cast::<usize>() }),
            other => return refuse(INVALID_VALUE, format!("kernel {kernel}: {other} is no key of extra")),
        }
    }
    Ok((buffer, size))
}
