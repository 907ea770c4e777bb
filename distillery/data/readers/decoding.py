"""Batches of encoded images become chunks, decoded by a few threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from distillery.data.chunks import CHUNK_BYTES, Chunk, Encoded, Finding
from distillery.data.form import Shape
from distillery.data.readers.pictures import Look, OtherSize, Unreadable, decode, quiet, survey
from distillery.errors import DataError

THREADS = 2  # Pillow lets go of the interpreter only inside its decoders: more gain nothing
SLICE = 32  # images that a thread takes at once
MOST_SHOWN = 20


@dataclass(frozen=True)
class Batch:
    """B images that are not decoded yet: a callable each gives the encoded bytes, or raises Unreadable."""

    pictures: Sequence[Callable[[], bytes]]
    labels: Encoded
    tested: bool
    place: Callable[[int], str]
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Decoder:
    """What all images of a source are brought to, and what its headers showed."""

    form: Shape
    resized: bool
    findings: tuple[Finding, ...] = ()  # said once, before all others
    mixed: bool = False  # they say that sizes differ: not said again for every image

    @property
    def rows(self) -> int:
        """How many decoded images make a chunk."""
        return max(1, CHUNK_BYTES // (self.form.height * self.form.width * self.form.channels))

    def chunks(self, batches: Iterable[Batch]) -> Iterator[Chunk]:
        """A chunk for each batch. An image that cannot be read is left out and is a finding."""
        first = self.findings
        with ThreadPoolExecutor(THREADS) as pool:
            for batch in batches:
                slices = [batch.pictures[at : at + SLICE] for at in range(0, len(batch.pictures), SLICE)]
                with quiet():
                    decoded = list(chain.from_iterable(pool.map(self._decode, slices)))
                yield self._chunk(batch, decoded, first)
                first = ()

    def _decode(self, pictures: Sequence[Callable[[], bytes]]) -> list[NDArray[np.uint8] | Unreadable]:
        return [self._decode_one(picture) for picture in pictures]

    def _decode_one(self, picture: Callable[[], bytes]) -> NDArray[np.uint8] | Unreadable:
        try:
            return decode(picture(), self.form, resized=self.resized)
        except Unreadable as fault:
            return fault

    def _chunk(
        self, batch: Batch, decoded: list[NDArray[np.uint8] | Unreadable], first: tuple[Finding, ...]
    ) -> Chunk:
        images = {at: image for at, image in enumerate(decoded) if isinstance(image, np.ndarray)}
        kept = list(images)
        faults = tuple(
            unreadable(batch.place(at), image)
            for at, image in enumerate(decoded)
            if isinstance(image, Unreadable) and not (self.mixed and isinstance(image, OtherSize))
        )
        features = np.empty((len(kept), self.form.height, self.form.width, self.form.channels), np.uint8)
        for row, image in enumerate(images.values()):
            features[row] = image
        labels = Encoded(batch.labels.codes[kept], batch.labels.names)
        return Chunk(
            features, labels, batch.tested, _Kept(batch.place, kept), first + batch.findings + faults
        )


@dataclass(frozen=True)
class _Kept:
    """Where the rows stand that were not left out."""

    place: Callable[[int], str]
    kept: Sequence[int]

    def __call__(self, row: int) -> str:
        return self.place(self.kept[row])


def unreadable(place: str, fault: Unreadable) -> Finding:
    """An image that cannot be read, as a finding."""
    return Finding(
        "error", "unreadable", f"{place} cannot be read as an image: {fault}; fetch it again, or take it out"
    )


def plan_decoder(
    where: str,
    looks: Iterable[tuple[str, Look | Unreadable]],
    resize: tuple[int, int] | None,
    findings: tuple[Finding, ...] = (),
) -> Decoder:
    """What the headers of all images ask for. Raises DataError where none of them can be read.

    `looks` gives the place of each image and what stands there; `resize` is (height, width).
    """
    faults: list[str] = []
    with quiet():
        form, mixed = survey(_readable(looks, faults))
    if form is None:
        shown = faults[:MOST_SHOWN]
        more = [f"... and {len(faults) - len(shown)} more"] if len(faults) > len(shown) else []
        raise DataError(f"{where} has no image that can be read", [*shown, *more])
    if resize is None:
        return Decoder(form, False, findings + mixed, bool(mixed))
    return Decoder(form.model_copy(update={"height": resize[0], "width": resize[1]}), True, findings)


def _readable(
    looks: Iterable[tuple[str, Look | Unreadable]], faults: list[str]
) -> Iterator[tuple[str, Look]]:
    for place, look in looks:
        if isinstance(look, Look):
            yield place, look
        else:
            faults.append(f"{place} cannot be read as an image: {look}")
