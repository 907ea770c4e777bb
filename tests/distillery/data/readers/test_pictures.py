from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from distillery.data.form import Shape
from distillery.data.readers.pictures import Look, OtherSize, Unreadable, decode, look_at, quiet, survey

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4)
COLOURS = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)


def saved(image, form="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def look(content):
    return look_at(io.BytesIO(content))


def shape(height, width, channels):
    return Shape(height=height, width=width, channels=channels)


@pytest.mark.parametrize("form", ["PNG", "BMP"])
def test_grey_and_colours_come_as_they_were_saved(form):
    grey, colours = saved(Image.fromarray(GREY), form), saved(Image.fromarray(COLOURS), form)
    assert (look(grey), look(colours)) == (Look(3, 4, True), Look(3, 4, False))
    np.testing.assert_array_equal(decode(grey, shape(3, 4, 1), resized=False)[..., 0], GREY)
    np.testing.assert_array_equal(decode(colours, shape(3, 4, 3), resized=False), COLOURS)


def test_grey_among_colours_has_three_equal_channels():
    decoded = decode(saved(Image.fromarray(GREY)), shape(3, 4, 3), resized=False)
    np.testing.assert_array_equal(decoded, np.repeat(GREY[..., None], 3, axis=-1))


def test_a_jpeg_is_read():
    content = saved(Image.fromarray(np.full((8, 8, 3), (200, 30, 90), np.uint8)), "JPEG", quality=95)
    decoded = decode(content, shape(8, 8, 3), resized=False)
    assert np.abs(decoded.astype(int) - (200, 30, 90)).max() <= 3


def test_transparent_pixels_lie_over_black():
    pixels = np.array([[[200, 100, 50, 255], [200, 100, 50, 0], [200, 100, 50, 51]]], np.uint8)
    decoded = decode(saved(Image.fromarray(pixels)), shape(1, 3, 3), resized=False)
    assert decoded.tolist() == [[[200, 100, 50], [0, 0, 0], [40, 20, 10]]]
    grey = Image.fromarray(np.array([[[200, 255], [200, 0]]], np.uint8))
    assert look(saved(grey)).grey
    assert decode(saved(grey), shape(1, 2, 1), resized=False)[..., 0].tolist() == [[200, 0]]


def test_a_transparent_colour_of_a_palette_is_black():
    image = Image.fromarray(np.array([[0, 1]], np.uint8)).convert("P")
    image.putpalette([10, 20, 30, 40, 50, 60])
    content = saved(image, transparency=1)
    assert look(content).grey is False
    assert decode(content, shape(1, 2, 3), resized=False).tolist() == [[[10, 20, 30], [0, 0, 0]]]


def test_one_bit_is_black_and_white():
    content = saved(Image.fromarray(GREY > 5))
    assert look(content).grey
    np.testing.assert_array_equal(decode(content, shape(3, 4, 1), resized=False)[..., 0], (GREY > 5) * 255)


def oriented(turn, order=">"):
    """A JPEG of 16 x 8, left half black, right half white, that was held as `turn` says."""
    pixels = np.zeros((8, 16), np.uint8)
    pixels[:, 8:] = 255
    tiff = (b"MM\0*" if order == ">" else b"II*\0") + struct.pack(
        f"{order}IHHHIHHI", 8, 1, 0x112, 3, 1, turn, 0, 0
    )
    return saved(Image.fromarray(pixels), "JPEG", exif=b"Exif\0\0" + tiff, quality=95)


@pytest.mark.parametrize("order", [">", "<"])
@pytest.mark.parametrize(
    ("turn", "size", "white"),
    [
        (1, (8, 16), np.s_[:, 8:]),
        (2, (8, 16), np.s_[:, :8]),
        (3, (8, 16), np.s_[:, :8]),
        (4, (8, 16), np.s_[:, 8:]),
        (5, (16, 8), np.s_[8:]),
        (6, (16, 8), np.s_[8:]),
        (7, (16, 8), np.s_[:8]),
        (8, (16, 8), np.s_[:8]),
        (9, (8, 16), np.s_[:, 8:]),
    ],
)
def test_a_photo_is_turned_upright(turn, size, white, order):
    content = oriented(turn, order)
    assert look(content) == Look(*size, True)
    decoded = decode(content, shape(*size, 1), resized=False)[..., 0]
    expected = np.zeros(size)
    expected[white] = 255
    assert np.abs(decoded - expected).max() <= 10


def test_resizing_averages_all_pixels_that_a_new_one_covers():
    fine = np.indices((64, 64)).sum(0) % 2 * 255  # a chessboard: picking pixels would give black or white
    decoded = decode(saved(Image.fromarray(fine.astype(np.uint8))), shape(4, 4, 1), resized=True)
    assert np.abs(decoded.astype(int) - 127).max() <= 4
    again = decode(saved(Image.fromarray(fine.astype(np.uint8))), shape(4, 4, 1), resized=True)
    np.testing.assert_array_equal(decoded, again)


def test_another_size_is_told_apart_from_damage():
    with pytest.raises(OtherSize, match="it is 3x4, not 4x3"):
        decode(saved(Image.fromarray(GREY)), shape(4, 3, 1), resized=False)


def large():
    header = struct.pack("<IiiHHIIiiII", 40, 1 << 14, 1 << 13, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + header


BAD = [
    (b"", "not a PNG, JPEG or BMP"),
    (b"some text", "not a PNG, JPEG or BMP"),
    (saved(Image.fromarray(COLOURS), "GIF"), "not a PNG, JPEG or BMP"),
    (saved(Image.fromarray(COLOURS), "TIFF"), "not a PNG, JPEG or BMP"),
    (saved(Image.new("I;16", (3, 3), 700)), "more than 8 bits"),
    (large(), "it has 16384 x 8192 pixels"),
    (saved(Image.fromarray(COLOURS))[:40], ""),
    (saved(Image.fromarray(np.tile(COLOURS, (40, 40, 1))), "JPEG")[:300], ""),
]


@pytest.mark.parametrize(("content", "words"), BAD)
def test_what_is_no_image_is_unreadable_with_a_reason(content, words):
    with quiet(), pytest.raises(Unreadable, match=words) as caught:
        decode(content, shape(3, 4, 3), resized=False)
    assert str(caught.value)
    assert "0x" not in str(caught.value)  # no address: the same file is told in the same words


WHOLE = [
    saved(Image.fromarray(GREY)),
    saved(Image.fromarray(COLOURS), "BMP"),
    saved(Image.fromarray(np.tile(COLOURS, (5, 5, 1))), "JPEG"),
    oriented(6),
]


@given(st.data())
def test_no_damage_raises_anything_but_unreadable(data):
    content = bytearray(data.draw(st.sampled_from(WHOLE)))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = bytes(content[: data.draw(st.integers(0, len(content)))])
    with quiet():
        try:
            seen = look(content)
            form = shape(seen.height, seen.width, 3)
            assert decode(content, form, resized=False).shape == (seen.height, seen.width, 3)
        except Unreadable as fault:
            assert str(fault)


@given(st.binary(max_size=80))
def test_no_orientation_tag_raises_anything(exif):
    with quiet():
        image = Image.open(io.BytesIO(WHOLE[2]))
        content = saved(image, "JPEG", exif=b"Exif\0\0MM\0*" + exif)
        seen = look(content)
    assert {seen.height, seen.width} == {15, 20}


def test_the_commonest_size_wins_and_one_finding_offers_to_resize():
    looks = [("a", Look(3, 4, True)), ("b", Look(5, 5, True)), ("c", Look(5, 5, True))]
    form, (finding,) = survey(looks)
    assert form == shape(5, 5, 1)
    assert (finding.severity, finding.code) == ("error", "mixed_shapes")
    assert "5x5 (2 images, such as b), 3x4 (1 images, such as a)" in finding.message
    assert "--resize 5x5" in finding.message


def test_one_coloured_image_makes_all_of_them_colours():
    assert survey([("a", Look(3, 4, True)), ("b", Look(3, 4, False))]) == (shape(3, 4, 3), ())
    assert survey([]) == (None, ())


def test_many_sizes_are_cut():
    _, (finding,) = survey([(str(n), Look(n, n, True)) for n in range(1, 10)])
    assert "9 sizes" in finding.message
    assert "and 4 other sizes" in finding.message
