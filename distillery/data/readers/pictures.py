"""Encoded images (PNG, JPEG, BMP) as arrays of bytes.

What becomes of what a uint8 image cannot hold: transparent pixels are laid over black; a palette is looked
up; JPEG's orientation tag is obeyed; more than 8 bits a channel in grey is refused.
"""

from __future__ import annotations

import io
import struct
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from distillery.data.chunks import Finding
from distillery.data.form import Shape
from distillery.data.readers import png
from distillery.data.readers.limits import MOST_PIXELS

FORMATS = ("PNG", "JPEG", "BMP")
GREY = frozenset({"1", "L", "LA", "La"})
DEEP = frozenset({"I", "F", "I;16", "I;16B", "I;16L", "I;16N"})
ORIENTATION = 0x0112  # Exif's tag
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Unreadable(Exception):
    """An image that cannot be read; the message says why."""


class OtherSize(Unreadable):
    """An image that has not the size of the others."""


@dataclass(frozen=True)
class Look:
    """What an image's header says, after it is turned upright."""

    height: int
    width: int
    grey: bool


def look_at(stream: BinaryIO) -> Look:
    """What the header says; no pixel is decoded. Raises Unreadable."""
    with _opened(stream) as image:
        height, width = image.height, image.width
        if _orientation(image) >= 5:
            height, width = width, height
        return Look(height, width, image.mode in GREY)


def decode(content: bytes, form: Shape, *, resized: bool) -> NDArray[np.uint8]:
    """An image (H, W, C) of that form, brought to its size where `resized`.

    Resizing is bilinear over all the pixels that a new one covers (Pillow's, which does not alias).
    Raises Unreadable, or OtherSize where the size is another and may not be changed.
    """
    with _opened(io.BytesIO(content)) as image:
        if image.format == "PNG" and (fault := png.data_fault(content)):
            raise Unreadable(fault)
        plain = _flattened(image).convert("L" if form.channels == 1 else "RGB")
        upright = plain if (turn := _orientation(image)) == 1 else plain.transpose(TURNS[turn])
        size = (form.width, form.height)
        if upright.size != size and not resized:
            raise OtherSize(f"it is {upright.height}x{upright.width}, not {form.height}x{form.width}")
        sized = upright if upright.size == size else upright.resize(size, Image.Resampling.BILINEAR)
        return np.asarray(sized).reshape(form.height, form.width, form.channels)


@contextmanager
def _opened(stream: BinaryIO) -> Iterator[Image.Image]:
    """Pillow raises nearly anything over a broken file: all of it is Unreadable."""
    try:
        with Image.open(stream, formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise Unreadable(f"it has {image.width} x {image.height} pixels: more than {MOST_PIXELS:,}")
            if image.mode in DEEP:
                raise Unreadable("it has more than 8 bits a pixel in grey: convert it to 8 bits")
            yield image
    except Unreadable:
        raise
    except UnidentifiedImageError:
        raise Unreadable("it is not a PNG, JPEG or BMP image, or its header is broken") from None
    except Exception as error:
        raise Unreadable(str(error).partition("\n")[0] or type(error).__name__) from None


def _flattened(image: Image.Image) -> Image.Image:
    """Transparent pixels over black."""
    if "transparency" not in image.info and not image.mode.endswith(("A", "a")):
        return image
    black = Image.new("RGBA", image.size, (0, 0, 0, 255))
    return Image.alpha_composite(black, image.convert("RGBA"))


def _orientation(image: Image.Image) -> int:
    """The tag that says how a camera was held, 1 to 8; 1 where there is none (Exif 2.3, 4.6.4).

    Read here, because Pillow's own reader warns of what it finds broken.
    """
    if image.format != "JPEG":
        return 1
    exif = image.info.get("exif", b"").removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return 1
    try:
        (at,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, at)
        for entry in range(count):
            tag, _, _, value = struct.unpack_from(order + "HHIH", exif, at + 2 + 12 * entry)
            if tag == ORIENTATION:
                return int(value) if value in TURNS else 1
    except struct.error:
        return 1
    return 1


@contextmanager
def quiet() -> Iterator[None]:
    """Pillow's warnings are silent: what matters of them is found by ourselves and becomes a finding.

    The filters belong to the process, so only the main thread may enter, around all that workers do.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def survey(looks: Iterable[tuple[str, Look]]) -> tuple[Shape | None, tuple[Finding, ...]]:
    """The form of a source's images: the commonest size, and one channel where all are grey.

    `looks` gives places and what stands there. No form where there is nothing. Several sizes are one finding.
    """
    sizes: Counter[tuple[int, int]] = Counter()
    examples: dict[tuple[int, int], str] = {}
    grey = True
    for place, look in looks:
        size = (look.height, look.width)
        sizes[size] += 1
        examples.setdefault(size, place)
        grey &= look.grey
    if not sizes:
        return None, ()
    ordered = sorted(sizes, key=lambda size: (-sizes[size], size))
    height, width = ordered[0]
    form = Shape(height=height, width=width, channels=1 if grey else 3)
    return form, (_mixed(ordered, sizes, examples),) if len(ordered) > 1 else ()


def _mixed(
    ordered: list[tuple[int, int]], sizes: Counter[tuple[int, int]], examples: dict[tuple[int, int], str]
) -> Finding:
    told = [f"{h}x{w} ({sizes[h, w]} images, such as {examples[h, w]})" for h, w in ordered[:5]]
    more = f" and {len(ordered) - 5} other sizes" if len(ordered) > 5 else ""
    height, width = ordered[0]
    return Finding(
        "error",
        "mixed_shapes",
        f"images have {len(ordered)} sizes, HEIGHTxWIDTH: {', '.join(told)}{more};"
        f" --resize {height}x{width} brings all to one",
    )
