"""What a command costs when nothing is to be done, beside a three-stage `dvc repro` with nothing to do.

    python benchmarks/latency_of_commands.py [--runs 10]

The commands take turns, A B A B ..., so that a machine that slows down slows both; the ratio is pair by pair.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
STAGES = """stages:
  prepare: {cmd: cp source.txt a.txt, deps: [source.txt], outs: [a.txt]}
  train: {cmd: cp a.txt b.txt, deps: [a.txt], outs: [b.txt]}
  evaluate: {cmd: cp b.txt c.txt, deps: [b.txt], outs: [c.txt]}
"""


def seconds(command: list[str], folder: Path) -> float:
    """Wall time of one whole process."""
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - start


def dvc_project(folder: Path) -> None:
    """A repository with three stages that are up to date."""
    for command in (["git", "init", "-q"], [str(BIN / "dvc"), "init", "-q"]):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    (folder / "source.txt").write_text("rows\n", encoding="utf-8")
    (folder / "dvc.yaml").write_text(STAGES, encoding="utf-8")
    subprocess.run([str(BIN / "dvc"), "repro", "-q"], cwd=folder, check=True, capture_output=True)


def shown(values: list[float]) -> str:
    """Median, least and most."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f}, n = {len(values)})"


def main() -> None:
    """Make both projects up to date, then time their no-ops in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as ours, tempfile.TemporaryDirectory() as theirs:
        shutil.copy(ROOT / "params.yaml", ours)
        dvc_project(Path(theirs))
        run, repro = [str(BIN / "distillery"), "run"], [str(BIN / "dvc"), "repro"]
        print(f"cold run: {seconds(run, Path(ours)):.1f} s")
        pairs = [(seconds(run, Path(ours)), seconds(repro, Path(theirs))) for _ in range(runs)]
        helps = [seconds([str(BIN / "distillery"), "--help"], Path(ours)) for _ in range(runs)]
    print(f"no-op distillery run, s: {shown([a for a, _ in pairs])}")
    print(f"no-op dvc repro, s:      {shown([b for _, b in pairs])}")
    print(f"ratio, pair by pair:     {shown([a / b for a, b in pairs])}")
    print(f"distillery --help, s:    {shown(helps)}")


if __name__ == "__main__":
    main()
