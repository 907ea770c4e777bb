from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from distillery.inference import open_session, run_feeds, softmax
from flows import predicting
from flows.cli import app
from tasks.registering import FetchedModel

ROOT = Path(__file__).parents[2]


@pytest.fixture
def rows_file(tmp_path, rows):
    np.savez(tmp_path / "rows.npz", input=rows.features[:7])
    return tmp_path / "rows.npz"


@pytest.fixture
def labels(files, rows):
    shares = softmax(run_feeds(open_session(files["mlp"]), [{"input": np.array(rows.features[:7])}]))
    return [str(code) for code in shares.argmax(1)]


@pytest.fixture
def predict(tmp_path, files, monkeypatch):
    """Runs `distillery predict` in a project whose champion is a small student, without a registry."""
    for name in ("DVC_SITE_CACHE_DIR", "PREFECT_HOME", "PREFECT_RESULTS_LOCAL_STORAGE_PATH"):
        monkeypatch.setenv(name, os.environ.get(name, ""))  # which a command sets for good
    monkeypatch.setattr(predicting, "fetch_model", lambda *_: FetchedModel("3", files["mlp"], {}))
    (tmp_path / "project").mkdir()
    (tmp_path / "project/params.yaml").write_text((ROOT / "params.yaml").read_text())

    def run(*arguments, code=0, given=None):
        done = CliRunner().invoke(
            app, ["predict", *map(str, arguments), "--project", str(tmp_path / "project")], input=given
        )
        assert done.exit_code == code, done.stderr
        return done

    return run


def test_rows_go_to_standard_output_as_csv_and_nothing_else_does(predict, rows_file, labels):
    done = predict(rows_file)
    lines = [line.split(",") for line in done.stdout.splitlines()]
    assert lines[0] == ["row", "label", "probability"]
    assert [line[:2] for line in lines[1:]] == [[str(at), label] for at, label in enumerate(labels)]
    assert done.stderr == ""


def test_json_is_one_value(predict, rows_file, labels):
    found = json.loads(predict(rows_file, "--json").stdout)
    assert [row["label"] for row in found] == labels


def test_a_file_is_written_by_its_ending_and_json_tells_of_it(predict, rows_file, labels, tmp_path):
    told = json.loads(
        predict(rows_file, "--to", tmp_path / "out.parquet", "--probabilities", "--json").stdout
    )
    assert told == {"version": "3", "rows": 7, "to": str(tmp_path / "out.parquet")}
    table = pq.read_table(tmp_path / "out.parquet")
    assert table["label"].to_pylist() == labels
    assert table.num_columns == 3 + 10
    done = predict(rows_file, "--to", tmp_path / "out.jsonl")
    assert done.stdout == ""
    assert done.stderr == f"7 rows, predicted with version 3, are in {tmp_path / 'out.jsonl'}\n"


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_rows_are_piped_in_and_out(predict, rows, labels, kind):
    lines = [
        json.dumps(row.tolist()) if kind == "jsonl" else ",".join(map(str, row.ravel().tolist()))
        for row in rows.features[:7]
    ]
    done = predict("-", "--format", "jsonl", given="\n".join(lines))
    assert [json.loads(line)["label"] for line in done.stdout.splitlines()] == labels


def test_a_damaged_row_is_named_and_no_file_is_left(predict, rows_file, tmp_path):
    (tmp_path / "rows.csv").write_text(",".join(["0"] * 64) + "\n" + ",".join(["7"] * 63 + ["x"]) + "\n")
    done = predict(tmp_path / "rows.csv", "--to", tmp_path / "out.csv", code=2)
    assert f"{tmp_path / 'rows.csv'} row 1: values must be whole numbers" in done.stderr
    assert not (tmp_path / "out.csv").exists()


def test_what_cannot_be_written_is_refused(predict, rows_file, tmp_path):
    assert "--to" in predict(rows_file, "--format", "parquet", code=2).stderr
    assert "ending says no format" in predict(rows_file, "--to", tmp_path / "out", code=2).stderr


def test_there_is_no_bar_without_a_terminal(predict, rows_file, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert predict(rows_file).stderr == ""


LEFT = """
import sys
from pathlib import Path
from flows import predicting
from flows.cli import app
from tasks.registering import FetchedModel
predicting.fetch_model = lambda *_: FetchedModel("3", Path(sys.argv[1]).read_bytes(), {})
app(["predict", *sys.argv[2:]])
"""


def test_a_reader_that_leaves_early_is_no_failure(tmp_path, files, rows):
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    (tmp_path / "model.onnx").write_bytes(files["mlp"])
    np.save(tmp_path / "rows.npy", np.concatenate([rows.features] * 20))  # more than a pipe holds
    command = [sys.executable, "-c", LEFT, str(tmp_path / "model.onnx"), str(tmp_path / "rows.npy")]
    with subprocess.Popen(
        [*command, "--probabilities", "--project", str(tmp_path)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as running:  # fmt: skip
        assert running.stdout.readline().startswith(b"row,label")
        running.stdout.close()
        assert (running.wait(120), running.stderr.read()) == (0, b"")
