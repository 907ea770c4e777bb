"""What the tests of readers share: a source read to its end, or the words it is refused with."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from distillery.data.chunks import Chunk, Encoded, Reader
from distillery.data.form import Shape
from distillery.data.readers.recognise import open_source
from distillery.errors import DataError


def spell(encoded: Encoded) -> list[str | None]:
    """The name of every row."""
    assert encoded.codes.dtype == np.int32
    assert len(set(encoded.names)) == len(encoded.names)
    return [None if code < 0 else encoded.names[code] for code in encoded.codes.tolist()]


@dataclass
class Read:
    """All that a reader said."""

    reader: Reader
    chunks: list[Chunk]

    def __post_init__(self):
        for chunk in self.chunks:
            self._check(chunk)
        assert self.reader.files == tuple(sorted(self.reader.files))
        assert all(file.is_file() for file in self.reader.files)

    def _check(self, chunk):
        """What every chunk promises."""
        rows, form = len(chunk.labels.codes), self.reader.form
        if isinstance(form, Shape):
            assert chunk.features.shape == (rows, form.height, form.width, form.channels)
            assert chunk.features.dtype == np.uint8
        else:
            kinds = [not isinstance(column, Encoded) for column in chunk.features]
            assert tuple(kinds) == form.numeric
            for column in chunk.features:
                values = column.codes if isinstance(column, Encoded) else column
                assert values.shape == (rows,)
                assert values.dtype == (np.int32 if isinstance(column, Encoded) else np.float32)
        assert all(chunk.place(row) for row in range(rows))

    @property
    def labels(self):
        return [name for chunk in self.chunks for name in spell(chunk.labels)]

    @property
    def tested(self):
        return [chunk.tested for chunk in self.chunks for _ in chunk.labels.codes]

    @property
    def places(self):
        return [chunk.place(row) for chunk in self.chunks for row in range(len(chunk.labels.codes))]

    @property
    def findings(self):
        return [finding for chunk in self.chunks for finding in chunk.findings]

    @property
    def codes(self):
        """Severity and code of every finding."""
        return [(finding.severity, finding.code) for finding in self.findings]

    @property
    def images(self):
        return np.concatenate([chunk.features for chunk in self.chunks])

    def column(self, name):
        """The values of a column: numbers, or names."""
        at = self.reader.form.names.index(name)
        columns = [chunk.features[at] for chunk in self.chunks]
        if self.reader.form.numeric[at]:
            return np.concatenate(columns).tolist()
        return [value for column in columns for value in spell(column)]


@pytest.fixture(scope="session")
def read():
    """Open a source and read it to its end, twice: the second time must say the same."""

    def all_of(path, **wanted):
        reader = open_source(path, **wanted)
        once, again = Read(reader, list(reader.chunks())), Read(reader, list(reader.chunks()))
        assert once.labels == again.labels
        assert once.findings == again.findings
        return once

    return all_of


@pytest.fixture(scope="session")
def refused():
    """The words with which a source is refused, at once or farther on."""

    def words(path, **wanted):
        with pytest.raises(DataError) as caught:
            list(open_source(path, **wanted).chunks())
        return str(caught.value)

    return words


@pytest.fixture(scope="session")
def png():
    """An array as the bytes of a PNG, or of another format."""

    def encoded(array, form="PNG", **options):
        stream = io.BytesIO()
        Image.fromarray(np.asarray(array, np.uint8)).save(stream, form, **options)
        return stream.getvalue()

    return encoded


@pytest.fixture(scope="session")
def idx():
    """An array as the bytes of an IDX file."""

    def encoded(array):
        head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
        return head + array.astype(np.uint8).tobytes()

    return encoded


@pytest.fixture(scope="session")
def scans():
    """Grey images (N, height, width), all different."""

    def some(count, height=3, width=2):
        return (np.arange(count * height * width) % 251).reshape(count, height, width).astype(np.uint8)

    return some


@pytest.fixture
def mnist(tmp_path, idx, scans):
    """A small MNIST-layout folder: six train and four test rows of three classes."""
    folder = tmp_path / "mnist"
    folder.mkdir()
    (folder / "train-images-idx3-ubyte").write_bytes(idx(scans(6)))
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(np.array([0, 1, 2, 0, 1, 2])))
    (folder / "t10k-images-idx3-ubyte").write_bytes(idx(scans(4)))
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx(np.array([2, 1, 0, 0])))
    return folder
