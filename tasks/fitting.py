"""Whether the models that the params ask for can read the rows: light, because the plan asks it."""

from __future__ import annotations

from pydantic import TypeAdapter

from distillery.artifacts import read_json
from distillery.data.form import Form
from distillery.models.families import require_fitting
from distillery.params.project import Params
from tasks.steps import Noun, made

FORM: TypeAdapter[Form] = TypeAdapter(Form)


def require_readable(data: Noun, params: Params) -> None:
    """ParamsError with the models that cannot, before any trains; nothing while the rows are only planned."""
    folder = made(data)
    if folder is not None:
        form = FORM.validate_python(read_json(folder / "schema.json")["form"])
        require_fitting({"teacher.model": params.teacher.model, "student.model": params.student.model}, form)
