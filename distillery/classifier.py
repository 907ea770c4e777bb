"""A file that ships as a Python object: arrays in, class names and probabilities out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillery.errors import DataError
from distillery.feeding import Feed
from distillery.inference import BATCH, class_names, column_names, open_session, run_feeds, softmax
from distillery.prediction import Prediction
from distillery.tensors import INPUT

NUMPY = {
    "tensor(uint8)": "uint8",
    "tensor(float)": "float32",
    "tensor(int64)": "int64",
    "tensor(string)": "str",
}


@dataclass(frozen=True)
class InputTensor:
    """One array that a file takes: name, numpy type, shape of a row, and the names of a table's columns."""

    name: str
    dtype: str
    row: tuple[int, ...]
    columns: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name}, {self.dtype} {('N', *self.row)}".replace("'", "")


class OnnxClassifier:
    """A session on a file's bytes, on so many threads of the CPU."""

    def __init__(self, content: bytes, threads: int = 1) -> None:
        self._session = open_session(content, threads)
        self.classes = class_names(self._session)
        columns = column_names(self._session)
        self.inputs = tuple(
            InputTensor(
                tensor.name,
                NUMPY[tensor.type],
                tuple(int(size) for size in tensor.shape[1:]),
                tuple(columns.get(tensor.name, ())),
            )
            for tensor in self._session.get_inputs()
        )

    def probabilities(self, rows: NDArray[Any] | Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
        """(N, classes), in the order of `classes`.

        `rows` is the array of the input called `input`, or the arrays of all inputs by name. Raises DataError
        where they are not what the file takes.
        """
        feed = self._feed(rows if isinstance(rows, Mapping) else {INPUT: rows})
        count = len(next(iter(feed.values())))
        starts = range(0, count, BATCH)
        if not count:
            return np.empty((0, len(self.classes)))
        batches = ({name: array[at : at + BATCH] for name, array in feed.items()} for at in starts)
        return softmax(run_feeds(self._session, batches))

    def predict(self, rows: NDArray[Any] | Mapping[str, NDArray[Any]]) -> list[Prediction]:
        """The class of each row and its probability; takes and raises what `probabilities` does."""
        shares = self.probabilities(rows)
        return [
            Prediction(str(at), self.classes[code], float(shares[at, code]))
            for at, code in enumerate(shares.argmax(1).tolist())
        ]

    def _feed(self, rows: Mapping[str, NDArray[Any]]) -> Feed:
        named = {name: np.asarray(array) for name, array in rows.items()}
        wanted = {tensor.name for tensor in self.inputs}
        faults = [f"{name} is not an input" for name in sorted(set(named) - wanted)]
        for tensor in self.inputs:
            faults += _faults(tensor, named.get(tensor.name))
        if len({len(array) for array in named.values() if array.ndim}) > 1:
            faults.append("the arrays have different numbers of rows")
        if faults:
            raise DataError(f"the model takes {'; '.join(map(str, self.inputs))}", faults)
        return {tensor.name: _plain(tensor, named[tensor.name]) for tensor in self.inputs}


def _faults(tensor: InputTensor, array: NDArray[Any] | None) -> list[str]:
    if array is None:
        return [f"{tensor.name} is missing: hand the arrays over as a dict, by name"]
    faults = []
    if array.shape[1:] != tensor.row or array.ndim == 0:
        faults.append(f"{tensor.name} has shape {array.shape}, not {('N', *tensor.row)}".replace("'", ""))
    kinds = {"uint8": "u", "float32": "fiu", "int64": "iu", "str": "UO"}[tensor.dtype]
    exact = tensor.dtype != "uint8" or array.dtype == np.uint8
    if array.dtype.kind not in kinds or not exact:
        faults.append(f"{tensor.name} is {array.dtype}, not {tensor.dtype}")
    return faults


def _plain(tensor: InputTensor, array: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(array, object if tensor.dtype == "str" else tensor.dtype)
