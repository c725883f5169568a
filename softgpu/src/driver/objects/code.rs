//! Modules, functions, libraries, kernels and linkers.

use super::handle::{Handle, object};
use crate::driver::abi::errors::*;
use crate::kernel::KernelInfo;
use crate::load::Module;
use std::collections::HashMap;
use std::ffi::CString;
use std::sync::Arc;

/// A loaded module; operations in flight keep it.
pub struct ModuleData {
    pub module: Module,
    /// `major * 10 + minor` of the target.
    pub target: i32,
}

pub struct LoadedModule {
    pub context: Handle,
    pub data: Arc<ModuleData>,
    pub functions: HashMap<String, Handle>,
}

object!(LoadedModule, INVALID_HANDLE, "is no module, or an unloaded one");

pub struct Function {
    pub module: Handle,
    pub context: Handle,
    pub c_name: CString,
    pub info: Arc<KernelInfo>,
    pub data: Arc<ModuleData>,
    /// `CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES`
    pub max_dynamic_shared: u32,
    pub carveout: i32,
    /// Shape and arguments for the deprecated launching calls.
    pub kept: Kept,
}

object!(Function, INVALID_HANDLE, "is no function, or its module has been unloaded");

/// What the deprecated calls have set for the next launch.
#[derive(Clone, Default)]
pub struct Kept {
    pub block: [u32; 3],
    pub shared: u32,
    pub params: Vec<u8>,
}

/// A library: its text, and the modules made of it by context.
pub struct Library {
    pub text: String,
    pub modules: HashMap<Handle, Handle>,
    pub names: Vec<String>,
}

object!(Library, INVALID_HANDLE, "is no library, or an unloaded one");

/// A kernel of a library.
pub struct Kernel {
    pub library: Handle,
    pub name: String,
    pub c_name: CString,
}

object!(Kernel, INVALID_HANDLE, "is no kernel, or its library has been unloaded");

/// A link under way.
#[derive(Default)]
pub struct Link {
    pub texts: Vec<String>,
    /// The result, with its closing zero.
    pub result: Vec<u8>,
}

object!(Link, INVALID_HANDLE, "is no linker, or a destroyed one");
