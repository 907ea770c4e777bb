"""What a retraining needs to know before it trains: what was judged last, and what the champion knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from distillery.artifacts import digest_bytes, digest_json, read_json, write_json
from distillery.data.canonical import read_canonical
from distillery.data.locate import holds
from distillery.data.unseen import versions_seen
from distillery.params.project import Params
from distillery.params.retrain import RememberParams
from distillery.triggers import State
from tasks.bundle import named_functions, running_source
from tasks.champion import CHAMPION, Say, settle
from tasks.data_versions import read_schema
from tasks.environment import STATE
from tasks.knowledge import keep
from tasks.memory import DigestMemory
from tasks.params_identity import OUTSIDE_IDENTITY, params_digest
from tasks.reads import source_files
from tasks.records import Version
from tasks.registering import find_version
from tasks.tracking import open_registry

FILE = STATE / "retrain.json"
PLACES = {"registry": {"uri"}, "retrain": {"watch", "webhook"}}  # where things are shapes no judgement


@dataclass(frozen=True)
class Champion:
    """The champion and its ONNX file; None where that is not what was registered."""

    version: Version
    content: bytes | None


def find_champion(project: Path, params: Params, say: Say) -> Champion | None:
    """The champion; what a killed promotion left undone is finished first."""
    with open_registry(project, params.registry) as registry:
        if not registry.exists or settle(registry, say).champion is None:
            return None
        version = find_version(registry, CHAMPION)
        content = registry.read_file(version)
    intact = content is not None and digest_bytes(content) == version.tags["onnx_digest"]
    return Champion(version, content if intact else None)


def what_it_knows(project: Path, params: Params, champion: Champion | None, say: Say) -> RememberParams:
    """`retrain.remember` with the champion's file, kept, and how many of the data's versions it knows."""
    method = params.retrain.remember
    if champion is None or not method.weight:
        return method
    number = champion.version.number
    if champion.content is None:
        say(f"nothing is learned from the champion: the file of version {number} is not what was registered")
        return method
    versions = _versions(project, params, champion.version)
    if not versions:
        say(f"nothing is learned from the champion: version {number} was trained on other data")
        return method
    say(f"the student learns from version {number}, the champion, on {versions} version(s) of the data too")
    return method.model_copy(update={"model": keep(project, champion.content), "versions": versions})


def _versions(project: Path, params: Params, version: Version) -> int:
    if not holds(project / "data", params.data):
        return 0
    data = read_canonical(project / "data")
    return versions_seen(data, version.tags["data_digest"], int(version.tags["data_classes"]))


def present_state(project: Path, params: Params, champion: Champion | None) -> State:
    """What would be judged now."""
    memory = DigestMemory(project)
    read = source_files(project, (params.data,), memory)
    memory.save()
    tree = params.model_dump(mode="json", include=OUTSIDE_IDENTITY, exclude=PLACES)
    return State(
        data=read["data"] if list(read) == ["data"] else digest_json(read),
        params=params_digest(params),
        gates=digest_json(tree),
        code=digest_bytes(running_source(named_functions(params))),
        champion=champion.version.tags.get("identity") if champion else None,
    )


def judged_state(project: Path, champion: Champion | None, now: State) -> State | None:
    """What was judged last in this project, else what the champion was made from; None without one."""
    try:
        return State.from_json(read_json(project / FILE))
    except (OSError, ValueError, TypeError, KeyError):
        pass
    if champion is None:
        return None
    tags = champion.version.tags  # which do not say by what gates it came
    return replace(now, data=tags["data_md5"], params=tags["params_digest"], code=tags["code_digest"])


def save_state(project: Path, state: State) -> None:
    """This was judged."""
    write_json(project / FILE, state.to_json())


def newest_shift(project: Path) -> Mapping[str, float] | None:
    """How far the newest data version lies from the one before (PSI by column); None for a first one."""
    if not (project / "data").exists():
        return None
    shift: Mapping[str, float] | None = read_schema(project / "data")["versions"][-1]["shift"]
    return shift
