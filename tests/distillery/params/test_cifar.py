from __future__ import annotations

from distillery.data.form import Shape
from distillery.models.families import require_fitting
from distillery.params.project import load_params


def test_the_preset_for_small_colour_images_reads_them_with_a_student_smaller_than_its_teacher(root):
    params = load_params(root / "params.yaml", [root / "params" / "cifar.yaml"])
    rows = Shape(height=32, width=32, channels=3)
    models = {"teacher.model": params.teacher.model, "student.model": params.student.model}
    require_fitting(models, rows)
    assert params.teacher.model.width * params.teacher.model.blocks > params.student.model.width
    assert params.augment.flip
