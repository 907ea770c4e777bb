"""A real table through the core, with the models and trainings of params/tabular.yaml."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from sklearn.datasets import load_breast_cancer

from distillery.data.batches import TrainBatches
from distillery.data.rows import Split
from distillery.distillation import distill
from distillery.evaluation import assess, predict_held_out
from distillery.export import export
from distillery.labelling import label, load_targets
from distillery.params.project import load_params
from distillery.quantization.quantize import dynamic, static
from distillery.training import hard_labels, new_classifier, train


@pytest.fixture(scope="module")
def preset(root):
    return load_params(root / "params.yaml", [root / "params/tabular.yaml"])


@pytest.fixture(scope="module")
def tumours(prepared, columns, preset):
    """569 tumours by 30 measures of their cells (Wolberg, Mangasarian, Street 1995, UCI), some taken out."""
    bundle = load_breast_cancer()
    measures = bundle.data.astype(np.float32)
    measures[np.random.default_rng(0).random(measures.shape) < 0.05] = np.nan
    values = dict(zip(map(str, bundle.feature_names), measures.T, strict=True))
    labels = [str(bundle.target_names[code]) for code in bundle.target]
    return prepared(columns(values, labels), calibration=preset.data.calibration)


@pytest.fixture(scope="module")
def models(tumours, preset, runtime, tmp_path_factory):
    """Every file of the pipeline but the one that trains most."""
    teacher, student = (
        new_classifier(block.model.network(tumours.form, 2), tumours, runtime)
        for block in (preset.teacher, preset.student)
    )
    training = preset.teacher.training
    batches = TrainBatches(tumours, preset.augment, training.batch_size, runtime.seed)
    list(train(teacher, batches, hard_labels(training.label_smoothing), training, runtime))
    folder = tmp_path_factory.mktemp("targets")
    list(label(teacher, tumours, preset.augment, runtime, folder / "targets.npy"))
    list(distill(student, tumours, load_targets(folder), preset.augment, preset.distill, runtime))
    files = {"teacher": export(teacher, tumours.classes), "student": export(student, tumours.classes)}
    loaded = onnx.load_from_string(files["student"])
    files["dynamic"] = dynamic(loaded, preset.quantize.dynamic, tumours.classes)
    files["static"] = static(onnx.load_from_string(files["student"]), tumours, preset.quantize.static)
    return files


@pytest.mark.parametrize("variant", ["teacher", "student", "dynamic", "static"])
def test_a_real_table_is_learned_distilled_and_quantized(models, tumours, variant):
    teacher = predict_held_out(models["teacher"], tumours, len).predicted
    predictions = predict_held_out(models[variant], tumours, len)
    quality = assess(predictions, teacher, Split.TEST, tumours.classes)
    assert quality.accuracy >= 0.94
    assert quality.teacher_agreement >= 0.94


def test_the_student_is_much_smaller_and_int8_smaller_still(models):
    assert len(models["student"]) * 10 < len(models["teacher"])
    assert len(models["dynamic"]) < 0.7 * len(models["student"])
