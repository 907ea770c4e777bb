from __future__ import annotations

import copy
import re
import subprocess
import sys

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from distillery.data.form import Column, Table
from distillery.errors import ParamsError
from distillery.models.families import require_fitting
from distillery.params.project import (
    Params,
    flatten,
    load_params,
    overlaid,
    parse_setting,
    read_tree,
    validate,
)


@pytest.fixture(scope="module")
def tree(root):
    return yaml.safe_load((root / "params.yaml").read_text())


def without(tree, path):
    changed = copy.deepcopy(tree)
    *parents, last = path.split(".")
    block = changed
    for key in parents:
        block = block[key]
    del block[last]
    return changed


def changed(tree, **values):
    """`a__b=c` sets a.b."""
    result = copy.deepcopy(tree)
    for path, value in values.items():
        *parents, last = path.split("__")
        block = result
        for key in parents:
            block = block[key]
        block[last] = value
    return result


def faults(tree):
    with pytest.raises(ParamsError) as caught:
        validate(tree, "params.yaml")
    return caught.value.faults


TAGS = (".family", ".kind")


def block_of(path):
    """Where the fault of a leaf is: a block is told by its tag, so a wrong one is a fault of the block."""
    return path.rpartition(".")[0] if path.endswith(TAGS) else path


def leaf_paths(root):
    return flatten(yaml.safe_load((root / "params.yaml").read_text()))


def test_the_shipped_params_are_legal(shipped, tree):
    assert isinstance(shipped, Params)
    assert shipped.distill.temperature == tree["distill"]["temperature"]


def test_the_preset_for_tables_is_legal_and_names_models_that_read_them(root):
    preset = load_params(root / "params.yaml", [root / "params" / "tabular.yaml"], ["data.source=imported"])
    assert (preset.augment.views, preset.augment.shift, preset.augment.flip) == (1, 0, False)
    table = Table(columns=(Column(name="a", categories=None, missing=False),))
    require_fitting({"teacher.model": preset.teacher.model, "student.model": preset.student.model}, table)


def test_the_mnist_preset_is_legal_and_keeps_what_it_does_not_name(root, shipped):
    preset = load_params(root / "params.yaml", [root / "params" / "mnist.yaml"], ["data.path=mnist"])
    assert (preset.data.source, preset.data.path, preset.registry.name) == ("idx", "mnist", "mnist")
    assert preset.teacher.training.epochs == 12
    assert preset.teacher.training.schedule == shipped.teacher.training.schedule


def test_the_mnist_preset_without_a_folder_says_what_is_missing(root):
    with pytest.raises(ParamsError) as caught:
        load_params(root / "params.yaml", [root / "params" / "mnist.yaml"])
    assert caught.value.faults == ("data: data.source idx needs data.path, a folder",)


def test_every_number_is_needed_and_its_absence_names_its_path(tree, root):
    for path in leaf_paths(root):
        assert faults(without(tree, path)) == (f"{path}: is missing; every number stands in params.yaml",)


@pytest.mark.parametrize(
    "block",
    [
        "data", "augment", "teacher", "teachers", "student", "distill", "prune", "quantize", "budget",
        "promotion", "retrain", "registry", "runtime",
    ],
)  # fmt: skip
def test_every_block_is_needed(tree, block):
    assert faults(without(tree, block)) == (f"{block}: is missing; every number stands in params.yaml",)


def test_an_unknown_name_is_a_fault_in_every_block(tree, root):
    on = {name for name, value in tree.items() if isinstance(value, dict)}
    blocks = {path.rpartition(".")[0] for path in leaf_paths(root) if "." in path} | on
    for block in sorted(blocks):
        name = (block + ".zzz").replace(".", "__")
        (fault,) = faults(changed(tree, **{name: 1}))
        assert fault.startswith(f"{block}.zzz: is unknown")
    (fault,) = faults(changed(tree, zzz=1))
    assert fault.startswith("zzz: is unknown")


def test_a_misspelt_name_gets_a_suggestion(tree):
    assert faults(changed(without(tree, "distill.temperature"), distill__temprature=4.0)) == (
        "distill.temperature: is missing; every number stands in params.yaml",
        "distill.temprature: is unknown; did you mean temperature?",
    )


