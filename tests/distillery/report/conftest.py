"""Facts of a run on real rows with invented predictions, and a strict reader of pages."""

from __future__ import annotations

import dataclasses
from html.parser import HTMLParser

import numpy as np
import pytest

NAMES = ("teacher-fp32", "student-fp32", "control-fp32", "student-int8-dynamic", "student-int8-qat")
WRONG = dict(zip(NAMES, (2, 4, 9, 6, 5), strict=True))  # test rows
BYTES = dict(zip(NAMES, (700_000, 32_000, 32_000, 11_000, 13_000), strict=True))

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Elements in order, with their attributes and text; `faults` are tags that do not match."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.elements, self.faults, self._open, self.text = [], [], [], []
        self.feed(html)
        self.close()
        self.faults += [f"{tag} is never closed" for tag in self._open]

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        if len(names) != len(set(names)):
            self.faults.append(f"{tag} has an attribute twice: {names}")
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"</{tag}> closes nothing")

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag):
        """The attributes of every element of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]

    def values(self, attribute):
        """Every value of an attribute."""
        return [attributes[attribute] for _, attributes in self.elements if attribute in attributes]


@pytest.fixture(scope="session")
def read():
    """Reads a page."""
    return Page


@pytest.fixture(scope="session", autouse=True)
def fonts_elsewhere(tmp_path_factory):
    """Matplotlib's cache of fonts would go to the home directory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MPLCONFIGDIR", str(tmp_path_factory.mktemp("matplotlib")))
        yield


@pytest.fixture(scope="session")
def tested():
    """Makes predictions of labels: so many rows wrong, from a row on."""
    from distillery.report.facts import Answers

    def make(labels, wrong, start=0, classes=10, positions=None):
        labels = np.asarray(labels, np.int64)
        predicted = labels.copy()
        predicted[start : start + wrong] = (predicted[start : start + wrong] + 1) % classes
        sure = np.linspace(0.3, 0.999, len(labels)).astype(np.float32)
        return Answers(np.arange(len(labels)) if positions is None else positions, labels, predicted, sure)

    return make


@pytest.fixture(scope="session")
def variant():
    """Makes a variant, with changes by keyword."""
    from distillery.report.variants import Variant

    def make(name="student-int8-qat", **changes):
        plain = {
            "accuracy": 0.98, "accuracy_low": 0.96, "accuracy_high": 0.99, "macro_f1": 0.97,
            "file_bytes": 9000,
            "parameters": 7000, "macs": 80_000, "latency_p50_ms": 0.05, "latency_p95_ms": 0.07,
            "throughput_rows_per_second": 6e4, "peak_rss_bytes": 3 * 10**7, "integer_op_share": 0.9,
            "transport_bytes": 900, "zero_share": 0.0,
            "teacher_agreement": 0.97, "test_rows": 100, "broken": [],
        }  # fmt: skip
        return Variant(name=name, **(plain | changes))

    return make


@pytest.fixture(scope="session")
def facts_of(shipped, tested, variant):
    """Makes the facts of a run on prepared rows, with changes by keyword."""
    from distillery.data.rows import Split
    from distillery.evaluation import wilson_interval
    from distillery.report.facts import Curve, DataFacts, DataVersion, Earlier, Facts, Registered
    from distillery.report.layers import Layer
    from distillery.trend import TrendPoint

    def make(rows, **changes):
        test = rows.where(Split.TEST)
        labels, count = np.asarray(rows.labels)[test], len(rows.classes)
        said = {n: tested(labels, w, 3 * at, count, test) for at, (n, w) in enumerate(WRONG.items())}
        variants = []
        for at, name in enumerate(NAMES):
            right = int(said[name].right.sum())
            low, high = wilson_interval(right, len(test))
            accuracy = {"accuracy": right / len(test), "accuracy_low": low, "accuracy_high": high}
            size = {"file_bytes": BYTES[name], "latency_p50_ms": 0.02 + 0.01 * at, "test_rows": len(test)}
            variants.append(variant(name, **accuracy, **size))
        curve = Curve("teacher-fp32", (0.2, 0.7, 0.9, 0.95, 0.94), 4)
        versions = (
            DataVersion(1, 400, "csv", ("rows: 3 doubled",), None),
            DataVersion(2, 100, "csv", (), {"classes": 0.01, "brightness": 0.4}),
        )
        plain = {
            "written": "2026-01-02 03:04 UTC", "variants": tuple(variants), "control": "control-fp32",
            "tested": said, "operators": {n: {"QLinearConv": 9, "Gemm": 1} for n in NAMES},
            "layers": {
                name: (
                    Layer("Conv", (4, 1, 3, 3), 8, 36, 0.25, 1.5e-6),
                    Layer("Gemm", (10, 4), 32, 160, 0.0, None),
                )
                for name in NAMES[1:]
            },
            "curves": (curve, dataclasses.replace(curve, name="control-fp32", best=5)),
            "chosen": "student-int8-dynamic", "reason": "smallest of the 2 that keep the budget",
            "budget": shipped.budget, "rows": rows,
            "registered": Registered("digits", "0123456789abcdef", {"student-int8-dynamic": "5"}, "champion"),
            "trend": (
                TrendPoint("2", "student-fp32", "was champion", "2026-01-01T00:00:00+00:00",
                           0.97, 0.95, 0.99, 90, 20_000, 0.03, "c" * 64, 1),
                TrendPoint("5", "student-int8-dynamic", "champion", None,
                           0.98, 0.96, 0.99, None, 9_000, 0.02, "d" * 64, None),
            ),
            "earlier": (Earlier("2", "student-fp32", 0.97, 20_000, 0.03),),
            "data": DataFacts("digits", "d" * 64, {"train": 300, "test": 100}, (), versions),
            "lineage": (("seed", "0, 2 threads"),), "digests": dict.fromkeys(NAMES, "a" * 64),
            "rebuild": ("distillery reproduce 5",), "params": "runtime:\n  seed: 0\n", "verdict": None,
        }  # fmt: skip
        return Facts(**(plain | changes))

    return make


@pytest.fixture(scope="session")
def facts(facts_of, rows):
    """A run on the digits."""
    return facts_of(rows)


@pytest.fixture(scope="session")
def page(facts):
    """Its report."""
    from distillery.report.page import render

    return render(facts)
