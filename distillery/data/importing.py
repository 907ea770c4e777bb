"""From readers of any format to the canonical form: rows stream through, memory holds a chunk at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from distillery.artifacts import digest_bytes, digest_file, write_json
from distillery.data.canonical import (
    FORMAT,
    SCHEMA,
    Canonical,
    DataVersion,
    Schema,
    digest_data,
    read_canonical,
)
from distillery.data.chunks import Reader, describe, kind_of
from distillery.data.findings import Findings
from distillery.data.incoming import Incoming
from distillery.data.locate import Origin
from distillery.data.shift import measure_shift, tell_shift
from distillery.data.validation import check
from distillery.errors import DataError


@dataclass(frozen=True)
class Part:
    """One source of an import. `tested`: all of it is test rows, whatever it says itself."""

    reader: Reader
    tested: bool = False


@dataclass(frozen=True)
class Import:
    """What to import: the sources, what the data set is called, and which data came before.

    With `before`, its rows stay and the new ones are appended as a version. `previous` is only compared with.
    """

    parts: tuple[Part, ...]
    name: str
    origin: Origin
    before: Canonical | None = None
    previous: Canonical | None = None


def write_data(wanted: Import, into: Path) -> Findings:
    """Write the canonical form into an empty folder; returns all that was found.

    Old rows, classes and categories keep their places and codes; new ones are appended, matched by name.
    Where errors were found, the folder is of no use. Raises DataError where a source cannot be read at all.
    """
    _require_one_kind(wanted)
    findings = Findings()
    with Incoming(wanted.parts[0].reader.form, into, wanted.before) as incoming:
        for part in wanted.parts:
            for chunk in part.reader.chunks():
                findings.add(incoming.take(chunk, tested=part.tested or chunk.tested))
        draft = _draft(wanted, incoming)
    if not findings.lines("error"):
        _complete(wanted, draft, into, findings)
    return findings


def materialise(reader: Reader, origin: Origin, into: Path) -> None:
    """Write a source that the params name; raises DataError with all that is wrong with it."""
    name = str(origin["source"])
    write_data(Import((Part(reader),), name, origin), into).raise_errors(f"source {name}")


def _draft(wanted: Import, incoming: Incoming) -> Schema:
    """The schema, without what only the finished folder can tell."""
    older = wanted.before.schema.versions if wanted.before else ()
    shards, classes, counts = incoming.finish()
    version = DataVersion(
        number=len(older) + 1,
        rows=sum(counts),
        format=wanted.parts[0].reader.format,
        files=sum(len(part.reader.files) for part in wanted.parts),
        source_digest=_digest_sources(wanted.parts),
        class_counts={name: count for name, count in zip(classes, counts, strict=True) if count},
        statistics={name: gathered.result() for name, gathered in incoming.statistics.items()},
        shift=None,
        warnings=(),
    )
    return Schema(
        format=FORMAT,
        name=wanted.name,
        source=wanted.origin,
        form=incoming.form,
        classes=classes,
        data_digest="",
        shards=shards,
        versions=(*older, version),
    )


def _complete(wanted: Import, draft: Schema, into: Path, findings: Findings) -> None:
    """Check the whole, compare it with what came before, and say so in the schema."""
    _write_schema(into, draft)
    data, start = read_canonical(into), len(wanted.before) if wanted.before else 0
    findings.add(check(data, into))
    older, shift = wanted.before or wanted.previous, None
    if older is not None and kind_of(older.schema.form) == kind_of(draft.form):
        shift = measure_shift(older, data, start)
        findings.add(tell_shift(shift))
    told = {"shift": shift, "warnings": findings.lines("warning")}
    versions = (*draft.versions[:-1], draft.versions[-1].model_copy(update=told))
    _write_schema(into, draft.model_copy(update={"versions": versions, "data_digest": digest_data(data)}))


def _write_schema(folder: Path, schema: Schema) -> None:
    write_json(folder / SCHEMA, schema.model_dump(mode="json"))


def _require_one_kind(wanted: Import) -> None:
    """Every source, and what came before, must have rows of one kind; DataError with what differs."""
    forms = [part.reader.form for part in wanted.parts]
    if wanted.before is not None:
        forms.insert(0, kind_of(wanted.before.schema.form))
    if any(form != forms[0] for form in forms):
        faults = [f"{describe(form)}" for form in forms]
        raise DataError("the rows are not of one kind, so they cannot be one data set", faults)


def _digest_sources(parts: tuple[Part, ...]) -> str | None:
    """The digest of all the bytes that were read: a file's name counts, where it lay does not."""
    lines = []
    for part in parts:
        for file in part.reader.files:
            name = f"{'test ' if part.tested else ''}{file.name}"
            lines.append(f"{name} {digest_file(file, name).sha256}\n")
    return digest_bytes("".join(sorted(lines)).encode()) if lines else None
