#!/usr/bin/env python3
"""Writes scikit-learn's digits as a folder of pictures: OUT/train/DIGIT/*.png and OUT/test/DIGIT/*.png.

    bash scripts/fetch_pictures.sh
    python3 scripts/digit_pictures.py .cache/pictures/digits.csv.gz OUT

1797 digits of 8x8 pixels with 17 greys (Alpaydin and Kaynak, UCI, 1998); every fifth one is a test picture. Needs nothing
but Python.
"""

import gzip
import os
import struct
import sys
import zlib

SIDE = 8


def png(pixels):
    """A grey PNG of SIDE x SIDE bytes."""
    rows = b"".join(b"\0" + pixels[y * SIDE : (y + 1) * SIDE] for y in range(SIDE))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def main(source, out):
    with gzip.open(source, "rt") as file:
        lines = [[int(float(field)) for field in line.split(",")] for line in file]
    for number, (*pixels, digit) in enumerate(lines):
        folder = os.path.join(out, "test" if number % 5 == 4 else "train", str(digit))
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, f"{number:04}.png"), "wb") as file:
            file.write(png(bytes(round(255 * pixel / 16) for pixel in pixels)))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
