"""The folder that a model is taken away in, and its script where nothing but two libraries is installed."""

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillery.classifier import OnnxClassifier
from distillery.data.rows import Split
from distillery.delivery.facts import UNKNOWN_LICENCE, Delivered, Footprint, Quality
from distillery.delivery.parcel import cell, parcel
from distillery.feeding import feeder
from distillery.params.quantize import DynamicParams
from distillery.quantization.quantize import dynamic


@pytest.fixture(scope="module")
def delivered():
    return Delivered(
        registry="digits",
        version="5",
        variant="student-int8-qat",
        quality=Quality(359, 0.9889, 0.9717, 0.9957, 0.9888, 0.99),
        footprint=Footprint(11_358, 7832, 76_680, 1.0, 0.051, 0.054, 2000, 63_939.4, 27_869_184),
        broken=(),
        dataset="digits",
        data_version="1",
        data_digest="d" * 64,
        counts={"train": 1169, "test": 359},
        licence="CC BY 4.0",
        lineage=(("seed", "0, 2 threads"),),
    )


@pytest.fixture(scope="module")
def folder(delivered, files, tmp_path_factory):
    into = tmp_path_factory.mktemp("parcel")
    for name, content in parcel(files["resnet"], delivered).items():
        (into / name).write_bytes(content)
    return into


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """A Python of its own, in which nothing but numpy and onnxruntime is installed."""
    home = tmp_path_factory.mktemp("clean")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--symlinks", str(home)], check=True)
    (packages,) = home.glob("lib/python*/site-packages")
    for module in (np, onnxruntime):
        package = Path(module.__file__).parent
        for part in (package, package.with_name(f"{package.name}.libs")):
            if part.is_dir():
                (packages / part.name).symlink_to(part)
    return home / "bin/python"


def said_by(clean, folder, file):
    done = subprocess.run(
        [str(clean), "-I", "-W", "error", str(folder / "predict.py"), str(file)],
        capture_output=True, text=True, cwd="/", env={"PATH": os.defpath}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_same_version_is_the_same_bytes(delivered, files):
    assert parcel(files["resnet"], delivered) == parcel(files["resnet"], delivered)


def test_the_checksums_are_of_every_other_file(folder):
    lines = dict(reversed(line.split("  ")) for line in (folder / "SHA256SUMS").read_text().splitlines())
    assert lines == {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.iterdir()
        if file.name != "SHA256SUMS"
    }
    assert set(lines) == {
        "model.onnx",
        "labels.json",
        "session.json",
        "predict.py",
        "README.md",
        "MODEL_CARD.md",
    }


def test_the_model_is_the_very_file(folder, files):
    assert (folder / "model.onnx").read_bytes() == files["resnet"]


def test_the_script_needs_only_onnxruntime_and_numpy(clean, folder, files, rows, tmp_path):
    test = rows.features[rows.where(Split.TEST)]
    np.save(tmp_path / "rows.npy", test)
    found = said_by(clean, folder, tmp_path / "rows.npy")
    wanted = OnnxClassifier(files["resnet"]).predict(test)
    assert [row["label"] for row in found] == [prediction.label for prediction in wanted]
    assert [row["probability"] for row in found] == pytest.approx([p.probability for p in wanted], abs=1e-6)


def test_the_script_takes_a_tables_arrays_by_name(clean, delivered, table, table_file, tmp_path):
    for name, content in parcel(table_file, delivered).items():
        (tmp_path / name).write_bytes(content)
    feed = feeder(table.form)(table.features[:40])
    np.savez(tmp_path / "rows.npz", input=feed["input"], categories=feed["categories"].astype(np.str_))
    found = said_by(clean, tmp_path, tmp_path / "rows.npz")
    assert [row["label"] for row in found] == [p.label for p in OnnxClassifier(table_file).predict(feed)]
    readme = (tmp_path / "README.md").read_text()
    assert "  1. größe\n  2. day\n" in readme
    assert "  1. colour\n  2. kind\n" in readme


def test_the_script_gives_a_row_of_a_dynamic_file_the_same_answer_in_any_company(
    clean, delivered, files, rows, tmp_path
):
    content = dynamic(onnx.load_from_string(files["resnet"]), DynamicParams(weights="uint8"), rows.classes)
    for name, part in parcel(content, delivered).items():
        (tmp_path / name).write_bytes(part)
    test = rows.features[rows.where(Split.TEST)][:20]
    np.save(tmp_path / "rows.npy", test)
    found = said_by(clean, tmp_path, tmp_path / "rows.npy")
    wanted = OnnxClassifier(content).predict(test)
    assert [row["probability"] for row in found] == pytest.approx([p.probability for p in wanted], abs=1e-6)


def test_the_script_without_rows_says_how_it_is_called(clean, folder):
    command = [str(clean), "-I", "-W", "error", str(folder / "predict.py")]
    done = subprocess.run(command, capture_output=True, text=True, env={"PATH": os.defpath}, check=False)
    assert (done.returncode, "python predict.py ROWS.npz" in done.stderr) == (1, True)
    assert "Traceback" not in done.stderr


def test_the_script_is_short(folder):
    assert len((folder / "predict.py").read_text().splitlines()) <= 25


def test_the_readme_says_what_goes_in_and_out(folder):
    text = (folder / "README.md").read_text()
    assert "- `input`: uint8, shape (N, 8, 8, 1)" in text
    assert "(N, 10)" in text


def test_the_card_has_the_numbers_with_their_interval_and_n(folder, files):
    card = (folder / "MODEL_CARD.md").read_text()
    assert "| accuracy | 98.89 %, 95 % interval 97.17 % to 99.57 % (Wilson) |" in card
    assert "n = 359" in card
    assert hashlib.sha256(files["resnet"]).hexdigest() in card
    assert "| licence | CC BY 4.0 |" in card
    assert "| budget | kept |" in card


def test_a_card_says_what_is_not_known_and_what_was_broken(delivered, files):
    other = dataclasses.replace(delivered, licence=None, broken=("max_bytes: 9 > 8",))
    card = parcel(files["resnet"], other)["MODEL_CARD.md"].decode()
    assert UNKNOWN_LICENCE in card
    assert "max\\_bytes: 9 \\> 8" in card


def test_a_hostile_name_stays_in_its_cell(delivered, files):
    name = "x | y\n\n# Heading <script>alert(1)</script> [a](http://b)"
    card = parcel(files["resnet"], dataclasses.replace(delivered, dataset=name))["MODEL_CARD.md"].decode()
    (row,) = (line for line in card.splitlines() if line.startswith("| data set"))
    assert (
        row
        == "| data set | x \\| y \\# Heading \\<script\\>alert(1)\\</script\\> \\[a\\](http://b), version 1 |"
    )


@given(st.text())
def test_a_cell_is_one_line_without_bare_special_characters(text):
    line = cell(text)
    assert "\n" not in line
    bare = line.replace("\\\\", "")
    assert all(at and bare[at - 1] == "\\" for at, letter in enumerate(bare) if letter in "|<>[]`*_")
