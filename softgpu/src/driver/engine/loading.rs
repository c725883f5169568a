//! Loading PTX into a context, and the functions that handles mean there.

use crate::driver::abi::*;
use crate::driver::objects::*;
use crate::fatbin;
use crate::load::Module;
use std::collections::HashMap;
use std::ffi::{CStr, CString, c_void};
use std::marker::PhantomData;
use std::sync::Arc;

/// What a program gives to be loaded: null, PTX text with a closing zero, or a binary image with its header.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct Image<'a>(*const c_void, PhantomData<&'a c_void>);

/// The first bytes of nvcc's wrapper around a fatbin (`fatbinary_section.h`), whose address is 8 bytes further.
const WRAPPER: u32 = 0x4662_43b1;

impl<'a> Image<'a> {
    /// Its bytes: of a text up to its end, of a fatbin all, of machine code, which can't be run, the first.
    fn bytes(self) -> Answer<&'a [u8]> {
        valid(!self.0.is_null(), "the image is a null pointer")?;
        // SAFETY: not null, so it has at least the zero that ends a text.
        let first = unsafe { *self.0.cast::<u8>() };
        // SAFETY: where they begin a binary image, it has a header of more bytes than these.
        let head = |bytes| unsafe { std::slice::from_raw_parts(self.0.cast::<u8>(), bytes) };
        if !matches!(first, 0x7f | 0x50 | 0xb1) {
            // SAFETY: no binary image, so a text with a closing zero.
            return Ok(unsafe { CStr::from_ptr(self.0.cast()) }.to_bytes());
        }
        if head(4) == WRAPPER.to_le_bytes() {
            // SAFETY: a wrapper holds the address of a fatbin.
            return Image(unsafe { *self.0.cast::<*const c_void>().add(1) }, PhantomData).bytes();
        }
        if !fatbin::begins(head(4)) {
            return Ok(head(4));
        }
        let size = fatbin::size(head(16)).or_else(|error| refuse(INVALID_IMAGE, error))?;
        // SAFETY: a fatbin has as many bytes as its header says.
        Ok(unsafe { std::slice::from_raw_parts(self.0.cast(), size) })
    }
}

impl Session {
    /// The PTX text of an image, or why it can't be run.
    pub fn text(&self, image: Image) -> Answer<String> {
        self.text_in(image.bytes()?)
    }

    /// The PTX text that bytes are, or that a fatbin has for the device.
    pub fn text_in(&self, bytes: &[u8]) -> Answer<String> {
        let machine_code = bytes.starts_with(b"\x7fELF");
        let message = "the image is a cubin (machine code); softgpu runs PTX. Compile with NVRTC to PTX (nvrtcGetPTX, \
                       --gpu-architecture=compute_XX) or with nvcc to a fatbin that has PTX";
        ensure(!machine_code, NO_BINARY_FOR_GPU, message)?;
        if fatbin::begins(bytes) {
            return fatbin::ptx(bytes, self.config.profile.sm).or_else(|error| refuse(NO_BINARY_FOR_GPU, error));
        }
        ptx_of(bytes)
    }
}

/// Bytes up to a zero as PTX text.
fn ptx_of(bytes: &[u8]) -> Answer<String> {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    match std::str::from_utf8(&bytes[..end]) {
        Ok(text) if text.contains(".version") => Ok(text.to_string()),
        _ => refuse(INVALID_IMAGE, "the image is neither PTX text nor a known binary"),
    }
}

/// The number of `.target sm_N`.
fn target(ptx: &str) -> i32 {
    let rest = ptx.split_once(".target").map_or("", |(_, rest)| rest.trim_start());
    let digits: String = rest.trim_start_matches("sm_").chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}

impl Session {
    /// Loads a text into the current context.
    pub fn load_module(&mut self, ptx: &str) -> Answer<Handle> {
        self.not_while_capturing("loading a module")?;
        let (context, memory, profile) = (self.context, &self.driver.memory, self.config.profile.clone());
        let mut module = Module::load_what_runs(ptx, &profile, memory).or_else(|error| refuse(INVALID_PTX, error))?;
        for (kernel, error) in module.refused() {
            log(&format!("the kernel {kernel} is refused, others of its module are not: {error}"));
        }
        if let Some(ptxas) = &self.config.ptxas {
            match crate::ptxas::assemble(ptxas, ptx, profile.sm) {
                Ok(usage) => module.know_registers(&usage),
                Err(message) => {
                    module.unload(memory);
                    return refuse(INVALID_PTX, message);
                }
            }
        }
        let data = Arc::new(ModuleData { module, target: target(ptx) });
        let module = LoadedModule { context, data: data.clone(), functions: HashMap::new() };
        let handle = self.modules.add(module);
        for name in data.module.kernel_names() {
            let Some(info) = data.module.kernel(name) else {
                continue;
            };
            let function = Function {
                module: handle,
                context,
                c_name: CString::new(name).unwrap_or_default(),
                max_dynamic_shared: profile.shared_per_block.saturating_sub(info.static_shared),
                info: Arc::new(info),
                data: data.clone(),
                carveout: -1,
                kept: Kept::default(),
            };
            let function = self.functions.add(function);
            self.modules.at(handle).functions.insert(name.to_string(), function);
        }
        Ok(handle)
    }

    /// That a module has no kernel of a name, and why.
    pub fn no_kernel<T>(&self, module: Handle, name: &str) -> Answer<T> {
        let module = self.modules.known(module)?;
        if let Some((_, error)) = module.data.module.refused().iter().find(|(kernel, _)| kernel == name) {
            return refuse(INVALID_PTX, format_args!("the kernel {name} is refused: {error}"));
        }
        let mut names: Vec<&str> = module.functions.keys().map(String::as_str).collect();
        names.sort_unstable();
        refuse(NOT_FOUND, format_args!("there is no kernel `{name}`; there are {}", names.join(", ")))
    }

    /// Forgets a module; its variables are freed when nothing in flight uses them.
    pub fn unload(&mut self, module: Handle) {
        let Some(entry) = self.modules.remove(&module) else {
            return;
        };
        for function in entry.functions.values() {
            self.functions.remove(function);
        }
        if let Some(data) = Arc::into_inner(entry.data) {
            data.module.unload(&self.driver.memory);
        }
    }

    /// The library's module in the current context; loaded when it is used there for the first time.
    pub fn module_of(&mut self, library: Handle) -> Answer<Handle> {
        let context = self.context;
        let entry = self.libraries.known(library)?;
        if let Some(module) = entry.modules.get(&context)
            && self.modules.contains_key(module)
        {
            return Ok(*module);
        }
        let text = entry.text.clone();
        let module = self.load_module(&text)?;
        self.libraries.at(library).modules.insert(context, module);
        Ok(module)
    }

    /// The function that a handle means in the current context: itself, or that of a library's kernel.
    pub fn function_of(&mut self, handle: Handle) -> Answer<Handle> {
        let Some(kernel) = self.kernels.get(&handle) else {
            return Ok(handle);
        };
        let (library, name) = (kernel.library, kernel.name.clone());
        let module = self.module_of(library)?;
        match self.modules[&module].functions.get(&name) {
            Some(function) => Ok(*function),
            None => refuse(NOT_FOUND, format_args!("the library has no kernel `{name}`")),
        }
    }

    /// The function that a handle means, with what the driver knows of it.
    pub fn function(&mut self, handle: Handle) -> Answer<&mut Function> {
        let function = self.function_of(handle)?;
        self.functions.known_mut(function)
    }
}
