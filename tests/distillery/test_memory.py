"""Ten times the rows: no step takes much more memory of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

MEASURE = """
import json, sys, threading, time
from pathlib import Path
import numpy as np
from distillery.data.batches import TrainBatches
from distillery.data.canonical import read_canonical
from distillery.data.chunks import Chunk, ColumnNames, Encoded
from distillery.data.importing import materialise
from distillery.data.preparation import prepare
from distillery.data.rows import load_rows
from distillery.evaluation import predict_held_out, tabulated
from distillery.export import export
from distillery.labelling import label
from distillery.models.mlp import Mlp
from distillery.params.data import AugmentParams, DataParams
from distillery.params.quantize import StaticParams
from distillery.params.runtime import RuntimeParams
from distillery.params.training import TrainingParams
from distillery.quantization.quantize import static
from distillery.training import hard_labels, new_classifier, train
import onnx

ROWS, FOLDER = int(sys.argv[1]), Path(sys.argv[2])
COLUMNS, AT_ONCE = 8, 10_000


class Source:
    form, files, format = ColumnNames(tuple(f"x{i}" for i in range(COLUMNS)), (True,) * COLUMNS), (), "csv"

    def chunks(self):
        random = np.random.default_rng(0)
        for start in range(0, ROWS, AT_ONCE):
            x = random.normal(size=(AT_ONCE, COLUMNS)).astype(np.float32)
            yield Chunk(tuple(x.T), Encoded((x[:, 0] > 0).astype(np.int32), ("no", "yes")), False, str)


class Peak(threading.Thread):
    def __init__(self):
        super().__init__(daemon=True)
        self.peak = 0
        self.start()

    def run(self):
        while True:
            lines = Path("/proc/self/status").read_text().splitlines()
            self.peak = max(self.peak, next(int(l.split()[1]) for l in lines if l.startswith("RssAnon")))
            time.sleep(0.005)


peak, peaks = Peak(), {}


def measured(name, made):
    peak.peak = 0
    time.sleep(0.05)
    value = made()
    peaks[name] = peak.peak
    return value


for name in ("data", "rows", "targets"):
    (FOLDER / name).mkdir(parents=True)
data = DataParams(source="imported", path=None, validation=0.15, test=0.2, calibration=256, split_seed=0,
                  replay=0.5)
augment = AugmentParams(views=1, shift=0, flip=False)
runtime = RuntimeParams(seed=0, threads=1, precision="fp32", device="cpu")
training = TrainingParams(
    epochs=1, batch_size=512, optimizer="adamw", learning_rate=0.01, momentum=0.9, weight_decay=0.0,
    schedule="constant", patience=None, target=None,
)
shipped_static = StaticParams(
    ranges="minmax", weights="per_channel", activations="asymmetric", equalize=False, correct_biases=False,
    fallback=None, bits={"weights": 8, "activations": 8}, rounding={"kind": "nearest"}, mixed=None,
)
measured("import", lambda: materialise(Source(), {"source": "imported", "path": None}, FOLDER / "data"))
measured("prepare", lambda: prepare(read_canonical(FOLDER / "data"), data, FOLDER / "rows"))
rows = load_rows(FOLDER / "rows")
mlp = Mlp(family="mlp", hidden=(16,), dropout=0.0)
model = new_classifier(mlp.network(rows.form, 2), rows, runtime)
batches = TrainBatches(rows, augment, 512, 0)
measured("train", lambda: list(train(model, batches, hard_labels(0.0), training, runtime)))
measured("label", lambda: list(label(model, rows, augment, runtime, FOLDER / "targets/targets.npy")))
file = export(model, rows.classes)
measured("quantize", lambda: static(onnx.load_from_string(file), rows, shipped_static))
measured("evaluate", lambda: [len(t) for t in tabulated(predict_held_out(file, rows, len), rows)])
print(json.dumps(peaks))
"""


def peaks(rows, folder):
    path = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(rows), str(folder)],
        capture_output=True, text=True, check=True, env=environment,
    )  # fmt: skip
    return json.loads(done.stdout)


@pytest.mark.slow
def test_ten_times_the_rows_take_less_than_a_fifth_more_memory(tmp_path):
    few, many = peaks(50_000, tmp_path / "few"), peaks(500_000, tmp_path / "many")
    grown = {step: round(many[step] / few[step], 3) for step in few}
    assert max(grown.values()) < 1.2, (grown, few, many)
