//! Kernel launches: arguments, limits, and running them.

use super::report::write_files;
use crate::driver::abi::*;
use crate::driver::objects::*;

use crate::kernel::{Fault, LaunchConfig};
use std::ffi::{CString, c_void};
use std::marker::PhantomData;

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

impl Session {
    /// Checks a launch and queues it; one of a cooperative kernel must fit the device at once.
    pub fn queue_launch(
        &mut self,
        function: Handle,
        shape: Shape,
        arguments: Vec<u8>,
        stream: Handle,
        cooperative: bool,
    ) -> Answer {
        let mut launch = self.prepare(function, shape, arguments)?;
        launch.cooperative = cooperative;
        if cooperative {
            let profile = &self.config.profile;
            let threads: u32 = shape.block.iter().product();
            let shared = launch.info.static_shared + shape.shared;
            let resident =
                profile.occupancy(threads, launch.info.registers.count, shared).blocks_per_sm * profile.sm_count;
            let blocks: u64 = shape.grid.iter().map(|&n| u64::from(n)).product();
            let message = format_args!("{blocks} blocks; {resident} can be resident at once on {}", profile.name);
            ensure(blocks <= u64::from(resident), COOPERATIVE_LAUNCH_TOO_LARGE, message)?;
        }
        self.submit(stream, Work::Kernel(launch), "a launch")?;
        Ok(())
    }

    /// Checks a launch against the device's and the kernel's limits.
    pub fn prepare(&mut self, function: Handle, shape: Shape, params: Vec<u8>) -> Answer<Launch> {
        let function = self.function_of(function)?;
        let profile = &self.config.profile;
        let f = self.functions.known(function)?;
        let name = &f.info.name;
        let foreign = format_args!("kernel {name} belongs to a context that is not current");
        ensure(f.context == self.context, INVALID_HANDLE, foreign)?;
        let config = LaunchConfig { grid: shape.grid, block: shape.block, dynamic_shared: shape.shared, params };
        if let Err(fault) = f.info.accepts(&config, profile) {
            return refuse(code_of(&fault), format_args!("kernel {name}: {fault}"));
        }
        // The opt-in is what only the driver knows.
        let message = format_args!(
            "kernel {name}: {} bytes of dynamic shared memory; {} are allowed (static: {}). \
             Set CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES first to use more, up to {} bytes a block on {}",
            shape.shared, f.max_dynamic_shared, f.info.static_shared, profile.shared_per_block_optin, profile.name
        );
        valid(shape.shared <= f.max_dynamic_shared, message)?;
        Ok(Launch { function, info: f.info.clone(), data: f.data.clone(), config, cooperative: false })
    }

    /// Runs a kernel and keeps what the checks found.
    pub fn launch(&mut self, launch: &Launch) -> Answer {
        self.launches += 1;
        let (profile, mut options) = (self.config.profile.clone(), self.config.options.clone());
        if options.seed != 0 {
            options.seed ^= self.launches << 32;
        }
        let (driver, kernel) = (self.driver, &launch.info.name);
        if launch.cooperative {
            options.workspace = self.workspace(kernel)?;
        }
        let report = self.unlocked(|| {
            let mut print = print_to_c;
            let (module, memory) = (&launch.data.module, &driver.memory);
            crate::engine::launch(module, kernel, &launch.config, memory, &profile, &options, &mut print)
        });
        // Where findings go to a file, that is where they are told; it is written now, since the program may crash.
        let to_file = self.config.findings_file.is_some();
        if !to_file {
            report.findings.iter().for_each(|f| log(&format!("{:?} {:?}: {}", f.rank, f.kind, f.message)));
        }
        let found = !report.findings.is_empty();
        if launch.cooperative {
            // The address is a live allocation's: freeing it can't fail.
            let _ = driver.memory.free(options.workspace);
        }
        self.findings.extend(report.findings);
        self.findings_beyond += report.findings_beyond;
        self.counters.extend(report.counters);
        if to_file && found {
            write_files(self);
        }
        match report.fault {
            None => Ok(()),
            Some(fault) => refuse(code_of(&fault), format!("kernel {kernel}: {fault}")),
        }
    }

    /// Zeroed memory by which the blocks of a cooperative launch wait for one another.
    fn workspace(&self, kernel: &str) -> Answer<u64> {
        const BYTES: u64 = 64;
        let memory = &self.driver.memory;
        let address = memory.alloc(BYTES, &format!("the workspace of a cooperative launch of {kernel}"));
        let address = address.or_else(|error| refuse(OUT_OF_MEMORY, error))?;
        let zeroed = memory.set(address, &[0], BYTES);
        zeroed.or_else(|error| refuse(ILLEGAL_ADDRESS, error))?;
        Ok(address)
    }

    /// Gathers arguments at the kernel's offsets, from an array of pointers or from one buffer.
    ///
    /// # Safety
    /// `params` and `extra` are what the driver API says of `cuLaunchKernel`'s, for this function.
    pub unsafe fn arguments(&mut self, function: Handle, params: Pointers, extra: Pointers) -> Answer<Vec<u8>> {
        let info = &self.function(function)?.info;
        let (name, count, Pointers(params, _), Pointers(extra, _)) = (&info.name, info.params.len(), params, extra);
        let one = params.is_null() || extra.is_null();
        valid(one, format_args!("kernel {name}: both kernelParams and extra are given"))?;
        if !extra.is_null() {
            // SAFETY: by the caller.
            return unsafe { buffer_of(name, extra) };
        }
        let given = count == 0 || !params.is_null();
        valid(given, format_args!("kernel {name} takes {count} parameters and none are given"))?;
        let mut bytes = vec![0; info.param_bytes as usize];
        for (i, p) in info.params.iter().enumerate() {
            // SAFETY: one pointer for each parameter, by the API.
            let from = unsafe { *params.add(i) };
            valid(!from.is_null(), format_args!("kernel {name}: the pointer to parameter {i} is null"))?;
            let to = &mut bytes[p.offset as usize..(p.offset + p.size) as usize];
            // SAFETY: each points to a value of the parameter's size.
            unsafe { std::ptr::copy_nonoverlapping(from.cast(), to.as_mut_ptr(), to.len()) };
        }
        Ok(bytes)
    }
}

/// Prints what a kernel printed, through C: in order with what the program prints.
fn print_to_c(text: &str) {
    let text = CString::new(text.replace('\0', "")).unwrap_or_default();
    // SAFETY: two C strings, the second for the first's %s.
    unsafe { libc::printf(c"%s".as_ptr(), text.as_ptr()) };
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

/// The buffer with all arguments, from the list of keys and values `extra`
/// (`CU_LAUNCH_PARAM_BUFFER_POINTER` 1, `CU_LAUNCH_PARAM_BUFFER_SIZE` 2, `CU_LAUNCH_PARAM_END` 0).
///
/// # Safety
/// It is such a list, with its end.
unsafe fn buffer_of(kernel: &str, extra: *const *const c_void) -> Answer<Vec<u8>> {
    let (mut buffer, mut size) = (std::ptr::null::<u8>(), 0);
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
            2 => size = unsafe { *value.cast::<usize>() },
            other => return refuse(INVALID_VALUE, format_args!("kernel {kernel}: {other} is no key of extra")),
        }
    }
    if buffer.is_null() {
        return Ok(Vec::new());
    }
    // SAFETY: not null; it has `size` bytes, by the API.
    Ok(unsafe { std::slice::from_raw_parts(buffer, size) }.to_vec())
}
