"""Looks at printed pages: python tests/report/read_pages.py PDF... (PyPI's pypdfium2 on PYTHONPATH).

Of each PDF: no page is empty but for the last, nothing reaches the paper's edge, and nowhere is a square of a centimetre
black, as a picture is whose colours the printer turned or lost. A PDF whose name ends in -plain was printed without
backgrounds: it must have about as much ink as the other one. Writes each page as PDF-N.pgm beside it.
"""

import sys

import pypdfium2

# The darkest colour of the maps inside the network is 28, that of a white that was turned is 0.
DARK = 16
BLOCK = 20  # a centimetre is 28 pixels at 72 a inch; a solid square of 7 mm is enough to be seen


def pages(path):
    document = pypdfium2.PdfDocument(path)
    for number in range(len(document)):
        bitmap = document[number].render(scale=1, grayscale=True)
        rows = bytes(bitmap.buffer)
        yield bitmap.width, bitmap.height, [rows[y * bitmap.stride :][: bitmap.width] for y in range(bitmap.height)]


def is_black(rows, x, y):
    return all(max(row[x : x + BLOCK]) < DARK for row in rows[y : y + BLOCK])


def check(path):
    ink, count = 0, 0
    for number, (width, height, rows) in enumerate(pages(path), 1):
        with open(f"{path}-{number}.pgm", "wb") as file:
            file.write(b"P5 %d %d 255\n" % (width, height) + b"".join(rows))
        dark = sum(sum(value < 200 for value in row) for row in rows)
        edge = 12
        margins = rows[:edge] + rows[-edge:] + [row[:edge] + row[-edge:] for row in rows]
        if min(min(row) for row in margins) < 200:
            sys.exit(f"{path}, page {number}: something reaches the paper's edge")
        for y in range(0, height - BLOCK, BLOCK // 3):
            for x in range(0, width - BLOCK, BLOCK // 3):
                if rows[y][x] < DARK and is_black(rows, x, y):
                    sys.exit(f"{path}, page {number}: a black square at {x}, {y}")
        ink, count = ink + dark, number
        if dark < 500 and number == 1:
            sys.exit(f"{path}: the first page is empty")
    return ink, count


printed = {path: check(path) for path in sys.argv[1:]}
for path, (ink, count) in printed.items():
    print(f"{path}: {count} pages, {ink} dark pixels")
    whole = printed.get(path.replace("-plain.pdf", ".pdf"))
    if path.endswith("-plain.pdf") and not 0.85 * whole[0] < ink < 1.15 * whole[0]:
        sys.exit(f"{path}: {ink} dark pixels without backgrounds, {whole[0]} with them")
