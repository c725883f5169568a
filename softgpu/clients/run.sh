#!/usr/bin/env bash
# Runs programs that know nothing of softgpu on it:
#     clients/run.sh [nvidia|bindings|core|numba|pycuda|cupy|tinygrad|triton|wheel|headers|runtime|cudarc|cubecl|burn|FILE.py ...]
# Without a name: nvidia, which is NVIDIA's own saxpy example of cuda-bindings as it stands in their repository
# (fetched, checked by its hash). FILE.py is a program of your own that uses cuda-bindings. Makes a Python environment
# in .cache/clients of the workspace and a folder there in which libcuda.so and libcuda.so.1 point to libsoftgpu.so;
# only these programs see it, through LD_LIBRARY_PATH. `runtime` are the programs of clients/runtime, compiled by nvcc,
# with the outcomes that programs.txt there states. `cudarc` and `cubecl` are those crates' own tests: cargo
# fetches the crates, and their copies are built in .cache/clients, which takes long for the last; `burn` is mlp_burn.rs
# with burn as it comes.
set -euo pipefail

here="$(cd "$(dirname "$0")" && pwd)"
root="$(dirname "$(cd "$here" && cargo locate-project --workspace --message-format plain)")"
work="$root/.cache/clients"
target="${CARGO_TARGET_DIR:-$root/target}"

(cd "$root" && cargo build --release -p softgpu)
library="${SOFTGPU_LIBRARY:-$target/release/libsoftgpu.so}"
mkdir -p "$work/driver"
ln -sfn "$library" "$work/driver/libcuda.so.1"
ln -sfn libcuda.so.1 "$work/driver/libcuda.so"

python="$work/venv/bin/python"
[ -x "$python" ] || "${PYTHON:-python3}" -m venv "$work/venv"

packages() {
    case "$1" in
    nvidia | bindings | *.py) echo numpy 'cuda-bindings==13.*' 'nvidia-cuda-nvrtc==13.0.*' ;;
    core) echo numpy cuda-core 'cuda-bindings==13.*' 'nvidia-cuda-nvrtc==13.0.*' ;;
    numba) echo numpy 'numba-cuda[cu13]' ;;
    pycuda) echo numpy nvidia-cuda-runtime nvidia-cuda-profiler-api nvidia-cuda-crt nvidia-curand 'cuda-bindings==13.*' 'nvidia-cuda-nvrtc==13.0.*' ;;
    cupy) echo numpy 'cupy-cuda13x[ctk]' ;;
    tinygrad) echo numpy tinygrad 'nvidia-cuda-nvrtc==13.*' ;;
    triton) echo numpy triton ;;
    wheel) echo pytest numpy 'cuda-bindings==13.*' 'nvidia-cuda-nvrtc==13.0.*' ;;
    headers) echo numpy nvidia-cuda-{runtime,cccl,nvrtc}-cu12 nvidia-curand-cu12 ;;
    cudarc | cubecl | burn) echo 'nvidia-cuda-nvrtc>=13.2,<14' 'nvidia-cuda-runtime==13.*' ;;
    runtime) echo nvidia-cuda-nvcc nvidia-cuda-cccl nvidia-cuda-runtime-cu12 ;;
    *)
        echo "error: no client '$1'; there are nvidia, bindings, core, numba, pycuda, cupy, tinygrad, triton, wheel, headers, runtime, cudarc, cubecl and burn" >&2
        return 1
        ;;
    esac
}

# NVIDIA/cuda-python, cuda_bindings/examples/extra/jit_program.py
example_commit=0615816568fb0aa54e22a652274c157bfde64d2c
example_hash=328485d51bcabb8ab5c63ec65309e90d0e1c75f853a2b44394815e205f5c5b37
fetch_example() {
    local file="$work/jit_program.py"
    [ -f "$file" ] || curl -fsSL -o "$file" \
        "https://raw.githubusercontent.com/NVIDIA/cuda-python/$example_commit/cuda_bindings/examples/extra/jit_program.py"
    echo "$example_hash  $file" | sha256sum --check --quiet -
}

# crate_source NAME VERSION: a copy of that crate's source as the registry has it, by cargo; prints its folder.
crate_source() {
    local copy="$work/crates/$1-$2" ask manifest
    if [ ! -d "$copy" ]; then
        ask="$work/crates/ask-$1"
        mkdir -p "$ask/src"
        : >"$ask/src/lib.rs"
        printf '[package]\nname = "ask"\nversion = "0.0.0"\n\n[workspace]\n\n[dependencies]\n%s = { version = "=%s", %s }\n' \
            "$1" "$2" 'default-features = false' >"$ask/Cargo.toml"
        manifest="$(cd "$ask" && cargo metadata --quiet --format-version 1 | "$python" -c "import json, sys
print(next(p['manifest_path'] for p in json.load(sys.stdin)['packages'] if (p['name'], p['version']) == ('$1', '$2')))")"
        cp -r "$(dirname "$manifest")" "$copy"
        printf '\n[workspace]\n' >>"$copy/Cargo.toml"
    fi
    echo "$copy"
}

