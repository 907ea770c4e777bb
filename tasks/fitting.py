"""Whether the models can read the rows and learn from each other: light, because the plan asks it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import TypeAdapter

from distillery.artifacts import read_json
from distillery.data.form import Form
from distillery.errors import ParamsError
from distillery.models.families import Family, any_network, cannot_train_aware, require_fitting
from distillery.models.layers import Network
from distillery.models.points import Lesson, require_comparable, require_known
from distillery.params.project import Params
from distillery.params.teacher import OnnxTeacher
from tasks.steps import Noun, made

FORM: TypeAdapter[Form] = TypeAdapter(Form)
STUDENT, ASSISTANTS = "student.model", "teachers.assistants"


def require_readable(data: Noun, params: Params) -> None:
    """ParamsError with the models and terms that do not fit, before any trains.

    While the rows are only planned, with the terms that fit none.
    """
    models = dict(_models(params))
    folder = made(data)
    if folder is None:
        if params.distill.terms:
            require_known(params.distill.terms, _lessons(params, _whatever_the_rows(models)))
        return
    schema = read_json(folder / "schema.json")
    form = FORM.validate_python(schema["form"])
    require_fitting(models, form)
    refusal = cannot_train_aware(params.student.model, form) if params.quantize.qat else None
    if refusal is not None:
        raise ParamsError(refusal)
    if params.distill.terms:
        networks = {name: model.network(form, len(schema["classes"])) for name, model in models.items()}
        require_comparable(params.distill.terms, _lessons(params, networks))


def _whatever_the_rows(models: Mapping[str, Family]) -> dict[str, Network]:
    found = ((name, any_network(model)) for name, model in models.items())
    return {name: network for name, network in found if network is not None}


def _lessons(params: Params, networks: Mapping[str, Network]) -> list[Lesson]:
    """Who learns from whom, of those whose networks are known; a file has none."""
    chain = ["teacher.model", *(name for name in networks if name.startswith(ASSISTANTS)), STUDENT]
    chain += [STUDENT] if params.teachers.generations > 1 else []
    pairs = zip(chain[1:], chain, strict=False)
    return [Lesson(one, networks[one], by, networks.get(by)) for one, by in pairs if one in networks]


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
