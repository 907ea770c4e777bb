"""Digits over seeds: teacher, champion, and what distillation and QAT gave against the control.

    python benchmarks/digits.py [--seeds 5]

Each seed is a whole pipeline run in a scratch project, with the seed for the training and for the splits.
The reported accuracies are on test rows; nothing here is chosen by them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
T95 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}


def run(project: Path, seed: int) -> dict[str, Any]:
    """One pipeline run; its JSON."""
    shutil.copy(ROOT / "params.yaml", project)
    settings = [f"runtime.seed={seed}", f"data.split_seed={seed}"]
    command = [sys.executable, "-m", "flows.cli", "run", "--json", "--project", str(project)]
    for setting in settings:
        command += ["--set", setting]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 3):
        raise SystemExit(done.stderr)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def predictions(project: Path, variant: str) -> pd.Series:
    """Which test rows a variant gets right, by row id."""
    (folder,) = (project / ".distillery/artifacts" / f"evaluate_model.{variant}").iterdir()
    frame = pd.read_parquet(folder / "predictions.parquet")
    test = frame[frame["split"] == "test"].set_index("row_id")
    return (test["label"] == test["predicted"]).rename(variant)


def interval(values: list[float]) -> str:
    """Mean, and the 95 % interval of Student's t over seeds."""
    mean, n = statistics.mean(values), len(values)
    if n == 1:
        return f"{mean:+.2f} (n = 1)"
    half = T95.get(n - 1, 1.96) * statistics.stdev(values) / n**0.5
    return f"{mean:+.2f} [{mean - half:+.2f}, {mean + half:+.2f}] (n = {n})"


def main() -> None:
    """Run the seeds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    seeds = range(parser.parse_args().seeds)
    accuracy: dict[str, list[float]] = {}
    size: dict[str, list[int]] = {}
    champions, differences = [], {"student-fp32": [], "student-int8-qat": []}  # type: ignore[var-annotated]
    for seed in seeds:
        with tempfile.TemporaryDirectory() as scratch:
            result = run(Path(scratch), seed)
            for variant in result["variants"]:
                accuracy.setdefault(variant["name"], []).append(100 * variant["accuracy"])
                size.setdefault(variant["name"], []).append(variant["file_bytes"])
            champions.append((result["chosen"] or {}).get("name"))
            control = predictions(Path(scratch), "control-fp32")
            for name, found in differences.items():
                found.append(
                    100 * float(np.mean(predictions(Path(scratch), name).astype(int) - control.astype(int)))
                )
        print(f"seed {seed}: chosen {champions[-1]}, {result['seconds']:.0f} s", file=sys.stderr, flush=True)
    print("variant               test accuracy %: mean ± sd (min)    bytes (largest)")
    for name, values in accuracy.items():
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        print(
            f"{name:22}{statistics.mean(values):.2f} ± {spread:.2f} ({min(values):.2f}){max(size[name]):24,}"
        )
    chosen = [accuracy[name][i] for i, name in enumerate(champions) if name]
    print(
        f"champion: mean {statistics.mean(chosen):.2f} over {len(chosen)} of {len(seeds)} seeds: {champions}"
    )
    for name, found in differences.items():
        print(f"{name} - control-fp32, points, same test rows: {interval(found)}")


if __name__ == "__main__":
    main()
