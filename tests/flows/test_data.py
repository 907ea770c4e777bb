"""Bad input, kind by kind: refused with the file's name and the reason, and the data stay as they were."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from distillery.data.readers import limits
from distillery.errors import DataError
from distillery.params.student import StudentParams
from flows.data import Asked, add_data, import_data
from flows.project import Request

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning")  # DVC's

ROWS = 120
MLP = {"family": "mlp", "hidden": [8], "dropout": 0.0}
CSV = "size,colour,label\n" + "".join(f"{i * 7 % 120},{'rgb'[i % 3]},{'yn'[i % 2]}\n" for i in range(ROWS))


@pytest.fixture(scope="module")
def project(tmp_path_factory, root, shipped):
    """A project whose data are an imported table, pinned."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "params.yaml").write_bytes((root / "params.yaml").read_bytes())
    (folder / "good.csv").write_text(CSV)
    data = shipped.data.model_copy(update={"calibration": 8})
    request = Request(folder, shipped.model_copy(update={"data": data}), own_data=True)
    import_data(request, Asked(folder / "good.csv"), None, [].append)
    return request


def everything(folder):
    """Every file of a project, by name: bytes, and when it was written."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and ".git" not in path.parts)
    files = (path for path in files if path.name != "lock")
    return {str(p.relative_to(folder)): (p.read_bytes(), p.stat().st_mtime_ns) for p in files}


@pytest.fixture
def refused(project):
    """What an import, and adding, say to a source; nothing of the project may have changed."""

    def words(source, **wanted):
        before = everything(project.project)
        with pytest.raises(DataError) as imported:
            import_data(project, Asked(source, **wanted), None, [].append)
        with pytest.raises(DataError):
            add_data(project, Asked(source, **wanted), [].append)
        assert everything(project.project) == before
        return str(imported.value)

    return words


def png(size=(4, 3), seed=0):
    stream = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, size[::-1], np.uint8)
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def idx(shape, content):
    return bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + content


def test_a_whole_source_is_imported_and_says_so(project, tmp_path):
    assert sorted(path.name for path in project.project.glob("data*")) == ["data", "data.dvc"]
    assert not list(project.project.rglob(".writing-*"))
    (tmp_path / "more.csv").write_text(CSV.replace("1", "2"))
    said = []
    status = add_data(project, Asked(tmp_path / "more.csv"), said.append)
    assert (status["version"], status["rows"]) == (2, 2 * ROWS)
    assert "data.dvc changed: commit it to keep this version" in said


@pytest.mark.parametrize(("family", "told"), [("resnet", True), ("mlp", False)])
def test_the_preset_for_these_rows_is_named_where_the_networks_take_others(project, tmp_path, family, told):
    said = []
    model = {"resnet": project.params.student.model, "mlp": MLP}[family]
    params = project.params.model_copy(update={"student": StudentParams(model=model)})
    request = Request(project.project, params, own_data=True)
    import_data(request, Asked(project.project / "good.csv"), None, said.append)
    named = "do not take a table of 2 columns: distillery run --params params/tabular.yaml"
    assert any(named in sentence for sentence in said) is told


def test_a_zip_bomb_in_an_npz_is_refused_before_it_is_unpacked(refused, tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "MOST_UNPACKED", 1 << 20)
    header = io.BytesIO()
    shape = {"descr": "|u1", "fortran_order": False, "shape": (9_000_000, 1, 1, 1)}
    np.lib.format.write_array_header_1_0(header, shape)
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", header.getvalue() + bytes(9_000_000))
    said = refused(tmp_path / "bomb.npz")
    assert "bomb.npz: array x says that its" in said
    assert "taken for a bomb" in said


def test_a_bomb_in_gzipped_idx_files_is_refused(refused, tmp_path):
    content = idx((400_000, 28, 28), bytes(1000))
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(content))
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx((400_000,), bytes(400_000))))
    said = refused(tmp_path)
    assert "train-images-idx3-ubyte.gz says that its" in said
    assert "taken for a bomb" in said


def test_a_bomb_in_parquet_is_refused(refused, tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "MOST_UNPACKED", 1 << 20)
    table = pa.table({"a": np.zeros(10**6), "label": np.zeros(10**6)})
    pq.write_table(table, tmp_path / "bomb.parquet", compression="zstd", use_dictionary=False)
    assert "bomb.parquet says that its" in refused(tmp_path / "bomb.parquet")


@pytest.mark.parametrize(
    ("side", "words"), [(10_000, "it has 10000 x 10000 pixels: more than 67,108,864"), (60_000, "bomb")]
)
def test_an_image_of_absurd_size_is_refused_by_its_header(refused, tmp_path, side, words):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/whole.png").write_bytes(png())
    (tmp_path / "a/huge.png").write_bytes(lying(side, side))
    said = refused(tmp_path)
    assert "a/huge.png cannot be read as an image: " in said
    assert words in said


@pytest.mark.parametrize("name", ["rows.csv", "rows.parquet", "rows.npz", "rows"])
def test_a_file_of_0_bytes_is_refused(refused, tmp_path, name):
    (tmp_path / name).touch()
    said = refused(tmp_path / name)
    assert f"{name} is empty: it has 0 bytes" in said


def test_a_file_of_0_bytes_in_a_folder_is_refused(refused, tmp_path):
    (tmp_path / "rows.csv").write_text(CSV)
    (tmp_path / "none.parquet").touch()
    assert "none.parquet is empty: it has 0 bytes" in refused(tmp_path)
    (tmp_path / "images/a").mkdir(parents=True)
    (tmp_path / "images/a/0.png").touch()
    (tmp_path / "images/a/1.png").write_bytes(png())
    assert "a/0.png cannot be read as an image: it is empty (0 bytes)" in refused(tmp_path / "images")


def lying(width, height):
    """A PNG of 4 x 3 whose header says another size, with a right checksum."""
    content = bytearray(png())
    content[16:24] = struct.pack(">II", width, height)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


@pytest.mark.parametrize("size", [(4, 4), (8, 3), (2, 3)])
def test_a_png_that_lies_about_its_size_is_refused(refused, tmp_path, size):
    for name, content in (("a/0.png", png(size)), ("b/1.png", png(size, 1)), ("b/lies.png", lying(*size))):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    said = refused(tmp_path)
    assert "b/lies.png cannot be read as an image: its size is not that of its pixel data" in said
    assert "the header lies" in said


@pytest.mark.parametrize(
    ("tail", "words"),
    [("3", "line 122: 1 cells where the header has 3: the last line is torn"), ('3,r,"y', "never closed")],
)
def test_a_csv_with_a_torn_last_line_is_refused(refused, tmp_path, tail, words):
    (tmp_path / "torn.csv").write_text(CSV + tail)
    said = refused(tmp_path / "torn.csv")
    assert "torn.csv is not a whole CSV file" in said
    assert words in said


def test_a_csv_with_mixed_encodings_is_refused_with_the_line(refused, tmp_path):
    (tmp_path / "mixed.csv").write_bytes((CSV + "3,café,y\n").encode() + "3,café,y\n".encode("latin-1"))
    assert "mixed.csv line 123 is not UTF-8 (byte 0xe9)" in refused(tmp_path / "mixed.csv")


def test_a_parquet_with_nested_columns_is_refused(refused, tmp_path):
    nested = {"tags": [["a"], []], "place": [{"x": 1}, None], "label": ["y", "n"]}
    pq.write_table(pa.table(nested), tmp_path / "nested.parquet")
    said = refused(tmp_path / "nested.parquet")
    for column in ("tags is list<element: string>", "place is struct<x: int64>"):
        assert f"nested.parquet: column {column}, which cannot be read: flatten it" in said


def test_links_out_of_the_folder_are_refused(refused, tmp_path):
    (tmp_path / "outside.csv").write_text(CSV)
    (tmp_path / "source").mkdir()
    (tmp_path / "source/a.csv").write_text(CSV)
    (tmp_path / "source/b.csv").symlink_to("../outside.csv")
    assert "b.csv is a link that leads out of the folder" in refused(tmp_path / "source")


def test_paths_that_lead_out_of_an_archive_or_a_table_are_never_followed(refused, tmp_path):
    (tmp_path / "secret.png").write_bytes(png())
    rows = [{"bytes": None, "path": "../secret.png"}, {"bytes": b"", "path": str(tmp_path / "secret.png")}]
    pq.write_table(pa.table({"image": rows, "label": ["y", "n"]}), tmp_path / "paths.parquet")
    said = refused(tmp_path / "paths.parquet")
    assert "paths.parquet row 0 cannot be read as an image: there are no bytes (only a path to it?)" in said
    with zipfile.ZipFile(tmp_path / "paths.npz", "w") as archive:
        archive.writestr("../../x.npy", b"")
        archive.writestr("/y.npy", b"")
    assert "paths.npz" in refused(tmp_path / "paths.npz")
    assert not (tmp_path.parent.parent / "x.npy").exists()


def test_object_arrays_in_an_npz_are_refused_unopened(refused, tmp_path):
    np.savez(tmp_path / "objects.npz", x=np.array([{}, []], object), y=np.array([0, 1]))
    said = refused(tmp_path / "objects.npz")
    assert "objects.npz: array x has objects, which are pickles and can run code" in said


def test_a_source_that_breaks_half_way_leaves_nothing(refused, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 9, 9), np.uint8)
    np.savez(tmp_path / "rows.npz", x=noise, y=np.arange(64) % 2)
    content = bytearray((tmp_path / "rows.npz").read_bytes())
    content[3000] ^= 1
    (tmp_path / "rows.npz").write_bytes(content)
    assert "rows.npz: x cannot be read: Bad CRC-32" in refused(tmp_path / "rows.npz")


def test_test_rows_that_are_bad_refuse_the_whole(refused, tmp_path):
    (tmp_path / "good.csv").write_text(CSV)
    (tmp_path / "bad.csv").touch()
    assert "bad.csv is empty" in refused(tmp_path / "good.csv", test=tmp_path / "bad.csv")
