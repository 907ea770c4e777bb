"""Times two ONNX files against each other in one process; asks what memory one takes in its own.

Like probe.py it imports ONNX Runtime and numpy and nothing else.
"""

from __future__ import annotations

import json
import sys
import time

import onnxruntime as ort

from distillery.probe import LARGE_BATCH, WARM_UP, Feed, anonymous_bytes, load_feed, of_rows, time_runs

LONGEST_SECONDS, FEWEST_ROUNDS = 120.0, 20
PEAK_RUNS, PEAK_LARGE_RUNS = 20, 2


def pair(first: str, second: str, rows: str, rounds: str) -> None:
    """Print the seconds of each round, {"first": [...], "second": [...]}: batch 1, one thread.

    Each round runs both files, in turn the one and the other first. Slow files get fewer rounds.
    """
    sessions = [_open(first), _open(second)]
    batch = of_rows(load_feed(rows), 1)
    for session in sessions:
        time_runs(session, batch, WARM_UP, 1)
    seconds: list[list[float]] = [[], []]
    deadline = time.perf_counter() + LONGEST_SECONDS
    for number in range(int(rounds)):
        if number >= FEWEST_ROUNDS and time.perf_counter() > deadline:
            break
        for at in (0, 1) if number % 2 else (1, 0):
            seconds[at].append(_time(sessions[at], batch))
    sys.stdout.write(json.dumps({"first": seconds[0], "second": seconds[1]}))


def peak(model: str, rows: str) -> None:
    """Print the peak anonymous memory in bytes, of batches of 1 and of many rows."""
    session, feed = _open(model), load_feed(rows)
    time_runs(session, of_rows(feed, 1), PEAK_RUNS, 1)
    single = anonymous_bytes()
    time_runs(session, of_rows(feed, LARGE_BATCH), PEAK_LARGE_RUNS, 1)
    sys.stdout.write(json.dumps(max(single, anonymous_bytes())))


def _open(model: str) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _time(session: ort.InferenceSession, batch: Feed) -> float:
    start = time.perf_counter()
    session.run(None, batch)
    return time.perf_counter() - start
