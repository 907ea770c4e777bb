"""Whether a PNG's pixel data is what its header promises: Pillow takes what it needs and asks no further."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
PASSES = {  # by interlace method: (first column, first row, step of columns, step of rows)
    0: ((0, 0, 1, 1),),
    1: ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
}
STEP = 1 << 20


def data_fault(content: bytes) -> str | None:
    """What is wrong with a PNG's compressed pixels; None where they are whole (PNG specification, 10 and 11).

    Their number must be the header's, and their checksum right. Memory stays at a MiB.
    """
    chunks = list(_chunks(content))
    if not chunks or chunks[0][0] != b"IHDR" or len(chunks[0][1]) != 13:
        return "its header is broken"
    if chunks[-1][0] != b"IEND":
        return "it is truncated"
    expected = _expected_bytes(chunks[0][1])
    if expected is None:
        return "its header is broken"
    try:
        return _inflate(b"".join(data for kind, data in chunks if kind == b"IDAT"), expected)
    except zlib.error:
        return "its pixel data is corrupt"


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and data of every chunk, up to IEND or to where the file ends too early."""
    at = len(SIGNATURE)
    while at + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        if at + 12 + length > len(content):
            return
        yield kind, content[at + 8 : at + 8 + length]
        if kind == b"IEND":
            return
        at += 12 + length


def _expected_bytes(header: bytes) -> int | None:
    """How many bytes the filtered rows of all passes take."""
    width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", header)
    if colour not in CHANNELS or interlace not in PASSES:
        return None
    total = 0
    for left, top, across, down in PASSES[interlace]:
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + -(-columns * depth * CHANNELS[colour] // 8))
    return total


def _inflate(data: bytes, expected: int) -> str | None:
    inflater, found = zlib.decompressobj(), 0
    while not inflater.eof and found <= expected:
        piece = inflater.decompress(data, STEP)
        data, found = inflater.unconsumed_tail, found + len(piece)
        if not piece and not data:
            break
    if found == expected and inflater.eof:
        return None
    return "its size is not that of its pixel data: the header lies, or the file is truncated"
