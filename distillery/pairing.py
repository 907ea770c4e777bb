"""Two files side by side: what each says of the same rows, how fast and how big they are."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillery import paired_probe
from distillery.data.form import Form, Series, Shape, Table, Tokens
from distillery.data.rows import Rows
from distillery.errors import DistilleryError
from distillery.evidence import Codes, Footprint, Judged, PairedTimes, match_classes
from distillery.feeding import Feed, column_names
from distillery.inference import class_names, open_session, run_batches, softmax
from distillery.inference import column_names as columns_of
from distillery.measurement import LONGEST_SECONDS, plain
from distillery.operators import compute_operators, count_macs, integer_share

PEAK_PROCESSES = 3
ROOT = Path(paired_probe.__file__).resolve().parent.parent
LAUNCH = "import sys; sys.path.append(sys.argv.pop(1)); from distillery import paired_probe; paired_probe."


def takes(content: bytes, rows: Rows) -> str | None:
    """In words, why a file cannot run these rows; None where it can."""
    session, wanted = open_session(content), _taken_of(rows.form)
    own: object = columns_of(session) or list(session.get_inputs()[0].shape[1:])
    return None if own == wanted else f"it takes rows of {own}, and the data's are of {wanted}"


def _taken_of(form: Form) -> object:
    """What a file of ours takes for such rows: the shape of one, or a table's columns by tensor."""
    match form:
        case Shape():
            return [form.height, form.width, form.channels]
        case Table():
            return column_names(form)
        case Series():
            return [form.length, form.channels]
        case Tokens():
            return [form.length]


def predicted(content: bytes, rows: Rows, positions: NDArray[np.intp]) -> tuple[Codes, NDArray[np.float32]]:
    """The classes of the data (N,) that a file says of the rows at these positions, and how surely."""
    session = open_session(content)
    codes, probability = np.empty(len(positions), np.int64), np.empty(len(positions), np.float32)
    start = 0
    for logits in run_batches(session, rows, positions):
        here = slice(start, start + len(logits))
        codes[here], probability[here] = logits.argmax(1), softmax(logits).max(1)
        start = here.stop
    return match_classes(codes, class_names(session), rows.classes), probability


def judged(version: str, content: bytes, rows: Rows, positions: NDArray[np.intp], feed: Feed) -> Judged:
    """A version on these rows, and what its file takes; memory is asked of fresh processes with `feed`."""
    codes, probability = predicted(content, rows, positions)
    return Judged(version, codes, probability, footprint(content, feed))


def footprint(content: bytes, feed: Feed) -> Footprint:
    """What a file takes, here."""
    macs = count_macs(content)
    with _written(feed, content) as (rows, model):
        peaks = tuple(int(_asked("peak", model, rows)) for _ in range(PEAK_PROCESSES))
    return Footprint(len(content), integer_share(compute_operators(content), macs), peaks)


def time_pair(champion: bytes, challenger: bytes, feed: Feed, rounds: int) -> PairedTimes:
    """Seconds of both files, round by round, in one fresh process."""
    with _written(feed, champion, challenger) as (rows, first, second):
        told = _asked("pair", first, second, rows, str(rounds))
    return PairedTimes(np.array(told["first"]), np.array(told["second"]))


@contextmanager
def _written(feed: Feed, *models: bytes) -> Iterator[list[str]]:
    """The rows and the files where a process can read them."""
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.npz"
        np.savez(rows, **plain(feed))
        files = [Path(folder) / f"{at}.onnx" for at in range(len(models))]
        for file, content in zip(files, models, strict=True):
            file.write_bytes(content)
        yield [str(rows), *map(str, files)]


def _asked(what: str, *arguments: str) -> Any:
    command = [sys.executable, "-I", "-c", f"{LAUNCH}{what}(*sys.argv[1:])", str(ROOT), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False)
    if done.returncode != 0:
        raise DistilleryError(f"measuring the files next to each other failed: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout)
