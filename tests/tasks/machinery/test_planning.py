import json
from types import NoneType
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillery.errors import DistilleryError, StepError
from distillery.models.custom import Custom
from distillery.params.base import Block
from distillery.params.project import Params
from distillery.params.student import StudentParams
from tasks.keys import Key, Keys, changes, made_anew
from tasks.memory import DigestMemory
from tasks.planning import known_steps
from tasks.steps import Call, Step

LIGHT = (
    "flows.compress",
    "tasks.planning",
    "tasks.caching",
    "tasks.locking",
    "tasks.environment",
    "tasks.server",
    "distillery.fingerprint",
)
HEAVY = ("torch", "prefect", "mlflow", "pandas", "onnxruntime", "sklearn", "numpy", "dvc", "onnx")


def test_a_first_plan_runs_everything_and_writes_nothing(toy):
    plan = toy.plan()
    assert [step.to_json() for step in plan.steps] == [
        {"name": name, "variant": variant, "status": "miss", "because": ["never run"]}
        for name, variant in [("sow", None), ("press", "cold"), ("press", "hot"), ("weigh", None)]
    ]
    assert not plan.all_hits
    assert list(toy.project.iterdir()) == []


def test_a_parameter_is_said_with_both_values_and_misses_what_follows(ran):
    ran.times = 2.0
    assert ran.because() == {
        "press.cold": ["oil.times: 1.0 -> 2.0"],
        "press.hot": ["oil.times: 1.0 -> 2.0"],
        "weigh": ["input press.cold will be made anew", "input press.hot will be made anew"],
    }


def test_every_change_is_said_at_once(ran):
    ran.times, ran.number = 2.0, 6
    assert ran.because()["sow"] == ["seeds.number: 5 -> 6"]
    assert ran.because()["press.hot"] == ["oil.times: 1.0 -> 2.0", "input sow will be made anew"]


def test_an_input_that_is_handed_over_twice_is_said_once():
    assert made_anew(["sow", "press", "sow"]) == [
        "input sow will be made anew",
        "input press will be made anew",
    ]


def test_changed_code_is_named_by_its_file(ran):
    ran.write_body("soil", "DEPTH = 4")
    assert ran.because()["sow"] == [f"code {ran.code.name}/soil.py changed"]


def test_new_and_dropped_modules_are_named(ran):
    ran.write_body("seeds", "KIND = 1")
    ran.write_body("sow", "from {package} import seeds\ndef sow(seeds, *, work): ...")
    name = ran.code.name
    assert ran.because()["sow"] == [
        f"code {name}/seeds.py is new",
        f"code {name}/soil.py is no longer used",
        f"code {name}/sow.py changed",
    ]


def test_comments_docstrings_and_blank_lines_miss_nothing(ran):
    source = (ran.code / "soil.py").read_text()
    (ran.code / "soil.py").write_text(f'"""How deep."""\n\n# in centimetres\n{source}')
    assert ran.plan().all_hits


def test_a_library_is_said_with_both_versions(ran, monkeypatch):
    before = ran.plan()
    monkeypatch.setattr("tasks.keys.library_version", lambda name: "9.9")
    (said,) = ran.because()["sow"]
    assert said.startswith("library pydantic: ")
    assert said.endswith(" -> 9.9")
    assert before.all_hits


def test_what_a_step_reads_is_named(ran, monkeypatch):
    monkeypatch.setattr(
        "tasks.reads.describe_machine", lambda: {"cpu": "another", "features": "", "system": ""}
    )
    assert "cpu changed" in ran.because()["sow"]


