"""What an ONNX file takes and gives, read from the file itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx


@dataclass(frozen=True)
class TensorShape:
    """A graph's input or output: its name, type and shape, -1 where the shape is free."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    def example(self) -> npt.NDArray[Any]:
        """One row of plausible values: a ramp for whole numbers, zeros for others."""
        shape = tuple(1 if size < 0 else size for size in self.shape)
        if self.dtype.kind not in "iu":
            return np.full(shape, "" if self.dtype.kind == "O" else 0, dtype=self.dtype)
        return (np.arange(np.prod(shape)) % 128).astype(self.dtype).reshape(shape)


def graph_tensors(file: Path) -> tuple[list[TensorShape], list[TensorShape]]:
    """The inputs and outputs of an ONNX file."""
    graph = onnx.load(file).graph
    weights = {tensor.name for tensor in graph.initializer}
    return _shapes(value for value in graph.input if value.name not in weights), _shapes(graph.output)


def _shapes(values: Iterable[Any]) -> list[TensorShape]:
    found = []
    for value in values:
        tensor = value.type.tensor_type
        sizes = tuple(d.dim_value if d.HasField("dim_value") else -1 for d in tensor.shape.dim)
        found.append(TensorShape(value.name, onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type), sizes))
    return found
