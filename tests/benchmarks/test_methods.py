"""benchmarks/methods.py on a made-up folder: every line is made, and is another than the first."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest

from distillery.data.rows import load_rows
from distillery.inference import open_session, run_rows
from tests.mnist import write_mnist

PLAIN = "distilled, static int8"
SMALL = (
    "teacher.model.width=6", "teacher.training.epochs=1", "teacher.training.batch_size=16",
    "distill.training.batch_size=16", "data.calibration=32",
    "runtime.threads=1",
)  # fmt: skip


@pytest.fixture(scope="module")
def made(root, tmp_path_factory):
    """What it prints for one seed, and the folder that it keeps."""
    folder = tmp_path_factory.mktemp("methods")
    write_mnist(folder / "mnist")
    words = ["--keep", folder / "kept", "--seeds", "1", "--rows", "120", "--epochs", "6"]
    words += [word for setting in SMALL for word in ("--set", setting)]
    script = root / "benchmarks/methods.py"
    command = [sys.executable, script, folder / "mnist", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout, folder / "kept"


@pytest.mark.slow
def test_a_line_a_method_with_its_difference_bytes_and_time(made):
    printed, kept = made
    lines = printed.splitlines()[2:]
    names = {file.stem.removesuffix("-0") for file in kept.glob("120-*/files/*.onnx")}
    assert len(names) == len(lines) >= 40
    figures = r" +[\d.]+ ± 0\.00 +[+-][\d.]+ \[.*\] +[\d,]+ +[\d,]+ +[\d.]+x"
    for name in names:
        assert any(re.fullmatch(re.escape(name) + figures, line) for line in lines), name


@pytest.mark.slow
def test_every_line_says_something_else_than_the_first(made):
    _, kept = made
    rows = load_rows(kept / "given/rows-120")
    said = {
        file.stem.removesuffix("-0"): run_rows(open_session(file.read_bytes()), rows, np.arange(8))
        for file in kept.glob("120-*/files/*.onnx")
    }
    same = [name for name, logits in said.items() if np.array_equal(logits, said[PLAIN])]
    assert same == [PLAIN]
