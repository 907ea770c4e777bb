"""MNIST through the idx source with params/mnist.yaml: one whole run.

    python benchmarks/mnist.py FOLDER [--keep DIR] [--params FILE ...] [--set a.b=c ...]

FOLDER holds the four MNIST-layout files, gzipped or not. With DIR the project stays, and another student
asks the teacher that has been trained. FILEs go over params/mnist.yaml.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@contextmanager
def project(keep: Path | None) -> Iterator[Path]:
    """The folder of the project: to stay, or for this run alone."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
    else:
        with tempfile.TemporaryDirectory() as scratch:
            yield Path(scratch)


def main() -> None:
    """Run and print a line a variant."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--params", type=Path, action="append", default=[])
    parser.add_argument("--set", action="append", default=[], dest="settings")
    parser.add_argument("--keep", type=Path)
    arguments = parser.parse_args()
    with project(arguments.keep) as folder:
        shutil.copy(ROOT / "params.yaml", folder)
        command = [sys.executable, "-m", "flows.cli", "run", "--json", "--project", str(folder)]
        for overlay in (ROOT / "params/mnist.yaml", *arguments.params):
            command += ["--params", str(overlay)]
        for setting in [f"data.path={arguments.folder.resolve()}", *arguments.settings]:
            command += ["--set", setting]
        start = time.perf_counter()
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        elapsed = time.perf_counter() - start
    if done.returncode not in (0, 3):
        raise SystemExit(done.returncode)
    result = json.loads(done.stdout)
    for v in result["variants"]:
        print(
            f"{v['name']:22}{v['accuracy']:8.2%} [{v['accuracy_low']:.2%}, {v['accuracy_high']:.2%}]"
            f"{v['file_bytes']:10,} bytes  p50 {v['latency_p50_ms']:.3f} ms"
            f"  integer {v['integer_op_share']:.1%}"
        )
    print(f"chosen: {result['chosen']}; {elapsed / 60:.1f} minutes")


if __name__ == "__main__":
    main()
