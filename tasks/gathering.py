"""What the gates are asked on: both versions' files, run here and now on test rows that neither has seen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import ValidationError

from distillery.artifacts import digest_bytes
from distillery.data.form import Table, in_words
from distillery.data.rows import Rows, Split, row_names
from distillery.data.unseen import MadeFrom, find_unseen
from distillery.errors import DistilleryError, ParamsError, ProjectError
from distillery.evidence import Codes, Evidence, PairedTimes, listed_rows
from distillery.feeding import feeder
from distillery.gates import judge
from distillery.measurement import PROBE_ROWS
from distillery.pairing import judged, predicted, takes, time_pair
from distillery.params.data import DataParams
from distillery.params.project import NOT_YAML, Params
from distillery.params.promotion import LatencyGate, PromotionParams
from distillery.verdict import GateResult, Outcome, Verdict
from tasks.bundle import PARAMS
from tasks.examining import Examined, examine
from tasks.present_rows import PresentRows, present_rows
from tasks.records import TEACHER, Version
from tasks.tracking import FILE, Registry

ROUNDS = 1000  # of paired times, or as many as the gate asks for


@dataclass(frozen=True)
class Contender:
    """A version whose file is what was registered, and what it was made from."""

    version: Version
    content: bytes
    made_from: MadeFrom


def judge_versions(
    project: Path, params: Params, registry: Registry, champion: Version | None, challenger: Version
) -> Verdict:
    """What the gates say of these two versions, files, rows and times as they are now.

    Raises ProjectError or DataError where the rows or the records cannot be had.
    """
    found = [examine(registry, version) for version in (challenger, champion) if version is not None]
    unsound = _unsound(found, champion, challenger)
    if unsound is not None:
        return unsound
    contenders = [_contender(registry, examined) for examined in found]
    with present_rows(project, params.data) as present:
        positions, told = _usable(present, contenders)
        if not len(positions):
            number = champion.number if champion else None
            return Verdict(number, challenger.number, 0, (told,))
        evidence = _evidence(project, params.promotion, registry, contenders, present, positions)
    verdict = judge(evidence, params.promotion)
    return replace(verdict, gates=(told, *verdict.gates))


def _unsound(found: list[Examined], champion: Version | None, challenger: Version) -> Verdict | None:
    """The verdict where a file is not what was registered: there is nothing to run."""
    results = [
        GateResult(
            "smoke" if examined.version is challenger else "champion's file",
            Outcome.REFUSED if examined.version is challenger else Outcome.UNDECIDED,
            True,
            f"version {examined.version.number}: {'; '.join(examined.smoke.faults)}",
            {"faults": list(examined.smoke.faults)},
        )
        for examined in found
        if examined.smoke.faults or examined.content is None
    ]
    if not results:
        return None
    return Verdict(champion.number if champion else None, challenger.number, 0, tuple(results))


def _contender(registry: Registry, examined: Examined) -> Contender:
    version = examined.version
    if examined.content is None:
        raise DistilleryError(f"the file of version {version.number} is gone")
    tags, name = version.tags, f"version {version.number}"
    stored = registry.read_folder(version, tags["bundle"], PARAMS)
    content = stored.files.get(PARAMS)
    if content is None or digest_bytes(content) != json.loads(tags["bundle_files"]).get(PARAMS):
        wrong = "are gone" if content is None else "were altered"
        raise ProjectError(
            f"the recorded parameters of {name} {wrong}; they were last seen in {stored.place}"
        )
    try:
        data = DataParams.model_validate(yaml.safe_load(content)["data"])
    except (ValidationError, *NOT_YAML, TypeError) as error:
        raise ProjectError(f"the recorded parameters of {name} cannot be read: {error}") from None
    counts: Mapping[str, int] = json.loads(tags["data_counts"])
    made_from = MadeFrom(name, tags["data_digest"], int(tags["data_classes"]), counts, data)
    return Contender(version, examined.content, made_from)


def _usable(present: PresentRows, contenders: list[Contender]) -> tuple[NDArray[np.intp], GateResult]:
    """The test rows that no contender has seen, and the gate that says how many, and why not the others."""
    rows, because = present.rows, []
    tested = rows.splits == Split.TEST
    usable = tested.copy()
    for contender in contenders:
        wrong = takes(contender.content, rows)
        if wrong is not None:
            because.append(f"{contender.made_from.model}: {wrong}")
            usable[:] = False
            continue
        unseen = find_unseen(present.data, contender.made_from, present.scratch)
        seen = int((tested & ~unseen.rows).sum())
        if seen:
            model = contender.made_from.model
            because.append(unseen.because or f"{seen:,} are not proven to be unseen by {model}")
        usable &= unseen.rows
    found, all_of_them = int(usable.sum()), int(tested.sum())
    said = "; ".join([f"{found:,} of {all_of_them:,} test rows are proven to be unseen", *because])
    outcome = Outcome.PASSED if found else Outcome.UNDECIDED
    numbers = {"rows": found, "test_rows": all_of_them}
    return np.flatnonzero(usable), GateResult("unseen rows", outcome, True, said, numbers)


def _evidence(
    project: Path,
    params: PromotionParams,
    registry: Registry,
    contenders: list[Contender],
    present: PresentRows,
    positions: NDArray[np.intp],
) -> Evidence:
    """Run the files. The first contender is the challenger; a second is the champion."""
    rows = present.rows
    feed = feeder(rows.form)(rows.features[rows.where(Split.VALIDATION)[:PROBE_ROWS]])
    said = [judged(c.version.number, c.content, rows, positions, feed) for c in contenders]
    times = None
    if len(contenders) > 1 and _is_timed(params.latency):
        rounds = max(ROUNDS, params.latency.min_rounds)
        times = _times(contenders, feed, rounds)
    return Evidence(
        classes=rows.classes,
        row_ids=np.array(row_names(rows.row_ids[positions])),
        labels=np.asarray(rows.labels[positions]),
        challenger=said[0],
        champion=said[1] if len(said) > 1 else None,
        teacher=_teacher(registry, contenders[0].version, rows, positions)
        if params.teacher.min_agreement is not None
        else None,
        slices={name: slice_values(rows, positions, name) for name in params.per_class.slices},
        versions=rows.versions(positions),
        must_pass=_must_pass(project, params.must_pass.file),
        times=times,
        smoke=(),
    )


def _is_timed(gate: LatencyGate) -> bool:
    return gate.max_p50_ratio is not None or gate.max_p95_ratio is not None


def _times(contenders: list[Contender], feed: Mapping[str, NDArray[Any]], rounds: int) -> PairedTimes:
    challenger, champion = contenders
    return time_pair(champion.content, challenger.content, dict(feed), rounds)


def _teacher(registry: Registry, version: Version, rows: Rows, positions: NDArray[np.intp]) -> Codes | None:
    """What the challenger's teacher says; None where its file is gone or another, or takes other rows."""
    content = registry.read_folder(version, TEACHER, FILE).files.get(FILE)
    if content is None or digest_bytes(content) != version.tags["teacher_onnx_digest"]:
        return None
    return predicted(content, rows, positions)[0] if takes(content, rows) is None else None


def _must_pass(project: Path, file: str | None) -> tuple[str, ...] | None:
    if file is None:
        return None
    try:
        return listed_rows((project / file).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ParamsError(f"promotion.must_pass.file {file} cannot be read: {error}") from None


def slice_values(rows: Rows, positions: NDArray[np.intp], name: str) -> NDArray[np.str_]:
    """The values (N,) of a table's column as text; ParamsError where the data have no such column."""
    columns = rows.form.columns if isinstance(rows.form, Table) else ()
    at = next((at for at, column in enumerate(columns) if column.name == name), None)
    if at is None:
        known = ", ".join(column.name for column in columns) or f"none: the rows are {in_words(rows.form)}"
        raise ParamsError(f"promotion.per_class.slices: the data have no column {name!r}; known: {known}")
    values, categories = rows.features[positions, at], columns[at].categories
    if categories is None:
        return np.array([f"{value:g}" for value in values.tolist()], np.str_)
    names = np.array([*categories, ""], np.str_)
    return np.asarray(names[values.astype(np.int64)])  # code -1 is the last
