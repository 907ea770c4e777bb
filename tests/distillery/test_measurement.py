from __future__ import annotations

import json
import mmap
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from distillery import measurement, probe
from distillery.data.form import Column, Table
from distillery.errors import DistilleryError
from distillery.export import export
from distillery.feeding import feeder
from distillery.measurement import PROBE_ROWS, count_weights, measure
from distillery.models.mlp import Mlp
from distillery.models.network import Classifier
from distillery.params.quantize import DynamicParams
from distillery.quantization.quantize import dynamic, static

RESNET_WEIGHTS = 36 + 2 * 144 + (4 * 8 * 9 + 8 * 8 * 9 + 4 * 8) + 8 * 10
RESNET_BIASES = 4 + 4 + 4 + 8 + 8 + 8 + 10
MLP_NUMBERS = 64 * 16 + 16 + 16 * 10 + 10


@pytest.fixture(scope="module")
def measured(files, rows, tmp_path_factory):
    file = tmp_path_factory.mktemp("model") / "model.onnx"
    file.write_bytes(files["resnet"])
    return measure(file, {"input": rows.features[:PROBE_ROWS]})


def test_every_field_of_a_measurement_is_sane(measured, files):
    assert measured.file_bytes == len(files["resnet"])
    assert measured.macs > 10_000
    assert measured.integer_op_share == 0.0
    assert sum(measured.operators.values()) == 7
    assert 0 < measured.latency_p50_ms <= measured.latency_p95_ms < 1000
    assert measured.latency_runs >= 1000
    assert measured.throughput_rows_per_second > 100
    assert 5 * 2**20 < measured.peak_rss_bytes < 2**30


def test_a_measurement_is_plain_json(measured):
    assert json.loads(json.dumps(measured.to_json())) == measured.to_json()


def test_it_runs_in_a_fresh_process_that_loads_no_torch(files, rows, root, tmp_path):
    (tmp_path / "model.onnx").write_bytes(files["mlp"])
    np.savez(tmp_path / "rows.npz", input=rows.features[:8])
    code = (
        "import sys; sys.path.insert(0, sys.argv.pop(1));"
        "from distillery import probe; probe.RUNS = probe.LARGE_RUNS = 3;"
        "probe.main(*sys.argv[1:]);"
        "print(); print(sorted({'torch', 'onnx', 'pandas', 'sklearn'} & set(sys.modules)))"
    )
    arguments = [root, tmp_path / "model.onnx", tmp_path / "rows.npz"]
    command = [sys.executable, "-I", "-c", code, *map(str, arguments)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert set(json.loads(lines[0])) >= {"latency_p50_ms", "latency_p95_ms", "peak_rss_bytes"}
    assert lines[1] == "[]"


def test_memory_of_this_process_does_not_count(measured):
    with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123
        (ours,) = (int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon"))
    assert measured.peak_rss_bytes < ours


def test_anonymous_memory_grows_with_what_is_written():
    with mmap.mmap(-1, 8 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as block:  # no arena's pages
        before = probe.anonymous_bytes()
        block.write(b"\1" * len(block))
        assert probe.anonymous_bytes() - before > 6 << 20


def test_a_model_that_cannot_run_is_an_error_that_names_it(tmp_path, rows):
    (tmp_path / "broken.onnx").write_bytes(b"nonsense")
    with pytest.raises(DistilleryError, match=r"broken\.onnx"):
        measurement._probe(tmp_path / "broken.onnx", {"input": rows.features[:1]})


def test_no_scratch_file_is_left(files, rows, tmp_path, monkeypatch):
    (tmp_path / "model.onnx").write_bytes(files["mlp"])
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr("tempfile.tempdir", None)
    measurement._probe(tmp_path / "model.onnx", {"input": rows.features[:1]})
    assert os.listdir(scratch) == []  # noqa: PTH208


def normalisation(rows):
    return 2 * rows.form.channels  # a scale and a shift a channel


def test_the_numbers_of_a_float_file_are_its_weights_biases_and_normalisation(files, rows):
    assert count_weights(files["resnet"]) == pytest.approx(
        RESNET_WEIGHTS + RESNET_BIASES + normalisation(rows), abs=8
    )
    assert count_weights(files["mlp"]) == pytest.approx(MLP_NUMBERS + normalisation(rows), abs=8)


@pytest.mark.parametrize("method", ["dynamic", "static"])
def test_an_int8_file_has_as_many_numbers_as_its_float_file(files, rows, method, static_params):
    student = onnx.load_from_string(files["resnet"])
    content = (
        static(student, rows, static_params(ranges="minmax"))
        if method == "static"
        else dynamic(student, DynamicParams(weights="uint8"), rows.classes)
    )
    assert count_weights(content) == pytest.approx(count_weights(files["resnet"]), rel=0.02)


def test_a_file_that_takes_names_is_measured_by_a_process_that_unpickles_nothing(table_file, table, tmp_path):
    file = tmp_path / "model.onnx"
    file.write_bytes(table_file)
    measured = measure(file, feeder(table.form)(table.features[:3]))
    assert (
        measured.parameters == (2 + 1 + 3 + 5) * 16 + 16 + 16 * 3 + 3 + 2 * 2 + 3
    )  # scales; 0 and the bounds
    assert measured.macs == (2 + 1 + 3 + 5) * 16 + 16 * 3
    assert 0 < measured.latency_p50_ms < 100
    assert "allow_pickle=False" in Path(probe.__file__).read_text(encoding="utf-8")


def test_the_probe_reads_what_is_fed(table, tmp_path):
    feed = feeder(table.form)(table.features[:5])
    np.savez(tmp_path / "rows.npz", **measurement.plain(feed))
    again = probe.load_feed(str(tmp_path / "rows.npz"))
    assert {name: array.dtype for name, array in again.items()} == {"input": np.float32, "categories": object}
    for name, array in feed.items():
        np.testing.assert_array_equal(again[name], array)
    large = probe.of_rows(again, 12)
    np.testing.assert_array_equal(large["categories"][5:10], feed["categories"])
    assert probe.of_rows(again, 1)["input"].shape == (1, 2)


def test_indices_are_no_weights_however_they_are_stored(table):
    columns = (Column(name="c", categories=tuple(map(str, range(100))), missing=False),)
    model = Classifier(Mlp(family="mlp", hidden=(), dropout=0.0).network(Table(columns=columns), 3))
    assert count_weights(export(model, table.classes)) == 100 * 3 + 3
