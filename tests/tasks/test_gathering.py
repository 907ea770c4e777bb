"""What the gates are asked on: real files, real rows that neither has seen, none where that is not proven."""

import dataclasses
import json
from collections import namedtuple

import numpy as np
import pytest
import yaml

from distillery.artifacts import digest_bytes
from distillery.data.importing import materialise
from distillery.data.rows import Split
from distillery.data.sources import MemoryReader, read_digits
from distillery.errors import ParamsError, ProjectError
from distillery.inference import open_session, run_rows
from distillery.smoke import record_smoke
from distillery.verdict import Outcome
from tasks.gathering import judge_versions, slice_values
from tasks.records import Stored, Version, record_digest

Registry = namedtuple("Registry", "read_file read_folder entered_tags")


@pytest.fixture
def project(tmp_path):
    """A project whose data are the 500 digits of the fixture `rows`."""
    (digits,) = read_digits().chunks()
    labels = dataclasses.replace(digits.labels, codes=digits.labels.codes[:500])
    (tmp_path / "data").mkdir()
    reader = MemoryReader("digits", digits.features[:500], labels)
    materialise(reader, {"source": "digits", "path": None}, tmp_path / "data")
    return tmp_path


@pytest.fixture
def params(shipped):
    small = shipped.data.model_copy(update={"calibration": 32})
    return shipped.model_copy(update={"data": small})


class World:
    """Stands in for a registry of two versions: 1 is the perceptron, 2 the residual network."""

    def __init__(self, rows, files, params):
        held_out = np.flatnonzero((rows.splits == Split.VALIDATION) | (rows.splits == Split.TEST))
        logits = {name: run_rows(open_session(content), rows, held_out) for name, content in files.items()}
        recorded = yaml.safe_dump({"data": params.data.model_dump(mode="json")}).encode()
        self.files = dict(files)
        self.bundle = {"smoke.npz": record_smoke(rows, logits), "params.yaml": recorded}
        counts = {split.name.lower(): int((rows.splits == split).sum()) for split in Split}
        self.facts = {
            "data_digest": rows.data_digest,
            "data_counts": json.dumps(counts),
            "data_classes": "10",
        }
        self.teacher = files["mlp"]

    def version(self, number, variant, **changes):
        digests = {name: digest_bytes(content) for name, content in self.bundle.items()}
        tags = {
            **self.facts, "variant": variant, "onnx_digest": digest_bytes(self.files[variant]),
            "bundle": "bundle-0", "bundle_files": json.dumps(digests),
            "teacher_onnx_digest": digest_bytes(self.teacher), **changes,
        }  # fmt: skip
        tags["record_keys"] = ",".join(sorted(tags))
        return Version(number, "run", "models:/m", {**tags, "record_digest": record_digest(tags)})

    @property
    def registry(self):
        return Registry(
            lambda version: self.files[version.tags["variant"]],
            lambda _version, name, only: Stored(
                "there", {"model.onnx": self.teacher} if name == "teacher-fp32" else self.bundle
            ),
            lambda version: dict(version.tags),
        )


@pytest.fixture
def world(rows, files, params):
    return World(rows, files, params)


def gates_of(verdict):
    return {gate.gate: gate for gate in verdict.gates}


def judged(project, params, world, **challenger):
    champion = world.version("1", "mlp")
    return judge_versions(
        project, params, world.registry, champion, world.version("2", "resnet", **challenger)
    )


def test_both_files_are_run_on_the_test_rows_that_neither_has_seen(project, params, world, rows, files):
    verdict = judged(project, params, world)
    gates = gates_of(verdict)
    tested = rows.where(Split.TEST)
    assert (verdict.champion, verdict.challenger, verdict.rows) == ("1", "2", len(tested))
    assert gates["unseen rows"].outcome is gates["smoke"].outcome is Outcome.PASSED
    assert gates["unseen rows"].numbers == {"rows": len(tested), "test_rows": len(tested)}
    shares = [
        (run_rows(open_session(files[name]), rows, tested).argmax(1) == rows.labels[tested]).mean()
        for name in ("mlp", "resnet")
    ]
    said = gates["accuracy"].said
    assert said.startswith(f"{100 * (shares[1] - shares[0]):+.2f} points")
    assert {"macro F1", "size", "memory", "latency p50", "latency p95"} <= set(gates)
    assert gates["latency p50"].numbers["rounds"] == 1000
    assert json.loads(json.dumps(verdict.to_json())) == verdict.to_json()


