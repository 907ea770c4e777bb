"""From a torch classifier to one ONNX file that eats raw rows, and how exactly the two agree."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from onnx import ModelProto
from torch import Tensor, nn

from distillery.cells import plain_cells
from distillery.data.batches import plain_batches
from distillery.data.form import Table
from distillery.data.rows import Rows, Split
from distillery.errors import ParamsError
from distillery.front_end import with_front_end
from distillery.graph import compact
from distillery.inference import open_session, run_rows
from distillery.models.layers import Module, Network
from distillery.models.network import Classifier
from distillery.tensors import LOGITS

OPSET = 21
PARITY_ROWS = 1024
SAID = 300  # letters of what the exporter says


@dataclass(frozen=True)
class Parity:
    """How an ONNX file's logits compare with torch's on validation rows."""

    rows: int
    largest_logit_difference: float
    agreement: float


class _Exported(nn.Module):
    """What the exporter sees: a model that takes its inputs as the file does, a table's kinds apart."""

    def __init__(self, model: Classifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, *parts: Tensor) -> Tensor:
        """Logits (batch, classes)."""
        return self.model.classify(self.model.encoding.encode(*parts))


def trace(model: Classifier) -> ModelProto:
    """The graph as the exporter writes it: raw rows, or a table's numbers and codes -> `logits`.

    Raises ParamsError where a module of the user's own cannot be written so, for any number of rows.
    """
    examples = model.encoding.examples()
    batch = torch.export.Dim("batch")
    with _quiet_exporter(), _own_is_named(model.network):
        program = torch.onnx.export(
            _Exported(model).eval(), tuple(examples.values()),
            dynamo=True, opset_version=OPSET, verbose=False,
            input_names=list(examples), output_names=[LOGITS],
            dynamic_shapes=(tuple({0: batch} for _ in examples),),
        )  # fmt: skip
    if program is None:
        raise RuntimeError("the exporter returned nothing")
    traced = program.model_proto
    _require_any_rows(traced, model.network)
    return plain_cells(traced)


def export(model: Classifier, classes: tuple[str, ...]) -> bytes:
    """The file that ships; equal weights give equal bytes. Batch norms are folded, fake quantizers too."""
    traced = trace(model.folded())
    if isinstance(model.network.rows, Table):
        traced = with_front_end(traced, model.network.rows)
    return compact(traced, classes)


def compare(model: Classifier, content: bytes, rows: Rows) -> Parity:
    """Torch (fp32) against ONNX Runtime on the first validation rows."""
    positions = rows.where(Split.VALIDATION)[:PARITY_ROWS]
    with torch.no_grad():
        torch_logits = np.concatenate(
            [model.eval()(b.features).numpy() for b in plain_batches(rows, positions)]
        )
    onnx_logits = run_rows(open_session(content), rows, positions)
    return Parity(
        rows=len(positions),
        largest_logit_difference=float(np.abs(torch_logits - onnx_logits).max()),
        agreement=float((torch_logits.argmax(1) == onnx_logits.argmax(1)).mean()),
    )


def _own_functions(network: Network) -> str:
    return ", ".join(layer.function for layer in network.layers if isinstance(layer, Module))


@contextmanager
def _own_is_named(network: Network) -> Iterator[None]:
    """What the exporter says of a module of the user's own is the user's to mend."""
    try:
        yield
    except Exception as error:
        functions = _own_functions(network)
        if not functions:
            raise
        said = " ".join(str(error).split())[:SAID]
        raise ParamsError(f"the module of {functions} cannot be exported: {said}") from error


def _require_any_rows(traced: ModelProto, network: Network) -> None:
    """Sizes that a module's code turns into numbers stand in the file as those of the example."""
    functions = _own_functions(network)
    fixed = {value.type.tensor_type.shape.dim[0].dim_value for value in traced.graph.input} - {0}
    if functions and fixed:
        raise ParamsError(
            f"the module of {functions} takes {min(fixed)} rows at a time once exported: let its code not "
            "make a number of x.shape[0]; -1 in reshape means any number of rows"
        )


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """The exporter warns of packages we do not need; its own deprecations are not ours to mend."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
