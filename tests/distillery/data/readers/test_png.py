from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from distillery.data.readers.png import data_fault

NOISE = np.random.default_rng(0).integers(0, 256, (7, 5, 4), np.uint8)


def saved(mode, size=(5, 7), **options):
    image = Image.fromarray(NOISE).convert(mode) if mode != "I;16" else Image.new(mode, size, 999)
    stream = io.BytesIO()
    image.save(stream, "PNG", **options)
    return stream.getvalue()


def chunk(kind, data):
    return struct.pack(">I4s", len(data), kind) + data + struct.pack(">I", zlib.crc32(kind + data))


def drawn(width, height, pixels, depth=8, colour=0, interlace=0):
    """A PNG that says one size and holds other pixels; its checksums are right."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    chunks = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(pixels)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_what_pillow_writes_is_whole(mode):
    assert data_fault(saved(mode)) is None


PASS_OF = ("16462646", "77777777", "56565656", "77777777", "36463646", "77777777", "56565656", "77777777")


@given(st.integers(1, 20), st.integers(1, 20))
def test_interlaced_pixels_are_counted_pass_by_pass(width, height):
    """A byte for each pixel, and one for each row of each pass, by the drawing in the specification (8.2)."""
    rows = [{PASS_OF[y % 8][x % 8] for x in range(width)} for y in range(height)]
    expected = width * height + sum(map(len, rows))
    assert data_fault(drawn(width, height, bytes(expected), interlace=1)) is None
    assert "header lies" in data_fault(drawn(width, height, bytes(expected - 1), interlace=1))
    assert "header lies" in data_fault(drawn(width, height, bytes(expected + 1), interlace=1))


@pytest.mark.parametrize("size", [(28, 14), (14, 28), (56, 14), (29, 28), (28, 29), (2**31 - 1, 2**31 - 1)])
def test_a_header_that_lies_about_the_size_is_found(size):
    assert "header lies" in data_fault(drawn(*size, bytes(28 * 29)))


def test_the_true_size_is_no_lie():
    assert data_fault(drawn(28, 28, bytes(28 * 29))) is None
    assert data_fault(drawn(9, 2, bytes(2 * 3), depth=1)) is None  # nine pixels of a bit: two bytes


def test_a_megabyte_of_zeros_more_than_promised_is_found_without_unpacking_all():
    assert "header lies" in data_fault(drawn(4, 4, bytes(50 << 20)))


def test_damage_is_found():
    whole = saved("RGB")
    assert data_fault(whole[:-12]) == "it is truncated"
    assert data_fault(whole[:40]) == "it is truncated"
    assert data_fault(b"\x89PNG\r\n\x1a\n") == "its header is broken"
    at = whole.index(b"IDAT") + 30
    assert data_fault(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]) is not None
    assert data_fault(drawn(2, 2, bytes(6), colour=1)) == "its header is broken"
    assert data_fault(drawn(2, 2, bytes(6), interlace=2)) == "its header is broken"


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything(content):
    data_fault(b"\x89PNG\r\n\x1a\n" + content)
