#!/usr/bin/env bash
# Runs programs that know nothing of softgpu on it: softgpu/clients/run.sh [bindings|numba|pycuda|cupy ...]
# Without a name: bindings. Makes a Python environment in .cache/clients of the repository and a folder
# there in which libcuda.so and libcuda.so.1 point to libsoftgpu.so; only these programs see it, through LD_LIBRARY_PATH.
set -euo pipefail

here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../.." && pwd)"
work="$root/.cache/clients"
target="${CARGO_TARGET_DIR:-$root/target}"

(cd "$root" && cargo build --release -p softgpu --lib)
library="${SOFTGPU_LIBRARY:-$target/release/libsoftgpu.so}"
mkdir -p "$work/driver"
ln -sfn "$library" "$work/driver/libcuda.so.1"
ln -sfn libcuda.so.1 "$work/driver/libcuda.so"

python="$work/venv/bin/python"
[ -x "$python" ] || "${PYTHON:-python3}" -m venv "$work/venv"

packages() {
    case "$1" in
    bindings) echo numpy 'cuda-bindings==13.*' 'nvidia-cuda-nvrtc==13.*' ;;
    numba) echo numpy 'numba-cuda[cu13]' ;;
    pycuda) echo numpy pycuda 'cuda-bindings==13.*' 'nvidia-cuda-nvrtc==13.*' ;;
    cupy) echo numpy 'cupy-cuda13x[ctk]' ;;
    *)
        echo "error: no client '$1'; there are bindings, numba, pycuda and cupy" >&2
        return 1
        ;;
    esac
}

[ $# -gt 0 ] || set -- bindings
failed=0
for client in "$@"; do
    list="$(packages "$client")"
    # shellcheck disable=SC2086 # one word a package
    "$python" -m pip install --quiet $list
    nvrtc="$(dirname "$(find "$work/venv" -name 'libnvrtc.so.*' | head -n 1)")"
    if LD_LIBRARY_PATH="$work/driver:$nvrtc" SOFTGPU_CHECK="${SOFTGPU_CHECK:-all}" \
        "$python" "$here/saxpy_$client.py"; then
        echo "client $client: works"
    else
        echo "client $client: does not work" >&2
        failed=1
    fi
done
exit $failed
