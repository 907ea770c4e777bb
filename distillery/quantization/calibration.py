"""The calibration rows as feeds, one by one, and a look at what they make of the tensors inside a graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto

from distillery.data.rows import Rows
from distillery.feeding import Feed, feeder
from distillery.inference import open_session


def calibration_feeds(rows: Rows) -> Iterator[Feed]:
    """Feeds of one calibration row each, in the order of the data."""
    feed = feeder(rows.form)
    return (feed(rows.features[at][None]) for at in np.flatnonzero(rows.calibration))


class Watched:
    """A graph that also gives what these tensors hold, row by row."""

    def __init__(self, model: ModelProto, tensors: Sequence[str]) -> None:
        self.tensors = list(tensors)
        open_model = ModelProto()
        open_model.CopyFrom(model)
        known = {output.name for output in model.graph.output}
        open_model.graph.output.extend(onnx.ValueInfoProto(name=t) for t in self.tensors if t not in known)
        self.session = open_session(open_model.SerializeToString())

    def run(self, rows: Rows) -> Iterator[dict[str, NDArray[Any]]]:
        """Tensor name -> its value (1, ...), a calibration row at a time."""
        for feed in calibration_feeds(rows):
            yield dict(zip(self.tensors, self.session.run(self.tensors, feed), strict=True))
