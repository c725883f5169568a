#!/usr/bin/env bash
# Makes dist/softgpu-*.whl in the workspace: the command softgpu, libsoftgpu.so and libsoftcudart.so as cargo builds them,
# and the package that starts them. PYTHON names the interpreter that has pip.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(dirname "$(cd "$here" && cargo locate-project --workspace --message-format plain)")"
target="${CARGO_TARGET_DIR:-$root/target}"
(cd "$root" && cargo build --release -p softgpu -p softcudart)
build="$(mktemp -d)"
trap 'rm -rf "$build"' EXIT
cp -r "$here/pyproject.toml" "$here/setup.py" "$here/softgpu" "$build"
mkdir -p "$build/softgpu/bin"
cp "$target/release/softgpu" "$target/release/libsoftgpu.so" "$target/release/libsoftcudart.so" "$build/softgpu/bin"
"${PYTHON:-python3}" -m pip wheel --quiet --no-deps --wheel-dir "$root/dist" "$build"
ls "$root"/dist/softgpu-*.whl
