"""What no honest source needs: more than this is refused before memory or time is spent on it."""

from __future__ import annotations

from distillery.errors import DataError

MOST_PIXELS = 1 << 26  # of one image: 64 million
MOST_UNPACKED = 256 << 20  # bytes that may unpack from however few
MOST_RATIO = 200  # beyond that, so many times the packed bytes; deflate itself ends at 1,032
MOST_ROW_BYTES = 256 << 20  # of one row, as it lies in its file


def refuse_bomb(name: str, packed: int, unpacked: int, remedy: str) -> None:
    """DataError where `packed` bytes say that they unpack to absurdly many."""
    if unpacked > max(MOST_UNPACKED, MOST_RATIO * packed):
        raise DataError(
            f"{name} says that its {packed:,} bytes unpack to {unpacked:,}: more than {MOST_RATIO} times and"
            f" more than {MOST_UNPACKED >> 20} MiB is taken for a bomb; {remedy}"
        )


def refuse_large_row(name: str, row_bytes: int) -> None:
    """DataError where one row alone would fill the memory."""
    if row_bytes > MOST_ROW_BYTES:
        raise DataError(
            f"{name} says that one row takes {row_bytes:,} bytes: at most {MOST_ROW_BYTES:,} are read"
        )
