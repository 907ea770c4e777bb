from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from distillery.data.chunks import Chunk, Encoded, Finding
from distillery.data.readers.several import Shard, as_shards, say_first


@pytest.mark.parametrize(
    "name",
    ["test.csv", "TEST.csv", "test-00000-of-00002.parquet", "test_1.npz", "test1.csv", "test.part.csv"],
)
def test_files_that_are_called_test_are_test_rows_and_come_last(name):
    shards = as_shards([Path(name), Path("zebra.csv"), Path("train.csv")])
    assert shards == (
        Shard(Path("train.csv"), False),
        Shard(Path("zebra.csv"), False),
        Shard(Path(name), True),
    )


@pytest.mark.parametrize("name", ["tests.csv", "testament.csv", "latest.csv", "contest-1.csv", "a-test.csv"])
def test_names_that_only_hold_the_word_are_not(name):
    assert not any(shard.tested for shard in as_shards([Path(name), Path("train.csv")]))


def test_one_file_alone_is_no_test_split_however_it_is_called():
    assert as_shards([Path("test.csv")]) == (Shard(Path("test.csv"), False),)


def chunk(*findings):
    return Chunk(
        np.zeros((1, 1, 1, 1), np.uint8), Encoded(np.zeros(1, np.int32), ("a",)), False, str, findings
    )


def test_what_was_found_first_is_said_first_and_once():
    early, late = Finding("warning", "early", "1"), Finding("error", "late", "2")
    said = [c.findings for c in say_first((early,), [chunk(late), chunk(late), chunk()])]
    assert said == [(early, late), (late,), ()]
