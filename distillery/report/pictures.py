"""Rows as a person can look at them: images and curves as PNG inside the page, others by name and value."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from distillery.data.form import PADDING, Column, Series, Shape, Table, Tokens
from distillery.data.rows import Rows, row_names

LARGEST = 96  # pixels of a side
MOST_COLUMNS = 12
MOST_TOKENS = 40


@dataclass(frozen=True)
class Seen:
    """A row to look at: `picture` is a data URI, or `cells` are names and values."""

    row_id: str
    picture: str | None
    cells: tuple[tuple[str, str], ...]


def look_at(rows: Rows, position: int) -> Seen:
    """The row at a position of the prepared rows."""
    (name,) = row_names(np.asarray(rows.row_ids[position : position + 1]))
    features = np.asarray(rows.features[position])
    match rows.form:
        case Shape():
            return Seen(name, _picture(features), ())
        case Table(columns=columns):
            shown = zip(columns[:MOST_COLUMNS], features.tolist(), strict=False)
            return Seen(name, None, tuple((column.name, _cell(column, value)) for column, value in shown))
        case Series():
            return Seen(name, _curves(features), ())
        case Tokens():
            ids = [str(token) for token in features.tolist() if token != PADDING]
            more = "..." if len(ids) > MOST_TOKENS else ""
            return Seen(name, None, (("tokens", " ".join(ids[:MOST_TOKENS]) + more),))


def _picture(pixels: NDArray[np.generic]) -> str:
    """(H, W, C) as a PNG, its brightest value white: scans of 17 greys would be black otherwise."""
    stretched = np.asarray(pixels, np.float64) * (255 / max(1, int(pixels.max())))
    channels = pixels.shape[2]
    seen = stretched.round().astype(np.uint8)
    image = Image.fromarray(seen[:, :, :3] if channels >= 3 else seen[:, :, 0])
    image.thumbnail((LARGEST, LARGEST))
    return _as_data(image)


def _curves(series: NDArray[np.generic]) -> str:
    """(L, C) as a PNG: a line a channel, all on one scale."""
    numbers = np.asarray(series, np.float64)
    span = max(float(np.ptp(numbers)), np.finfo(np.float64).tiny)
    heights = (numbers.max() - numbers) / span * (LARGEST - 1)
    across = np.linspace(0, LARGEST - 1, len(numbers))
    image = Image.new("L", (LARGEST, LARGEST), 255)
    for channel in range(numbers.shape[1]):
        grey = 160 * channel // numbers.shape[1]
        points = np.stack([across, heights[:, channel]], axis=1).ravel().tolist()
        ImageDraw.Draw(image).line(points, fill=grey)
    return _as_data(image)


def _as_data(image: Image.Image) -> str:
    written = BytesIO()
    image.save(written, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(written.getvalue()).decode()


def _cell(column: Column, value: float) -> str:
    if column.categories is None:
        return "missing" if math.isnan(value) else f"{value:g}"
    return "missing" if value < 0 else column.categories[int(value)]
