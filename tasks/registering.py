"""What happens at the registry: variants are entered once, the alias moves, models are listed and fetched.

A version and its identity are one write, made after its file was read back; so a run that is killed anywhere
is resumed, finishes what is missing, and does nothing twice.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from distillery.artifacts import digest_bytes
from distillery.errors import Busy, DistilleryError, ProjectError
from distillery.history import Kind
from distillery.params.budget import RegistryParams
from tasks.champion import Move, Say, crown, settle
from tasks.records import TEACHER, RunRecord, VariantRecord, Version, listed, network_folder
from tasks.registry_store import without_credentials
from tasks.tracking import Registry, open_registry


@dataclass(frozen=True)
class Registration:
    """Where a run's variants stand: version by variant, how many are its own, the chosen one's alias."""

    run_id: str
    versions: dict[str, str]
    registered: int
    chosen: dict[str, str] | None
    uri: str

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


@dataclass(frozen=True)
class FetchedModel:
    """A version's ONNX file, its digest checked, and what the version says about itself."""

    version: str
    content: bytes
    tags: Mapping[str, str]


def tell_person(sentence: str) -> None:
    """On standard error, where no one else listens."""
    sys.stderr.write(f"{sentence}\n")


def register(
    project: Path, params: RegistryParams, record: RunRecord, bundle: Path, say: Say = tell_person
) -> Registration:
    """Every compressed variant as a version, once for ever; then the alias of the chosen one."""
    with open_registry(project, params) as registry:
        experiment = registry.make()
        existing = registry.versions()
        known = {version.tags.get("identity"): version for version in reversed(existing)}
        new = any(record.identity(variant) not in known for variant in record.compressed.values())
        run_id = _ensure_run(registry, experiment, record, {version.source for version in existing})
        if new:
            networks = {network_folder(v.weights_digest): v.network for v in record.compressed.values()}
            kept = {record.facts["bundle"]: bundle, TEACHER: record.variants[TEACHER].file, **networks}
            registry.attach(run_id, kept)
        versions: dict[str, Version] = {}
        for name, variant in record.compressed.items():
            identity = record.identity(variant)
            if identity in known:
                _keep(registry, known[identity], variant)
            else:
                known[identity] = registry.enter(experiment, run_id, variant, record.tags(variant))
            versions[name] = known[identity]
        chosen = None
        if record.chosen in versions:
            version = versions[record.chosen]
            alias = give_alias(registry, version, say)
            chosen = {"name": record.chosen, "version": version.number, "alias": alias}
        registry.finish(run_id)
    numbers = {name: version.number for name, version in versions.items()}
    own = {version.number for version in versions.values() if version.run_id == run_id}
    return Registration(run_id, numbers, len(own), chosen, without_credentials(registry.uri))


def _ensure_run(registry: Registry, experiment: str, record: RunRecord, entered: set[str]) -> str:
    """The MLflow run of this result, found again after a kill, without what was uploaded and not entered."""
    found = registry.find_run(experiment, record.result_identity)
    if found is None:
        return registry.start_run(experiment, record.result_identity, record.facts)
    run_id, finished = found
    if not finished:
        registry.drop_unentered(experiment, run_id, entered)
    return run_id


def _keep(registry: Registry, version: Version, variant: VariantRecord) -> None:
    """A version that is there already: a damaged file is put back, what was measured anew is said."""
    content = registry.read_file(version)
    if content is None or digest_bytes(content) != variant.onnx_digest:
        registry.restore_file(version, variant)
    for name, value in variant.measured.items():
        if version.tags.get(name) != value:
            registry.tag(version, name, value)


def give_alias(registry: Registry, version: Version, say: Say) -> str:
    """`champion` where there is none, else `challenger`; nothing moves for the champion itself."""
    standing = settle(registry, say)
    if standing.champion is None:
        try:
            crown(registry, standing, Move(Kind.FIRST, version, "there was no champion"))
        except Busy:  # another was first
            standing = settle(registry, say)
        else:
            return "champion"
    if standing.champion == version.number:
        return "champion"
    registry.set_alias("challenger", version.number)
    now = registry.aliases().get("challenger")
    if now != version.number:
        raise Busy(
            f"{registry}: version {version.number} was made challenger, but version {now} reads back: "
            "another is changing the registry; run again when it has finished"
        )
    return "challenger"


def list_models(project: Path, params: RegistryParams) -> list[dict[str, Any]]:
    """Every version, newest first: variant, aliases, numbers and digests, as `models --json` gives them."""
    with open_registry(project, params) as registry:
        versions = registry.versions() if registry.exists else []
        aliases = registry.aliases() if versions else {}
    rows = []
    for version in reversed(versions):
        names = [alias for alias, number in aliases.items() if number == version.number]
        rows.append({**listed(version.number, version.tags, names), "model": registry.name})
    return rows


def fetch_model(project: Path, params: RegistryParams, wanted: str) -> FetchedModel:
    """The ONNX file of a version (`3`) or an alias (`champion`), its bytes checked against its record."""
    with open_registry(project, params) as registry:
        version = find_version(registry, wanted)
        content = registry.read_file(version)
    if content is None or digest_bytes(content) != version.tags.get("onnx_digest"):
        wrong = "is gone" if content is None else "is not the file that was registered"
        raise DistilleryError(
            f"{registry}: the ONNX file of version {version.number} {wrong}; `distillery run --refresh "
            "register_model` with the parameters that made it puts it back"
        )
    return FetchedModel(version.number, content, version.tags)


def find_version(registry: Registry, wanted: str) -> Version:
    """The version of this number or alias; ProjectError with those that exist."""
    versions = {version.number: version for version in registry.versions()} if registry.exists else {}
    if not versions:
        raise ProjectError(f"{registry} holds no version yet: `distillery run` registers some")
    aliases = registry.aliases()
    found = versions.get(aliases.get(wanted, wanted))
    if found is None:
        there = ", ".join([*aliases, *versions])
        raise ProjectError(f"{registry} has no version or alias {wanted!r}: name one of {there}")
    return found
