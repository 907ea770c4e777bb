from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from distillery.trend import TrendPoint
from flows.cli import app
from tasks import trending

ROOT = Path(__file__).parents[2]
FIRST = TrendPoint("3", "student-fp32", "was champion", "2026-01-02T03:04:05+00:00",
                   0.97, 0.95, 0.99, 360, 9000, 0.05, "a" * 64, 1)  # fmt: skip
SECOND = TrendPoint("6", "student-int8-qat", "champion", "2026-02-02T03:04:05+00:00",
                    0.98, 0.96, 0.99, 400, 8000, 0.04, "b" * 64, 2)  # fmt: skip


@pytest.fixture
def trend(tmp_path, monkeypatch):
    for name in ("DVC_SITE_CACHE_DIR", "PREFECT_HOME", "PREFECT_RESULTS_LOCAL_STORAGE_PATH"):
        monkeypatch.setenv(name, os.environ.get(name, ""))  # which a command sets for good
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())

    def run(points, *arguments):
        monkeypatch.setattr(trending, "read_trend", lambda *_, every: points if every else points[-2:])
        done = CliRunner().invoke(app, ["trend", *arguments, "--project", str(tmp_path)])
        assert done.exit_code == 0, done.stderr
        return done.stdout

    return run


def test_the_table_warns_of_other_data(trend):
    said = trend([FIRST, SECOND])
    assert "was champion" in said
    assert "2026-02-02 03:04" in said
    assert "Across a rule the data" in said
    assert "Across a rule" not in trend([FIRST])


def test_json_is_a_list_of_versions(trend):
    assert json.loads(trend([FIRST, FIRST, SECOND], "--json")) == [FIRST.to_json(), SECOND.to_json()]
    assert len(json.loads(trend([FIRST, FIRST, SECOND], "--json", "--all"))) == 3


def test_an_empty_registry_is_said(trend):
    assert "no version yet" in trend([])
