"""The tour runs as it stands in docs/, and does what it says."""

import os
import re
import subprocess
import sys

import pytest


@pytest.mark.slow
def test_the_tour_runs_and_its_int8_file_is_smaller_and_nearly_as_good(root, tmp_path):
    done = subprocess.run(
        [sys.executable, str(root / "docs/tour.py"), str(tmp_path)],
        capture_output=True, text=True, timeout=500, check=False, cwd=root,
        env=os.environ | {"PYTHONPATH": str(root), "ORT_DISABLE_TELEMETRY": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = re.findall(r"^(teacher|student|student, int8) +(0\.\d+) \[.*\] +(\d+) bytes", done.stdout, re.M)
    accuracy = {name: float(share) for name, share, _ in found}
    size = {name: int(count) for name, _, count in found}
    assert list(size) == ["teacher", "student", "student, int8"]
    assert size["student, int8"] < size["student"] < size["teacher"]
    assert accuracy["student"] > 0.9
    assert accuracy["student, int8"] > accuracy["student"] - 0.05
    assert done.stdout.count("predicted ") == 5
