"""A tour through the Python API: the digits, a teacher, what it teaches, int8, and the file that ships.

    python docs/tour.py [FOLDER]        # in the repository; FOLDER keeps what it writes

It is what `distillery run` does, step by step and with small budgets, without Prefect, MLflow or DVC: the
core (`distillery/`) knows none of them. A step of the pipeline (`tasks/`) is one such call between loading
and saving. Cells begin with `# %%`, which editors and Jupyter understand.
"""

# %% A parameter is a frozen model; what is legal, and every default, stands in params.yaml.
import sys
import tempfile
from pathlib import Path

import onnx

from distillery.classifier import OnnxClassifier
from distillery.data.batches import TrainBatches
from distillery.data.canonical import read_canonical
from distillery.data.importing import materialise
from distillery.data.locate import origin_of
from distillery.data.preparation import prepare
from distillery.data.rows import Split, load_rows
from distillery.data.sources import read_source
from distillery.distillation import distill
from distillery.evaluation import assess, predict_held_out
from distillery.export import compare, export
from distillery.feeding import feeder
from distillery.labelling import label, load_targets
from distillery.measurement import PROBE_ROWS, measure
from distillery.params.project import load_params
from distillery.quantization.quantize import static
from distillery.training import hard_labels, new_classifier, train

SMALL = (
    "runtime.precision=fp32",
    "runtime.threads=1",
    "augment.views=2",
    "teacher.training.epochs=3",
    "distill.training.epochs=8",
    "distill.training.batch_size=32",
)
params = load_params(Path(__file__).parents[1] / "params.yaml", (), SMALL)
runtime, augment = params.runtime, params.augment
scratch = tempfile.TemporaryDirectory()
folder = Path(sys.argv[1] if len(sys.argv) > 1 else scratch.name)
print("temperature:", params.distill.temperature)

# %% Rows: read from a source, brought into one form, and split for ever by the digest of each row.
for name in ("data", "prepared", "targets"):
    (folder / name).mkdir(parents=True, exist_ok=True)
materialise(read_source(params.data, folder), origin_of(params.data), folder / "data")
prepare(read_canonical(folder / "data"), params.data, folder / "prepared")
rows = load_rows(folder / "prepared")
print("rows:", {split.name.lower(): len(rows.where(split)) for split in Split})

# %% A teacher: any stream of epochs can be watched, plotted or cut short.
teacher = new_classifier(params.teacher.model.network(rows.form, len(rows.classes)), rows, runtime)
lessons = params.teacher.training
batches = TrainBatches(rows, augment, lessons.batch_size, runtime.seed)
for epoch in train(teacher, batches, hard_labels(lessons.label_smoothing), lessons, runtime):
    print("teacher,", epoch.note)

# %% What it says of every view of every train row is stored once, and read by whoever learns from it.
for _ in label(teacher, rows, augment, runtime, folder / "targets/targets.npy"):
    pass
targets = load_targets(folder / "targets")
print("targets:", targets.shape, "views, rows, classes")

# %% The student learns from those targets and the labels.
student = new_classifier(params.student.model.network(rows.form, len(rows.classes)), rows, runtime)
for epoch in distill(student, rows, targets, augment, params.distill, runtime):
    print("student,", epoch.note)

# %% The files that ship: raw rows in, logits out, class names inside. `compare` holds torch against the file.
exported = {"teacher": export(teacher, rows.classes), "student": export(student, rows.classes)}
print("torch and file differ by at most", compare(student, exported["student"], rows))

# %% int8, calibrated on train rows.
exported["student, int8"] = static(onnx.load_from_string(exported["student"]), rows, params.quantize.static)

# %% Every number is of the file: accuracy with its interval on test rows, bytes, latency.
feed = feeder(rows.form)(rows.features[rows.where(Split.VALIDATION)[:PROBE_ROWS]])
reference = None
for name, content in exported.items():
    said = predict_held_out(content, rows, lambda logits: None)
    reference = said.predicted if reference is None else reference
    quality = assess(said, reference, Split.TEST, rows.classes)
    (folder / "model.onnx").write_bytes(content)
    measured = measure(folder / "model.onnx", feed)
    print(
        f"{name:14} {quality.accuracy:.4f} [{quality.accuracy_low:.4f}, {quality.accuracy_high:.4f}]"
        f" {len(content):7} bytes  p50 {measured.latency_p50_ms:.3f} ms"
        f"  on integers {measured.integer_op_share:.0%}"
    )

# %% Use it. `flows.delivery.load("champion")` gives the same object for a registered version.
model = OnnxClassifier(exported["student, int8"])
print("takes:", *model.inputs)
tested = rows.where(Split.TEST)[:5]
for prediction, truth in zip(model.predict(rows.features[tested]), rows.labels[tested], strict=True):
    print(f"predicted {prediction.label} ({prediction.probability:.3f}), labelled {rows.classes[truth]}")
scratch.cleanup()
