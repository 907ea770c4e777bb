"""What the tests share: the shipped parameters, a few hundred digits, and students that were trained once."""

from __future__ import annotations

import dataclasses
import os
import signal
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before anything imports it: it writes to the temporary folder

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

# What a shell ignores for commands in its background, children ignore too; a handler is not inherited.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)

settings.register_profile(
    "distillery",
    deadline=None,
    derandomize=True,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("deep", deadline=None, max_examples=2000, suppress_health_check=list(HealthCheck))
settings.load_profile("distillery")


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return Path(__file__).parents[1]


@pytest.fixture(scope="session")
def shipped(root: Path):
    """params.yaml as it is shipped."""
    from distillery.params.project import load_params

    return load_params(root / "params.yaml")


@pytest.fixture(scope="session")
def runtime():
    """fp32 on one thread of the CPU, so that every machine computes the same."""
    from distillery.params.runtime import RuntimeParams

    return RuntimeParams(seed=0, threads=1, precision="fp32", device="cpu")


@pytest.fixture(scope="session")
def static_params(shipped):
    """The shipped static quantization, with changes by keyword."""

    def make(**changes):
        block = shipped.quantize.static
        return type(block).model_validate(block.model_dump() | changes)

    return make


@pytest.fixture(scope="session")
def training(shipped):
    """A short training, with changes by keyword."""

    def make(**changes):
        short = {"epochs": 3, "batch_size": 32, "learning_rate": 0.01, "schedule": "constant"}
        return shipped.distill.training.model_validate(
            shipped.distill.training.model_dump() | short | changes
        )

    return make


@pytest.fixture(scope="session")
def augment(shipped):
    """Two views, shifted by up to a pixel."""
    return shipped.augment.model_copy(update={"views": 2, "shift": 1, "flip": False})


@pytest.fixture(scope="session")
def prepared(tmp_path_factory, shipped):
    """Prepared rows of a reader, read back from disk, with changes to the data block by keyword."""
    from distillery.data.canonical import read_canonical
    from distillery.data.importing import materialise
    from distillery.data.preparation import prepare
    from distillery.data.rows import load_rows

    def make(reader, **changes):
        folder = tmp_path_factory.mktemp("rows")
        for name in ("data", "prepared"):
            (folder / name).mkdir()
        materialise(reader, {"source": "digits", "path": None}, folder / "data")
        data = shipped.data.model_copy(update=changes)
        prepare(read_canonical(folder / "data"), data, folder / "prepared")
        return load_rows(folder / "prepared")

    return make


@pytest.fixture(scope="session")
def rows(prepared):
    """500 real digits with their splits; 32 rows for calibration."""
    from distillery.data.sources import MemoryReader, read_digits

    (digits,) = read_digits().chunks()
    labels = dataclasses.replace(digits.labels, codes=digits.labels.codes[:500])
    return prepared(MemoryReader("digits", digits.features[:500], labels), calibration=32)


@dataclasses.dataclass
class Columns:
    """A reader of a table that is in memory: numbers as arrays with NaN, categories as names with None."""

    columns: dict
    labels: list
    files: tuple = ()
    format: str = "csv"

    @property
    def form(self):
        from distillery.data.chunks import ColumnNames

        numeric = tuple(not isinstance(values, list) for values in self.columns.values())
        return ColumnNames(tuple(self.columns), numeric)

    def chunks(self):
        from distillery.data.chunks import Chunk

        columns = (self._encoded(v) if isinstance(v, list) else v for v in self.columns.values())
        yield Chunk(tuple(columns), self._encoded(self.labels), False, lambda at: f"line {at}")

    @staticmethod
    def _encoded(names):
        from distillery.data.chunks import Encoded

        distinct = tuple(dict.fromkeys(name for name in names if name is not None))
        codes = [-1 if name is None else distinct.index(name) for name in names]
        return Encoded(np.array(codes, np.int32), distinct)


@pytest.fixture(scope="session")
def columns():
    """Makes a reader of a table from its columns and labels."""
    return Columns


@pytest.fixture(scope="session")
def table(prepared, columns):
    """600 rows: two columns of numbers and two of categories decide the class; one of each misses some."""
    random = np.random.default_rng(0)
    size, day = random.normal(3, 2, 600), random.integers(0, 10**5, 600) + 1.6e9
    colour = random.choice(["red", 'gré"en', "blue, dark"], 600)
    kind = random.choice(["a", "b", "c", "d", "e"], 600)
    score = (size - 3) / 2 + (day - 1.6e9) / 5e4 - 1 + (colour == "red") * 2 - (kind == "b") * 2
    labels = np.array(["no", "perhaps", "yes"])[np.digitize(score, [-0.5, 1])]
    size[::9] = np.nan
    colour = [None if at % 11 == 0 else name for at, name in enumerate(colour.tolist())]
    values = {"größe": size, "colour": colour, "day": day, "kind": kind.tolist()}
    values = {n: v if isinstance(v, list) else v.astype(np.float32) for n, v in values.items()}
    return prepared(columns(values, labels.tolist()), calibration=64)


@pytest.fixture(scope="session")
def table_student(table, augment, training, runtime):
    """A perceptron that was trained on the table. Copy it before changing it."""
    from distillery.data.batches import TrainBatches
    from distillery.models.mlp import Mlp
    from distillery.training import hard_labels, new_classifier, train

    mlp = Mlp(family="mlp", hidden=(16,), dropout=0.0)
    model = new_classifier(mlp.network(table.form, len(table.classes)), table, runtime)
    batches = TrainBatches(table, augment, 32, runtime.seed, augment.views)
    for _ in train(model, batches, hard_labels(0.0), training(epochs=12, schedule="one_cycle"), runtime):
        pass
    return model


@pytest.fixture(scope="session")
def table_file(table_student, table):
    """Its ONNX file, as bytes."""
    from distillery.export import export

    return export(table_student, table.classes)


@pytest.fixture(scope="session")
def untrained(rows, runtime):
    """A fresh, seeded classifier of a family."""
    from distillery.models.mlp import Mlp
    from distillery.models.resnet import ResNet
    from distillery.training import new_classifier

    shapes = {
        "mlp": Mlp(family="mlp", hidden=(16,), dropout=0.0),
        "resnet": ResNet(family="resnet", stem_stride=1, width=4, stages=2, blocks=1, dropout=0.0),
    }

    def make(family: str):
        return new_classifier(shapes[family].network(rows.form, len(rows.classes)), rows, runtime)

    return make


@pytest.fixture(scope="session")
def students(untrained, rows, augment, training, runtime):
    """Family -> a student trained for a few epochs. Copy it before changing it."""
    from distillery.data.batches import TrainBatches
    from distillery.training import hard_labels, train

    trained = {family: untrained(family) for family in ("mlp", "resnet")}
    for model in trained.values():
        batches = TrainBatches(rows, augment, 16, runtime.seed, augment.views)
        for _ in train(model, batches, hard_labels(0.0), training(epochs=12, schedule="one_cycle"), runtime):
            pass
    return trained


@pytest.fixture(scope="session")
def files(students, rows):
    """Family -> the student's ONNX file, as bytes."""
    from distillery.export import export

    return {family: export(model, rows.classes) for family, model in students.items()}


def make_waves(count=360, length=16, seed=0):
    """Series (N, L, 2) of sines, squares and saws at any speed and phase, with noise; and their names."""
    random, kind = np.random.default_rng(seed), np.arange(count) % 3
    speed, phase = random.uniform(1.5, 3, (count, 1)), random.random((count, 1))
    x = (speed * np.arange(length) / length + phase) % 1
    wave = np.select(
        [kind[:, None] == 0, kind[:, None] == 1], [np.sin(2 * np.pi * x), np.sign(x - 0.5)], 2 * x - 1
    )
    both = np.stack([wave, np.roll(wave, 3, axis=1) / 2], axis=2) + random.normal(0, 0.1, (count, length, 2))
    return (both * 7 + 100).astype(np.float32), np.array(["sine", "square", "saw"])[kind]


def make_sentences(count=360, length=12, seed=0):
    """Ids (N, L) in which a word of two decides, padded at their ends; and the classes."""
    random, kind = np.random.default_rng(seed), np.arange(count) % 3
    ids = random.integers(10, 30, (count, length))
    for row in range(count):
        ids[row, random.choice(length - 4, 2, replace=False)] = 1 + kind[row]
        ids[row, random.integers(length - 4, length + 1) :] = 0
    return ids, np.array(["a", "b", "c"])[kind]


@pytest.fixture(scope="session")
def waves():
    """Makes series and labels."""
    return make_waves


@pytest.fixture(scope="session")
def sentences():
    """Makes token ids and labels."""
    return make_sentences


@pytest.fixture(scope="session")
def sequences(prepared, tmp_path_factory):
    """`series` and `tokens` -> prepared rows of them, read from an archive."""
    from distillery.data.readers.recognise import open_source

    def read(name, features, labels):
        file = tmp_path_factory.mktemp("archive") / "rows.npz"
        np.savez(file, **{name: features, "labels": labels})
        return prepared(open_source(file), calibration=32)

    return {"series": read("series", *make_waves()), "tokens": read("tokens", *make_sentences())}
