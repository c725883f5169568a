//! Errors of the driver in words, and which launches a fault can be of: kernels run after the call that launched them
//! has returned, so that a later call is told of it.

use crate::error::Error;
use cudarc::driver::DriverError;
use cudarc::driver::sys::CUresult;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// What a kernel did that cannot be forgiven; the driver gives these errors again at every later call.
const FAULTS: [CUresult; 10] = [
    CUresult::CUDA_ERROR_ECC_UNCORRECTABLE,
    CUresult::CUDA_ERROR_ILLEGAL_ADDRESS,
    CUresult::CUDA_ERROR_LAUNCH_TIMEOUT,
    CUresult::CUDA_ERROR_ASSERT,
    CUresult::CUDA_ERROR_HARDWARE_STACK_ERROR,
    CUresult::CUDA_ERROR_ILLEGAL_INSTRUCTION,
    CUresult::CUDA_ERROR_MISALIGNED_ADDRESS,
    CUresult::CUDA_ERROR_INVALID_ADDRESS_SPACE,
    CUresult::CUDA_ERROR_INVALID_PC,
    CUresult::CUDA_ERROR_LAUNCH_FAILED,
];

/// How the launch at fault is found, on a GPU and on softgpu.
const ON_A_GPU: &str = "WARP19_GRAPH=0 CUDA_LAUNCH_BLOCKING=1 compute-sanitizer warp19 ...";
const ON_SOFTGPU: &str = "WARP19_GRAPH=0 SOFTGPU_CHECK=all warp19 ...";

/// An error of the driver with what was attempted.
pub fn failed(what: &str, error: &DriverError) -> Error {
    Error::Device(words(what, error))
}

fn words(what: &str, error: &DriverError) -> String {
    let text = error.error_string().ok().map(|t| t.to_string_lossy().into_owned());
    let name = error.error_name().ok().map(|t| t.to_string_lossy().into_owned());
    let (text, name) = (text.unwrap_or("unknown error".into()), name.unwrap_or(format!("{:?}", error.0)));
    format!("{what}: {text} ({name})")
}

/// Launches remembered at most.
const REMEMBERED: usize = 256;
/// Launches named in an error at most.
const NAMED: usize = 8;

/// A launch: the step that it belongs to, and its name.
type Launch = (u64, Arc<str>);

/// The launches that are not known to have ended, the oldest first; shared by all that talks to the driver.
#[derive(Clone)]
pub struct Trail {
    launches: Arc<Mutex<VecDeque<Launch>>>,
    softgpu: bool,
}

impl Trail {
    /// An empty one.
    pub fn new(softgpu: bool) -> Trail {
        Trail { launches: Arc::default(), softgpu }
    }

    /// A launch in a step.
    pub fn add(&self, step: u64, launch: Arc<str>) {
        let mut launches = self.launches.lock().unwrap_or_else(PoisonError::into_inner);
        if launches.len() == REMEMBERED {
            launches.pop_front();
        }
        launches.push_back((step, launch));
    }

    /// All launches of steps before this one have ended.
    pub fn ended_before(&self, step: u64) {
        self.launches.lock().unwrap_or_else(PoisonError::into_inner).retain(|(s, _)| *s >= step);
    }

    /// An error of the driver with what was attempted. For a fault: of which launches it can be, and how it is found.
    pub fn failed(&self, what: &str, error: &DriverError) -> Error {
        if !FAULTS.contains(&error.0) {
            return failed(what, error);
        }
        let launches = self.launches.lock().unwrap_or_else(PoisonError::into_inner);
        let mut names: Vec<&str> = launches.iter().map(|(_, name)| &**name).collect();
        names.dedup();
        let first = names.len().saturating_sub(NAMED);
        let earlier = if first == 0 { String::new() } else { format!(", or {first} before them") };
        let suspects = match &names[first..] {
            [] => "a kernel launched earlier".to_string(),
            [one] => one.to_string(),
            all => format!("one of the launches that had not ended: {}{earlier}", all.join("; ")),
        };
        let find = if self.softgpu { ON_SOFTGPU } else { ON_A_GPU };
        let text = words(what, error);
        Error::Device(format!(
            "{text}. A kernel failed while it ran: {suspects}. The CUDA context is lost, so that nothing on this \
             device can be used any more: start again, training from its last checkpoint with --resume. To find the \
             kernel and the line, run the same command as {find}"
        ))
    }
}
