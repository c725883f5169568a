//! Named ranges for profilers, as NVTX 3 makes them: no library is needed. A profiler names its own in
//! `NVTX_INJECTION64_PATH`; it is loaded, given tables of empty slots, and fills in what it wants to be called with
//! (the layout is that of `nvtxDetail/nvtxTypes.h` in NVIDIA's NVTX 3 headers). Without a profiler, or with one that
//! wants nothing, a range costs one comparison.

use libloading::Library;
use std::ffi::{CString, c_char, c_int, c_uint, c_void};
use std::ptr::{null, null_mut};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};

/// The variable that names the profiler's library.
const INJECTION: &str = "NVTX_INJECTION64_PATH";

/// Modules of functions, counted from 1, and the room in each; the largest has 16 functions and the tables end in null.
const MODULES: usize = 6;
const ROOM: usize = 17;
/// Functions of each module, with the unused number 0.
const FUNCTIONS: [usize; MODULES] = [16, 9, 15, 7, 16, 7];
const CORE: usize = 0;
const RANGE_PUSH: usize = 9;
const RANGE_POP: usize = 11;
const EXPORT_CALLBACKS: u32 = 1;
const EXPORT_VERSION: u32 = 3;

type Slot = AtomicPtr<c_void>;
type GetExportTable = extern "C" fn(u32) -> *const c_void;
type Initialize = unsafe extern "C" fn(GetExportTable) -> c_int;
type Push = unsafe extern "C" fn(*const c_char) -> c_int;
type Pop = unsafe extern "C" fn() -> c_int;

/// What the profiler writes to.
static SLOTS: [[Slot; ROOM]; MODULES] = [const { [const { AtomicPtr::new(null_mut()) }; ROOM] }; MODULES];

/// An array of pointers to slots for each module.
static TABLES: OnceLock<[[SlotAddress; ROOM]; MODULES]> = OnceLock::new();

#[repr(transparent)]
struct SlotAddress(*const Slot);
// SAFETY: the address of a static that is only accessed atomically.
unsafe impl Send for SlotAddress {}
// SAFETY: as above.
unsafe impl Sync for SlotAddress {}

#[repr(C)]
struct Callbacks {
    size: usize,
    get_module: extern "C" fn(c_int, *mut *const SlotAddress, *mut c_uint) -> c_int,
}

#[repr(C)]
struct Version {
    size: usize,
    version: u32,
    reserved: u32,
    set_injection_version: extern "C" fn(u32),
}

static CALLBACKS: Callbacks = Callbacks { size: size_of::<Callbacks>(), get_module };
static VERSION: Version = Version { size: size_of::<Version>(), version: 3, reserved: 0, set_injection_version };

extern "C" fn set_injection_version(_: u32) {}

extern "C" fn get_export_table(id: u32) -> *const c_void {
    match id {
        EXPORT_CALLBACKS => (&raw const CALLBACKS).cast(),
        EXPORT_VERSION => (&raw const VERSION).cast(),
        _ => null(),
    }
}

extern "C" fn get_module(module: c_int, table: *mut *const SlotAddress, size: *mut c_uint) -> c_int {
    let Some(at) = usize::try_from(module).ok().and_then(|m| m.checked_sub(1)) else {
        return 0;
    };
    if at >= MODULES {
        return 0;
    }
    let address = |m: usize, f: usize| match f < FUNCTIONS[m] {
        true => SlotAddress(&raw const SLOTS[m][f]),
        false => SlotAddress(null()),
    };
    let tables = TABLES.get_or_init(|| std::array::from_fn(|m| std::array::from_fn(|f| address(m, f))));
    // Safety: null, or places for the answer, as the interface says.
    unsafe {
        if !table.is_null() {
            *table = tables[at].as_ptr();
        }
        if !size.is_null() {
            *size = FUNCTIONS[at] as c_uint;
        }
    }
    1
}

/// Loads the profiler's library once; it stays loaded.
fn attach() {
    static ATTACHED: OnceLock<Option<Library>> = OnceLock::new();
    ATTACHED.get_or_init(|| {
        let path = std::env::var_os(INJECTION).filter(|p| !p.is_empty())?;
        // Safety: what the profiler itself put into the variable, called as its interface says.
        unsafe {
            let library = Library::new(path).ok()?;
            let initialize = *library.get::<Initialize>(b"InitializeInjectionNvtx2").ok()?;
            if initialize(get_export_table) == 0 {
                for slot in SLOTS.iter().flatten() {
                    slot.store(null_mut(), Ordering::Release);
                }
                return None;
            }
            Some(library)
        }
    });
}

fn function(number: usize) -> Option<*mut c_void> {
    attach();
    let f = SLOTS[CORE][number].load(Ordering::Acquire);
    (!f.is_null()).then_some(f)
}

/// A range that ends when this is dropped.
pub struct Range(bool);

/// Opens a range; the name is only made where a profiler can see it.
pub fn range(name: impl FnOnce() -> String) -> Range {
    let Some(push) = function(RANGE_PUSH) else {
        return Range(false);
    };
    let Ok(name) = CString::new(name()) else {
        return Range(false);
    };
    // Safety: nvtxRangePushA, which the profiler put there; the string outlives the call.
    unsafe { std::mem::transmute::<*mut c_void, Push>(push)(name.as_ptr()) };
    Range(true)
}

impl Drop for Range {
    fn drop(&mut self) {
        if self.0
            && let Some(pop) = function(RANGE_POP)
        {
            // Safety: nvtxRangePop, which the profiler put there; closes the range opened on this thread.
            unsafe { std::mem::transmute::<*mut c_void, Pop>(pop)() };
        }
    }
}
