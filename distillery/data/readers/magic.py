"""What a file is, by its first bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from distillery.errors import DataError

Kind = Literal["parquet", "csv", "npz", "image", "idx"]
HEAD = 4096

MAGIC: tuple[tuple[bytes, Kind], ...] = (
    (b"PAR1", "parquet"),
    (b"PK\x03\x04", "npz"),
    (b"PK\x05\x06", "npz"),  # an archive without members
    (b"\x89PNG\r\n\x1a\n", "image"),
    (b"\xff\xd8\xff", "image"),  # JPEG
    (b"BM", "image"),
    (b"\0\0\x08\x01", "idx"),
    (b"\0\0\x08\x03", "idx"),
)
KNOWN_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "is packed with gzip: unpack it first"),
    (b"BZh", "is packed with bzip2: unpack it first"),
    (b"\xfd7zXZ", "is packed with xz: unpack it first"),
    (b"\x28\xb5\x2f\xfd", "is packed with zstd: unpack it first"),
    (b"7z\xbc\xaf", "is a 7z archive: unpack it first"),
    (b"\x93NUMPY", "is one array: save features and labels together with numpy.savez"),
    (b"\x89HDF", "is HDF5: save its arrays with numpy.savez, or its table as Parquet"),
    (b"ARROW1", "is an Arrow file: save its table as Parquet"),
    (b"PARE", "is encrypted Parquet: save it without encryption"),
    (b"GIF8", "is a GIF image: only PNG, JPEG and BMP are read"),
    (b"RIFF", "is a RIFF file (WebP?): only PNG, JPEG and BMP images are read"),
    (b"II*\0", "is a TIFF image: only PNG, JPEG and BMP are read"),
    (b"MM\0*", "is a TIFF image: only PNG, JPEG and BMP are read"),
    (b"\x80", "looks like a pickle, which can run code when it is read: save arrays with numpy.savez"),
)
ACCEPTED = (
    "accepted are: an MNIST-layout (IDX) folder, a folder of CIFAR binary files, a folder with a folder of"
    " PNG, JPEG or BMP images for each class (or such folders under train/ and test/), NPZ, Parquet and CSV"
    " files, or a folder of such files of one kind"
)
CSV_SUFFIXES = frozenset({".csv", ".tsv"})
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
NOT_TEXT = frozenset(range(32)) - frozenset(b"\t\n\v\f\r")


def read_head(file: Path) -> bytes:
    """The first bytes; DataError where the file cannot be read."""
    try:
        with file.open("rb") as stream:
            return stream.read(HEAD)
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}") from None


def kind_of_file(file: Path) -> Kind | None:
    """What a file is; None for nothing that is read. A CSV file is any text, or what has its suffix."""
    head = read_head(file)
    if is_text(head) or head.startswith(UTF_16):
        return "csv"
    found = next((kind for magic, kind in MAGIC if head.startswith(magic) and _is_whole(head)), None)
    return found or ("csv" if file.suffix.lower() in CSV_SUFFIXES else None)


def is_text(head: bytes) -> bool:
    """Whether there is something, and no byte that text never has."""
    return bool(head) and NOT_TEXT.isdisjoint(head)


def _is_whole(head: bytes) -> bool:
    """Two letters are not much: a BMP has zeros where its header reserves room."""
    return not head.startswith(b"BM") or head[6:10] == bytes(4)


def refuse(file: Path) -> DataError:
    """Why a file that is nothing that is read is refused."""
    head = read_head(file)
    if not head:
        return DataError(f"{file} is empty: it has 0 bytes; fetch it again")
    if head[257:262] == b"ustar":
        return DataError(f"{file} is a tar archive: unpack it first")
    reason = next((reason for magic, reason in KNOWN_OTHERS if head.startswith(magic)), None)
    return DataError(f"{file} {reason}" if reason else f"{file} has an unknown format; {ACCEPTED}")
