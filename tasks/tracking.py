"""The only file that imports MLflow: one registered model on one store, in this project's own words.

Versions are strings, whatever the store answers. Writers hold the project's lock: two cannot make a store.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import mlflow.artifacts
import mlflow.onnx
import onnx
from mlflow import MlflowClient, MlflowException
from mlflow.entities import LoggedModel, LoggedModelOutput, Metric
from mlflow.entities.model_registry import ModelVersion
from mlflow.models import Model, ModelSignature
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.types import Schema, TensorSpec
from sqlalchemy.exc import SQLAlchemyError

from distillery.artifacts import digest_bytes, scratch_folder
from distillery.errors import DistilleryError
from distillery.machine import library_version
from distillery.params.budget import RegistryParams
from tasks import registry_store
from tasks.environment import STATE
from tasks.ledger import Ledger, all_versions
from tasks.onnx_tensors import TensorShape, graph_tensors
from tasks.records import Stored, VariantRecord, Version
from tasks.registry_upkeep import SERVED, attend

for _name in ("mlflow", "alembic"):
    logging.getLogger(_name).setLevel(logging.WARNING)

FILE = "model.onnx"
GONE = "RESOURCE_DOES_NOT_EXIST"
SERVES_WITH = ("onnx", "onnxruntime", "numpy")


@dataclass(frozen=True)
class Registry:
    """One registered model on one MLflow store."""

    project: Path
    uri: str
    name: str

    def __str__(self) -> str:
        return f"{self.name} at {registry_store.without_credentials(self.uri)}"

    @cached_property
    def _client(self) -> MlflowClient:
        # Making a client makes a missing SQLite store too, in place: it waits until `make` has run.
        return MlflowClient(self.uri, self.uri)

    @property
    def is_local(self) -> bool:
        """Whether this is the SQLite store inside the project."""
        return self.uri == registry_store.local_uri(self.project)

    @property
    def exists(self) -> bool:
        """Whether there is anything to read."""
        return not self.is_local or registry_store.database(self.project).exists()

    def make(self) -> str:
        """Make what is missing of the store, the registered model and its experiment; the experiment's id."""
        self._make_local_store()
        client = self._client
        if not client.search_registered_models(f"name = '{self.name}'"):
            client.create_registered_model(self.name)
        found = client.get_experiment_by_name(self.name)
        if found is None:  # a server knows where files go; without one, MLflow would put them where it runs
            place = None if self.uri.startswith(SERVED) else str(registry_store.artifact_folder(self.project))
            return str(client.create_experiment(self.name, place))
        if found.lifecycle_stage == "deleted":
            client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)

    def _make_local_store(self) -> None:
        """SQLite is made beside its place and renamed: a kill leaves no half-migrated database."""
        if not self.is_local:
            return
        registry_store.ensure_store(self.project)
        if not self.exists:
            target = registry_store.database(self.project)
            with scratch_folder(self.project / STATE) as scratch:
                artifacts = str(registry_store.artifact_folder(self.project))
                SqlAlchemyStore(f"{registry_store.SQLITE}{scratch}/{target.name}", artifacts).engine.dispose()
                (scratch / target.name).replace(target)
        registry_store.mark_made(self.project)

    def find_run(self, experiment: str, identity: str) -> tuple[str, bool] | None:
        """The MLflow run of a result, and whether it finished."""
        query = f"tags.result_identity = '{identity}'"
        found = self._client.search_runs([experiment], query, max_results=1)
        return (str(found[0].info.run_id), found[0].info.status == "FINISHED") if found else None

    def start_run(self, experiment: str, identity: str, facts: Mapping[str, str]) -> str:
        """A new MLflow run, which can be found by its identity from its first moment."""
        tags = {"result_identity": identity, **facts}
        return str(self._client.create_run(experiment, tags=tags, run_name=identity[:12]).info.run_id)

    def attach(self, run_id: str, files: Mapping[str, Path]) -> None:
        """Store files and folders with a run, each in a folder of this name."""
        for name, path in files.items():
            store = self._client.log_artifacts if path.is_dir() else self._client.log_artifact
            store(run_id, str(path), name)

    def drop_unentered(self, experiment: str, run_id: str, entered: set[str]) -> None:
        """Remove what a run uploaded and was killed before it entered as a version."""
        for model in self._client.search_logged_models([experiment], f"source_run_id = '{run_id}'"):
            if model.model_uri not in entered:
                self._client.delete_logged_model(model.model_id)

    def enter(self, experiment: str, run_id: str, variant: VariantRecord, tags: Mapping[str, str]) -> Version:
        """A new version: its file is uploaded and read back, then it is entered with all its tags at once."""
        client, now = self._client, int(time.time() * 1000)
        model = client.create_logged_model(experiment, variant.variant, run_id, dict(tags))
        self._upload(model, variant)
        client.log_outputs(run_id, [LoggedModelOutput(model.model_id, 0)])
        numbers = [Metric(key, n, now, 0, model_id=model.model_id) for key, n in variant.numbers.items()]
        client.log_batch(run_id, numbers)
        client.finalize_logged_model(model.model_id, "READY")
        entry = (self.name, model.model_uri, run_id, dict(tags))
        return _version(client.create_model_version(*entry, model_id=model.model_id))

    def restore_file(self, version: Version, variant: VariantRecord) -> None:
        """Put the file of an entered version back."""
        self._upload(self._client.get_logged_model(version.source.removeprefix("models:/")), variant)

    def finish(self, run_id: str) -> None:
        """The run has entered all that it found."""
        self._client.set_terminated(run_id)

    def tag(self, version: Version, key: str, value: str) -> None:
        """Overwrite one tag of a version."""
        self._client.set_model_version_tag(self.name, version.number, key, value)

    def versions(self) -> list[Version]:
        """Every version of the registered model, oldest first."""
        return [_version(version) for version in all_versions(self._client, self.name)]

    @property
    def history(self) -> Ledger:
        """The events of its champion."""
        return Ledger(self._client, self.name)

    def aliases(self) -> dict[str, str]:
        """Version number by alias."""
        if not self._client.search_registered_models(f"name = '{self.name}'"):
            return {}
        aliases = self._client.get_registered_model(self.name).aliases
        return {alias: str(number) for alias, number in sorted(aliases.items())}

    def set_alias(self, alias: str, number: str) -> None:
        """Point an alias to a version; the caller reads it back."""
        self._client.set_registered_model_alias(self.name, alias, number)

    def read_file(self, version: Version) -> bytes | None:
        """The version's ONNX file as the registry has it, not checked; None where it has none."""
        place = self._client.get_model_version_download_uri(self.name, version.number)
        return self._download(place, FILE).get(FILE)

    def read_folder(self, version: Version, name: str, only: str | None = None) -> Stored:
        """A folder of the version's MLflow run, or one file of it, not checked; no files where it is gone."""
        try:
            place = f"{self._client.get_run(version.run_id).info.artifact_uri}/{name}"
            return Stored(registry_store.without_credentials(place), self._download(place, only))
        except MlflowException as error:
            if error.error_code != GONE:
                raise
            return Stored(f"folder {name} of MLflow run {version.run_id}", {})

    def entered_tags(self, version: Version) -> dict[str, str]:
        """A version's tags as it was entered: its logged model has them too; empty where that is gone."""
        try:
            return dict(self._client.get_logged_model(version.source.removeprefix("models:/")).tags)
        except MlflowException as error:
            if error.error_code != GONE:
                raise
            return {}

    def _upload(self, model: LoggedModel, variant: VariantRecord) -> None:
        """Store the very bytes of a variant in MLflow's ONNX flavour, and read them back."""
        with scratch_folder(self.project / STATE) as scratch:
            _write_flavour(model, variant.file, scratch / "model")
            self._client.log_model_artifacts(model.model_id, str(scratch / "model"))
        content = self._download(model.artifact_location, FILE).get(FILE)
        if content is None or digest_bytes(content) != variant.onnx_digest:
            wrong = f"{variant.variant} was stored, but other bytes read back"
            raise DistilleryError(f"{self}: {wrong}; check its disk and run again")

    def _download(self, location: str, only: str | None = None) -> dict[str, bytes]:
        """The files that lie in a folder, by name, or that of them which is wanted."""
        listing = mlflow.artifacts.list_artifacts(location, tracking_uri=self.uri)
        names = [Path(file.path).name for file in listing if not file.is_dir]
        names = [name for name in names if only in (None, name)]
        with tempfile.TemporaryDirectory() as scratch:  # not ours: readers hold no lock
            for uri in (f"{location}/{name}" for name in names):
                mlflow.artifacts.download_artifacts(uri, dst_path=scratch, tracking_uri=self.uri)
            return {name: (Path(scratch) / name).read_bytes() for name in names}


