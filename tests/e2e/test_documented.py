"""What the docs tell to type, typed on a finished project: errors as quoted, commands that end well."""

import re
import shutil

import pytest

from tests.docs.documented import ROOT, commands
from tests.docs.faq import quoted

CHEAP = {
    "run",
    "plan",
    "params",
    "models",
    "predict",
    "doctor",
    "lineage",
    "report",
    "export",
    "history",
    "data",
}
CHANGES = {
    "import",
    "add",
    "diff",
    "restore",
    "push",
    "pull",
}  # of `data`: these have end-to-end tests of their own
FORMS = re.compile(r"[A-Z]{2,}|[|\[\]]|^[A-Z]$")  # FILE, A|B: to be replaced by the reader
ASKS = {"--open", "--params", "--set", "--project", "--fix", "--refresh"}


def is_cheap(command):
    """Whether it ends soon, changes nothing that others read, and is complete as it stands."""
    words = command.words[1:]
    if command.program != "distillery" or not command.whole or words[0] not in CHEAP:
        return False
    long = words[0] == "run" and len(words) > 1
    elsewhere = words[0] == "data" and words[1] in CHANGES
    other = words[0] == "report" and len(words) > 1
    return not (long or elsewhere or other) and not any(FORMS.search(word) or word in ASKS for word in words)


DOCUMENTED = sorted({command.words[1:] for command in commands() if is_cheap(command)})


@pytest.mark.slow
def test_commands_in_the_docs_end_well(project):
    assert len(DOCUMENTED) > 10
    for words in DOCUMENTED:
        if words[0] == "predict" and not (project.folder / words[1]).exists():
            continue  # the reader's own rows: what predict takes has tests of its own
        project(*words)
        shutil.rmtree(project.folder / "parcel", ignore_errors=True)  # where `export` is told to go


@pytest.mark.slow
def test_errors_in_the_faq_are_printed_as_quoted(project):
    (project.folder / "wrong.csv").write_text("1,2\n")
    for one in quoted():
        if not one.early:
            done = project(*one.words, code=2)
            assert one.is_in(done.err), (str(one), done.err)


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["dkd", "hints", "relations"])
def test_presets_of_distillation_run(project, preset):
    short = ("distill.training.epochs=2", "distill.pace={kind: constant}")
    settings = [word for setting in short for word in ("--set", setting)]
    done = project("run", "--json", "--params", str(ROOT / f"params/{preset}.yaml"), *settings)
    ran = {step["name"] for step in done.json["steps"] if step["status"] == "ran"}
    assert "distill_student" in ran
    assert "train_teacher" not in ran


def test_every_other_command_and_option_in_the_docs_is_typed_by_some_test():
    tests = [file.read_text() for file in sorted((ROOT / "tests").rglob("test_*.py"))]
    missing = set()
    for command in commands():
        if command.program != "distillery" or not command.whole or is_cheap(command):
            continue
        verb = command.words[2 if command.words[1] == "data" else 1]
        for option in [word for word in command.words if word.startswith("--")] or [verb]:
            if not any(f'"{verb}"' in text and f'"{option}"' in text for text in tests):
                missing.add((verb, option))
    assert missing == set()
