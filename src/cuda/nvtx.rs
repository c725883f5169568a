//! Named ranges for profilers, where NVTX's library is there; nothing otherwise.

use libloading::Library;
use std::ffi::{CString, c_char, c_int};
use std::sync::OnceLock;

struct Nvtx {
    _library: Library,
    push: unsafe extern "C" fn(*const c_char) -> c_int,
    pop: unsafe extern "C" fn() -> c_int,
}

fn nvtx() -> Option<&'static Nvtx> {
    static NVTX: OnceLock<Option<Nvtx>> = OnceLock::new();
    NVTX.get_or_init(|| {
        let names = ["libnvToolsExt.so.1", "libnvToolsExt.so"];
        // Safety: NVTX's library has no initialisation conditions; signatures as in nvToolsExt.h.
        unsafe {
            let library = names.iter().find_map(|n| Library::new(*n).ok())?;
            let push = *library.get(b"nvtxRangePushA").ok()?;
            let pop = *library.get(b"nvtxRangePop").ok()?;
            Some(Nvtx {
                _library: library,
                push,
                pop,
            })
        }
    })
    .as_ref()
}

/// A range that ends when this is dropped.
pub struct Range(bool);

/// Opens a range; the name is only made where a profiler can see it.
pub fn range(name: impl FnOnce() -> String) -> Range {
    let Some(nvtx) = nvtx() else {
        return Range(false);
    };
    let Ok(name) = CString::new(name()) else {
        return Range(false);
    };
    // Safety: a C string that outlives the call.
    unsafe { (nvtx.push)(name.as_ptr()) };
    Range(true)
}

impl Drop for Range {
    fn drop(&mut self) {
        if self.0
            && let Some(nvtx) = nvtx()
        {
            // Safety: closes the range that `range` opened on this thread.
            unsafe { (nvtx.pop)() };
        }
    }
}