def _write_flavour(model: LoggedModel, file: Path, folder: Path) -> None:
    """The folder of an MLflow model: the ONNX file, its signature and example, what serves it."""
    inputs, outputs = graph_tensors(file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow warns of its own type hints
        mlflow.onnx.save_model(
            onnx.load(file),
            str(folder),
            mlflow_model=Model(run_id=model.source_run_id, model_id=model.model_id),
            signature=ModelSignature(_schema(inputs), _schema(outputs)),
            input_example={tensor.name: tensor.example() for tensor in inputs},
            pip_requirements=[f"{name}=={library_version(name)}" for name in SERVES_WITH],
            onnx_execution_providers=["CPUExecutionProvider"],
            save_as_external_data=False,
        )
    shutil.copyfile(file, folder / FILE)  # protobuf need not write the bytes that it read


def _schema(tensors: list[TensorShape]) -> Schema:
    return Schema([TensorSpec(tensor.dtype, tensor.shape, tensor.name) for tensor in tensors])


def _version(found: ModelVersion) -> Version:
    return Version(str(found.version), str(found.run_id), str(found.source), dict(found.tags))


@contextmanager
def open_registry(project: Path, registry: RegistryParams) -> Iterator[Registry]:
    """The project's registry; the local store need not be there yet. DistilleryError if it cannot be used."""
    opened = Registry(project, registry_store.tracking_uri(project, registry), registry.name)
    attend(project, opened.uri)
    with registry_store.addressed(opened.uri):  # MLflow's stores make clients of their own
        try:
            yield opened
        except (MlflowException, SQLAlchemyError, OSError) as error:
            said = " ".join(str(error).split())[:500]
            raise DistilleryError(f"{opened}: {said}; correct that and run again") from error
