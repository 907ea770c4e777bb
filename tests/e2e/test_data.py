"""Bring your own data: import, add, status, diff, restore, and what is refused."""

import gzip
import io
import json
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

from tests.e2e.conftest import make_project


def write_images(folder, values, size=8):
    """`folder/class/number.png`: noise of the class's brightness, one image a value."""
    random = np.random.default_rng(len(values))
    for number, name in enumerate(values):
        pixels = random.integers(0, 60, (size, size)) + {"dark": 0, "light": 160, "grey": 80}[name]
        (folder / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{number:04}.png")
    return folder


def write_csv(file, rows=400, seed=0):
    """A table with a number that may be missing, a category, and a label that follows from both."""
    random = np.random.default_rng(seed)
    size, colour = random.normal(size=rows), random.choice(["red", "blue"], rows)
    label = np.where((size > 0) ^ (colour == "red"), "yes", "no")
    cells = [f"{s:.4f}" if random.random() > 0.1 or abs(s) < 0.3 else "" for s in size]
    lines = [f"{c},{k},{n}" for c, k, n in zip(cells, colour, label, strict=True)]
    file.write_text("\n".join(["size,colour,label", *lines]) + "\n")
    return file


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """A project whose data are 300 images of two classes, committed."""
    project = make_project(tmp_path_factory.mktemp("own") / "project")
    source = write_images(project.folder.parent / "pictures", ["dark", "light"] * 150)
    project("data", "import", str(source), "--name", "brightness")
    return project


@pytest.fixture
def copy(imported, tmp_path):
    shutil.copytree(imported.folder, tmp_path / "project", symlinks=True)
    return type(imported)(tmp_path / "project")


def status(project):
    return project("data", "status", "--json").json


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_an_import_makes_the_data_pins_them_and_names_them_in_params(imported):
    found = status(imported)
    assert (found["name"], found["rows"], found["classes"]) == ("brightness", 300, ["dark", "light"])
    assert (found["state"], found["version"]) == ("clean", 1)
    assert "DVC's cache" in found["stored"]
    params = (imported.folder / "params.yaml").read_text()
    assert "source: imported" in params
    assert "name: brightness" in params
    assert not list(imported.folder.rglob(".writing-*"))


def test_importing_the_same_source_again_gives_the_same_bytes(copy):
    before, source = contents(copy.folder / "data"), copy.folder.parent / "again"
    write_images(source, ["dark", "light"] * 150)
    copy("data", "import", str(source), "--name", "brightness")
    after = contents(copy.folder / "data")
    for name in before.keys() - {"schema.json"}:
        assert before[name] == after[name]
    assert status(copy)["versions"][0]["shift"] == {"brightness": 0.0, "classes": 0.0, "contrast": 0.0}


def test_added_rows_are_a_version_and_the_one_before_is_restorable(copy, tmp_path):
    first, before = status(copy), contents(copy.folder / "data")
    added = copy(
        "data", "add", str(write_images(tmp_path / "more", ["grey", "dark", "light"] * 20)), "--json"
    )
    assert (added.json["version"], added.json["rows"]) == (2, 360)
    assert added.json["classes"] == ["dark", "light", "grey"]
    assert "shift" in added.json["versions"][1]
    copy("data", "restore", first["md5"], "--to", str(tmp_path / "old"))
    assert contents(tmp_path / "old") == before
    difference = copy("data", "diff", first["data_digest"][:12], "--json").json
    assert (difference["added"], difference["removed"], difference["relabelled"]) == (60, 0, 0)
    assert difference["classes"] == {"dark": [150, 170], "light": [150, 170], "grey": [0, 20]}


def test_rows_that_nobody_pinned_survive_an_import(copy, tmp_path):
    labels = np.load(copy.folder / "data/labels.npy")
    labels[0] = 1 - labels[0]
    np.save(copy.folder / "data/labels.npy", labels)
    changed = status(copy)
    assert changed["state"] == "changed"
    done = copy("data", "import", str(write_images(tmp_path / "new", ["dark", "light"] * 40)))
    assert f"distillery data restore {changed['md5']}" in done.err
    copy("data", "restore", changed["md5"], "--to", str(tmp_path / "old"))
    np.testing.assert_array_equal(np.load(tmp_path / "old/labels.npy"), labels)


@pytest.mark.slow
def test_a_project_runs_on_its_own_images_and_its_data_being_gone_is_told(copy):
    done = copy("run", "--json", "--set", "data.calibration=32")
    assert {v["name"] for v in done.json["variants"]} >= {"teacher-fp32", "student-int8-qat"}
    assert done.json["chosen"]["alias"] == "champion"
    shutil.rmtree(copy.folder / "data")
    gone = copy("run", "--set", "data.calibration=32", "--refresh", "prepare_data", code=2)
    assert "distillery data pull" in gone.err


@pytest.mark.slow
def test_a_table_runs_from_csv_to_prediction(tmp_path, root):
    project = make_project(tmp_path / "project")
    project("data", "import", str(write_csv(tmp_path / "people.csv")), "--name", "people")
    preset = str(root / "params/tabular.yaml")
    settings = ["--set", "data.calibration=32", "--set", "teacher.training.epochs=6"]
    done = project("run", "--json", "--params", preset, *settings, "--set", "budget.max_accuracy_drop=100")
    accuracy = {v["name"]: v["accuracy"] for v in done.json["variants"]}
    assert accuracy["teacher-fp32"] > 0.85
    rows = tmp_path / "new.csv"
    rows.write_text("colour,size\nred,2.0\nblue,2.0\ngreen,\n")
    done = project("predict", str(rows), "--json")
    assert [row["label"] for row in done.json[:2]] == ["no", "yes"]
    assert len(done.json) == 3
    assert "column colour: 'green' is unknown to the model and counts as missing (1 row)" in done.err


def bomb():
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header, {"descr": "|u1", "fortran_order": False, "shape": (300_000_000, 1, 1, 1)}
        )
        archive.writestr("x.npy", header.getvalue() + bytes(300_000_000))
    return content.getvalue()


