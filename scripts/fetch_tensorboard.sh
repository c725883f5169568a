#!/usr/bin/env bash
# Fetches TensorBoard from PyPI into .cache/tensorboard of the repository, for tests/commands/tensorboard.rs: its reader
# checks our event files. What is there already is kept; remove the folder to fetch anew.
set -euo pipefail

target="$(cd "$(dirname "$0")/.." && pwd)/.cache/tensorboard"
python="${PYTHON:-python3}"
reader=tensorboard/backend/event_processing/event_accumulator.py

if [ -f "$target/$reader" ]; then
    echo "TensorBoard: $target is there"
    exit 0
fi
mkdir -p "$(dirname "$target")"
work="$(mktemp -d "$target.XXXXXX")"
trap 'rm -rf "$work"' EXIT
"$python" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target "$work/packages" \
    'tensorboard==2.20.*' 'setuptools<81' || {
    echo "error: '$python -m pip' cannot install TensorBoard. Mend the network, or set PYTHON to a Python that has pip." >&2
    exit 1
}
rm -rf "$target"
mv "$work/packages" "$target"
echo "TensorBoard: $target"
