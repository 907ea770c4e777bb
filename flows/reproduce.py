"""A registered version made again from its record alone, and compared with what was registered."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from distillery.errors import DataError
from distillery.rebuild import Agreement, Cause, Judgement, Made, causes_of, judge
from flows.project import Request
from tasks.bundle import ENVIRONMENT, describe_environment
from tasks.rebuilding import build, compare, empty_folder, lay_out
from tasks.recalling import Recalled, recall
from tasks.repository import CommitLabel
from tasks.steps import MAKE_A_FILE

RUNTIME = ("device", "precision", "threads")
NUMBERS = (
    "accuracy", "accuracy_low", "accuracy_high", "macro_f1", "validation_accuracy", "teacher_agreement",
    "integer_op_share", "file_bytes", "parameters", "macs",
)  # fmt: skip
LABELS = ("variant", "data_digest", "params_digest", "code_digest", "git_commit", "git_dirty", "seed")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Reproduction:
    """What a rebuild came to."""

    version: str
    labels: Mapping[str, str]
    judgement: Judgement
    recorded: Made
    rebuilt: Made
    causes: tuple[Cause, ...]
    agreement: Agreement | None
    kept: Path | None
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The object that `reproduce --json` prints."""
        return {
            "verdict": self.judgement.verdict,
            "reasons": list(self.judgement.reasons),
            "version": self.version,
            **self.labels,
            "onnx_digest": self.recorded.onnx,
            "rebuilt_digest": self.rebuilt.onnx,
            "environment": [asdict(cause) for cause in self.causes],
            "agreement": self.agreement.to_json() if self.agreement else None,
            "numbers": {
                name: {"recorded": recorded, "rebuilt": self.rebuilt.numbers.get(name)}
                for name, recorded in self.recorded.numbers.items()
            },
            "kept": str(self.kept) if self.kept else None,
            "seconds": round(self.seconds, 3),
        }


def reproduce(request: Request, wanted: str, to: Path | None, say: Say) -> Reproduction:
    """Record and bundle checked, data and code restored by digest, the pipeline run, the files compared.

    The project is only read: its registry, DVC's cache and remotes.
    """
    started = time.monotonic()
    with empty_folder(to) as folder:
        recalled = recall(request.project, request.params.registry, wanted)
        say(_introduction(recalled))
        scratch, told = lay_out(recalled, request.project, folder)
        causes = _environment_causes(recalled)
        for sentence in (*told, *_said(causes), f"running the version's own code in {folder}"):
            say(sentence)
        rebuilt = build(scratch, recalled.tags["variant"])
        _require_the_same_rows(recalled, rebuilt.tags)
        causes += _runtime_causes(recalled.tags, rebuilt.tags)
        before, after = _made(recalled.tags), _made(rebuilt.tags)
        agreement = None
        if before.onnx != after.onnx and recalled.content is not None:
            agreement = compare(scratch, recalled.content, rebuilt.content)
    labels = {name: recalled.tags[name] for name in LABELS}
    judgement = judge(before, after, causes, agreement)
    number, seconds = recalled.entry.version.number, time.monotonic() - started
    return Reproduction(number, labels, judgement, before, after, tuple(causes), agreement, to, seconds)


def _introduction(recalled: Recalled) -> str:
    label = CommitLabel(recalled.tags["git_commit"], dirty=recalled.tags["git_dirty"] == "true")
    said = f"{recalled.entry.name} is {recalled.tags['variant']} ({label}); its record and bundle are whole"
    gone = "; its ONNX file is gone or altered, so that only its digest can be compared"
    return said if recalled.content is not None else said + gone


def _environment_causes(recalled: Recalled) -> list[Cause]:
    recorded, here = json.loads(recalled.bundle[ENVIRONMENT]), describe_environment()
    libraries = sorted({library for step in MAKE_A_FILE for library in step.libraries})
    return causes_of(recorded, here, libraries, recalled.tags["device"])


def _runtime_causes(recorded: Mapping[str, str], rebuilt: Mapping[str, str]) -> list[Cause]:
    """A device that is not there is replaced."""
    return [Cause(name, recorded[name], rebuilt[name]) for name in RUNTIME if recorded[name] != rebuilt[name]]


def _said(causes: list[Cause]) -> list[str]:
    if not causes:
        return ["environment: as recorded"]
    return [f"environment: {cause}" for cause in causes]


def _require_the_same_rows(recalled: Recalled, rebuilt: Mapping[str, str]) -> None:
    """Own data are verified byte by byte before; rows that the code brings can only be asked afterwards."""
    recorded, found = recalled.tags["data_digest"], rebuilt["data_digest"]
    if recorded != found:
        source = recalled.tags["data_source"]
        wrong = f"source {source} gives data digest {found} here, and the record says {recorded}"
        raise DataError(f"The rows of {recalled.entry.name} cannot be had again: {wrong}")


def _made(tags: Mapping[str, str]) -> Made:
    numbers = {name: float(tags[name]) for name in NUMBERS if name in tags}
    return Made(tags["onnx_digest"], tags["weights_digest"], tags["teacher_weights_digest"], numbers)
