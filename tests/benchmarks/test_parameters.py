"""The table of docs/models.md is what the command prints, and agrees with what is published."""

from __future__ import annotations

import importlib.util
import sys

import pytest


@pytest.fixture(scope="module")
def counted(root):
    """What benchmarks/parameters.py, which is no package, counts."""
    spec = importlib.util.spec_from_file_location("counted_parameters", root / "benchmarks" / "parameters.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield list(module.rows())
    del sys.modules[spec.name]


def test_where_nothing_is_said_to_differ_the_counts_are_those_that_are_published(counted):
    same = [row for row in counted if row.published[-1:].isdigit() and not row.why]
    assert len(same) == 6
    assert all(row.published == f"{row.parameters:,}" for row in same)


def test_the_page_has_every_row(counted, root):
    page = (root / "docs" / "models.md").read_text()
    for row in counted:
        cells = (row.name, str(row.classes), f"{row.parameters:,}", row.published, row.why)
        line = next(line for line in page.splitlines() if line.startswith(f"| {row.name} |"))
        assert [cell.strip() for cell in line.strip("|").split("|")] == list(cells)