OUT_OF_RANGE = [
    ("data__source", "mnist"),
    ("data__validation", 0.0),
    ("data__validation", 0.9),
    ("data__test", -0.1),
    ("data__calibration", 0),
    ("data__split_seed", -1),
    ("data__split_seed", 2**32),
    ("augment__views", 0),
    ("augment__views", 65),
    ("augment__shift", -1),
    ("augment__shift", 17),
    ("teacher__kind", "hired"),
    ("teacher__model__family", "alexnet"),
    ("teacher__model__width", 0),
    ("teacher__model__width", 513),
    ("teacher__model__stages", 6),
    ("teacher__model__blocks", 33),
    ("teacher__model__dropout", 1.0),
    ("teacher__training__epochs", 0),
    ("teacher__training__batch_size", 0),
    ("teacher__training__optimizer", "lion"),
    ("teacher__training__learning_rate", 0),
    ("teacher__training__learning_rate", float("nan")),
    ("teacher__training__learning_rate", float("inf")),
    ("teacher__training__momentum", 1.0),
    ("teacher__training__weight_decay", -1e-9),
    ("teacher__training__label_smoothing", 1.0),
    ("teacher__training__schedule", "step"),
    ("teacher__training__patience", 0),
    ("teacher__training__target", 1.1),
    ("student__model__dropout", -0.1),
    ("distill__temperature", 0),
    ("distill__alpha", 1.0001),
    ("distill__alpha", -0.0001),
    ("distill__soft__kind", "cosine"),
    ("distill__pace__kind", "fast"),
    ("quantize__dynamic__weights", "int4"),
    ("quantize__static__ranges", "widest"),
    ("quantize__static__weights", "per_row"),
    ("quantize__static__activations", "skewed"),
    ("quantize__static__equalize", "sometimes"),
    ("quantize__static__fallback", 0.3),
    ("quantize__qat__observe_epochs", 0),
    ("quantize__qat__scales__kind", "guessed"),
    ("quantize__qat__progress", "slow"),
    ("budget__max_accuracy_drop", -1),
    ("budget__max_bytes", 0),
    ("budget__max_p50_ms", 0),
    ("data__replay", 1.1),
    ("retrain__start", "hot"),
    ("retrain__remember__weight", -0.1),
    ("retrain__max_shift", -1),
    ("retrain__webhook", "ftp://host"),
    ("promotion__accuracy__margin", 0),
    ("promotion__accuracy__margin", 100.5),
    ("promotion__accuracy__min_rows", 0),
    ("promotion__accuracy__undecided", "pass"),
    ("promotion__per_class__max_class_drop", 0),
    ("promotion__footprint__min_integer_share", 1.5),
    ("promotion__latency__max_p50_ratio", 0),
    ("promotion__teacher__min_agreement", -0.1),
    ("registry__name", "1digits"),
    ("registry__name", "with space"),
    ("runtime__seed", -1),
    ("runtime__threads", 0),
    ("runtime__precision", "fp16"),
    ("runtime__device", "tpu"),
]


@pytest.mark.parametrize(("path", "value"), OUT_OF_RANGE)
def test_a_value_out_of_range_names_its_path_and_the_value(tree, path, value):
    (fault,) = faults(changed(tree, **{path: value}))
    dotted = path.replace("__", ".")
    assert fault.startswith(block_of(dotted))
    assert repr(value) in fault or str(value) in fault


@pytest.mark.parametrize("path", ["retrain__watch", "retrain__webhook"])
def test_an_address_with_a_password_is_refused_and_not_repeated(tree, path):
    (fault,) = faults(changed(tree, **{path: "https://user:word@host/rows"}))
    assert "holds a secret" in fault
    assert "word@" not in fault


def test_every_leaf_refuses_a_value_of_another_type(tree, root):
    for path in leaf_paths(root):
        for wrong in ({"a": 1}, [[]], "surely not"):
            accepts_text = path in ("registry.uri", "data.path", "retrain.watch", "promotion.must_pass.file")
            if accepts_text and wrong == "surely not":
                continue
            found = faults(changed(tree, **{path.replace(".", "__"): wrong}))
            assert any(block_of(path) in fault for fault in found), (path, wrong, found)


@pytest.mark.parametrize(
    "path", ["teacher__training__patience", "teacher__training__target", "promotion__calibration__margin"]
)
def test_a_truth_value_is_no_number_that_may_be_null_either(tree, path):
    (fault,) = faults(changed(tree, **{path: True}))
    assert fault.startswith(f"{path.replace('__', '.')}: ")


def test_a_truth_value_is_no_number(tree, root):
    numbers = [
        p for p, v in leaf_paths(root).items() if isinstance(v, int | float) and not isinstance(v, bool)
    ]
    assert len(numbers) > 30
    for path in numbers:
        (fault,) = faults(changed(tree, **{path.replace(".", "__"): True}))
        assert fault.startswith(f"{path}: ")