[ $# -gt 0 ] || set -- nvidia
failed=0
for client in "$@"; do
    list="$(packages "$client")"
    # shellcheck disable=SC2086 # one word a package
    "$python" -m pip install --quiet $list
    program=("$python" "$here/saxpy_$client.py")
    case "$client" in
    *.py) program=("$python" "$client") ;;
    nvidia)
        fetch_example
        program=("$python" "$work/jit_program.py")
        ;;
    tinygrad) # MNIST as it lies in the workspace's data folder, or where MNIST says
        program=("$python" "$here/mnist_tinygrad.py" "${MNIST:-$root/data/mnist}")
        LD_LIBRARY_PATH="$(dirname "$(find "$work/venv" -name 'libnvrtc.so.13' | head -n 1)")"
        export LD_LIBRARY_PATH DEV=CUDA
        ;;
    triton) program=("$python" "$here/kernels_triton.py") ;;
    wheel) # softgpu's own wheel, in an environment of the same packages
        PYTHON="$python" bash "$here/../python/build.sh"
        "$python" -m pip install --quiet --force-reinstall --no-deps "$(ls -t "$root"/dist/softgpu-*.whl | head -n 1)"
        program=(bash "$here/wheel.sh" "$python" "$here")
        ;;
    headers) # no driver: kernels with CUDA's headers, by the command softgpu-run
        program=("$python" "$here/headers.py")
        export SOFTGPU_RUN="$target/release/softgpu-run"
        ;;
    runtime) # compiled by nvcc and run by the command softgpu
        SOFTGPU_NVCC="$(find "$work/venv" -path '*/bin/nvcc' | head -n 1)"
        export SOFTGPU_NVCC
        program=(cargo test --release --manifest-path "$here/../Cargo.toml" --test programs -- --include-ignored)
        ;;
    cudarc | cubecl | burn)
        LD_LIBRARY_PATH="$(dirname "$(find "$work/venv" -name 'libnvrtc.so.13' | head -n 1)")"
        export LD_LIBRARY_PATH
        cargo=(env "CARGO_TARGET_DIR=$work/target" CARGO_PROFILE_DEV_DEBUG=0 "CUDA_PATH=$(dirname "$LD_LIBRARY_PATH")" cargo)
        tests=("${cargo[@]}" test --lib --manifest-path)
        ;;&
    cudarc) # without two that compare speeds of copies, and two that want kernels to overlap
        program=("${tests[@]}" "$(crate_source cudarc 0.19.10)/Cargo.toml" --no-default-features --features
            std,driver,nvrtc,nvtx,fallback-dynamic-loading,cuda-13000 -- driver:: --test-threads=1
            --skip is_faster --skip faster_than --skip par_launch --skip concurrent)
        ;;
    cubecl) # without two that fail: docs/clients.md has the reasons
        program=("${tests[@]}" "$(crate_source cubecl-cuda 0.10.0)/Cargo.toml" -- --test-threads=1
            --skip test_cmma_simple_1_vectorized_offset --skip reinterpret_slice_f16::global::read_from_i8x4)
        ;;
    burn) # its CUDA backend beside its CPU backend
        mkdir -p "$work/burn/src"
        cp "$here/mlp_burn.rs" "$work/burn/src/main.rs"
        printf '[package]\nname = "mlp-burn"\nversion = "0.0.0"\nedition = "2024"\n\n[workspace]\n\n[dependencies]\n%s\n' \
            'burn = { version = "=0.21.0", features = ["cuda", "ndarray", "autodiff"] }' >"$work/burn/Cargo.toml"
        program=("${cargo[@]}" run --quiet --manifest-path "$work/burn/Cargo.toml")
        ;;
    pycuda) # comes as source: compiled with the headers of the packages, linked with softgpu
        cuda="$(dirname "$(dirname "$(find "$work/venv" -name cuda.h | head -n 1)")")"
        mkdir -p "$work/link"
        ln -sfn "$cuda"/lib/libcurand.so.* "$work/link/libcurand.so"
        CPATH="$cuda/include" LIBRARY_PATH="$work/driver:$work/link" \
            "$python" -m pip install --quiet pycuda
        export LD_LIBRARY_PATH="$cuda/lib"
        ;;
    esac
    if LD_LIBRARY_PATH="$work/driver:${LD_LIBRARY_PATH:-}" SOFTGPU_CHECK="${SOFTGPU_CHECK:-all}" \
        "${program[@]}"; then
        echo "client $client: works"
    else
        echo "client $client: does not work" >&2
        failed=1
    fi
done
exit $failed
