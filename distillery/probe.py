"""Runs one ONNX file in a process of its own and prints what it took: `python probe.py FILE ROWS`.

ROWS is an .npz of the tensors that the file takes, by their names.

It imports ONNX Runtime and numpy and nothing else, so that the memory is the model's and its runtime's.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

WARM_UP, RUNS = 100, 2000
LARGE_BATCH, LARGE_WARM_UP, LARGE_RUNS = 256, 2, 20

Feed = dict[str, NDArray[Any]]  # tensor name -> its value for some rows


def anonymous_bytes() -> int:
    """Anonymous resident memory of this process (Linux): mapped files are not counted."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0


def load_feed(file: str) -> Feed:
    """The tensors; names are text of a fixed width in the file, and objects for ONNX Runtime."""
    with np.load(file, allow_pickle=False) as arrays:
        feed = {name: arrays[name] for name in arrays.files}
    return {name: array.astype(object) if array.dtype.kind == "U" else array for name, array in feed.items()}


def of_rows(feed: Feed, rows: int) -> Feed:
    """As many rows: the first ones, or all of them over and over."""
    return {name: np.resize(array, (rows, *array.shape[1:])) for name, array in feed.items()}


def time_runs(session: ort.InferenceSession, batch: Feed, warm_up: int, runs: int) -> NDArray[np.float64]:
    """Seconds of each of `runs` runs, after a warm-up."""
    for _ in range(warm_up):
        session.run(None, batch)
    seconds = np.empty(runs)
    for i in range(runs):
        start = time.perf_counter()
        session.run(None, batch)
        seconds[i] = time.perf_counter() - start
    return seconds


def main(model: str, rows: str) -> None:
    """Print one JSON object: latency at batch 1, throughput at batch 256, peak anonymous memory."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    feed = load_feed(rows)
    single = time_runs(session, of_rows(feed, 1), WARM_UP, RUNS)
    peak = anonymous_bytes()
    large = time_runs(session, of_rows(feed, LARGE_BATCH), LARGE_WARM_UP, LARGE_RUNS)
    result = {
        "latency_p50_ms": float(np.percentile(single, 50) * 1000),
        "latency_p95_ms": float(np.percentile(single, 95) * 1000),
        "latency_runs": RUNS,
        "throughput_rows_per_second": float(LARGE_BATCH / np.median(large)),
        "peak_rss_bytes": max(peak, anonymous_bytes()),
    }
    sys.stdout.write(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
