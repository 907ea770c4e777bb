"""Any supported source as a reader, recognised by what is in it and not by how it is called."""

from __future__ import annotations

from pathlib import Path

from distillery.data.chunks import ColumnNames, Reader, describe
from distillery.data.form import Shape, Table
from distillery.data.readers.cifar import open_cifar
from distillery.data.readers.csv_table import open_csv
from distillery.data.readers.idx import open_idx, parts_there
from distillery.data.readers.images import open_images
from distillery.data.readers.limits import MOST_PIXELS
from distillery.data.readers.listing import Held, look_into
from distillery.data.readers.magic import ACCEPTED, kind_of_file, refuse
from distillery.data.readers.npz import open_npz
from distillery.data.readers.parquet import open_parquet
from distillery.data.readers.resized import ResizedReader
from distillery.data.readers.several import as_shards
from distillery.errors import DataError

WITH_COLUMNS = ("parquet", "csv")


def open_source(
    path: Path,
    *,
    label: str | None = None,
    resize: tuple[int, int] | None = None,
    known: Table | None = None,
) -> Reader:
    """The reader of a file or folder, wherever it lies; nothing in it may lead out of it.

    `label` names the column of labels, `resize` is (height, width) for images, and `known` is the table
    that the rows will be added to: its columns say which hold numbers. Raises DataError with what is wrong
    and what is accepted.
    """
    if resize is not None and not (min(resize) > 0 and resize[0] * resize[1] <= MOST_PIXELS):
        raise DataError(
            f"--resize {resize[0]}x{resize[1]} must be above 0, and at most {MOST_PIXELS:,} pixels"
        )
    try:
        held = _look_at(path)
    except (OSError, ValueError) as error:  # a name that no file can have
        raise DataError(f"{str(path)!r} cannot be read: {error}") from None
    if label is not None and held.kind not in WITH_COLUMNS:
        raise DataError(f"{path} has no columns ({held.kind}), so --label {label} says nothing: leave it out")
    return _fit(_open(path, held, label, resize, known), path, resize, known)


def _look_at(path: Path) -> Held:
    """What there is. Raises DataError where it is nothing that is read."""
    if path.is_dir():
        return look_into(path)
    if not path.is_file():
        raise DataError(f"{path} is {'neither a file nor a folder' if path.exists() else 'not there'}")
    match kind := kind_of_file(path):
        case None:
            raise refuse(path)
        case "image":
            raise DataError(f"{path} is one image, without a label; {ACCEPTED}")
        case "idx":
            raise DataError(f"{path} is one IDX file: name the folder that has the images and the labels")
    return Held(kind, (path,), ())


def _open(
    path: Path, held: Held, label: str | None, resize: tuple[int, int] | None, known: Table | None
) -> Reader:
    shards, where = as_shards(held.files), str(path)
    match held.kind:
        case "idx":
            return open_idx(path, parts_there(path))
        case "cifar":
            return open_cifar(path)
        case "images":
            return open_images(path, held.folders, resize)
        case "npz":
            return open_npz(shards, where, known)
        case "parquet":
            return open_parquet(shards, where, label, resize, known)
        case "csv":
            return open_csv(shards, where, label, known)


def _fit(reader: Reader, path: Path, resize: tuple[int, int] | None, known: Table | None) -> Reader:
    """Refuse what makes no sense for its rows, and resize those of arrays."""
    form = reader.form
    if known is not None and not isinstance(form, ColumnNames):
        what = "images" if isinstance(form, Shape) else describe(form)
        raise DataError(f"{path} has {what}, and the data set is a table")
    if not isinstance(form, Shape):
        if resize is not None:
            what = "a table" if isinstance(form, ColumnNames) else "of sequences"
            raise DataError(f"{path} is {what}, so --resize says nothing: leave it out")
        return reader
    if resize is None or resize == (form.height, form.width):
        return reader
    height, width = resize
    return ResizedReader(reader, form.model_copy(update={"height": height, "width": width}))