def test_all_faults_are_told_at_once(tree):
    bad = changed(
        tree, distill__alpha=2, distill__training__epochs="many", runtime__threads=0, data__shuffle=True
    )
    found = faults(without(bad, "budget.max_bytes"))
    assert sorted(fault.split(":")[0] for fault in found) == [
        "budget.max_bytes",
        "data.shuffle",
        "distill.alpha",
        "distill.training.epochs",
        "runtime.threads",
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"data__validation": 0.5, "data__test": 0.5}, "below 1"),
        ({"data__path": "folder"}, "takes no data.path"),
        ({"data__source": "idx"}, "needs data.path"),
    ],
)
def test_values_that_contradict_each_other_are_faults_of_their_block(tree, change, words):
    (fault,) = faults(changed(tree, **change))
    assert fault.startswith("data: ")
    assert words in fault


def test_a_number_written_with_an_exponent_is_a_number(root):
    """YAML 1.1 reads 1e-3, without a dot, as text."""
    params = load_params(root / "params.yaml", settings=["distill.training.learning_rate=1e-3"])
    assert params.distill.training.learning_rate == 0.001


def test_params_cannot_be_changed(shipped):
    with pytest.raises(ValueError, match="frozen"):
        shipped.distill.alpha = 0.5


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("distill.alpha=0.5", {"distill": {"alpha": 0.5}}),
        ("data.path=null", {"data": {"path": None}}),
        ("augment.flip=true", {"augment": {"flip": True}}),
        (
            "student.model={family: mlp, hidden: [3], dropout: 0}",
            {"student": {"model": {"family": "mlp", "hidden": [3], "dropout": 0}}},
        ),
        ("registry.uri=sqlite:///a=b", {"registry": {"uri": "sqlite:///a=b"}}),
        ("a.b.c=x y", {"a": {"b": {"c": "x y"}}}),
    ],
)
def test_a_setting_is_a_path_and_a_yaml_value(setting, expected):
    assert parse_setting(setting) == expected


@pytest.mark.parametrize(
    "setting",
    ["", "=", "a", "a.=1", ".a=1", "a..b=1", "a=[", "a=2001-99-99", "a=!!int ''", "a=!!timestamp x"],
)
def test_a_setting_that_cannot_be_read_is_a_fault_that_quotes_it(setting):
    with pytest.raises(ParamsError) as caught:
        parse_setting(setting)
    assert repr(setting) in caught.value.message


@given(st.text())
def test_no_setting_raises_anything_but_a_params_error(setting):
    try:
        parse_setting(setting)
    except ParamsError:
        return


def test_all_unreadable_settings_are_told_at_once(root):
    with pytest.raises(ParamsError) as caught:
        load_params(root / "params.yaml", settings=["nonsense", "distill.alpha=0.5", "a=["])
    assert len(caught.value.faults) == 2


def test_a_setting_wins_over_the_overlays_the_later_over_the_earlier_and_both_over_the_file(root, tmp_path):
    overlays = [tmp_path / "one.yaml", tmp_path / "two.yaml"]
    overlays[0].write_text("distill: {temperature: 2.0, alpha: 0.1}\naugment: {views: 3}\n")
    overlays[1].write_text("distill: {temperature: 5.0, alpha: 0.1}\n")
    params = load_params(root / "params.yaml", overlays, ["distill.alpha=0.2", "distill.alpha=0.3"])
    assert (params.distill.temperature, params.distill.alpha, params.augment.views) == (5.0, 0.3, 3)


def test_a_model_of_another_family_replaces_the_whole_model(root):
    settings = ["student.model={family: mlp, hidden: [8, 4], dropout: 0.0}"]
    model = load_params(root / "params.yaml", settings=settings).student.model
    assert (model.family, model.hidden) == ("mlp", (8, 4))


def test_a_model_of_the_same_family_is_overlaid_field_by_field(root, shipped):
    settings = ["student.model={family: resnet, width: 7}"]
    model = load_params(root / "params.yaml", settings=settings).student.model
    assert model == shipped.student.model.model_copy(update={"width": 7})


