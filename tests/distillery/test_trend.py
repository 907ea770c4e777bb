from __future__ import annotations

import io

import pytest
from rich.console import Console

from distillery.trend import other_data, point_of, trend_table

ROW = {
    "version": "4", "name": "student-int8-qat", "accuracy": 0.97, "accuracy_low": 0.95, "accuracy_high": 0.99,
    "file_bytes": 9000, "latency_p50_ms": 0.05, "data_digest": "a" * 64, "data_version": 2, "test_rows": 360,
}  # fmt: skip


def points(*digests):
    return [
        point_of({**ROW, "version": str(at), "data_digest": digest * 64}, "", None)
        for at, digest in enumerate(digests, 1)
    ]


def test_a_version_says_its_numbers_and_its_data():
    point = point_of({**ROW, "more": 1}, "champion", "2026-01-02T03:04:05+00:00")
    assert point.to_json() == {
        **{name: value for name, value in ROW.items() if name != "name"},
        "variant": "student-int8-qat", "standing": "champion", "since": "2026-01-02T03:04:05+00:00",
    }  # fmt: skip
    assert point.data == "2 (aaaaaaaaaaaa)"
    assert point_of({**ROW, "data_version": None}, "", None).data == "aaaaaaaaaaaa"


@pytest.mark.parametrize(
    "name", ["accuracy", "accuracy_low", "file_bytes", "latency_p50_ms", "data_digest", "name"]
)
def test_a_version_without_its_numbers_is_no_point(name):
    assert point_of({**ROW, name: None}, "", None) is None


def test_it_is_known_where_the_data_became_other_data():
    assert other_data(points("a", "a", "b", "b", "a")) == [2, 4]
    assert other_data(points("a")) == other_data([]) == []


def test_the_table_has_a_line_a_version_and_a_rule_between_data():
    out = io.StringIO()
    Console(file=out, width=150).print(trend_table(points("a", "b")))
    lines = [line for line in out.getvalue().splitlines() if "student-int8-qat" in line or "├" in line]
    assert ["├" in line for line in lines] == [False, True, False]
    assert "97.00% ± 2.00" in lines[0]
    assert "9,000" in lines[0]
