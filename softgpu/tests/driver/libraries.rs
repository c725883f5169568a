//! Libraries and their kernels, the linker, and the deprecated launching calls.

use crate::support::{context, turn};
use cudarc::driver::result;
use cudarc::driver::sys::{CUresult::*, *};
use std::ffi::{CStr, c_void};
use std::ptr::{null, null_mut};

/// Writes its second argument plus `bias` where the first points.
const ADD: &str = ".version 8.0\n.target sm_80\n.address_size 64\n\
    .visible .global .align 4 .u32 bias = 5;\n\
    .visible .entry add(.param .u64 out, .param .u32 value)\n{\n.reg .b64 %x<3>;\n.reg .b32 %r<4>;\n\
    ld.param.u64 %x1, [out];\nld.param.u32 %r1, [value];\nld.global.u32 %r2, [bias];\n\
    add.u32 %r3, %r1, %r2;\nst.global.u32 [%x1], %r3;\nret;\n}\n\
    .visible .entry nothing()\n{\nret;\n}\n\0";

/// A kernel that calls a function of another text.
const CALLER: &str = ".version 8.0\n.target sm_80\n.address_size 64\n\
    .extern .func (.param .b32 result) twice(.param .b32 n);\n\
    .visible .entry call_twice(.param .u64 out, .param .u32 value)\n{\n.reg .b64 %x<3>;\n.reg .b32 %r<4>;\n\
    ld.param.u64 %x1, [out];\nld.param.u32 %r1, [value];\n{\n.param .b32 a;\n.param .b32 b;\n\
    st.param.b32 [a], %r1;\ncall.uni (b), twice, (a);\nld.param.b32 %r2, [b];\n}\n\
    st.global.u32 [%x1], %r2;\nret;\n}\n";
const CALLEE: &str = ".version 8.0\n.target sm_80\n.address_size 64\n\
    .visible .func (.param .b32 result) twice(.param .b32 n)\n{\n.reg .b32 %r<3>;\n\
    ld.param.u32 %r1, [n];\nadd.u32 %r2, %r1, %r1;\nst.param.b32 [result], %r2;\nret;\n}\n";

fn word(at: CUdeviceptr) -> u32 {
    let mut bytes = [0u8; 4];
    // SAFETY: one word of device memory.
    unsafe { result::memcpy_dtoh_sync(&mut bytes, at).unwrap() };
    u32::from_ne_bytes(bytes)
}

/// Launches one thread of a kernel that takes an address and a number.
unsafe fn launch(function: CUfunction, at: CUdeviceptr, value: u32) -> CUresult {
    let mut params = [(&raw const at).cast_mut().cast::<c_void>(), (&raw const value).cast_mut().cast()];
    // SAFETY: pointers to live values; softgpu checks the handles.
    unsafe { cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, null_mut(), params.as_mut_ptr(), null_mut()) }
}

#[test]
fn kernels_of_a_library_run_in_the_current_context() {
    let turn = turn();
    let _context = context();
    // SAFETY: pointers to live values; softgpu checks the handles.
    unsafe {
        let mut library = null_mut();
        let load = |library: *mut CUlibrary, code: *const c_void| {
            cuLibraryLoadData(library, code, null_mut(), null_mut(), 0, null_mut(), null_mut(), 0)
        };
        assert_eq!(load(&mut library, ADD.as_ptr().cast()), CUDA_SUCCESS);
        let cubin = c"\x7fELF\x02\x01\x01".as_ptr();
        let mut other = null_mut();
        assert_eq!(load(&mut other, cubin.cast()), CUDA_ERROR_NO_BINARY_FOR_GPU);

        let mut count = 0;
        assert_eq!(cuLibraryGetKernelCount(&mut count, library), CUDA_SUCCESS);
        assert_eq!(count, 2);
        let mut kernel = null_mut();
        assert_eq!(cuLibraryGetKernel(&mut kernel, library, c"add".as_ptr()), CUDA_SUCCESS);
        let mut none = null_mut();
        assert_eq!(cuLibraryGetKernel(&mut none, library, c"sub".as_ptr()), CUDA_ERROR_NOT_FOUND);
        let message = turn.library.last_message().unwrap();
        assert!(message.contains("add, nothing"), "{message}");
        let mut name = null();
        assert_eq!(cuKernelGetName(&mut name, kernel), CUDA_SUCCESS);
        assert_eq!(CStr::from_ptr(name), c"add");

        // a kernel's handle where a function's belongs, and the function itself
        let out = result::malloc_sync(4).unwrap();
        assert_eq!(launch(kernel.cast(), out, 7), CUDA_SUCCESS);
        assert_eq!(word(out), 12);
        let mut function = null_mut();
        assert_eq!(cuKernelGetFunction(&mut function, kernel), CUDA_SUCCESS);
        let (mut address, mut bytes) = (0, 0);
        assert_eq!(cuLibraryGetGlobal(&mut address, &mut bytes, library, c"bias".as_ptr()), CUDA_SUCCESS);
        assert_eq!(bytes, 4);
        result::memset_d8_sync(address, 0, 4).unwrap();
        assert_eq!(launch(function, out, 7), CUDA_SUCCESS);
        assert_eq!(word(out), 7);

        // in a second context the library is loaded anew
        let second = context();
        second.bind_to_thread().unwrap();
        let there = result::malloc_sync(4).unwrap();
        assert_eq!(launch(function, there, 1), CUDA_ERROR_INVALID_HANDLE);
        assert_eq!(launch(kernel.cast(), there, 1), CUDA_SUCCESS);
        assert_eq!(word(there), 6);
        let mut module = null_mut();
        assert_eq!(cuLibraryGetModule(&mut module, library), CUDA_SUCCESS);
        result::module::get_function(module, c"nothing".into()).unwrap();

        assert_eq!(cuLibraryUnload(library), CUDA_SUCCESS);
        assert_eq!(launch(kernel.cast(), there, 1), CUDA_ERROR_INVALID_HANDLE);
        assert_eq!(cuLibraryUnload(library), CUDA_ERROR_INVALID_HANDLE);
        result::free_sync(there).unwrap();
        _context.bind_to_thread().unwrap();
        result::free_sync(out).unwrap();
    }
    assert!(turn.library.take_findings().unwrap().contains("\"findings\":[]"));
}