def test_a_place_of_a_list_is_changed_by_its_number(root):
    overlay = root / "params/chain.yaml"
    settings = ("prune.0.share=0.2", "prune.1.training.epochs=13")
    first, second = load_params(root / "params.yaml", [overlay], settings).prune
    before = load_params(root / "params.yaml", [overlay]).prune
    assert first == before[0].model_copy(update={"share": 0.2})
    assert (second.training.epochs, second.share) == (13, before[1].share)


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("prune.2.share=0.2", "prune.2: the list has no such place; the last is prune.1"),
        ("distill.terms.0.weight=1", "distill.terms.0: the list has no such place; it is empty: state"),
    ],
)  # fmt: skip
def test_a_place_that_a_list_does_not_have_is_named(root, setting, told):
    with pytest.raises(ParamsError, match=re.escape(told)):
        load_params(root / "params.yaml", [root / "params/chain.yaml"], (setting,))


trees = st.recursive(
    st.dictionaries(st.sampled_from("abc"), st.integers(), max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner | st.integers(), max_size=3),
    max_leaves=6,
)


@given(trees, trees)
def test_an_overlay_wins_leaf_by_leaf_and_changes_neither_tree(base, top):
    before = copy.deepcopy((base, top))
    result = flatten(overlaid(base, top))
    assert (base, top) == before
    assert flatten(top).items() <= result.items()
    assert set(result) <= set(flatten(base)) | set(flatten(top))
    assert overlaid(base, {}) == base


def test_auto_is_resolved_before_anything_sees_it(root):
    params = load_params(root / "params.yaml", settings=["runtime.precision=auto", "runtime.device=auto"])
    assert params.runtime.precision in ("fp32", "bf16")
    assert params.runtime.device in ("cpu", "cuda")


def test_what_is_not_auto_is_left_alone(root):
    params = load_params(root / "params.yaml", settings=["runtime.precision=fp32", "runtime.device=cpu"])
    assert (params.runtime.precision, params.runtime.device) == ("fp32", "cpu")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "is not there"),
        (b"a: [", "is not YAML"),
        (b"a: 2001-99-99", "is not YAML"),
        (b"a: !!int ''", "is not YAML"),
        (b"a: !!timestamp x", "is not YAML"),
        (b"- 1", "mapping"),
        (b"text", "mapping"),
        (b"a: \xff", "cannot be read"),
    ],
)
def test_a_file_that_holds_no_mapping_is_a_fault_that_names_it(tmp_path, content, words):
    file = tmp_path / "p.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ParamsError) as caught:
        read_tree(file)
    assert words in caught.value.message
    assert str(file) in caught.value.message


def test_an_empty_overlay_changes_nothing(root, tmp_path, shipped):
    (tmp_path / "o.yaml").write_text("# nothing\n")
    assert load_params(root / "params.yaml", [tmp_path / "o.yaml"]) == shipped


def test_a_file_of_numbers_for_names_is_a_fault(tree):
    assert faults(tree | {1: 2})


def test_flat_params_name_every_leaf_by_its_path(shipped, root):
    assert set(flatten(shipped)) == set(leaf_paths(root))
    assert flatten(shipped)["distill.training.epochs"] == shipped.distill.training.epochs
    assert flatten(shipped.budget, "budget")["budget.max_bytes"] == shipped.budget.max_bytes


def test_params_survive_a_round_trip_through_json(shipped):
    assert Params.model_validate_json(shipped.model_dump_json()) == shipped


def test_loading_params_imports_nothing_heavy(root):
    code = (
        "import sys; from pathlib import Path; from distillery.params.project import load_params;"
        f"load_params(Path({str(root / 'params.yaml')!r}));"
        "print(sorted({m.split('.')[0] for m in sys.modules}"
        " & {'torch', 'numpy', 'pandas', 'onnx', 'onnxruntime', 'sklearn', 'prefect', 'mlflow', 'dvc'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


METHODS = [
    "dkd", "hints", "int16", "int4", "lsq", "onnx-teacher", "progressive", "quantized", "regrow", "relations",
    "sparse", "teachers", "weights-teacher",
]  # fmt: skip


def test_a_preset_of_methods_is_legal_on_top_of_the_shipped_params(root):
    for name in METHODS:
        preset = load_params(root / "params.yaml", [root / "params" / f"{name}.yaml"])
        assert preset.student == load_params(root / "params.yaml").student


def test_another_kind_of_block_replaces_it_whole_and_the_same_kind_is_overlaid(root, shipped):
    loss = load_params(root / "params.yaml", settings=["distill.soft={kind: mse}"]).distill.soft
    assert loss.kind == "mse"
    settings = ["distill.soft={kind: decoupled, target: 1, others: 8}", "distill.soft.others=4"]
    loss = load_params(root / "params.yaml", settings=settings).distill.soft
    assert (loss.kind, loss.target, loss.others) == ("decoupled", 1.0, 4.0)
    trained = load_params(root / "params.yaml", settings=["teacher={kind: trained, training: {epochs: 3}}"])
    assert trained.teacher.model == shipped.teacher.model


TERM = {"kind": "hints", "weight": 1.0, "warm_up": 0, "student": "pool1", "teacher": "pool1"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"student": "logits"}, "distill.terms.0: hints compares layers"),
        ({"kind": "attention", "teacher": "logits"}, "distill.terms.0: attention compares layers"),
        ({"weight": 0}, "distill.terms.0.weight: "),
        ({"warm_up": -1}, "distill.terms.0.warm_up: "),
        ({"kind": "gossip"}, "distill.terms.0: "),
        ({"wieght": 2}, "distill.terms.0.wieght: is unknown; did you mean weight?"),
    ],
)
def test_a_term_that_cannot_be_is_refused_with_its_place(tree, change, words):
    (fault,) = faults(changed(tree, distill__terms=[TERM | change]))
    assert words in fault


