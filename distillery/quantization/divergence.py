"""Where to clip an activation: the range whose levels say most of how its values lie.

argmin over t of KL(P, Q), with P what lies in [-t, t] and, at its ends, what lies beyond; and Q what lies
in [-t, t] once merged to the levels (Migacz 2017, "8-bit inference with TensorRT"). The search is ONNX
Runtime's, with its source's 2,048 bins: `quantize_static` gives it 128 for 128 levels, which never clips.
Unlike its source it lets both signs share the levels, spreads a level over bins that were empty too, rounds
what a bin gets down to a whole count, and gives nothing to bins that are left over from equal levels.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import onnx
from onnx import ModelProto
from onnxruntime.quantization.calibrate import CalibrationDataReader, CalibrationMethod, create_calibrator

from distillery.quantization.clipping import Range

BINS = {"num_bins": 2048, "num_quantized_bins": 128}


def closest_ranges(
    model: ModelProto, kinds: Sequence[str], rows: CalibrationDataReader, *, symmetric: bool
) -> dict[str, Range]:
    """The range of each tensor that operators of these kinds read or make; it holds 0, as ONNX needs."""
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "student.onnx"
        onnx.save(model, file)
        watched = str(Path(scratch) / "watched.onnx")
        calibrator = create_calibrator(
            file, list(kinds), watched, calibrate_method=CalibrationMethod.Entropy, extra_options=BINS
        )
        calibrator.collect_data(rows)
        found = {name: tensor.range_value for name, tensor in calibrator.compute_data().items()}
    ranges = {name: (min(float(low), 0.0), max(float(high), 0.0)) for name, (low, high) in found.items()}
    if symmetric:
        return {name: (-max(-low, high), max(-low, high)) for name, (low, high) in ranges.items()}
    return ranges
