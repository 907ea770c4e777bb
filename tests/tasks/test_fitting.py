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


@pytest.fixture
def rows(tmp_path):
    """Rows of a form, as `prepare_data` leaves them."""

    def make(form):
        write_json(tmp_path / "rows/schema.json", {"form": form.model_dump(mode="json")})
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
