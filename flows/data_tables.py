"""The data commands' tables on standard output, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from distillery.data.difference import Difference
from flows.tables import console

CLASSES_SHOWN = 30


def print_status(status: Mapping[str, Any]) -> None:
    """What is there, a line a fact, and a line a version."""
    facts = Table(show_header=False, box=None)
    for name, value in _facts(status).items():
        facts.add_row(name, value)
    console().print(facts)
    versions = Table("version", "rows", "format", "classes", "moved most (PSI)", "warnings")
    for version in status.get("versions", ()):
        shift = sorted((version["shift"] or {}).items(), key=lambda moved: -moved[1])[:2]
        versions.add_row(
            str(version["number"]),
            f"{version['rows']:,}",
            version["format"],
            str(len(version["class_counts"])),
            ", ".join(f"{name} {value:.2f}" for name, value in shift),
            "\n".join(version["warnings"]),
        )
    if versions.rows:
        console().print(versions)


def _facts(status: Mapping[str, Any]) -> dict[str, str]:
    state = {
        "clean": "what data.dvc pins",
        "changed": "not what data.dvc pins",
        "not pinned": "not pinned yet",
        "absent": "not there",
    }[status["state"]]
    facts = {"data/": state}
    if status["state"] != "absent":
        facts |= {
            "name": status["name"],
            "rows": f"{status['rows']:,} of {len(status['classes'])} classes",
            "data digest": status["data_digest"],
            "md5": status["md5"],
        }
    if status["pinned"] not in (None, status["md5"]):
        facts["pinned md5"] = status["pinned"]
    facts["stored"] = ", ".join(status["stored"]) or "nowhere but here"
    unseen = [
        f"{remote['name']} ({remote['place']})" for remote in status["remotes"] if not remote["verified"]
    ]
    if unseen:
        facts["not pushed to"] = f"{', '.join(unseen)}: `distillery data push` sends it there"
    return facts


def print_difference(difference: Difference) -> None:
    """Counts of rows, and the classes whose counts changed."""
    before, after = difference.rows
    console().print(
        f"{before:,} rows -> {after:,}: {difference.added:,} added, {difference.removed:,} removed, "
        f"{difference.relabelled:,} relabelled, {difference.unchanged:,} unchanged",
        markup=False,
    )
    table = Table("class", "before", "after")
    changed = {name: counts for name, counts in difference.classes.items() if counts[0] != counts[1]}
    for name, (older, newer) in list(changed.items())[:CLASSES_SHOWN]:
        table.add_row(name, f"{older:,}", f"{newer:,}")
    if table.rows:
        console().print(table)
    if len(changed) > CLASSES_SHOWN:
        console().print(f"... and {len(changed) - CLASSES_SHOWN} more classes", markup=False)
