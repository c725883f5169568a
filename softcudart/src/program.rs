//! The code that a program brings with it: what nvcc's host code registers before `main`, loaded when it is first used.
//!
//! nvcc puts a wrapper around each translation unit's container of device code and registers it, then each kernel by
//! the address of its host stub and each variable by the address of its host shadow. `fatbinary_section.h` documents
//! the wrapper; the container itself is the driver's to read.

use crate::abi::*;
use crate::context::{current, ending};
use crate::driver::{Driver, driver};
use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::sync::{Mutex, MutexGuard};

/// `__fatBinC_Wrapper_t` of `fatbinary_section.h`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Wrapper<'a> {
    magic: u32,
    version: u32,
    container: Given<'a>,
    /// For version 2, whose code was linked from several units (`-rdc=true`): their containers, a null pointer after
    /// the last.
    units: Given<'a>,
}

const MAGIC: u32 = 0x466243b1;
/// `CU_JIT_INPUT_FATBINARY`.
const FATBINARY: i32 = 2;

/// A program's code of one translation unit, or of several that were linked.
struct Image {
    wrapper: Wrapper<'static>,
    /// Once it was tried: the driver's library, or why there is none.
    library: Option<Answer<Handle>>,
    /// Managed variables: their names, and where the program keeps their addresses.
    managed: Vec<(CString, HostPlace)>,
}

/// A pointer of the program's that gets the address of a managed variable.
#[repr(transparent)]
pub struct HostPlace(*mut usize);
// SAFETY: written under the lock of `PROGRAM` only.
unsafe impl Send for HostPlace {}
// SAFETY: a wrapper and what it refers to are the program's constants.
unsafe impl Send for Image {}

/// A kernel or a variable: its image, by number, and its name there.
struct Named {
    image: usize,
    name: CString,
    /// The kernel, once it was asked for.
    kernel: Option<Handle>,
}

#[derive(Default)]
struct Program {
    /// By number; `None` once unregistered.
    images: Vec<Option<Image>>,
    kernels: HashMap<usize, Named>,
    variables: HashMap<usize, Named>,
    /// Kernels that the program got from the runtime by their handles.
    handles: Vec<Handle>,
}

static PROGRAM: Mutex<Option<Program>> = Mutex::new(None);

