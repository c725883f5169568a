#!/usr/bin/env bash
# Fetches PDFium from PyPI into .cache/pdfium of the repository, for tests/commands/browser.rs: it draws the pages that a
# browser prints. What is there already is kept; remove the folder to fetch anew.
set -euo pipefail

target="$(cd "$(dirname "$0")/.." && pwd)/.cache/pdfium"
python="${PYTHON:-python3}"

if [ -f "$target/pypdfium2/__init__.py" ]; then
    echo "PDFium: $target is there"
    exit 0
fi
mkdir -p "$(dirname "$target")"
work="$(mktemp -d "$target.XXXXXX")"
trap 'rm -rf "$work"' EXIT
"$python" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps \
    --target "$work/packages" 'pypdfium2==5.*' || {
    echo "error: '$python -m pip' cannot install pypdfium2. Mend the network, or set PYTHON to a Python that has pip." >&2
    exit 1
}
rm -rf "$target"
mv "$work/packages" "$target"
echo "PDFium: $target"
