from __future__ import annotations

import json

import pytest
from rich.console import Console

from distillery.report.variants import models_table, variant_of, variants_table

KEYS = {
    "name", "accuracy", "accuracy_low", "accuracy_high", "macro_f1", "file_bytes", "parameters", "macs",
    "latency_p50_ms", "latency_p95_ms", "peak_rss_bytes", "integer_op_share", "teacher_agreement",
}  # fmt: skip


def variant(name="teacher-fp32", broken=(), **changes):
    test = {
        "accuracy": 0.99, "accuracy_low": 0.98, "accuracy_high": 0.995,
        "macro_f1": 0.9876, "teacher_agreement": 1.0, "rows": 360, "confusion": [[1]],
        "macro_recall": 0.9, "macro_precision": 0.9,
    }  # fmt: skip
    measurement = {
        "file_bytes": 64_000, "transport_bytes": 50_000, "parameters": 15_000, "zero_share": 0.0,
        "macs": 10**6, "integer_op_share": 0.5, "operators": {},
        "latency_p50_ms": 0.123456, "latency_p95_ms": 0.2, "latency_runs": 2000,
        "throughput_rows_per_second": 1e5, "peak_rss_bytes": 10**7,
    }  # fmt: skip
    test |= {key: value for key, value in changes.items() if key in test}
    measurement |= {key: value for key, value in changes.items() if key in measurement}
    return variant_of(name, {"test": test, "validation": {}}, measurement, list(broken))


def rendered(table, width=250):
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(table)
    text = console.export_text()
    console.file.close()
    return text


def test_the_json_of_a_variant_has_every_promised_key():
    plain = variant().to_json()
    assert plain.keys() >= KEYS
    assert json.loads(json.dumps(plain)) == plain


def test_accuracies_are_those_of_test_rows_and_footprint_that_of_the_file():
    plain = variant(accuracy=0.5, file_bytes=7).to_json()
    assert (plain["accuracy"], plain["file_bytes"], plain["test_rows"]) == (0.5, 7, 360)


def test_an_evaluation_without_a_number_is_not_shown_as_if_it_had_it():
    with pytest.raises((KeyError, TypeError)):
        variant_of("a", {"test": {}}, {}, [])


def test_the_table_shows_every_variant_its_numbers_and_the_verdict():
    teacher = variant()
    small = variant(
        "student-int8-static", file_bytes=8_000, accuracy=0.975, accuracy_low=0.96, accuracy_high=0.98
    )
    large = variant(
        "student-fp32", broken=["max_bytes: 20,000 > 16,384", "max_p50_ms: 3 > 1"], file_bytes=32_000
    )
    text = rendered(variants_table([teacher, small, large], "student-int8-static"))
    lines = {
        line.split("│")[1].strip(): line for line in text.splitlines() if "fp32" in line or "int8" in line
    }
    assert list(lines) == ["teacher-fp32", "student-int8-static", "student-fp32"]
    for words in ("97.50%", "± 1.00", "8,000", "8.0", "0.123 / 0.200", "50.0%", "chosen"):
        assert words in lines["student-int8-static"]
    assert "breaks max_bytes; max_p50_ms" in lines["student-fp32"]
    assert "chosen" not in lines["teacher-fp32"]
    assert "1.0" in lines["teacher-fp32"]
    assert "360 rows" in text


def test_the_table_renders_when_nothing_was_chosen():
    assert "chosen" not in rendered(variants_table([variant()], None))


def test_zeros_and_the_packed_size_are_shown_where_single_weights_were_pruned():
    whole, rounded = variant(), variant("student-int8-qat", zero_share=0.03, transport_bytes=41_234)
    text = rendered(variants_table([whole, rounded], None))
    assert "zeros" not in text  # of rounding
    assert "41,234" not in text
    pruned = variant("student-pruned-fp32", zero_share=0.805, transport_bytes=31_234)
    text = rendered(variants_table([whole, pruned, rounded], None))
    header = [cell.strip() for cell in text.splitlines()[2].split("┃")][1:-1]
    (row,) = ([c.strip() for c in line.split("│")[1:-1]] for line in text.splitlines() if "pruned" in line)
    told = dict(zip(header, row, strict=True))
    assert (told["file bytes"], told["zeros"], told["packed bytes"]) == ("64,000", "80.5%", "31,234")
    assert told["× smaller"] == "1.0"


def test_the_registry_is_a_table_with_a_row_a_version():
    model = {
        "version": "3", "name": "digits", "aliases": ["champion", "best"], "accuracy": 0.9812,
        "file_bytes": 8123,
        "latency_p50_ms": 0.05, "data_digest": "d" * 64, "git_commit": "c" * 40,
    }  # fmt: skip
    text = rendered(models_table([model, model | {"version": "4", "aliases": []}]))
    for words in ("champion, best", "98.12%", "8,123", "0.050", "d" * 12, "c" * 12):
        assert words in text
    assert "d" * 13 not in text
    assert models_table([]).row_count == 0
    assert "packed" not in text
    pruned = model | {"name": "student-pruned-fp32", "zero_share": 0.805, "transport_bytes": 4321}
    text = rendered(models_table([pruned, pruned | {"name": "student-int8-qat", "zero_share": 0.0}]))
    for words in ("packed bytes", "80.5%", "4,321"):
        assert words in text


def test_a_narrow_terminal_cuts_no_name_short():
    names = ["teacher-fp32", "student-pruned-int8-dynamic", "student-pruned-int8-static"]
    text = rendered(variants_table([variant(name, zero_share=0.5) for name in names], None), width=110)
    assert "…" not in text
    first = "".join(line.strip("│ ").split(" ")[0] for line in text.splitlines() if line.startswith("│"))
    assert first == "".join(names)