/// The program's code, locked.
struct Code(MutexGuard<'static, Option<Program>>);

fn code() -> Code {
    Code(PROGRAM.lock().unwrap_or_else(|p| p.into_inner()))
}

impl Code {
    fn get(&mut self) -> &mut Program {
        self.0.get_or_insert_default()
    }
}

/// Registers an image and gives its number, counted from 1.
pub fn register_image(wrapper: &Wrapper<'static>) -> usize {
    let mut code = code();
    let images = &mut code.get().images;
    images.push(Some(Image { wrapper: *wrapper, library: None, managed: Vec::new() }));
    images.len()
}

/// Forgets an image with its kernels and variables, as when a shared library is unloaded.
pub fn unregister_image(number: usize) -> Answer {
    let mut code = code();
    let program = code.get();
    let Some(image) = number.checked_sub(1).and_then(|i| program.images.get_mut(i)).and_then(Option::take) else {
        return refuse(INVALID_VALUE, "no such image");
    };
    program.kernels.retain(|_, k| k.image != number);
    program.variables.retain(|_, v| v.image != number);
    match image.library {
        // When the process ends, the driver ends with it.
        Some(Ok(library)) if !ending() => driver()?.cuLibraryUnload(library),
        _ => Ok(()),
    }
}

/// Registers a kernel under the address of its host stub.
pub fn register_kernel(image: usize, stub: usize, name: &CStr) {
    code().get().kernels.insert(stub, Named { image, name: name.into(), kernel: None });
}

/// Registers a variable under the address of its host shadow.
pub fn register_variable(image: usize, shadow: usize, name: &CStr) {
    code().get().variables.insert(shadow, Named { image, name: name.into(), kernel: None });
}

/// Registers a managed variable; the place gets its address when the image is loaded.
pub fn register_managed(number: usize, place: HostPlace, name: &CStr) {
    let mut code = code();
    let program = code.get();
    program.variables.insert(place.0 as usize, Named { image: number, name: name.into(), kernel: None });
    if let Some(Some(image)) = number.checked_sub(1).and_then(|i| program.images.get_mut(i)) {
        image.managed.push((name.into(), place));
    }
}

/// Notes a kernel that the program got from the runtime, so that it may be launched by its handle.
pub fn note_kernel(kernel: Handle) {
    let mut code = code();
    let handles = &mut code.get().handles;
    if !handles.contains(&kernel) {
        handles.push(kernel);
    }
}

/// Loads an image now; its managed variables have addresses then.
pub fn load_image(number: usize) -> Answer {
    let driver = current()?;
    code().get().library(driver, number).map(|_| ())
}

/// The kernel of a host stub, or the one that a handle means.
pub fn kernel(stub: usize) -> Answer<Handle> {
    let driver = current()?;
    let mut code = code();
    let program = code.get();
    let Some(named) = program.kernels.get(&stub) else {
        let handle = program.handles.iter().find(|handle| handle.number() == stub);
        let Some(handle) = handle else {
            return refuse(INVALID_DEVICE_FUNCTION, format_args!("{stub:#x} is no kernel of this program"));
        };
        return Ok(*handle);
    };
    if let Some(kernel) = named.kernel {
        return Ok(kernel);
    }
    let (image, name) = (named.image, named.name.clone());
    let library = program.library(driver, image)?;
    let mut kernel = Handle::NULL;
    driver.cuLibraryGetKernel(Out::of(&mut kernel), library, Given::text(&name))?;
    if let Some(named) = program.kernels.get_mut(&stub) {
        named.kernel = Some(kernel);
    }
    Ok(kernel)
}

/// The function of a kernel in the current context.
pub fn function(stub: usize) -> Answer<Handle> {
    let kernel = kernel(stub)?;
    let mut function = Handle::NULL;
    current()?.cuKernelGetFunction(Out::of(&mut function), kernel)?;
    Ok(function)
}

/// The host stub of a function of the current context, or its handle where the program has no stub for it.
pub fn stub_of(function: Handle) -> Answer<usize> {
    let driver = current()?;
    let known: Vec<(usize, Handle)> = {
        let mut code = code();
        code.get().kernels.iter().filter_map(|(stub, named)| Some((*stub, named.kernel?))).collect()
    };
    for (stub, kernel) in known {
        let mut found = Handle::NULL;
        driver.cuKernelGetFunction(Out::of(&mut found), kernel)?;
        if found == function || kernel == function {
            return Ok(stub);
        }
    }
    Ok(function.number())
}

/// Address and bytes of a variable in the current context.
pub fn variable(shadow: usize) -> Answer<(usize, usize)> {
    let driver = current()?;
    let mut code = code();
    let program = code.get();
    let Some(named) = program.variables.get(&shadow).or_else(|| program.managed_at(shadow)) else {
        return refuse(INVALID_SYMBOL, format_args!("{shadow:#x} is no device variable of this program"));
    };
    let (image, name) = (named.image, named.name.clone());
    let library = program.library(driver, image)?;
    let (mut address, mut bytes) = (0, 0);
    driver.cuLibraryGetGlobal(Out::of(&mut address), Out::of(&mut bytes), library, Given::text(&name))?;
    Ok((address, bytes))
}

impl Program {
    /// The managed variable at an address: the program has its address where it has other variables' shadows.
    fn managed_at(&self, address: usize) -> Option<&Named> {
        let mut places = self.images.iter().flatten().flat_map(|image| &image.managed);
        // SAFETY: a place that the program registered.
        let (_, place) = places.find(|(_, place)| unsafe { place.0.read() } == address)?;
        self.variables.get(&(place.0 as usize))
    }

    /// The library of an image, loaded at the first call. What is wrong with the code is wrong for ever; what is wrong
    /// with the context, or full memory, is tried again.
    fn library(&mut self, driver: &Driver, number: usize) -> Answer<Handle> {
        let Some(Some(image)) = number.checked_sub(1).and_then(|i| self.images.get_mut(i)) else {
            return refuse(INVALID_KERNEL_IMAGE, "the code has been unregistered");
        };
        if let Some(known) = &image.library {
            return known.clone();
        }
        let loaded = relaxed(driver, || load(driver, &image.wrapper, &image.managed));
        if !matches!(&loaded, Err(refusal) if refusal.code == MEMORY_ALLOCATION || is_sticky(refusal.code)) {
            image.library = Some(loaded.clone());
        }
        loaded
    }
}

/// Loads code while a stream may be capturing: that its kernels were not used before is nothing of the program's.
fn relaxed<T>(driver: &Driver, load: impl FnOnce() -> Answer<T>) -> Answer<T> {
    // CU_STREAM_CAPTURE_MODE_RELAXED
    let mut mode = 2;
    driver.cuThreadExchangeStreamCaptureMode(Room::of(&mut mode))?;
    let loaded = load();
    driver.cuThreadExchangeStreamCaptureMode(Room::of(&mut mode))?;
    loaded
}

fn load(driver: &Driver, wrapper: &Wrapper, managed: &[(CString, HostPlace)]) -> Answer<Handle> {
    let library = match (wrapper.magic, wrapper.version) {
        (MAGIC, 1) => library(driver, wrapper.container)?,
        (MAGIC, 2) if !wrapper.units.is_given() => library(driver, wrapper.container)?,
        (MAGIC, 2) => linked(driver, wrapper.units)?,
        (magic, version) => {
            let message = format_args!("code in a wrapper of magic {magic:#x}, version {version}; 1 and 2 are known");
            return refuse(INVALID_KERNEL_IMAGE, message);
        }
    };
    for (name, place) in managed {
        let mut address = 0;
        driver.cuLibraryGetManaged(Out::of(&mut address), Out::none(), library, Given::text(name))?;
        // SAFETY: the program registered it for this.
        unsafe { place.0.write(address) };
    }
    Ok(library)
}

fn library(driver: &Driver, code: Given) -> Answer<Handle> {
    let mut library = Handle::NULL;
    let none = Given::none();
    driver.cuLibraryLoadData(Out::of(&mut library), code, none, none, 0, none, none, 0)?;
    Ok(library)
}

/// Links the units of a program compiled with `-rdc=true`.
fn linked(driver: &Driver, units: Given) -> Answer<Handle> {
    let (mut link, none) = (Handle::NULL, Given::none());
    driver.cuLinkCreate_v2(0, none, none, Out::of(&mut link))?;
    let image = (|| {
        for i in 0.. {
            // SAFETY: by the wrapper, there is a null pointer after the last.
            let unit = unsafe { units.values::<Given>(i + 1) }[i];
            if !unit.is_given() {
                break;
            }
            driver.cuLinkAddData_v2(link, FATBINARY, unit, container_bytes(unit), none, 0, none, none)?;
        }
        let mut image = Given::none();
        driver.cuLinkComplete(link, Out::of(&mut image), Out::none())?;
        library(driver, image)
    })();
    driver.cuLinkDestroy(link)?;
    image
}

/// The size of a container, header included. (As seen in nvcc's output: magic, version and size of the header in 8
/// bytes, then the size of what follows in 8.)
fn container_bytes(container: Given) -> usize {
    // SAFETY: a container has a header of 16 bytes.
    let words = unsafe { container.values::<u64>(2) };
    (words[0] >> 48) as usize + words[1] as usize
}
