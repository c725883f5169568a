#!/usr/bin/env bash
# Fetches NVRTC 12.9 and 13.x (the CUDA C++ compiler as a library), nvdisasm, and nvcc with ptxas and headers from their
# Python packages into .cache/nvrtc/12, /13, /tools and /ptxas of the repository. No GPU, driver or toolkit is needed.
# What is there already is kept; remove the folder to fetch anew. Set WARP19_NVRTC_DIR to another folder
# of the same layout to use that instead.
set -euo pipefail

root="$(cd "$(dirname "$0")/.." && pwd)/.cache/nvrtc"
python="${PYTHON:-python3}"

fetch() { # folder package file [add]: with add, beside what the folder has already
    local target="$root/$1" library="$3"
    if [ -f "$target/$library" ]; then
        echo "NVRTC $1: $target/$library is there"
        return
    fi
    if ! "$python" -m pip --version >/dev/null 2>&1; then
        echo "error: '$python -m pip' does not run. Install pip (on Debian: apt-get install python3-pip)," \
            "or set PYTHON to a Python that has it, or put the wheels of $2 unpacked into $target yourself." >&2
        exit 1
    fi
    local work
    mkdir -p "$root"
    work="$(mktemp -d "$root/fetch.XXXXXX")"
    trap 'rm -rf "$work"' EXIT
    "$python" -m pip download --quiet --no-deps --only-binary=:all: --dest "$work" "$2"
    "$python" -m zipfile -e "$work"/*.whl "$work/unpacked"
    if [ ! -f "$work/unpacked/$library" ]; then
        echo "error: the package $2 has no $library; its layout has changed" >&2
        exit 1
    fi
    if [ "${4:-}" = add ]; then
        cp -r "$work/unpacked/." "$target"
    else
        rm -rf "$target"
        mv "$work/unpacked" "$target"
    fi
    rm -rf "$work"
    trap - EXIT
    echo "NVRTC $1: $target/$library"
}

fetch 12 'nvidia-cuda-nvrtc-cu12==12.9.*' nvidia/cuda_nvrtc/lib/libnvrtc.so.12
fetch 13 'nvidia-cuda-nvrtc==13.*' nvidia/cu13/lib/libnvrtc.so.13
fetch tools 'nvidia-cuda-nvdisasm==13.*' nvidia/cu13/bin/nvdisasm
fetch ptxas 'nvidia-cuda-nvcc==13.*' nvidia/cu13/bin/ptxas
# What else nvcc needs, of its own version: its compiler proper, its headers, the runtime's, those of the CUDA libraries.
version="$(basename "$root"/ptxas/nvidia_cuda_nvcc-*.dist-info | sed -E 's/nvidia_cuda_nvcc-([0-9]+\.[0-9]+)\..*/\1/')"
fetch ptxas "nvidia-nvvm==$version.*" nvidia/cu13/nvvm/bin/cicc add
fetch ptxas "nvidia-cuda-crt==$version.*" nvidia/cu13/include/crt/host_runtime.h add
fetch ptxas "nvidia-cuda-runtime==$version.*" nvidia/cu13/include/cuda_runtime.h add
fetch ptxas 'nvidia-cuda-cccl==13.*' nvidia/cu13/include/cccl/nv/target add
# The runtime of CUDA 12, against which programs of that version are compiled.
fetch ptxas 'nvidia-cuda-runtime-cu12==12.9.*' nvidia/cuda_runtime/lib/libcudart.so.12 add
chmod +x "$root/tools/nvidia/cu13/bin/nvdisasm" "$root"/ptxas/nvidia/cu13/bin/* "$root"/ptxas/nvidia/cu13/nvvm/bin/*
