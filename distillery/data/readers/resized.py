"""Images of any reader, brought to another size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from distillery.data.chunks import Chunk, Reader
from distillery.data.form import Shape


@dataclass(frozen=True)
class ResizedReader:
    """The rows of `inner` with height and width as in `form`; bilinear, as for image files."""

    inner: Reader
    form: Shape

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that is read."""
        return self.inner.files

    @property
    def format(self) -> str:
        """That of the inner reader."""
        return self.inner.format

    def chunks(self) -> Iterator[Chunk]:
        """All rows, each channel resized by itself."""
        for chunk in self.inner.chunks():
            if isinstance(chunk.features, np.ndarray):
                yield replace(chunk, features=self._resize(chunk.features.astype(np.uint8, copy=False)))

    def _resize(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        resized = np.empty((len(images), self.form.height, self.form.width, self.form.channels), np.uint8)
        for row, image in enumerate(images):
            for channel in range(self.form.channels):
                plane = Image.fromarray(image[..., channel])
                size = (self.form.width, self.form.height)
                resized[row, ..., channel] = np.asarray(plane.resize(size, Image.Resampling.BILINEAR))
        return resized
