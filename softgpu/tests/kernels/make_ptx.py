#!/usr/bin/env python3
"""Compiles the .cu files of this folder and of the examples to .ptx with NVRTC 12.9, for compute_80, with line information.

Usage: make_ptx.py PATH/TO/libnvrtc.so.12
"""
import ctypes
import pathlib
import sys

folder = pathlib.Path(__file__).parent
sources = [*folder.glob("*.cu"), *(folder / "../../examples").glob("*.cu")]
nvrtc = ctypes.CDLL(sys.argv[1])
for source in sorted(sources):
    program = ctypes.c_void_p()
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.read_bytes(), source.name.encode(), 0, None, None)
    options = [b"--gpu-architecture=compute_80", b"-lineinfo"]
    array = (ctypes.c_char_p * len(options))(*options)
    failed = nvrtc.nvrtcCompileProgram(program, len(options), array)
    size = ctypes.c_size_t()
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    print(log.value.decode(), end="")
    if failed:
        sys.exit(f"{source.name} does not compile")
    nvrtc.nvrtcGetPTXSize(program, ctypes.byref(size))
    text = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetPTX(program, text)
    # NVRTC makes names absolute; the tests want the same text on every machine
    here = str(pathlib.Path.cwd()).encode() + b"/"
    source.with_suffix(".ptx").write_bytes(text.value.replace(here, b""))
    print(source.name, "->", source.with_suffix(".ptx").name)
