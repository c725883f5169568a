//! The runtime's error codes, their names and what they mean.
//!
//! Where a driver's error and a runtime's mean the same they have the same number, so that a driver's code is passed on
//! as it is.

use std::ffi::CStr;

/// A `cudaError_t`: 0 is success.
pub type Code = i32;

pub const INVALID_VALUE: Code = 1;
pub const MEMORY_ALLOCATION: Code = 2;
pub const CUDART_UNLOADING: Code = 4;
pub const INVALID_CONFIGURATION: Code = 9;
pub const INVALID_PITCH_VALUE: Code = 12;
pub const INVALID_SYMBOL: Code = 13;
pub const INVALID_MEMCPY_DIRECTION: Code = 21;
pub const INSUFFICIENT_DRIVER: Code = 35;
pub const CALL_REQUIRES_NEWER_DRIVER: Code = 36;
pub const MISSING_CONFIGURATION: Code = 52;
pub const INVALID_DEVICE_FUNCTION: Code = 98;
pub const INVALID_DEVICE: Code = 101;
pub const INVALID_KERNEL_IMAGE: Code = 200;
pub const NOT_SUPPORTED: Code = 801;
pub const UNKNOWN: Code = 999;

include!(concat!(env!("OUT_DIR"), "/errors.rs"));

/// Name and description of a code, or `None` for a number that is no error code.
pub fn describe(code: Code) -> Option<(&'static CStr, &'static CStr)> {
    TABLE.iter().find(|row| row.0 == code).map(|row| (row.1, row.2))
}

/// Whether an error stays with the context: every later call answers it, and asking for it doesn't clear it (CUDA C++
/// Programming Guide, "Error Checking": such an error "can only be cleared by terminating the process").
pub fn is_sticky(code: Code) -> bool {
    matches!(code, 214 | 220 | 700 | 702 | 710 | 714..=719 | 721)
}
