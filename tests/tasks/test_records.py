from pathlib import Path

import pytest

from distillery.artifacts import digest_json
from distillery.params.distill import LogitMse
from distillery.params.project import load_params
from tasks.params_identity import params_digest
from tasks.records import RunRecord, VariantRecord, listed, record_digest

PARAMS = Path(__file__).parents[2]
FACTS = {"data_digest": "d", "params_digest": "p", "code_digest": "c"}


def variant(name="student-fp32", digest="o", broken=(), **numbers):
    return VariantRecord(name, Path(f"{name}.onnx"), digest, "w", Path(name), numbers, broken)


def run(*variants, chosen=None, **facts):
    return RunRecord({v.variant: v for v in variants}, chosen, FACTS | facts)


def changed(params, block, **values):
    return params.model_copy(update={block: getattr(params, block).model_copy(update=values)})


def test_an_identity_is_the_file_the_data_and_the_params_and_nothing_else():
    first = variant()
    identity = run(first).identity(first)
    assert run(first, code_digest="other").identity(variant(broken=("max_bytes",), accuracy=0.5)) == identity
    assert run(first, data_digest="other").identity(first) != identity
    assert run(first, params_digest="other").identity(first) != identity
    assert run(first).identity(variant(digest="other")) != identity


def test_budget_promotion_and_registry_shape_no_file_and_the_seed_does(params):
    strict = params.promotion.accuracy.model_copy(update={"margin": 0.1})
    assert params_digest(changed(params, "promotion", accuracy=strict)) == params_digest(params)
    assert params_digest(changed(params, "budget", max_bytes=1)) == params_digest(params)
    assert params_digest(changed(params, "registry", name="other")) == params_digest(params)
    assert params_digest(changed(params, "runtime", seed=1)) != params_digest(params)


def test_pruning_shapes_a_file(params):
    preset = load_params(PARAMS / "params.yaml", [PARAMS / "params" / "pruned.yaml"])
    assert params_digest(params.model_copy(update={"prune": preset.prune})) != params_digest(params)


def test_the_order_shapes_a_file_where_something_is_pruned(params):
    preset = load_params(PARAMS / "params.yaml", [PARAMS / "params" / "pruned.yaml"])
    first, never = {"chain": ("prune", "distill", "quantize")}, {"chain": ("distill", "quantize")}
    assert params_digest(preset.model_copy(update=first)) != params_digest(preset)
    assert params_digest(params.model_copy(update=never)) == params_digest(params)


def test_methods_that_are_off_are_no_part_of_an_identity(params):
    """What was registered before they were there is registered once."""
    off = {"budget", "promotion", "retrain", "registry", "teachers", "prune", "chain"}
    tree = params.model_dump(mode="json", exclude=off)
    del tree["data"]["path"], tree["teacher"]["kind"]
    for name in ("soft", "pace", "terms"):
        del tree["distill"][name]
    tree["quantize"]["static"] = {"ranges": tree["quantize"]["static"]["ranges"]}
    for name in ("scales", "progress"):
        del tree["quantize"]["qat"][name]
    assert params_digest(params) == digest_json(tree)
    assert params_digest(changed(params, "teachers", generations=2)) != params_digest(params)
    softer = LogitMse(kind="mse")
    assert params_digest(changed(params, "distill", soft=softer)) != params_digest(params)


def test_where_a_teacher_lay_shapes_no_file_and_what_it_gives_does(params):
    onnx = {"kind": "onnx", "file": "a.onnx", "gives": "logits", "pixels": None, "output": None}
    tree = params.model_dump(mode="json") | {"teacher": onnx}

    def digest(**values):
        return params_digest(type(params).model_validate(tree | {"teacher": onnx | values}))

    assert digest(file="elsewhere/b.onnx") == digest()
    assert digest(gives="probabilities") != digest()


def test_a_result_is_another_when_its_choice_or_its_budgets_or_its_code_are():
    results = [
        run(variant()),
        run(variant(), chosen="student-fp32"),
        run(variant(broken=("max_bytes",))),
        run(variant(), code_digest="other"),
    ]
    assert len({result.result_identity for result in results}) == 4


def test_the_teacher_is_no_version_and_the_chosen_one_comes_last():
    record = run(
        variant("student-fp32"), variant("control-fp32"), variant("teacher-fp32"), chosen="student-fp32"
    )
    assert list(record.compressed) == ["control-fp32", "student-fp32"]
    assert [v.role for v in record.variants.values()] == ["candidate", "control", "teacher"]


def test_a_record_digest_notices_changes_to_the_record_and_only_to_it():
    first = variant(accuracy=0.9)
    tags = run(first).tags(first)
    assert record_digest({**tags, "budget_broken": "max_bytes", "mine": "x"}) == tags["record_digest"]
    assert record_digest({**tags, "accuracy": "0.99"}) != tags["record_digest"]
    without = {key: value for key, value in tags.items() if key != "accuracy"}
    assert record_digest(without) != tags["record_digest"]


def test_a_version_is_listed_from_its_tags():
    numbers = {"accuracy": 0.1 + 0.2, "file_bytes": 10, "transport_bytes": 8, "zero_share": 0.5}
    first = variant(**numbers, broken=("max_bytes: 2 > 1", "max_p50_ms: 3 > 1"))
    row = listed("7", run(first).tags(first), ["champion"])
    assert row["accuracy"] == 0.1 + 0.2  # to the last bit
    assert (row["version"], row["name"], row["file_bytes"]) == ("7", "student-fp32", 10)
    assert (row["transport_bytes"], row["zero_share"]) == (8, 0.5)
    assert row["broken"] == ["max_bytes: 2 > 1", "max_p50_ms: 3 > 1"]


@pytest.mark.parametrize("tags", [{}, {"accuracy": "lots", "file_bytes": "", "budget_broken": ""}])
def test_a_version_that_someone_else_made_is_listed_with_gaps(tags):
    row = listed("1", tags, [])
    assert (row["name"], row["accuracy"], row["file_bytes"], row["broken"]) == (None, None, None, [])


def test_the_version_of_the_data_is_told_where_there_is_one():
    def told(source, rows):
        row = listed("1", {"data_source": source, "rows": rows}, [])
        return row["data_version"], row["test_rows"]

    assert told('{"dataset": "people", "version": 3}', "360") == (3, 360)
    assert told('{"source": "digits"}', "360.0") == (None, 360)
    assert told("no json", "none") == told("[]", "") == (None, None)
