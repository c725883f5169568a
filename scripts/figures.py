#!/usr/bin/env python3
"""Figures of the house, for this checkout or another one: scripts/figures.py [FOLDER]

Needs git, cargo with clippy, and nothing else. What is measured by the clock stands in docs/results/house.md.
"""

import collections
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

EQUAL = 6  # Equal lines that make a pair of places.
LONG = 400  # Lines of a long file.


def sources(root):
    """The Rust sources of the workspace, tests, benches and examples apart: path to lines."""
    listed = subprocess.run(["git", "ls-files", "*.rs"], cwd=root, check=True, capture_output=True, text=True).stdout
    apart = re.compile(r"(^|/)(tests|benches|examples)/")
    return {path: (root / path).read_text().splitlines() for path in listed.split() if not apart.search(path)}


def room(path):
    """The folder or file of `src/` that a source belongs to."""
    crate, inner = ("softgpu", path.removeprefix("softgpu/")) if path.startswith("softgpu/") else ("warp19", path)
    return f"{crate} {inner.removeprefix('src/').split('/')[0].removesuffix('.rs')}"


def equal_pairs(files):
    """Runs of at least EQUAL equal lines in two places; blank lines, comments, brackets and imports do not count."""
    thin = re.compile(r"^(//.*|[\s{}()\[\],;]*|(pub )?use .*)$")
    lines = {p: [s for line in text if not thin.match(s := line.strip())] for p, text in files.items()}
    windows = collections.defaultdict(list)
    for path, kept in lines.items():
        for at in range(len(kept) - EQUAL + 1):
            windows[tuple(kept[at : at + EQUAL])].append((path, at))
    pairs = {(a, b) for places in windows.values() for i, a in enumerate(places) for b in places[i + 1 :]}
    # A longer run is one pair: only its first window counts.
    return sum(((p, a - 1), (q, b - 1)) not in pairs for (p, a), (q, b) in pairs)


def clippy(root, lint, settings=""):
    """What clippy says of the libraries and programs of a checkout, its other lints apart."""
    with tempfile.TemporaryDirectory() as conf:
        Path(conf, "clippy.toml").write_text(settings)
        # Without a new target folder what was checked before would say nothing.
        env = os.environ | {"CLIPPY_CONF_DIR": conf, "CARGO_TARGET_DIR": conf}
        command = ["cargo", "clippy", "--workspace", "--quiet", "--", "-A", "clippy::all", "-W", lint]
        return subprocess.run(command, cwd=root, env=env, check=True, capture_output=True, text=True).stderr


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent).resolve()
    files = sources(root)
    rooms = collections.Counter()
    for path, text in files.items():
        rooms[room(path)] += len(text)
    for name, count in sorted(rooms.items()):
        print(f"{count:6} {name}")
    print(f"{sum(rooms.values()):6} lines of Rust")
    print(f"{sum(len(text) > LONG for text in files.values()):6} files of more than {LONG} lines")
    print(f"{max(len(line) for text in files.values() for line in text):6} characters in the longest line")
    print(f"{equal_pairs(files):6} pairs of places with {EQUAL} or more equal lines")
    unsafe = re.compile(r"\bunsafe (\{|impl\b)")
    print(f"{sum(len(unsafe.findall(line.split('//')[0])) for t in files.values() for line in t):6} unsafe blocks")
    missing = clippy(root, "clippy::undocumented_unsafe_blocks")
    print(f"{len(re.findall(r'^warning: unsafe (block|impl)', missing, re.M)):6} of them without a reason")
    long = clippy(root, "clippy::too_many_lines", "too-many-lines-threshold = 20\n")
    sizes = [(int(n), place) for n, place in re.findall(r"\((\d+)/20\)\n +--> (\S+)", long)]
    print(f"{max(sizes)[0]:6} lines of code in the longest function, {max(sizes)[1]}")
    names = subprocess.run(
        ["cargo", "test", "--quiet", "--release", "--test", "house", "circle_of_imports"],
        cwd=Path(__file__).parent.parent, env=os.environ | {"HOUSE": str(root)}, capture_output=True, text=True,
    ).stdout
    circles = [int(n) for n in re.findall(r"^(\d+) files import each other", names, re.M)]
    print(f"{len(circles):6} circles of imports, of {circles} files")


main()
