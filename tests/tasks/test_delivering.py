"""From a version's tags to what is said of it elsewhere."""

import pytest

from distillery.errors import ProjectError
from tasks.delivering import describe_version, fetch_delivery
from tasks.registering import register


@pytest.fixture
def tags():
    numbers = {
        "accuracy": "0.98", "accuracy_low": "0.97", "accuracy_high": "0.99", "macro_f1": "0.975",
        "rows": "360", "teacher_agreement": "0.99", "file_bytes": "11358", "parameters": "12", "macs": "80.0",
        "integer_op_share": "1.0", "latency_p50_ms": "0.05", "latency_p95_ms": "0.06", "latency_runs": "2000",
        "throughput_rows_per_second": "6e4", "peak_rss_bytes": "27869184",
    }  # fmt: skip
    words = dict.fromkeys(
        (
            "weights_digest",
            "teacher_onnx_digest",
            "params_digest",
            "code_digest",
            "record_digest",
            "data_digest",
        ),
        "a" * 64,
    )
    return numbers | words | {
        "variant": "student-int8-qat", "git_commit": "c" * 40, "git_dirty": "true",
        "seed": "0", "threads": "2",
        "precision": "fp32", "device": "cpu", "python": "3.11.7", "libraries": '{"numpy": "2", "onnx": "1"}',
        "data_counts": '{"train": 6, "validation": 2, "test": 2, "left_out": 0, "calibration": 3}',
        "data_source": '{"source": "digits", "path": null, "dataset": "mine", "version": 2}',
        "budget_broken": "",
    }  # fmt: skip


def test_numbers_are_numbers_and_whole_where_they_count(tags):
    found = describe_version("digits", "5", tags, None)
    assert (found.quality.rows, found.quality.low, found.quality.high) == (360, 0.97, 0.99)
    assert repr(found.footprint.macs) == "80"
    assert (found.dataset, found.data_version, found.broken) == ("mine", "2", ())
    assert found.counts == {"train": 6, "validation": 2, "test": 2}
    assert "numpy 2, onnx 1" in dict(found.lineage)["python"]


def test_the_licence_is_the_stated_one_or_that_of_the_built_in_data_or_unknown(tags):
    other = tags | {"data_source": '{"source": "idx", "path": "mnist"}'}
    assert describe_version("digits", "5", tags, "mine").licence == "mine"
    assert "CC BY 4.0" in describe_version("digits", "5", tags, None).licence
    assert describe_version("digits", "5", other, None).licence is None
    assert describe_version("digits", "5", other, None).dataset == "idx"


def test_broken_bounds_are_told_one_by_one(tags):
    found = describe_version(
        "digits", "5", tags | {"budget_broken": "max_bytes: 9 > 8; max_p50_ms: 2 > 1"}, None
    )
    assert found.broken == ("max_bytes: 9 > 8", "max_p50_ms: 2 > 1")


def test_a_version_that_is_not_there_is_named_with_those_that_are(stored, params, record, bundle):
    register(stored, params.registry, record(), bundle)
    with pytest.raises(ProjectError, match="no version or alias 'best'"):
        fetch_delivery(stored, params.registry, "best", None)
