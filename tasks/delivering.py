"""A registered version as what is said of it where it is taken elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from distillery.delivery.facts import LICENCES, Delivered, Footprint, Quality
from distillery.params.budget import RegistryParams
from tasks.recalling import look_up
from tasks.registering import fetch_model
from tasks.repository import CommitLabel

SPLITS = ("train", "validation", "test")
Kind = TypeVar("Kind", Footprint, Quality)


def fetch_delivery(
    project: Path, params: RegistryParams, wanted: str, licence: str | None
) -> tuple[bytes, Delivered]:
    """A version's ONNX file and its facts, both held against their digests; `licence` is of the data."""
    number = look_up(project, params, wanted).version.number
    fetched = fetch_model(project, params, number)
    return fetched.content, describe_version(params.name, number, fetched.tags, licence)


def describe_version(registry: str, number: str, tags: Mapping[str, str], licence: str | None) -> Delivered:
    """The facts that stand in a version's tags."""
    source, counts = json.loads(tags["data_source"]), json.loads(tags["data_counts"])
    renamed = {"low": "accuracy_low", "high": "accuracy_high"}
    return Delivered(
        registry=registry,
        version=number,
        variant=tags["variant"],
        quality=_numbers(Quality, tags, renamed),
        footprint=_numbers(Footprint, tags, {}),
        broken=tuple(filter(None, tags.get("budget_broken", "").split("; "))),
        dataset=str(source.get("dataset") or source["source"]),
        data_version=str(source["version"]) if source.get("version") else None,
        data_digest=tags["data_digest"],
        counts={split: counts[split] for split in SPLITS},
        licence=licence or LICENCES.get(str(source["source"])),
        lineage=_lineage(tags),
    )


def _numbers(kind: type[Kind], tags: Mapping[str, str], renamed: Mapping[str, str]) -> Kind:
    """Fill a class of numbers, each from the tag of its name; whole numbers where the class says so."""
    found: dict[str, Any] = {}
    for field in fields(kind):
        number = float(tags[renamed.get(field.name, field.name)])
        found[field.name] = int(number) if field.type == "int" else number
    return kind(**found)


def _lineage(tags: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    libraries = ", ".join(f"{name} {found}" for name, found in sorted(json.loads(tags["libraries"]).items()))
    commit = CommitLabel(tags["git_commit"], tags["git_dirty"] == "true")
    return (
        ("weights", f"SHA-256 {tags['weights_digest']}"),
        ("teacher's file", f"SHA-256 {tags['teacher_onnx_digest']}"),
        ("params", f"SHA-256 {tags['params_digest']}"),
        ("code", f"SHA-256 {tags['code_digest']}; {commit}"),
        ("seed", f"{tags['seed']}, {tags['threads']} threads, {tags['precision']} on {tags['device']}"),
        ("python", f"{tags['python']}; {libraries}"),
        ("record", f"SHA-256 {tags['record_digest']}"),
    )
