"""How big and fast a file is, measured on the file that ships, in a fresh process on one thread."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto

from distillery import probe
from distillery.errors import DistilleryError
from distillery.feeding import Feed
from distillery.operators import compute_operators, count_macs, integer_share
from distillery.sequence_macs import CELL_INPUTS
from distillery.sparsity import transport_bytes, zero_share

LONGEST_SECONDS = 600
PROBE_ROWS = 256
AUXILIARY = {
    "QuantizeLinear": 1,
    "DequantizeLinear": 1,
    "Cast": 0,
    "DynamicQuantizeLSTM": CELL_INPUTS,
}  # from which input on none is a weight


@dataclass(frozen=True)
class Measurement:
    """One file on this machine. Latency is of batch 1, throughput of batch 256; both on one thread."""

    file_bytes: int
    transport_bytes: int  # of the file as zlib compresses it
    parameters: int
    zero_share: float  # of the kernels and matrices
    macs: int
    integer_op_share: float
    operators: dict[str, int]  # compute operators of the optimized graph, by kind
    latency_p50_ms: float
    latency_p95_ms: float
    latency_runs: int
    throughput_rows_per_second: float
    peak_rss_bytes: int

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


def measure(model: Path, feed: Feed) -> Measurement:
    """Measure a file with some rows of the data that it is for, at the most PROBE_ROWS."""
    content = model.read_bytes()
    operators = compute_operators(content)
    macs = count_macs(content)
    kinds = sorted({operator.kind for operator in operators})
    return Measurement(
        file_bytes=len(content),
        transport_bytes=transport_bytes(content),
        parameters=count_weights(content),
        zero_share=zero_share(content),
        macs=macs,
        integer_op_share=integer_share(operators, macs),
        operators={kind: sum(operator.kind == kind for operator in operators) for kind in kinds},
        **_probe(model, feed),
    )


def count_weights(content: bytes) -> int:
    """Weights and biases in the file: constants that compute reads; no scale, zero point, shape or index."""
    graph = onnx.load_from_string(content).graph
    auxiliary = {
        name
        for node in graph.node
        if node.op_type in AUXILIARY
        for name in node.input[AUXILIARY[node.op_type] :]
    }
    auxiliary |= {tensor.name for tensor in graph.initializer if tensor.data_type == TensorProto.INT64}
    auxiliary -= {tensor.name for tensor in graph.initializer if tensor.data_type == TensorProto.INT4}
    return sum(math.prod(tensor.dims) for tensor in graph.initializer if tensor.name not in auxiliary)


def _probe(model: Path, feed: Feed) -> dict[str, Any]:
    with tempfile.NamedTemporaryFile(suffix=".npz") as file:
        np.savez(file, **plain(feed))
        file.flush()
        command = [sys.executable, "-I", str(probe.__file__), str(model), file.name]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False)
    if done.returncode != 0:
        raise DistilleryError(f"measuring {model} failed: {done.stderr.strip()[-500:]}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def plain(feed: Feed) -> dict[str, Any]:
    """Names as text of a fixed width, which needs no pickle."""
    return {name: array.astype(np.str_) if array.dtype == object else array for name, array in feed.items()}
