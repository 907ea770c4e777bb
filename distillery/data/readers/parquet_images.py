"""Parquet files with a column of encoded images."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from distillery.data.chunks import CHUNK_BYTES, Chunk, Encoded, Finding
from distillery.data.form import Shape
from distillery.data.readers.decoding import Batch, Decoder, plan_decoder
from distillery.data.readers.labels import Place, call
from distillery.data.readers.parquet_file import ParquetFile
from distillery.data.readers.pictures import Look, Unreadable, look_at
from distillery.data.readers.tables import refuse_many_classes
from distillery.data.readers.values import encode

MOST_ROWS = 4096  # of a batch


@dataclass(frozen=True)
class PictureColumn:
    """Which columns hold the images and their classes."""

    image: str
    label: str

    def pictures(
        self, file: ParquetFile, columns: Sequence[str]
    ) -> Iterator[tuple[int, pa.RecordBatch, pa.Array]]:
        """Row, batch and encoded images (null where there is none) of all of a file."""
        inner = pa.types.is_struct(file.schema.field(self.image).type)
        path = f"{self.image}.bytes" if inner else self.image
        average = file.unpacked // max(1, file.rows)
        rows = max(1, min(MOST_ROWS, CHUNK_BYTES // max(1, average)))
        for first, batch in file.batches(columns, rows, [path]):
            column = batch.column(self.image)
            yield first, batch, pc.struct_field(column, "bytes") if inner else column


@dataclass(frozen=True)
class ParquetImagesReader:
    """The images of Parquet files of one schema."""

    files: tuple[Path, ...]
    shards: tuple[ParquetFile, ...]
    column: PictureColumn
    decoder: Decoder
    format: str = "parquet"

    @property
    def form(self) -> Shape:
        """What all images are brought to."""
        return self.decoder.form

    def chunks(self) -> Iterator[Chunk]:
        """All images. What cannot be read is left out and is a finding."""
        return self.decoder.chunks(self._batches())

    def _batches(self) -> Iterator[Batch]:
        classes: set[str] = set()
        for shard in self.shards:
            names = shard.class_names(self.column.label)
            for first, batch, pictures in self.column.pictures(shard, [self.column.image, self.column.label]):
                labels = encode(batch.column(self.column.label))
                last = Place(shard.path.name, first)(len(batch) - 1)
                refuse_many_classes(classes, labels, f"{last}: column {self.column.label}")
                for start in range(0, len(pictures), self.decoder.rows):
                    here = slice(start, start + self.decoder.rows)
                    some = Encoded(labels.codes[here], labels.names)
                    place = Place(shard.path.name, first + start)
                    called, findings = call(some, names, place)
                    read = [partial(_embedded, picture) for picture in pictures[here]]
                    yield Batch(read, called, shard.tested, place, findings)


def open_pictures(
    files: tuple[ParquetFile, ...], column: PictureColumn, where: str, resize: tuple[int, int] | None
) -> ParquetImagesReader:
    """The images of some files. Raises DataError where none of them can be read."""
    others = [name for name in files[0].schema.names if name not in (column.image, column.label)]
    findings = tuple(
        Finding("warning", "column", f"column {name} stands beside images: it is passed over")
        for name in others
    )
    decoder = plan_decoder(where, _looks(files, column), resize, findings)
    return ParquetImagesReader(tuple(sorted(file.path for file in files)), files, column, decoder)


def _looks(files: Sequence[ParquetFile], column: PictureColumn) -> Iterator[tuple[str, Look | Unreadable]]:
    for file in files:
        for first, _, pictures in column.pictures(file, [column.image]):
            place = Place(file.path.name, first)
            for row, picture in enumerate(pictures):
                yield place(row), _look(picture)


def _look(picture: pa.Scalar) -> Look | Unreadable:
    try:
        return look_at(io.BytesIO(_embedded(picture)))
    except Unreadable as fault:
        return fault


def _embedded(picture: pa.Scalar) -> bytes:
    """The bytes of an image; raises Unreadable."""
    content: bytes | None = picture.as_py()
    if not content:
        raise Unreadable("there are no bytes (only a path to it?)")
    return content
