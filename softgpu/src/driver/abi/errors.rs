//! The driver's error codes, their names and what they mean.

// Every code has its name, whether softgpu answers with it or not.
#![allow(dead_code)]

use std::ffi::CStr;

/// A `CUresult`: 0 is success.
pub type CuResult = i32;

// The codes, `INVALID_VALUE` and so on, and `TABLE` with all of them, made by `build.rs` of `errors.txt`.
include!(concat!(env!("OUT_DIR"), "/errors.rs"));

/// Name and description of a code, or `None` for a number that is no error code.
pub fn describe(code: CuResult) -> Option<(&'static CStr, &'static CStr)> {
    match code {
        0 => Some((c"CUDA_SUCCESS", c"no error")),
        _ => TABLE.iter().find(|row| row.0 == code).map(|row| (row.1, row.2)),
    }
}

/// The name of a code as text, for messages.
pub fn name(code: CuResult) -> &'static str {
    describe(code).map_or("an unknown error code", |(name, _)| name.to_str().expect("names are ASCII"))
}