def test_angles_of_large_batches_are_refused(tree):
    angles = TERM | {"kind": "angles"}
    (fault,) = faults(changed(tree, distill__terms=[angles], distill__training__batch_size=512))
    assert "distill.training.batch_size is at most 256" in fault


ONNX = {"kind": "onnx", "file": "t.onnx", "gives": "logits", "pixels": None, "output": None}


def test_terms_that_look_inside_an_onnx_file_are_refused_and_those_of_logits_are_not(tree):
    (fault,) = faults(changed(tree, teacher=ONNX, distill__terms=[TERM]))
    assert "distill.terms.0.teacher: an ONNX file gives its outputs and shows no layer" in fault
    relation = TERM | {"kind": "distances", "teacher": "logits"}
    assert validate(changed(tree, teacher=ONNX, distill__terms=[relation]), "p").teacher.file == "t.onnx"


def test_a_misspelt_name_inside_one_kind_of_several_gets_a_suggestion(tree):
    (fault, *_) = faults(changed(tree, teacher=ONNX | {"pixel": None}))
    assert fault == "teacher.pixel: is unknown; did you mean pixels?"
    misspelt = changed(tree, teacher__training__epoch=3)
    assert faults(misspelt) == ("teacher.training.epoch: is unknown; did you mean epochs?",)


def test_weights_of_teachers_are_as_many_as_the_teachers(tree):
    one = {"kind": "weighted", "weights": [1.0]}
    (fault,) = faults(changed(tree, teachers__combine=one, teachers__others=[ONNX]))
    assert fault == "teachers.combine.weights: there are 2 teachers, `teacher` the first"
    two = changed(
        tree, teachers__combine={"kind": "weighted", "weights": [1.0, 2.0]}, teachers__others=[ONNX]
    )
    assert validate(two, "p").teachers.combine.weights == (1.0, 2.0)


@pytest.mark.parametrize("combine", [{"kind": "confidence"}, {"kind": "weighted", "weights": [1.0]}])
def test_one_teacher_has_nothing_to_be_combined_with(tree, combine):
    (fault,) = faults(changed(tree, teachers__combine=combine))
    assert fault.startswith(f"teachers.combine.kind: {combine['kind']} needs several teachers")


LSTM = {"layers": 1, "width": 4, "both_ways": False, "embed": 4, "dropout": 0.0}


def test_a_fault_that_names_its_place_is_not_given_another(tree):
    (fault,) = faults(changed(tree, student__model={"family": "lstm"} | LSTM))
    assert fault.startswith("quantize.qat: networks that read sequences")


def test_a_file_without_the_new_tags_is_told_which_are_missing(tree):
    old = without(without(without(tree, "teacher.kind"), "distill.soft"), "teachers")
    assert faults(old) == (
        "teacher.kind: is missing; every number stands in params.yaml",
        "teachers: is missing; every number stands in params.yaml",
        "distill.soft: is missing; every number stands in params.yaml",
    )


@pytest.mark.parametrize("preset", ["tabular", "sequences", "cifar"])
def test_a_preset_for_imported_data_keeps_the_name_that_the_import_gave(root, preset):
    params = load_params(
        root / "params.yaml", [root / "params" / f"{preset}.yaml"], ["registry.name=flowers"]
    )
    assert params.registry.name == "flowers"
    assert "registry" not in (root / "params" / f"{preset}.yaml").read_text()
