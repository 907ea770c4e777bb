"""What the tests of the gates share: evidence with known flips, and gates with changes by keyword."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest


@dataclass(frozen=True)
class Read:
    """All that is said of a source's rows."""

    rows: list
    unknown: list


@pytest.fixture(scope="session")
def predict_file():
    """Every row of a source, predicted by a model file's bytes."""
    from distillery.prediction import Predicting, Prediction

    def make(model, source):
        predicting = Predicting(model, source)
        rows = [
            Prediction(row, predicting.classes[code], probability)
            for batch in predicting
            for row, code, probability in zip(batch.rows, batch.codes, batch.best().tolist(), strict=True)
        ]
        return Read(rows, predicting.unknown()[0])

    return make


@pytest.fixture(scope="session")
def evidence():
    """Evidence: the first `lost` rows only the champion has right, the next `gained` only the challenger."""
    from distillery.evidence import Evidence, Footprint, Judged

    def make(rows=360, gained=0, lost=0, classes=10, **changes):
        labels = np.arange(rows, dtype=np.int64) % classes
        wrong = (labels + 1) % classes
        at = np.arange(rows)
        footprint = Footprint(file_bytes=10_000, integer_op_share=0.9, peak_rss_bytes=(30_000_000,))
        sure = np.linspace(0.5, 0.99, rows, dtype=np.float32)
        champion = Judged("1", np.where((at >= lost) & (at < lost + gained), wrong, labels), sure, footprint)
        challenger = replace(champion, version="2", predicted=np.where(at < lost, wrong, labels))
        whole = Evidence(
            classes=tuple(str(number) for number in range(classes)),
            row_ids=np.array([f"{number:04d}-0" for number in range(rows)]),
            labels=labels,
            challenger=challenger,
            champion=champion,
            versions=np.ones(rows, np.int64),
            smoke=(),
        )
        return replace(whole, **changes)

    return make


@pytest.fixture(scope="session")
def promotion(shipped):
    """The shipped block `promotion`, with changes as `gate__field=value`."""

    def make(**changes):
        tree = shipped.promotion.model_dump()
        for path, value in changes.items():
            gate, field = path.split("__")
            assert field in tree[gate]
            tree[gate][field] = value
        return type(shipped.promotion).model_validate(tree)

    return make
