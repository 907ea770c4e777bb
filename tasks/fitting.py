"""Whether the models can read the rows and learn from each other: light, because the plan asks it."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import TypeAdapter

from distillery.artifacts import read_json
from distillery.data.form import Form
from distillery.errors import ParamsError
from distillery.models.families import Family, cannot_train_aware, require_fitting
from distillery.models.points import Lesson, require_comparable
from distillery.params.project import Params
from distillery.params.teacher import OnnxTeacher
from tasks.steps import Noun, made

FORM: TypeAdapter[Form] = TypeAdapter(Form)
STUDENT, ASSISTANTS = "student.model", "teachers.assistants"


def require_readable(data: Noun, params: Params) -> None:
    """ParamsError with the models and terms that do not fit, before any trains; nothing while the rows are
    only planned.
    """
    folder = made(data)
    if folder is None:
        return
    schema = read_json(folder / "schema.json")
    form = FORM.validate_python(schema["form"])
    models = dict(_models(params))
    require_fitting(models, form)
    refusal = cannot_train_aware(params.student.model, form) if params.quantize.qat else None
    if refusal is not None:
        raise ParamsError(refusal)
    if params.distill.terms:
        networks = {name: model.network(form, len(schema["classes"])) for name, model in models.items()}
        chain = ["teacher.model", *(name for name in networks if name.startswith(ASSISTANTS)), STUDENT]
        chain += [STUDENT] if params.teachers.generations > 1 else []
        pairs = zip(chain[1:], chain, strict=False)
        lessons = [Lesson(one, networks[one], by, networks.get(by)) for one, by in pairs]
        require_comparable(params.distill.terms, lessons)


def _models(params: Params) -> Iterator[tuple[str, Family]]:
    """The models by their paths in params.yaml."""
    teachers = {"teacher": params.teacher}
    teachers |= {f"teachers.others.{at}": other for at, other in enumerate(params.teachers.others)}
    for name, teacher in teachers.items():
        if not isinstance(teacher, OnnxTeacher):
            yield f"{name}.model", teacher.model
    for at, assistant in enumerate(params.teachers.assistants):
        yield f"{ASSISTANTS}.{at}.model", assistant.model
    yield STUDENT, params.student.model
