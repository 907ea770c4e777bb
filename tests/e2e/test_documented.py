"""What README.md and docs/ tell to type is typed, page by page; errors are as quoted."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.documented import ROOT, commands
from tests.docs.faq import quoted
from tests.e2e.conftest import Project
from tests.e2e.reader import TYPED, Reader, make_desk, meanings
from tests.mnist import write_mnist

E2E = Path(__file__).parent
PRESETS = {  # typed there, with shorter trainings
    "8k": "test_documented.py", "chain": "test_pruning.py", "cifar": "test_cifar.py",
    "dkd": "test_documented.py", "hints": "test_documented.py", "int16": "test_quantization.py",
    "int4": "test_quantization.py", "lsq": "test_aware.py", "mnist": "test_documented.py",
    "onnx-teacher": "test_methods.py", "progressive": "test_aware.py", "pruned": "test_pruning.py",
    "quantized": "test_quantization.py", "regrow": "test_pruning.py",
    "relations": "test_documented.py", "sequences": "test_sequences.py",
    "sparse": "test_pruning.py", "tabular": "test_data.py", "teachers": "test_methods.py",
    "weights-teacher": "test_methods.py",
}  # fmt: skip
ELSEWHERE = {  # the test that types it, and where that takes its words from
    ("docs/sequences.md", "distillery"): ("test_sequences.py", 'typed_on("docs/sequences.md"'),
    ("docs/serving.md", "mlflow"): ("test_serving.py", 'typed_on("docs/serving.md", "mlflow"'),
    ("docs/serving.md", "export"): ("test_serving.py", 'typed_on("docs/serving.md", "export"'),
    ("docs/operations.md", "mlflow"): ("../tasks/conftest.py", 'typed_on("docs/operations.md", "mlflow"'),
    ("docs/operations.md", "prefect"): ("test_deployments.py", 'typed_on(PAGE, "prefect"'),
    ("docs/operations.md", "export"): ("test_deployments.py", 'typed_on(PAGE, "export"'),
    ("docs/export.md", "pip"): ("../distillery/delivery/test_parcel.py", "nothing but numpy and onnxruntime"),
}
MADE = ("run", "check", "docs", "reference")


def preset_of(command):
    """The name of the last preset that it runs with, if any."""
    words = [Path(word).stem for word in command.words if word.startswith("params/")]
    return words[-1] if words else None


def gets_a_clone(command):
    """Whether it is what begins: `git clone … distillery && cd distillery`, `make`."""
    return command.program == "make" or command.words in (
        ("git", "clone", "distillery"),
        ("cd", "distillery"),
    )


def is_typed(command):
    """Whether a reader at the desk types it."""
    return (
        command.whole and command.program in TYPED and preset_of(command) is None
        and not gets_a_clone(command) and (command.page, command.program) not in ELSEWHERE
    )  # fmt: skip


WHOLE = [command for command in commands() if command.whole]


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    return make_desk(tmp_path_factory.mktemp("desk"))


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted({command.page for command in WHOLE if is_typed(command)}))
def test_what_a_page_tells_to_type_ends_well(desk, page, tmp_path, monkeypatch):
    monkeypatch.setenv("BROWSER", "true")  # for --open
    shutil.copytree(desk.folder, tmp_path / "project", symlinks=True)
    project = Project(tmp_path / "project")
    reader = Reader(project, meanings(project))
    for command in WHOLE:
        if command.page == page and is_typed(command):
            reader.type(command)


@pytest.mark.slow
def test_what_make_is_told_ends_well_in_a_fresh_clone(tmp_path):
    clone, installed = tmp_path / "distillery", tmp_path / "installed"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    installed.touch()  # what these tests run in is set up
    given = [f"BIN={Path(sys.executable).parent}", f"INSTALLED={installed}"]
    for target in MADE:
        done = subprocess.run(
            ["make", *given, target], cwd=clone, env=os.environ | {"PYTHONPATH": str(clone)},
            capture_output=True, text=True, timeout=500, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (target, done.stdout[-2000:], done.stderr[-2000:])
    changed = subprocess.run(["git", "status", "--short", "docs"], cwd=clone, capture_output=True, check=True)
    assert changed.stdout == b""  # `make reference` wrote what is committed


def test_every_other_command_is_typed_by_a_test_that_is_named():
    assert len([command for command in WHOLE if is_typed(command)]) > 40
    for command in WHOLE:
        if is_typed(command) or command.words in (("git", "clone", "distillery"), ("cd", "distillery")):
            continue
        if command.program == "make":
            said = (ROOT / ".ci/run").read_text()
            assert command.words[1] in MADE or " ".join(command.words) in said, str(command)
        elif preset := preset_of(command):
            text = (E2E / PRESETS[preset]).read_text()
            assert "params" in text and preset in text, str(command)
        else:
            file, words = ELSEWHERE[command.page, command.program]
            assert words in (E2E / file).read_text(), str(command)


def test_every_preset_is_run_by_a_test():
    assert set(PRESETS) == {file.stem for file in (ROOT / "params").glob("*.yaml")}


@pytest.mark.slow
def test_errors_in_the_faq_are_printed_as_quoted(project):
    (project.folder / "wrong.csv").write_text("1,2\n")
    for one in quoted():
        if not one.early:
            done = project(*one.words, code=2)
            assert one.is_in(done.err), (str(one), done.err)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("preset", "short"),
    [
        ("dkd", ("distill.pace.epochs=4",)),
        ("hints", ("distill.terms.0.warm_up=4",)),
        # with the papers' weights the student learns the classes only once the relations are learned
        ("relations", ("distill.terms.0.weight=1", "distill.terms.1.weight=1")),
    ],
)
def test_presets_of_distillation_run(project, preset, short):
    short = ("distill.training.epochs=4", *short)
    settings = [word for setting in short for word in ("--set", setting)]
    done = project("run", "--json", "--params", str(ROOT / f"params/{preset}.yaml"), *settings)
    ran = {step["name"] for step in done.json["steps"] if step["status"] == "ran"}
    assert "distill_student" in ran
    assert "train_teacher" not in ran
    rows = {variant["name"]: variant for variant in done.json["variants"]}
    assert rows["student-fp32"]["accuracy"] > 0.3  # of ten classes


@pytest.mark.slow
def test_the_preset_for_mnist_and_8k_over_it_run_on_a_folder_of_its_layout(new_project, tmp_path):
    write_mnist(tmp_path / "mnist")
    small = (
        f"data.path={tmp_path / 'mnist'}", "teacher.model.width=6", "teacher.training.epochs=3",
        "teacher.training.batch_size=16", "distill.training.epochs=3", "distill.training.batch_size=16",
        "data.calibration=32", "budget.max_accuracy_drop=100", "budget.max_p50_ms=1000",
    )  # fmt: skip
    settings = [word for setting in small for word in ("--set", setting)]
    settings += ["--params", str(ROOT / "params/mnist.yaml")]
    aware = ("--set", "quantize.qat.training.epochs=2", "--set", "budget.max_bytes=100000")
    done = new_project("run", "--json", *settings, *aware)
    rows = {variant["name"]: variant for variant in done.json["variants"]}
    assert rows["student-int8-static"]["accuracy"] > 0.3  # of ten classes
    assert done.json["chosen"]["name"] in rows
    done = new_project("run", "--json", *settings, "--params", str(ROOT / "params/8k.yaml"))
    rows = {variant["name"]: variant for variant in done.json["variants"]}
    assert rows["student-int8-static"]["accuracy"] > 0.3
    assert rows["student-int8-static"]["file_bytes"] <= 8192
    assert done.json["chosen"]["name"] == "student-int8-static"
