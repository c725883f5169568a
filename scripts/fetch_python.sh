#!/usr/bin/env bash
# Fetches Python packages from PyPI into .cache of the repository, for tests of the report: TensorBoard, whose reader checks
# our event files (tests/commands/tensorboard.rs), and PDFium, which draws the pages that a browser prints
# (tests/commands/browser.rs). What is there already is kept; remove its folder to fetch anew.
set -euo pipefail

cache="$(cd "$(dirname "$0")/.." && pwd)/.cache"
python="${PYTHON:-python3}"

fetch() { # fetch FOLDER FILE_IN_IT PIP_ARGUMENTS...
    local target="$cache/$1" file="$2"
    shift 2
    if [ -f "$target/$file" ]; then
        echo "$target is there"
        return
    fi
    mkdir -p "$cache"
    work="$(mktemp -d "$target.XXXXXX")"
    trap 'rm -rf "$work"' EXIT
    "$python" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target "$work/packages" "$@" || {
        echo "error: '$python -m pip' cannot install $*. Mend the network, or set PYTHON to a Python that has pip." >&2
        exit 1
    }
    rm -rf "$target"
    mv "$work/packages" "$target"
    rmdir "$work"
    echo "$target"
}

fetch tensorboard tensorboard/backend/event_processing/event_accumulator.py 'tensorboard==2.20.*' 'setuptools<81'
fetch pdfium pypdfium2/__init__.py --no-deps 'pypdfium2==5.*'
