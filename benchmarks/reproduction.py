"""Registered versions rebuilt from their records, and how many of them came out byte for byte.

    python benchmarks/reproduction.py [--versions 20]

Each run registers five versions (two fp32, three int8); runs differ in seed, source, families, threads and
precision, and train for a few epochs only. Versions are then rebuilt by `distillery reproduce`, each in a
process and a project of its own; what the runs had computed is taken away before. Of fewer versions than 20,
some are taken from each kind of run.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

ROOT = Path(__file__).resolve().parent.parent
VARIANTS_A_RUN = 5
SMALL = {
    "teacher.model": "{family: resnet, stem_stride: 1, width: 8, stages: 2, blocks: 1, dropout: 0.1}",
    "teacher.training.epochs": "4",
    "student.model": "{family: resnet, stem_stride: 1, width: 4, stages: 2, blocks: 1, dropout: 0.0}",
    "distill.training.epochs": "6",
    "quantize.qat.training.epochs": "4",
    "budget.max_accuracy_drop": "100",
}
KINDS: tuple[dict[str, str], ...] = (
    {},
    {"data.source": "idx", "data.path": "IDX", "augment.views": "3", "distill.temperature": "2.0"},
    {
        "teacher.model": "{family: mlp, hidden: [64, 32], dropout: 0.2}",
        "student.model": "{family: mlp, hidden: [16], dropout: 0.0}",
        "runtime.precision": "fp32",
        "quantize.static.ranges": "percentile",
    },
    {"runtime.threads": "1", "distill.alpha": "0.3", "quantize.static.ranges": "entropy"},
)


def write_idx(folder: Path) -> None:
    """The digits as an MNIST-layout folder: a source outside the project with a test split of its own."""
    digits = load_digits()
    images, labels = digits.images.astype(np.uint8), digits.target.astype(np.uint8)
    for part, chosen in (("train", slice(0, 1500)), ("t10k", slice(1500, None))):
        write_idx_file(folder / f"{part}-images-idx3-ubyte", images[chosen])
        write_idx_file(folder / f"{part}-labels-idx1-ubyte", labels[chosen])


def write_idx_file(file: Path, array: NDArray[np.uint8]) -> None:
    """One IDX file of unsigned bytes."""
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    file.write_bytes(header + array.tobytes())


def distillery(project: Path, *arguments: str) -> Any:
    """What a command prints as JSON; exit codes 0 and 4 have some."""
    command = [sys.executable, "-m", "flows.cli", *arguments, "--json", "--project", str(project)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 4):
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def register(project: Path, idx: Path, number: int) -> None:
    """One pipeline run with parameters of its own."""
    settings = {**SMALL, **KINDS[number % len(KINDS)], "runtime.seed": str(number)}
    shown = {key: str(idx) if value == "IDX" else value for key, value in settings.items()}
    distillery(project, "run", *(f"--set={key}={value}" for key, value in shown.items()))


def main() -> None:
    """Register, take away what was computed, rebuild, and count the verdicts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--versions", type=int, default=20)
    wanted = parser.parse_args().versions
    verdicts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as scratch:
        project, idx = Path(scratch) / "project", Path(scratch) / "idx"
        project.mkdir()
        idx.mkdir()
        shutil.copy(ROOT / "params.yaml", project)
        write_idx(idx)
        for number in range(max(math.ceil(wanted / VARIANTS_A_RUN), min(wanted, len(KINDS)))):
            register(project, idx, number)
        for name in ("artifacts", "results"):
            shutil.rmtree(project / ".distillery" / name)
        registered = sorted(distillery(project, "models"), key=lambda version: int(version["version"]))
        chosen = np.linspace(0, len(registered) - 1, wanted).round().astype(int)
        versions = [registered[place] for place in chosen]
        for version in versions:
            started = time.monotonic()
            told = distillery(project, "reproduce", version["version"])
            verdicts[told["verdict"]] += 1
            seconds = time.monotonic() - started
            line = (
                f"version {version['version']:>3} {told['variant']:22} seed {told['seed']}: {told['verdict']}"
            )
            print(f"{line}, {seconds:.0f} s", file=sys.stderr, flush=True)
    print(f"{verdicts['identical']} of {len(versions)} identical ({dict(verdicts)})")
    sys.exit(verdicts["identical"] != len(versions))


if __name__ == "__main__":
    main()
