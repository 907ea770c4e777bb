"""Encoded images for prediction: files, or a column of a Parquet file; decoded as an import decodes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distillery.data.form import Shape
from distillery.data.readers.parquet_file import open_parquet_file
from distillery.data.readers.parquet_images import PictureColumn
from distillery.data.readers.pictures import OtherSize, Unreadable, decode, quiet
from distillery.data.readers.several import Shard
from distillery.errors import DataError
from distillery.raw_arrays import Row, at_once
from distillery.raw_rows import Faults, RawBatch, RawRows, in_chunks
from distillery.tensors import INPUT

IMAGES = (".png", ".jpg", ".jpeg", ".bmp")
Encoded = tuple[str, Path | bytes | None]  # what it is called, and where its bytes are


def open_pictures(source: Path, row: Row) -> RawRows:
    """An image, or those of a folder in the order of their names, each called by its file."""
    files = [source]
    if source.is_dir():
        files = sorted(file for file in source.iterdir() if file.suffix.lower() in IMAGES)
        if not files:
            raise DataError(
                f"{source} holds no images ({', '.join(IMAGES)}) itself, and folders in it are not read: "
                "name each of them"
            )
    return RawRows(_decoded(source, ((file.name, file) for file in files), row), len(files))


def open_parquet_pictures(file: Path, row: Row) -> RawRows:
    """The only column of encoded images, each called by its row's number."""
    opened = open_parquet_file(Shard(file, tested=False))
    columns = [name for name, kind in opened.kinds.items() if kind == "picture"]
    if len(columns) != 1:
        raise DataError(f"{file} has {len(columns)} columns of images, and the model takes exactly one")
    pictures = (
        (str(first + at), picture.as_py())
        for first, _, some in PictureColumn(columns[0], columns[0]).pictures(opened, columns)
        for at, picture in enumerate(some)
    )
    return RawRows(_decoded(file, pictures, row), opened.rows)


def _decoded(source: Path, encoded: Iterable[Encoded], row: Row) -> Iterator[RawBatch]:
    """Batches of images. DataError with every one that cannot be read; no batch follows such a one."""
    height, width, channels = row
    if channels not in (1, 3):
        raise DataError(f"{source} has images, and the model takes {channels} channels: use an .npy or .npz")
    form = Shape(height=height, width=width, channels=channels)
    faults = Faults(f"{source} has images that the model cannot take")
    for _, chunk in in_chunks(encoded, at_once(row)):
        with quiet():
            images = [_image(name, given, form, faults) for name, given in chunk]
        if not faults:
            pixels = np.stack([image for image in images if image is not None])
            yield RawBatch([name for name, _ in chunk], {INPUT: pixels})
    faults.refuse()


def _image(name: str, given: Path | bytes | None, form: Shape, faults: Faults) -> NDArray[np.uint8] | None:
    try:
        content = given.read_bytes() if isinstance(given, Path) else given
        if not content:
            raise Unreadable("there are no bytes")
        return decode(content, form, resized=False)
    except OtherSize as fault:
        faults.add(f"{name}: {fault} (HEIGHTxWIDTH), which the model takes: resize it")
    except (Unreadable, OSError) as fault:
        faults.add(f"{name} is not a readable image: {fault}")
    return None