def test_without_a_champion_nothing_is_compared(project, params, world):
    verdict = judge_versions(project, params, world.registry, None, world.version("2", "resnet"))
    assert verdict.champion is None
    assert "accuracy" not in gates_of(verdict)
    assert verdict.outcome is Outcome.PASSED


def test_rows_that_cannot_be_proven_to_be_unseen_leave_it_undecided(project, params, world):
    verdict = judged(project, params, world, data_digest="f" * 64)
    assert (verdict.outcome, verdict.rows) == (Outcome.UNDECIDED, 0)
    (gate,) = verdict.gates
    assert "0 of " in gate.said
    assert "version 2 was made from other rows (data digest ffffffffffff)" in gate.said


def test_other_shares_leave_the_rows_that_both_tested_on(project, params, world, rows):
    other = params.data.model_copy(update={"split_seed": 1})
    verdict = judged(project, params.model_copy(update={"data": other}), world)
    numbers = gates_of(verdict)["unseen rows"].numbers
    assert 0 < numbers["rows"] == verdict.rows < numbers["test_rows"]


def test_a_file_that_is_not_what_was_registered_is_refused_before_any_row_is_read(tmp_path, params, world):
    challenger, champion = world.version("2", "resnet"), world.version("1", "mlp")
    world.files["resnet"] += b" "
    verdict = judge_versions(tmp_path, params, world.registry, champion, challenger)
    assert verdict.outcome is Outcome.REFUSED
    assert "the file's SHA-256 is" in gates_of(verdict)["smoke"].said
    other_way = judge_versions(tmp_path, params, world.registry, challenger, champion)
    assert other_way.outcome is Outcome.UNDECIDED
    assert "version 2" in gates_of(other_way)["champion's file"].said


def test_a_file_for_other_rows_leaves_it_undecided(project, params, world, table_file):
    world.files["mlp"] = table_file  # which has no recorded rows here
    recorded = digest_bytes(world.bundle["params.yaml"])
    champion = world.version("1", "mlp", bundle_files=json.dumps({"params.yaml": recorded}))
    challenger = world.version("2", "resnet", bundle_files=json.dumps({"params.yaml": recorded}))
    verdict = judge_versions(project, params, world.registry, champion, challenger)
    assert verdict.outcome is Outcome.UNDECIDED
    assert "version 1: it takes rows of {" in gates_of(verdict)["unseen rows"].said


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"data: {source: 3}", "were altered"), (None, "are gone; they were last seen in there")],
)
def test_recorded_parameters_that_cannot_be_trusted_are_said(project, params, world, content, said):
    challenger, champion = world.version("2", "resnet"), world.version("1", "mlp")
    world.bundle["params.yaml"] = content
    if content is None:
        del world.bundle["params.yaml"]
    with pytest.raises(ProjectError, match=f"the recorded parameters of version 2 {said}"):
        judge_versions(project, params, world.registry, champion, challenger)


def test_must_pass_rows_come_from_a_file_of_the_project_and_the_teacher_is_asked(project, params, world):
    asked = {
        "must_pass": params.promotion.must_pass.model_copy(update={"file": "must-pass.txt"}),
        "teacher": params.promotion.teacher.model_copy(update={"min_agreement": 0.0}),
    }
    changed = params.model_copy(update={"promotion": params.promotion.model_copy(update=asked)})
    with pytest.raises(ParamsError, match=r"promotion\.must_pass\.file must-pass\.txt cannot be read"):
        judged(project, changed, world)
    (project / "must-pass.txt").write_text("# none of ours\nnobody\n")
    gates = gates_of(judged(project, changed, world))
    assert gates["must-pass rows"].numbers["missing_rows"] == ["nobody"]
    assert gates["teacher agreement"].outcome is Outcome.PASSED
    world.teacher += b" "
    champion, challenger = (
        world.version(number, name, teacher_onnx_digest="0" * 64)
        for number, name in (("1", "mlp"), ("2", "resnet"))
    )
    verdict = judge_versions(project, changed, world.registry, champion, challenger)
    assert gates_of(verdict)["teacher agreement"].outcome is Outcome.UNDECIDED


def test_slices_are_the_values_of_a_column_as_text(table, rows):
    positions = np.arange(40)
    colours = set(slice_values(table, positions, "colour"))
    assert colours == {"red", 'gré"en', "blue, dark", ""}
    assert "nan" in slice_values(table, positions, "größe")
    with pytest.raises(ParamsError, match="no column 'colr'; known: größe, colour, day, kind"):
        slice_values(table, positions, "colr")
    with pytest.raises(ParamsError, match="the rows are images"):
        slice_values(rows, positions, "colour")
