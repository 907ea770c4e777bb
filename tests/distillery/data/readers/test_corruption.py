"""Damaged sources of every format through a whole import: data that are whole, or a DataError and nothing."""

from __future__ import annotations

import gzip
import io
import json
import random
import shutil
import warnings

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from distillery.artifacts import written_beside
from distillery.data.canonical import digest_data, read_canonical
from distillery.data.importing import Import, Part, write_data
from distillery.data.readers.recognise import open_source
from distillery.errors import DataError

ROWS, CLASSES = 12, 3
RANDOM = np.random.default_rng(0)
GREY = RANDOM.integers(0, 256, (ROWS, 6, 5), np.uint8)
COLOURS = RANDOM.integers(0, 256, (ROWS, 6, 5, 3), np.uint8)
LABELS = np.arange(ROWS) % CLASSES


def picture(array, form="PNG", mode=None, **options):
    stream = io.BytesIO()
    Image.fromarray(array).convert(mode).save(stream, form, **options)
    return stream.getvalue()


def idx(array):
    head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return head + array.astype(np.uint8).tobytes()


def npz(save, **arrays):
    stream = io.BytesIO()
    save(stream, **arrays)
    return stream.getvalue()


def parquet(table, **options):
    stream = io.BytesIO()
    pq.write_table(table, stream, **options)
    return stream.getvalue()


def mnist():
    plain = {
        f"{part}-{kind}-ubyte": idx(array)
        for part in ("train", "t10k")
        for kind, array in (("images-idx3", GREY), ("labels-idx1", LABELS))
    }
    packed = ("train-labels-idx1-ubyte", "t10k-images-idx3-ubyte")
    return {n: c for n, c in plain.items() if n not in packed} | {
        f"{name}.gz": gzip.compress(plain[name], mtime=0) for name in packed
    }


def cifar():
    records = [bytes([i % 3]) + RANDOM.integers(0, 256, 3072, np.uint8).tobytes() for i in range(5)]
    return {
        "data_batch_1.bin": b"".join(records[:4]),
        "test_batch.bin": records[4],
        "batches.meta.txt": b"a\nb\nc\n",
    }


def image_folder():
    forms = ["JPEG", "BMP", "PNG"]
    files = {f"test/{'ab'[i % 2]}/{i}.img": picture(COLOURS[i], forms[i % 3]) for i in range(6)}
    files |= {f"train/{'ab'[i % 2]}/{i}.png": picture(GREY[i]) for i in range(6)}
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\3\0\0\0\0\0\0"
    return files | {
        "train/a/palette.png": picture(GREY[6], mode="P", transparency=3),
        "train/a/turned.jpg": picture(GREY[7], "JPEG", exif=exif),
        "train/b/clear.png": picture(COLOURS[8], mode="RGBA"),
    }


def table():
    count = 40
    return pa.table(
        {
            "size": RANDOM.normal(size=count),
            "n": pa.array([None if i % 7 == 0 else i for i in range(count)], pa.int32()),
            "half": pa.array(RANDOM.normal(size=count)).cast(pa.float16()),
            "colour": pa.array(["red", "blue", None, "x"] * 10).dictionary_encode(),
            "word": ["p", "q"] * 20,
            "ok": [True, False] * 20,
            "label": ["yes", "no"] * 20,
        }
    )


def hub():
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = pa.array([{"bytes": picture(image), "path": "a.png"} for image in GREY], kind)
    features = {"label": {"names": ["a", "b", "c"], "_type": "ClassLabel"}}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return pa.table({"image": rows, "label": LABELS}).replace_schema_metadata(metadata)


def csv(quoted):
    colours = ('"r\u00e9""d,x"' if quoted else "r\u00e9d", "blue")
    lines = [f"{i * 1.5},{colours[i % 2]},{'yes' if i % 3 else 'no'}" for i in range(30)]
    return "\n".join(["size,colour,label", *lines, ""]).encode()


def shards(codec):
    second = {"compression": codec, "data_page_version": "2.0", "use_dictionary": False}
    return {
        "train-0.parquet": parquet(table(), compression=codec, row_group_size=17),
        "test-0.parquet": parquet(table().slice(0, 5), **second),
    }


