"""Raw image rows from a file for prediction: CSV, NPZ, NPY, an image, or a folder of images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from distillery.data.form import Shape
from distillery.data.readers.pictures import OtherSize, Unreadable, decode, quiet
from distillery.errors import DataError
from distillery.raw_arrays import read_array

IMAGES = (".png", ".jpg", ".jpeg", ".bmp")


def read_images(source: Path, shape: tuple[int, ...]) -> tuple[list[str], NDArray[np.uint8]]:
    """The names of N rows, and the rows (N, H, W, C) for a `shape` of (H, W, C).

    Raises DataError naming the file, the row and what the model takes instead.
    """
    if source.is_dir():
        files = sorted(file for file in source.iterdir() if file.suffix.lower() in IMAGES)
        return [file.name for file in files], np.array([_image(file, shape) for file in files], np.uint8)
    if not source.is_file():
        raise DataError(f"{source} is not there: name a CSV, an NPZ, an image or a folder of images")
    match source.suffix.lower():
        case ".csv":
            rows = _csv(source, shape)
        case ".npz" | ".npy":
            rows = _arrays(source, shape)
        case suffix if suffix in IMAGES:
            return [source.name], _image(source, shape)[None]
        case suffix:
            kinds = ", ".join((".csv", ".npz", ".npy", *IMAGES))
            raise DataError(f"{source}: {suffix or 'a file without suffix'} is not read here; use {kinds}")
    return [str(number) for number in range(len(rows))], rows


def _csv(file: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """One row a line, pixels in the order height, width, channel; a header and a `label` column are fine."""
    try:
        with file.open(encoding="utf-8") as lines:
            first = lines.readline().replace('"', "").strip().split(",")
        header = None if all(_is_number(cell) for cell in first) else 0
        table = pd.read_csv(file, header=header).drop(columns="label", errors="ignore")
    except (ValueError, OSError) as error:
        raise DataError(f"{file} is not a readable CSV: {error}") from None
    if not isinstance(table.index, pd.RangeIndex):  # pandas took the first cells for row names
        raise DataError(f"{file}: its rows have more cells than its header has names")
    if table.shape[1] != np.prod(shape):
        raise DataError(
            f"{file} has {table.shape[1]} columns; the model takes {np.prod(shape)}, {shape} a row"
        )
    numbers = table.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    return _as_bytes(numbers.reshape(-1, *shape), file)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _arrays(file: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    array = read_array(file)
    if array.ndim == len(shape) and shape[-1] == 1:
        array = array[..., None]  # (N, H, W): grey images without a channel
    if array.shape[1:] != shape or array.dtype.kind not in "uif":
        takes = f"uint8 (N, {', '.join(map(str, shape))})"
        raise DataError(f"{file} holds {array.dtype} {array.shape}; the model takes {takes}")
    return _as_bytes(array, file)


def _as_bytes(numbers: NDArray[np.generic], file: Path) -> NDArray[np.uint8]:
    values = np.asarray(numbers, np.float64)
    wrong = ~((values >= 0) & (values <= 255) & (values == np.rint(values)))
    if wrong.any():
        row = int(np.argwhere(wrong)[0][0])
        raise DataError(f"{file} row {row}: values must be whole numbers from 0 to 255, as the raw rows have")
    return values.astype(np.uint8)


def _image(file: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """An image file, decoded as an import decodes it."""
    height, width, channels = shape
    if channels not in (1, 3):
        raise DataError(f"{file} is an image, and the model takes {channels} channels: use an .npy or .npz")
    try:
        with quiet():
            form = Shape(height=height, width=width, channels=channels)
            return decode(file.read_bytes(), form, resized=False)
    except OtherSize as fault:
        raise DataError(f"{file}: {fault} (HEIGHTxWIDTH), which the model takes: resize it") from None
    except (Unreadable, OSError) as fault:
        raise DataError(f"{file} is not a readable image: {fault}") from None
