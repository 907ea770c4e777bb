"""Whether a registered file still does what it did: its bytes, its graph, and some real rows, anywhere.

The record is one .npz for all the files of a run: up to ROWS held-out rows as a file takes them, and what
each file said of them. Equal runs write equal bytes.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillery import smoke_probe
from distillery.artifacts import digest_bytes
from distillery.data.rows import Rows, Split
from distillery.feeding import feeder
from distillery.smoke_probe import FEED, RECORDED

ROWS = 100
LONGEST_SECONDS = 60
SHOWN = 10


@dataclass(frozen=True)
class Smoke:
    """The recorded rows that were run, and in words what is wrong; nothing where the file is sound."""

    rows: int
    faults: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


def record_smoke(rows: Rows, logits: Mapping[str, NDArray[np.float32]]) -> bytes:
    """The record. `logits` (N, classes) of each file are of the N validation and test rows, in order."""
    held_out = np.flatnonzero((rows.splits == Split.VALIDATION) | (rows.splits == Split.TEST))
    chosen = np.unique(np.linspace(0, len(held_out) - 1, min(ROWS, len(held_out))).astype(np.int64))
    feed = feeder(rows.form)(np.asarray(rows.features[held_out[chosen]]))
    arrays = {f"{FEED}{n}": a.astype(np.str_) if a.dtype == object else a for n, a in feed.items()}
    arrays |= {f"{RECORDED}{name}": np.asarray(said[chosen]) for name, said in sorted(logits.items())}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type] # names are data here
    return buffer.getvalue()


def smoke_test(content: bytes, onnx_digest: str, record: bytes | None, variant: str) -> Smoke:
    """Hold a file to its digest, to ONNX's checker, and in a fresh process to its recorded predictions.

    Without a record, which old versions lack, the file is only checked and loaded.
    """
    found = digest_bytes(content)
    if found != onnx_digest:
        return Smoke(0, (f"the file's SHA-256 is {found}; {onnx_digest} was registered",))
    with tempfile.TemporaryDirectory() as folder:
        model, rows = Path(folder) / "model.onnx", Path(folder) / "smoke.npz"
        model.write_bytes(content)
        arguments = [str(model)]
        if record is not None:
            rows.write_bytes(record)
            arguments += [str(rows), variant]
        return _probe(arguments)


def _probe(arguments: list[str]) -> Smoke:
    command = [sys.executable, "-I", str(smoke_probe.__file__), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return Smoke(0, (f"it did not answer within {LONGEST_SECONDS} seconds",))
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()[-1:] or [f"it ended with code {done.returncode}"]
        return Smoke(0, (f"it cannot be loaded and run in a fresh process: {said[0][:500]}",))
    told = json.loads(done.stdout)
    wrong = told["wrong"]
    if not wrong:
        return Smoke(told["rows"], ())
    places = ", ".join(map(str, wrong[:SHOWN])) + (", ..." if len(wrong) > SHOWN else "")
    otherwise = f"{len(wrong)} of {told['rows']} recorded rows are predicted otherwise: rows {places}"
    return Smoke(told["rows"], (otherwise,))