TRANSPOSED = np.asfortranarray(RANDOM.normal(size=(ROWS, 3)).astype(np.float16))
SOURCES = {
    "idx": mnist(),
    "cifar": cifar(),
    "images": image_folder(),
    "npz images": {"a.npz": npz(np.savez, x_train=GREY, y_train=LABELS, x_test=GREY, y_test=LABELS)},
    "npz tables": {
        "a.npz": npz(np.savez_compressed, x=TRANSPOSED, y=np.array([b"a", b"b", b"cc"] * 4)),
        "b.npz": npz(np.savez, x=RANDOM.normal(size=(2, 3)).astype(">f8"), y=np.array(["a", "ü"])),
    },
    **{f"parquet {codec}": shards(codec) for codec in ("none", "gzip", "zstd", "brotli", "lz4", "snappy")},
    "data hub": {
        "train-0.parquet": parquet(hub(), row_group_size=5),
        "test-0.parquet": parquet(hub(), compression="none"),
    },
    "pictures": {
        "a.parquet": parquet(
            pa.table({"image": [picture(c, "JPEG") for c in COLOURS], "y": ["a", "b", "c"] * 4}),
            compression="none",
        )
    },
    "csv": {"a.csv": csv(quoted=False), "test-0.csv": csv(quoted=False).replace(b"\n", b"\r\n")},
    "csv with quotes": {"a.csv": csv(quoted=True)},
}


def damaged(draw: random.Random, content: bytes, other: bytes) -> bytes:
    """Cut, flipped, overwritten, repeated or with a piece of another file in it, up to three times."""
    broken = bytearray(content)
    for _ in range(draw.choice([1, 1, 1, 2, 3])):
        at, length = draw.randrange(len(broken) + 1), draw.randrange(1, 64)
        here, start = slice(at, at + length), draw.randrange(len(other))
        match draw.randrange(8):
            case 0:
                del broken[at:]
            case 1:
                del broken[here]
            case 2:
                broken[here] = bytes(len(broken[here]))
            case 3:
                broken[at : at + 4] = b"\xff" * len(broken[at : at + 4])
            case 4:
                broken[at:at] = other[start : start + length]
            case 5:
                broken += broken[here]
            case 6 if at < len(broken):
                broken[at] ^= 1 << draw.randrange(8)
            case _ if at < len(broken):
                broken[at] = draw.randrange(256)
    return bytes(broken)


def write_damaged(kind: str, seed: int, folder) -> None:
    """A source with one damaged file; the same for the same seed."""
    files, draw = SOURCES[kind], random.Random(f"{kind} {seed}")
    chosen = draw.choice(sorted(files))
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        broken = damaged(draw, content, files[draw.choice(sorted(files))]) if name == chosen else content
        (folder / name).write_bytes(broken)


def import_beside(source, data) -> None:
    """What an import does with a source, without pinning it."""
    with written_beside(data) as scratch:
        wanted = Import((Part(open_source(source)),), "toy", {"source": "imported", "path": None})
        write_data(wanted, scratch).raise_errors("the new data")


def survives(kind: str, seed: int, folder) -> bool:
    """Whether the damage was such that the data are usable; all that must hold either way is asserted."""
    source, data = folder / "source", folder / "project/data"
    data.mkdir(parents=True)
    (data / "before").write_text("as it was")
    write_damaged(kind, seed, source)
    try:
        import_beside(source, data)
    except DataError as error:
        assert str(source) in str(error) or error.faults, f"{kind} {seed}: no file is named"
        assert [path.name for path in data.parent.iterdir()] == ["data"], f"{kind} {seed}: half-written"
        assert (data / "before").read_text() == "as it was"
        return False
    written = read_canonical(data)
    assert digest_data(written) == written.schema.data_digest
    assert len(written) == sum(version.rows for version in written.schema.versions) > 0
    assert [path.name for path in data.parent.iterdir()] == ["data"], f"{kind} {seed}: something is left"
    return True


def survivors(kind: str, seeds: range, folder) -> int:
    count = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # in library code too: what warns has met what it does not know
        for seed in seeds:
            count += survives(kind, seed, folder / str(seed))
            shutil.rmtree(folder / str(seed))
    return count


@pytest.mark.parametrize("kind", SOURCES)
def test_the_sources_are_whole_before_they_are_damaged(kind, tmp_path):
    for name, content in SOURCES[kind].items():
        (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "source" / name).write_bytes(content)
    import_beside(tmp_path / "source", tmp_path / "data")


@pytest.mark.parametrize("kind", SOURCES)
def test_no_damage_gives_anything_but_whole_data_or_a_data_error(kind, tmp_path):
    assert 0 < survivors(kind, range(120), tmp_path) < 120


@pytest.mark.slow
@pytest.mark.parametrize("kind", SOURCES)
def test_no_damage_ever_does(kind, tmp_path):
    assert 0 < survivors(kind, range(120, 1120), tmp_path) < 1000
