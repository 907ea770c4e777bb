import pytest

from distillery.artifacts import ArtifactRef, write_json
from distillery.data.form import Column, Shape, Table
from distillery.errors import ParamsError
from tasks.fitting import require_readable
from tasks.steps import Noun, interpreted_by

TABLE = Table(columns=(Column(name="a", categories=("x", "y"), missing=True),))


class Made:
    """Knows where the rows are, if they are made."""

    def __init__(self, project):
        self.project = project

    def folder(self, noun):
        return noun.folder(self.project) if noun.artifact else None


IMAGES = Shape(height=8, width=8, channels=1)
RESNET = {"family": "resnet", "stem_stride": 1, "width": 4, "stages": 2, "blocks": 1, "dropout": 0.0}
ONNX = {"kind": "onnx", "file": "t.onnx", "gives": "logits", "pixels": None, "output": None}


def changed(params, **blocks):
    """The params with other values in some blocks, as params.yaml would have them."""
    tree = params.model_dump(mode="json")
    for name, values in blocks.items():
        tree[name] = values if "kind" in values else tree[name] | values
    return type(params).model_validate(tree)


def hint(student, teacher, kind="hints"):
    return {"kind": kind, "weight": 1.0, "warm_up": 0, "student": student, "teacher": teacher}


@pytest.fixture
def rows(tmp_path):
    """Rows of a form, as `prepare_data` leaves them."""

    def make(form):
        schema = {"form": form.model_dump(mode="json"), "classes": ["a", "b"]}
        write_json(tmp_path / "rows/schema.json", schema)
        return Noun("prepare_data", None, ArtifactRef("rows", "0" * 64, 0, ()))

    return make


def test_models_that_cannot_read_the_rows_are_refused_with_their_paths(tmp_path, rows, params):
    with interpreted_by(Made(tmp_path)), pytest.raises(ParamsError) as caught:
        require_readable(rows(TABLE), params)
    assert [fault.partition(":")[0] for fault in caught.value.faults] == ["teacher.model", "student.model"]


def test_models_that_can_are_let_pass(tmp_path, rows, params):
    with interpreted_by(Made(tmp_path)):
        require_readable(rows(Shape(height=8, width=8, channels=1)), params)


def test_rows_that_are_only_planned_are_let_pass(tmp_path, params):
    with interpreted_by(Made(tmp_path)):
        require_readable(Noun("prepare_data", None, None), params)


def test_a_point_that_no_rows_would_give_is_refused_while_they_are_only_planned(tmp_path, params):
    asked = changed(params, distill={"terms": [hint("residual7", "residual2")]})
    with (
        interpreted_by(Made(tmp_path)),
        pytest.raises(ParamsError, match=r"terms\.0\.student: student.model has"),
    ):
        require_readable(Noun("prepare_data", None, None), asked)
    with interpreted_by(Made(tmp_path)):
        require_readable(
            Noun("prepare_data", None, None), changed(params, distill={"terms": [hint("conv1", "conv1")]})
        )


def faults(tmp_path, rows, params):
    with interpreted_by(Made(tmp_path)), pytest.raises(ParamsError) as caught:
        require_readable(rows, params)
    return caught.value.faults


def test_every_model_of_the_chain_must_read_the_rows(tmp_path, rows, params):
    other = {**params.teacher.model_dump(mode="json"), "model": RESNET}
    teachers = {"others": [other, ONNX], "assistants": [{"model": RESNET}]}
    found = faults(tmp_path, rows(TABLE), changed(params, teacher=ONNX, teachers=teachers))
    assert [fault.partition(":")[0] for fault in found] == [
        "teachers.others.0.model",
        "teachers.assistants.0.model",
        "student.model",
    ]


def test_every_link_of_the_chain_must_have_the_points(tmp_path, rows, params):
    """The shipped models have three stages, the assistant two."""
    asked = changed(
        params,
        distill={"terms": [hint("residual3", "residual3")]},
        teachers={"assistants": [{"model": RESNET}]},
    )
    found = faults(tmp_path, rows(IMAGES), asked)
    assert [fault.partition(" has")[0] for fault in found] == [
        "distill.terms.0.student: teachers.assistants.0.model",
        "distill.terms.0.teacher: teachers.assistants.0.model",
    ]


def test_a_second_generation_must_have_the_points_of_its_teacher(tmp_path, rows, params):
    narrow = {"student": {"model": RESNET}, "distill": {"terms": [hint("residual2", "residual3")]}}
    with interpreted_by(Made(tmp_path)):
        require_readable(rows(IMAGES), changed(params, **narrow))
    again = changed(params, **narrow, teachers={"generations": 2})
    (fault,) = faults(tmp_path, rows(IMAGES), again)
    assert fault.startswith("distill.terms.0.teacher: student.model has no 'residual3'")


def test_the_points_of_a_student_of_a_file_are_looked_at_too(tmp_path, rows, params):
    terms = {"terms": [hint("pool9", "logits", "distances")]}
    (fault,) = faults(tmp_path, rows(IMAGES), changed(params, teacher=ONNX, distill=terms))
    assert fault.startswith("distill.terms.0.student: student.model has no 'pool9'")
