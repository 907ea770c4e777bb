"""Columns of Arrow as numbers or as names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from distillery.data.chunks import Encoded

# What Arrow parses as a number; infinity is one, so that it is told by its row and the column is not text.
NUMBER = r"^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[iI][nN][fF](?:[iI][nN][iI][tT][yY])?|[nN][aA][nN])$"
MISSING = ("", "NA", "NaN", "nan", "null", "NULL")  # as cells of a CSV
WHOLE = 2.0**63  # floats up to here are written as whole numbers where they are such


def is_text(kind: pa.DataType) -> bool:
    """Whether values are text, or a dictionary of text."""
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(
        pa.types.is_string(value) or pa.types.is_large_string(value) or pa.types.is_string_view(value)
    )


def are_numbers(text: pa.Array) -> bool:
    """Whether all of some text that is not null is numbers."""
    try:
        pc.cast(text, pa.float64())
    except pa.ArrowInvalid:
        return False
    return True


def cells(text: pa.Array) -> pa.Array:
    """What the cells of a CSV hold: white space around it does not count; null where it says nothing."""
    trimmed = pc.utf8_trim_whitespace(text)
    return pc.if_else(pc.is_in(trimmed, pa.array(MISSING)), None, trimmed)


def to_numbers(values: pa.Array) -> tuple[NDArray[np.float32], dict[int, str]]:
    """float32 (B,), NaN where there is no value; and text that is no number, by its row, which is NaN too.

    What float32 does not hold is infinite.
    """
    wrong: dict[int, str] = {}
    if is_text(values.type):
        values, wrong = parse_numbers(values)
    numbers: NDArray[np.float32] = pc.cast(values, pa.float32(), safe=False).to_numpy(zero_copy_only=False)
    return numbers.astype(np.float32, copy=False), wrong


def parse_numbers(text: pa.Array) -> tuple[pa.Array, dict[int, str]]:
    """Text as float64, empty as null; and what is no number, by its row, which is null too."""
    plain = text.dictionary_decode() if pa.types.is_dictionary(text.type) else _usual(text)
    trimmed = pc.utf8_trim_whitespace(plain)
    full = pc.if_else(pc.equal(trimmed, ""), None, trimmed)
    if are_numbers(full):
        return pc.cast(full, pa.float64()), {}
    good = pc.match_substring_regex(full, NUMBER)
    rows = np.flatnonzero(pc.fill_null(pc.invert(good), False).to_numpy(zero_copy_only=False))
    wrong = dict(zip(rows.tolist(), full.take(pa.array(rows)).to_pylist(), strict=True))
    return pc.cast(pc.if_else(good, full, None), pa.float64()), wrong


def encode(values: pa.Array) -> Encoded:
    """Values as names: text as it is, whole numbers by their digits. Null, NaN and empty text have none.

    Only names that some row has are listed.
    """
    coded = values if pa.types.is_dictionary(values.type) else pc.dictionary_encode(_usual(values))
    indices = pc.fill_null(pc.cast(coded.indices, pa.int64()), -1).to_numpy(zero_copy_only=False)
    used, inverse = np.unique(indices, return_inverse=True)
    entries = coded.dictionary.take(pa.array(used[used >= 0]))
    texts = [None] * int((used < 0).sum()) + [_name(value) for value in entries.to_pylist()]
    places: dict[str, int] = {}
    codes = [-1 if not text else places.setdefault(text, len(places)) for text in texts]
    return Encoded(np.array(codes, np.int32)[inverse], tuple(places))


def _usual(values: pa.Array) -> pa.Array:
    """Most of what Arrow computes, it does not on these two types."""
    if pa.types.is_float16(values.type):
        return pc.cast(values, pa.float32())
    return pc.cast(values, pa.string()) if pa.types.is_string_view(values.type) else values


def _name(value: Any) -> str | None:
    """The name of one value, None for none. A whole number is written alike whatever type it came as."""
    match value:
        case bool():
            return "true" if value else "false"
        case None | str():
            return value
        case int():
            return str(value)
    number = float(value)  # a float or a decimal
    if np.isnan(number):
        return None
    whole = abs(number) < WHOLE and number.is_integer()
    return str(int(number)) if whole else str(value)
