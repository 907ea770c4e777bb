"""The table of docs/models.md is what the command prints, and agrees with what is published."""

from __future__ import annotations

import importlib.util
import re
import sys

import pytest
import yaml
from pydantic import TypeAdapter

from distillery.data.form import Shape
from distillery.models.families import Family


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


def test_every_block_that_the_page_shows_is_legal_and_reads_images_of_its_size(root):
    page = (root / "docs" / "models.md").read_text()
    blocks = [yaml.safe_load(text) for text in re.findall(r"\{family: .*\}+", page)]
    blocks.append(yaml.safe_load(page[page.index("model:\n") :].partition("```")[0])["model"])
    models = [TypeAdapter(Family).validate_python(block) for block in blocks]
    assert {model.family for model in models} > {"vgg", "mobilenet_v2", "custom", "module"}
    rows = Shape(height=224, width=224, channels=3)
    own = ("custom", "module")
    assert all(model.network(rows, 10).rows == rows for model in models if model.family not in own)
