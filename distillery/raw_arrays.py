"""One array from an .npy or .npz file, for prediction. Nothing is ever unpickled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from distillery.errors import DataError
from distillery.tensors import INPUT


def read_array(file: Path) -> NDArray[Any]:
    """An .npy array, or the only one of an .npz, or that named `input`; DataError where there is none."""
    try:
        return open_memmap(file, mode="r") if file.suffix.lower() == ".npy" else _member(file)
    except Exception as error:  # broken bytes make zipfile, zlib and numpy's parser raise nearly anything
        raise DataError(f"{file}: no readable array `input`: {error}; pickled arrays are refused") from None


def _member(file: Path) -> NDArray[np.generic]:
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
        name = INPUT if INPUT in archive.files or len(archive.files) != 1 else archive.files[0]
        array = archive[name]
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name} is no array")
    return array