def test_changed_input_bytes_are_named(ran):
    ran.write_body("sow", "def sow(seeds, *, work): (work.into / 'field').write_text('weeds')")
    ran.write_body("press", "def press(field, oil, *, work): raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        ran.run()
    assert ran.because()["press.hot"] == [f"code {ran.code.name}/press.py changed", "input sow changed"]


def test_inputs_handed_over_in_another_way_miss(ran, monkeypatch):
    flow = ran.flow

    def flow_with_names():
        made = flow()
        return made | {"weight": ran.weigh({"first": made["oils"]["cold"], "second": made["oils"]["hot"]})}

    monkeypatch.setattr(ran, "flow", flow_with_names)
    assert ran.because()["weigh"] == ["the flow hands its inputs over in another way"]


def test_refresh_is_a_miss_and_says_so(ran):
    plan = ran.plan(refresh=["sow"])
    assert plan.steps[0].because == ("refresh was asked",)
    assert plan.steps[1].because == ("input sow will be made anew",)


def test_refresh_of_an_unknown_step_suggests():
    with pytest.raises(StepError) as caught:
        known_steps(["train_techer", "dance"])
    faults = caught.value.faults
    assert faults[1] == "train_techer: did you mean train_teacher?"
    assert faults[0].startswith("dance: known are prepare_data, ")


def test_a_step_without_a_body_is_named(toy):
    toy.sow = Step("reap", (), package=toy.code.name)
    with pytest.raises(DistilleryError, match=f"{toy.code.name}.reap is not there"):
        toy.plan()


def test_two_blocks_without_places_do_not_hide_each_other(toy):
    class One(Block):
        size: int

    class Two(Block):
        size: int

    call = Call(toy.press, (One(size=1), Two(size=2)), None)
    with pytest.raises(DistilleryError, match="param size"):
        Keys(toy.project, DigestMemory(toy.project)).of(call)


def test_every_block_of_the_params_knows_its_place():
    places = []

    def check(block, place):
        assert block.place == place
        places.append(place)
        for name, field in block.model_fields.items():
            kinds = get_args(field.annotation)
            for inner in kinds if NoneType in kinds else (field.annotation,):
                if isinstance(inner, type) and issubclass(inner, Block) and inner.place:
                    check(inner, f"{place}.{name}" if place else name)

    check(Params, "")
    assert "quantize.qat" in places


leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
parts = st.dictionaries(st.text(min_size=1), leaves)


@given(parts)
def test_a_key_is_stable_in_order_and_through_json(made):
    key = Key("step", made, ())
    again = Key("step", dict(reversed(json.loads(json.dumps(made)).items())), ())
    assert key.digest == again.digest
    assert changes(made, key) == []


@given(parts, parts)
def test_different_parts_have_different_keys_and_say_so(one, other):
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (Key("step", one, ()).digest == Key("step", other, ()).digest) == same


@pytest.mark.parametrize("module", LIGHT)
def test_light_modules_load_nothing_heavy(script, module):
    process = script(f"import {module}, sys; print([m for m in {HEAVY} if m in sys.modules])")
    out, err = process.communicate(timeout=60)
    assert out == "[]\n", err


def test_the_key_is_the_same_in_another_process(toy, script):
    source = """
        import sys
        from pathlib import Path
        from tasks.keys import Keys
        from tasks.memory import DigestMemory
        from tasks.steps import Call, Step

        project = Path(sys.argv[1])
        call = Call(Step("press", ("torch",), package=sys.argv[2]), (), "x")
        print(Keys(project, DigestMemory(project)).of(call).digest)
    """
    call = Call(Step("press", ("torch",), package=toy.code.name), (), "x")
    expected = Keys(toy.project, DigestMemory(toy.project)).of(call).digest
    for seed in ("1", "2"):
        out, err = script(source, str(toy.project), toy.code.name, PYTHONHASHSEED=seed).communicate(
            timeout=60
        )
        assert out.strip() == expected, err


def test_the_code_of_a_function_that_params_name_is_part_of_the_key(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "keyed_net.py").write_text("from keyed_parts import x\n\ndef make(rows, classes): ...\n")
    (tmp_path / "keyed_parts.py").write_text("x = 1\n")
    model = Custom(family="custom", function="keyed_net:make", arguments={"width": 3})
    call = Call(Step("distill_student", ()), (StudentParams(model=model),), None)

    def key():
        return Keys(tmp_path, DigestMemory(tmp_path)).of(call)

    before = key()
    assert {"code keyed_net", "code keyed_parts"} <= before.parts.keys()
    assert before.parts["param student.model.arguments.width"] == 3
    (tmp_path / "keyed_parts.py").write_text("x = 1  # one\n")
    assert key().digest == before.digest
    (tmp_path / "keyed_parts.py").write_text("x = 2\n")
    assert changes(before.parts, key()) == ["code keyed_parts.py changed"]