BAD = {
    "empty.csv": b"",
    "torn.csv": b"a,label\n1,x\n2,y\n3",
    "latin.csv": "a,label\n1,caf\u00e9\n2,x\n".encode("latin-1"),
    "nothing.bin": b"no format that there is",
    "short.npz": b"PK\x03\x04",
    "objects.npz": None,
    "bomb.npz": None,
    "unlabelled.csv": b"a,label\n1,\n2,x\n3,y\n",
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_used_is_refused_by_name_and_the_data_stay_as_they_were(imported, tmp_path, name):
    before = contents(imported.folder / "data")
    content = BAD[name]
    if name == "objects.npz":
        np.savez(tmp_path / name, x=np.array([{}, []], object), y=np.array([0, 1]))
    else:
        (tmp_path / name).write_bytes(bomb() if content is None else content)
    refused = imported("data", "import", str(tmp_path / name), code=2)
    assert name in refused.err
    assert contents(imported.folder / "data") == before
    assert not list(imported.folder.glob(".writing-*"))


def test_a_picture_that_cannot_be_read_is_named_with_all_the_others(imported, tmp_path):
    source = write_images(tmp_path / "pictures", ["dark", "light"] * 30)
    for name in ("dark/0000.png", "light/0001.png"):
        (source / name).write_bytes((source / name).read_bytes()[:40])
    refused = imported("data", "import", str(source), code=2)
    assert "0000.png" in refused.err
    assert "0001.png" in refused.err


def test_rows_of_another_kind_are_not_added(imported, tmp_path):
    before = contents(imported.folder / "data")
    refused = imported("data", "add", str(write_csv(tmp_path / "people.csv", 20)), code=2)
    assert "images of 8 x 8 x 1" in refused.err
    assert contents(imported.folder / "data") == before


def test_mnist_like_folders_are_imported_gzipped_or_not(imported, tmp_path):
    shutil.copytree(imported.folder, tmp_path / "project", symlinks=True)
    project, source = type(imported)(tmp_path / "project"), tmp_path / "idx"
    source.mkdir()
    random = np.random.default_rng(0)
    for part, count in (("train", 300), ("t10k", 60)):
        labels = (np.arange(count) % 3).astype(np.uint8)
        images = random.integers(0, 255, (count, 6, 5)).astype(np.uint8)
        for kind, array in (("images", images), ("labels", labels)):
            head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
            file = source / f"{part}-{kind}-idx{array.ndim}-ubyte.gz"
            file.write_bytes(gzip.compress(head + array.tobytes()))
    found = json.loads(project("data", "import", str(source), "--json").out)
    assert (found["rows"], found["classes"]) == (360, ["0", "1", "2"])
    assert np.load(project.folder / "data/tested.npy").sum() == 60


def test_a_table_may_have_its_own_test_rows_and_any_column_as_label(new_project, tmp_path):
    train = write_csv(tmp_path / "train.csv")
    test = write_csv(tmp_path / "test.csv", rows=60, seed=1)
    new_project("data", "import", str(train), "--test", str(test), "--label", "colour")
    schema = json.loads((new_project.folder / "data/schema.json").read_text())
    assert schema["classes"] == ["blue", "red"]
    assert status(new_project)["rows"] == 460


def test_images_are_brought_to_one_size(new_project, tmp_path):
    write_images(tmp_path / "pictures", ["dark", "light"] * 30, size=12)
    new_project("data", "import", str(tmp_path / "pictures"), "--resize", "8x8")
    assert np.load(new_project.folder / "data/features-000.npy").shape[1:3] == (8, 8)
