"""What `distillery data import` takes: MNIST from IDX and from 70,000 PNG files, and a large Parquet table.

    python benchmarks/imports.py [FOLDER]

FOLDER holds the four MNIST-layout files; without it only the table is imported. Each import is a command in a
process of its own; its peak memory is the kernel's, of anonymous pages, sampled twenty times a second.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from distillery.data.sources import read_idx

ROOT = Path(__file__).resolve().parent.parent
TABLE_ROWS, NUMBERS, BLOCK = 5_000_000, 8, 250_000


def main() -> None:
    """Print a line a measurement."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--rows", type=int, default=TABLE_ROWS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        if arguments.folder:
            measure("MNIST from IDX", Path(scratch), arguments.folder.resolve())
            pictures = Path(scratch) / "pictures"
            write_pictures(arguments.folder, pictures)
            measure("MNIST from 70,000 PNG files", Path(scratch), pictures)
            shutil.rmtree(pictures)
        table = Path(scratch) / "table.parquet"
        write_table(table, arguments.rows)
        told = f"{arguments.rows:,} rows of {NUMBERS} numbers and 2 categories from Parquet"
        measure(told, Path(scratch), table, "--label", "label", status=True)


def measure(told: str, scratch: Path, source: Path, *options: str, status: bool = False) -> None:
    """Import a source into a fresh project."""
    project = scratch / "project"
    project.mkdir()
    shutil.copy(ROOT / "params.yaml", project)
    seconds, peak = run(project, "import", str(source), *options)
    print(f"{told}: {seconds:.1f} s, peak {peak / 2**20:,.0f} MiB of anonymous memory", flush=True)
    if status:
        times = [run(project, "status")[0] for _ in range(5)]
        print(f"data status on it: {np.median(times):.2f} s ({min(times):.2f} to {max(times):.2f}, n = 5)")
    shutil.rmtree(project)


def run(project: Path, *arguments: str) -> tuple[float, int]:
    """Seconds, and the peak of anonymous memory, of one data command."""
    command = [sys.executable, "-m", "flows.cli", "data", *arguments, "--project", str(project), "--json"]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peaks = [0]
    watcher = threading.Thread(target=watch, args=(process, peaks))
    watcher.start()
    if process.wait():
        raise SystemExit(process.returncode)
    seconds = time.perf_counter() - start
    watcher.join()
    return seconds, max(peaks)


def watch(process: subprocess.Popen[bytes], peaks: list[int]) -> None:
    """Sample the process until it ends."""
    while process.poll() is None:
        try:
            lines = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii").splitlines()
        except OSError:
            return
        peaks += [int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon")]
        time.sleep(0.05)


def write_pictures(folder: Path, into: Path) -> None:
    """`train/7/00042.png` and `test/...`."""
    written = 0
    for chunk in read_idx(folder).chunks():
        part = into / ("test" if chunk.tested else "train")
        for name in chunk.labels.names:
            (part / name).mkdir(parents=True, exist_ok=True)
        for image, code in zip(chunk.features, chunk.labels.codes.tolist(), strict=True):
            Image.fromarray(image[..., 0]).save(part / chunk.labels.names[code] / f"{written:05}.png")
            written += 1


def write_table(file: Path, rows: int) -> None:
    """A table whose label depends on its columns, written block by block."""
    random, writer = np.random.default_rng(0), None
    for start in range(0, rows, BLOCK):
        size = min(BLOCK, rows - start)
        numbers = random.normal(size=(size, NUMBERS)).astype(np.float32)
        colour, town = random.integers(0, 12, size), random.integers(0, 200, size)
        label = (numbers[:, 0] + 0.1 * colour > 0.5).astype(np.int8)
        columns = {f"x{at}": pa.array(numbers[:, at], mask=numbers[:, at] > 3) for at in range(NUMBERS)}
        columns |= {
            "colour": pa.array([f"colour {code}" for code in colour.tolist()]),
            "town": pa.array([f"town {code}" for code in town.tolist()]),
            "label": pa.array(np.array(["no", "yes"])[label]),
        }
        table = pa.table(columns)
        writer = writer or pq.ParquetWriter(file, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


if __name__ == "__main__":
    main()