#[test]
fn ptx_texts_are_linked() {
    let turn = turn();
    let _context = context();
    // SAFETY: pointers to live values; softgpu checks the handles.
    unsafe {
        let mut link = null_mut();
        assert_eq!(cuLinkCreate_v2(0, null_mut(), null_mut(), &mut link), CUDA_SUCCESS);
        let add = |kind, text: &str| {
            let data = text.as_ptr().cast_mut().cast();
            let name = c"text".as_ptr();
            cuLinkAddData_v2(link, kind, data, text.len(), name, 0, null_mut(), null_mut())
        };
        use CUjitInputType::*;
        assert_eq!(add(CU_JIT_INPUT_CUBIN, CALLEE), CUDA_ERROR_NO_BINARY_FOR_GPU);
        assert_eq!(add(CU_JIT_INPUT_PTX, CALLER), CUDA_SUCCESS);
        assert_eq!(add(CU_JIT_INPUT_PTX, CALLEE), CUDA_SUCCESS);
        let (mut image, mut size) = (null_mut(), 0);
        assert_eq!(cuLinkComplete(link, &mut image, &mut size), CUDA_SUCCESS);
        assert!(size > CALLER.len());
        let module = result::module::load_data(image).unwrap();
        assert_eq!(cuLinkDestroy(link), CUDA_SUCCESS);
        assert_eq!(cuLinkDestroy(link), CUDA_ERROR_INVALID_HANDLE);
        let function = result::module::get_function(module, c"call_twice".into()).unwrap();
        let out = result::malloc_sync(4).unwrap();
        assert_eq!(launch(function, out, 21), CUDA_SUCCESS);
        assert_eq!(word(out), 42);
        result::free_sync(out).unwrap();
        result::module::unload(module).unwrap();

        // one of the two alone lacks the function
        let alone = std::ffi::CString::new(CALLER).unwrap();
        assert!(result::module::load_data(alone.as_ptr().cast()).is_err());
        let message = turn.library.last_message().unwrap();
        assert!(message.contains("twice"), "{message}");
    }
}

#[test]
fn launches_as_before_cuda_4() {
    let turn = turn();
    let _context = context();
    // SAFETY: softgpu checks context and address.
    unsafe {
        let module = result::module::load_data(ADD.as_ptr().cast()).unwrap();
        let function = result::module::get_function(module, c"add".into()).unwrap();
        let out = result::malloc_sync(4).unwrap();
        assert_eq!(cuLaunchGrid(function, 1, 1), CUDA_ERROR_INVALID_VALUE);
        let message = turn.library.last_message().unwrap();
        assert!(message.contains("cuFuncSetBlockShape"), "{message}");
        assert_eq!(cuFuncSetBlockShape(function, 0, 1, 1), CUDA_ERROR_INVALID_VALUE);
        assert_eq!(cuFuncSetBlockShape(function, 1, 1, 1), CUDA_SUCCESS);
        let at = (&raw const out).cast_mut().cast();
        assert_eq!(cuParamSetv(function, 0, at, 8), CUDA_SUCCESS);
        assert_eq!(cuParamSeti(function, 8, 30), CUDA_SUCCESS);
        assert_eq!(cuParamSetSize(function, 12), CUDA_SUCCESS);
        assert_eq!(cuLaunchGrid(function, 1, 1), CUDA_SUCCESS);
        assert_eq!(word(out), 35);
        result::free_sync(out).unwrap();
        result::module::unload(module).unwrap();
    }
}
