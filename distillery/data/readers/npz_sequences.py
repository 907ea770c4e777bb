"""Sequences in NPZ archives: `series` of numbers, (N, L) or (N, L, C), and `tokens`, ids (N, L).

A float array (N, L, C) is a series too, unless it is called images: those must be uint8.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillery.data.chunks import Finding, TokenIds
from distillery.data.form import PADDING, Series, in_words
from distillery.data.readers.npz_array import NpzArray

SERIES, TOKENS, IMAGES = "series", "tokens", "images"
MOST_TOKENS = 1 << 20  # more are no vocabulary


def sequence_kind(array: NpzArray) -> Series | TokenIds | None:
    """What sequences an array holds; None: none."""
    name, shape = array.name.lower(), array.shape
    if 0 in shape[1:]:
        return None  # which is refused by itself
    if TOKENS in name:
        return TokenIds(shape[1]) if len(shape) == 2 else None
    if SERIES in name and len(shape) == 2:
        return Series(length=shape[1], channels=1)
    if len(shape) == 3 and (SERIES in name or (array.dtype.kind == "f" and IMAGES not in name)):
        return Series(length=shape[1], channels=shape[2])
    return None


def guessed(array: NpzArray) -> Iterator[Finding]:
    """A warning where floats are taken for series that may have been images."""
    kind = sequence_kind(array)
    if isinstance(kind, Series) and SERIES not in array.name.lower():
        message = (
            f"{array.file.name}: {array.name} is read as {in_words(kind)}; call it {SERIES} if it is, "
            "and save images as uint8"
        )
        yield Finding("warning", "series", message)


def sequence_fault(array: NpzArray) -> str | None:
    """What is wrong with an array that is called series or tokens."""
    name, shape, dtype = array.name.lower(), array.shape, array.dtype
    if TOKENS in name and (len(shape) != 2 or dtype.kind not in "iu"):
        return (
            f"is {dtype} {shape}: tokens must be whole numbers (N, L), the ids of words, {PADDING} for none"
        )
    if SERIES in name and (len(shape) not in (2, 3) or dtype.kind not in "iuf"):
        return f"is {dtype} {shape}: series must be numbers (N, L) or (N, L, C)"
    return None


def sequences(
    kind: Series | TokenIds, block: NDArray[Any], place: Callable[[int], str]
) -> tuple[NDArray[np.float32 | np.int32], tuple[Finding, ...]]:
    """A block of an archive's rows as (B, L, C) or ids (B, L), and each row that cannot be used."""
    match kind:
        case Series():
            with np.errstate(over="ignore"):
                numbers = block.reshape(-1, kind.length, kind.channels).astype(np.float32)
            return numbers, tuple(_infinite(numbers, place))
        case TokenIds():
            wrong = (block < 0) | (block >= MOST_TOKENS)
            ids = np.where(wrong, PADDING, block).astype(np.int32)
            return ids, tuple(_no_ids(block, wrong, place))


def _infinite(numbers: NDArray[np.float32], place: Callable[[int], str]) -> Iterator[Finding]:
    for row in np.flatnonzero(~np.isfinite(numbers).all(axis=(1, 2))).tolist():
        step = int(np.argwhere(~np.isfinite(numbers[row]))[0][0])
        message = f"{place(row)}: step {step} is no finite number, or beyond what 32-bit floats hold; mend it"
        yield Finding("error", "nan_or_inf", message)


def _no_ids(block: NDArray[Any], wrong: NDArray[np.bool_], place: Callable[[int], str]) -> Iterator[Finding]:
    for row in np.flatnonzero(wrong.any(axis=1)).tolist():
        step = int(np.flatnonzero(wrong[row])[0])
        message = f"{place(row)}: step {step} is {block[row, step]}; ids are from 0 to {MOST_TOKENS - 1}"
        yield Finding("error", "no_token", message)
