"""Runs recorded rows through one ONNX file in a fresh process: `python smoke_probe.py FILE RECORD VARIANT`.

RECORD is what `distillery.smoke` wrote; without it the file is only checked and loaded. It imports nothing of
the project.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

FEED, RECORDED = "feed.", "logits."


def main(model: str, record: str = "", variant: str = "") -> None:
    """Print one JSON object: the rows that were run, and those that are predicted otherwise, by number."""
    with open(model, "rb") as stream:  # noqa: PTH123 - a script of few imports
        content = stream.read()
    onnx.checker.check_model(content, full_check=True)
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    found: dict[str, Any] = {"rows": 0, "wrong": []}
    if record:
        with np.load(record, allow_pickle=False) as arrays:
            feed = {n.removeprefix(FEED): arrays[n] for n in arrays.files if n.startswith(FEED)}
            recorded = arrays[f"{RECORDED}{variant}"]
        feed = {n: array.astype(object) if array.dtype.kind == "U" else array for n, array in feed.items()}
        alone = ({n: array[[at]] for n, array in feed.items()} for at in range(len(recorded)))
        now = np.concatenate([session.run(["logits"], row)[0] for row in alone])  # ranges may be of a batch
        wrong = disagreeing(recorded, now)
        found = {"rows": len(recorded), "wrong": np.flatnonzero(wrong).tolist()}
    sys.stdout.write(json.dumps(found))


def disagreeing(recorded: NDArray[np.float32], now: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which rows (N,) have another class now, of logits (N, classes); a recorded tie may fall either way.

    A tie: the two classes' logits were closer than a hundredth of the row's range. Other processors round so.
    """
    at, was, is_now = np.arange(len(recorded)), recorded.argmax(1), now.argmax(1)
    apart = recorded[at, was] - recorded[at, is_now]
    broken = ~np.isfinite(now).all(1)
    return np.asarray((apart > (recorded.max(1) - recorded.min(1)) / 100) | broken)


if __name__ == "__main__":
    main(*sys.argv[1:])
