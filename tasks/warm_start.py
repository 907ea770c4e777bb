"""Where a student begins that starts warm: the network of the champion's file, from its MLflow run."""

from __future__ import annotations

from pathlib import Path

from distillery.artifacts import digest_bytes
from distillery.data.canonical import read_canonical
from distillery.data.locate import holds
from distillery.inference import class_names, open_session
from distillery.params.project import Params
from distillery.params.retrain import BeginParams
from distillery.warm_start import Known, fresh_classes, misfit, pack, unpack
from tasks.champion import Say
from tasks.knowledge import keep
from tasks.records import network_folder
from tasks.retraining import Champion
from tasks.tracking import open_registry

SHAPE, WEIGHTS = "network.json", "weights.safetensors"


class _Impossible(Exception):
    """Why there is nothing to begin from, in words."""


def where_to_begin(project: Path, params: Params, champion: Champion | None, say: Say) -> BeginParams:
    """`retrain.begin` with the champion's network, kept; with none, and why, where it cannot be used."""
    if champion is None:
        return BeginParams(network=None)
    number = champion.version.number
    try:
        packed = _pack(champion, _network_files(project, params, champion))
        new = _new_classes(project, params, unpack(packed))
    except _Impossible as why:
        say(f"the student starts fresh, not from version {number}: {why}")
        return BeginParams(network=None)
    fresh = f"; new to it: {', '.join(map(repr, new))}" if new else ""
    say(f"the student begins from the network of version {number}{fresh}")
    return BeginParams(network=keep(project, packed))


def _network_files(project: Path, params: Params, champion: Champion) -> dict[str, bytes]:
    """What `save_model` wrote of it, by name, the weights checked."""
    digest = champion.version.tags["weights_digest"]
    with open_registry(project, params.registry) as registry:
        files = dict(registry.read_folder(champion.version, network_folder(digest)).files)
    if not {SHAPE, WEIGHTS} <= files.keys():
        raise _Impossible("its network was not registered with it")
    if digest_bytes(files[WEIGHTS]) != digest:
        raise _Impossible("its network is not what was registered")
    return files


def _pack(champion: Champion, files: dict[str, bytes]) -> bytes:
    """One file of the network and its class names, which the ONNX file has."""
    if champion.content is None:
        raise _Impossible("its ONNX file, which names its classes, is not what was registered")
    try:
        return pack(files[SHAPE], files[WEIGHTS], class_names(open_session(champion.content)))
    except ValueError as error:
        raise _Impossible(f"its network cannot be read: {error}") from error


def _new_classes(project: Path, params: Params, known: Known) -> list[str]:
    """The classes of the data that it lacks, where the student that these data ask for can begin from it."""
    if not holds(project / "data", params.data):
        raise _Impossible("these data are not the project's own")
    schema = read_canonical(project / "data").schema
    why = misfit(known, params.student.model.network(schema.form, len(schema.classes)))
    if why is not None:
        raise _Impossible(why)
    return fresh_classes(known, schema.classes)
