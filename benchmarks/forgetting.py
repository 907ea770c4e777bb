"""What an update forgets: with and without the champion's soft targets, from fresh weights and from its own.

    python benchmarks/forgetting.py [--seeds 5]

Two updates of the digits that scikit-learn ships. Classes: the digits 0 to 4 first, then 5 to 9 arrive as a
new version. Drift: one half first, then the other arrives turned and noisier. A tenth of the earlier train
rows is trained on again. Each seed splits and trains anew, with small networks and few epochs; old and new
are accuracies on the test rows of either version, and differences are between students of the same seed.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import rotate
from scipy.stats import t
from sklearn.datasets import load_digits

from distillery.data.batches import TrainBatches, plain_batches
from distillery.data.canonical import Canonical, read_canonical
from distillery.data.chunks import Encoded
from distillery.data.importing import Import, Part, write_data
from distillery.data.preparation import prepare
from distillery.data.rows import Rows, Split, load_rows
from distillery.data.sources import MemoryReader
from distillery.distillation import distill
from distillery.export import export
from distillery.labelling import label, load_targets
from distillery.models.network import Classifier
from distillery.params.project import Params, load_params
from distillery.params.teacher import TrainedTeacher
from distillery.remembering import remember
from distillery.training import hard_labels, new_classifier, predict, train
from distillery.warm_start import Known, begin_from

ROOT = Path(__file__).resolve().parent.parent
SMALL = (
    "data.replay=0.1", "data.calibration=32", "augment.views=4", "runtime.threads=1",
    "teacher.model.width=8", "teacher.training.epochs=10", "distill.training.epochs=15",
)  # fmt: skip
ORIGIN = {"source": "imported", "path": None}
TURN, NOISE = 25.0, 2.0  # degrees; deviation in steps of 16
REMEMBERED, WARM = "champion's targets", "warm"
ARMS = {
    "fresh": (),
    f"fresh, {REMEMBERED}": (REMEMBERED,),
    "warm": (WARM,),
    f"warm, {REMEMBERED}": (WARM, REMEMBERED),
}
BEFORE = "the champion before"
Images = NDArray[np.uint8]


@dataclasses.dataclass(frozen=True)
class Scores:
    """Accuracy in % on the test rows of either version; the champion's own on what it knew."""

    old: float
    new: float


def versions(update: str, seed: int) -> list[MemoryReader]:
    """The first data version and the one that arrives."""
    digits = load_digits()
    images, labels = digits.images.astype(np.uint8)[..., None], digits.target
    if update == "classes":
        parts = [labels < 5, labels >= 5]
    else:
        half = np.random.default_rng(seed).permutation(len(labels)) < len(labels) // 2
        images[~half] = drifted(images[~half], seed)
        parts = [half, ~half]
    return [reader(images[part], labels[part]) for part in parts]


def drifted(images: Images, seed: int) -> Images:
    """The same scans (N, 8, 8, 1), turned and noisier."""
    turned = rotate(images.astype(np.float64), TURN, axes=(1, 2), reshape=False, order=1)
    noisy = turned + np.random.default_rng(seed).normal(0, NOISE, turned.shape)
    return np.clip(np.rint(noisy), 0, 16).astype(np.uint8)


def reader(images: Images, labels: NDArray[np.int64]) -> MemoryReader:
    """Rows whose classes are named by their digits."""
    names, codes = np.unique(labels, return_inverse=True)
    return MemoryReader("npz", images, Encoded(codes.astype(np.int32), tuple(map(str, names))))


def prepared(arriving: MemoryReader, before: Canonical | None, params: Params, folder: Path) -> Rows:
    """The data with one more version, split; the canonical form is in `folder/data`."""
    for name in ("data", "rows"):
        (folder / name).mkdir(parents=True)
    write_data(Import((Part(arriving),), "digits", ORIGIN, before), folder / "data").raise_errors("digits")
    prepare(read_canonical(folder / "data"), params.data, folder / "rows")
    return load_rows(folder / "rows")


def taught(rows: Rows, params: Params, folder: Path) -> NDArray[np.float32]:
    """The targets of a teacher that these rows trained."""
    teacher, runtime = params.teacher, params.runtime
    assert isinstance(teacher, TrainedTeacher)
    model = new_classifier(teacher.model.network(rows.form, len(rows.classes)), rows, runtime)
    batches = TrainBatches(
        rows, params.augment, teacher.training.batch_size, runtime.seed, params.augment.views
    )
    drain(train(model, batches, hard_labels(teacher.training.label_smoothing), teacher.training, runtime))
    drain(label(model, rows, params.augment, runtime, folder / "targets.npy"))
    return load_targets(folder)


def with_champion(
    champion: bytes, targets: NDArray[np.float32], rows: Rows, params: Params, folder: Path
) -> NDArray[np.float32]:
    """Targets in which the champion has its say on the first version's rows."""
    method = params.retrain.remember.model_copy(update={"versions": 1})
    told = (params.augment, method, params.distill.temperature, params.runtime)
    (folder / "remembered").mkdir()
    drain(remember(champion, targets, rows, *told, folder / "remembered/targets.npy"))
    return load_targets(folder / "remembered")


def student(rows: Rows, targets: NDArray[np.float32], params: Params, begin: Known | None) -> Classifier:
    """A distilled student, from fresh weights or from a network's."""
    model = new_classifier(params.student.model.network(rows.form, len(rows.classes)), rows, params.runtime)
    if begin is not None:
        begin_from(model, begin, rows.classes)
    drain(distill(model, rows, targets, params.augment, params.distill, params.runtime))
    return model


def drain(stream: Iterable[object]) -> None:
    """Let it run."""
    for _ in stream:
        pass


def score(model: Classifier, rows: Rows, params: Params) -> Scores:
    """On test rows of either version; classes keep their codes."""
    positions = rows.where(Split.TEST)
    said = [
        predict(model, batch, params.runtime).argmax(1).numpy() for batch in plain_batches(rows, positions)
    ]
    right, version = np.concatenate(said) == rows.labels[positions], rows.versions(positions)
    return Scores(*(100 * float(right[version == number].mean()) for number in (1, 2)))


def one_seed(update: str, seed: int, folder: Path) -> dict[str, Scores]:
    """The champion of the first version, then every way to learn the second."""
    settings = (*SMALL, f"runtime.seed={seed}", f"data.split_seed={seed}")
    params = load_params(ROOT / "params.yaml", (), settings)
    first, second = versions(update, seed)
    rows = prepared(first, None, params, folder / "1")
    champion = student(rows, taught(rows, params, folder / "1"), params, None)
    known = Known(champion.network, rows.classes, dict(champion.state_dict()))
    file = export(champion, rows.classes)
    rows = prepared(second, read_canonical(folder / "1/data"), params, folder / "2")
    plain = taught(rows, params, folder / "2")
    remembered = with_champion(file, plain, rows, params, folder / "2")
    scores = {BEFORE: score(champion, rows, params)}
    for name, ways in ARMS.items():
        targets = remembered if REMEMBERED in ways else plain
        model = student(rows, targets, params, known if WARM in ways else None)
        scores[name] = score(model, rows, params)
    return scores


def spread(values: list[float]) -> str:
    """Mean ± standard deviation over seeds."""
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):6.2f} ± {deviation:4.2f}"


def difference(ours: list[float], theirs: list[float]) -> str:
    """Mean of the paired difference, and the 95 % interval of Student's t over seeds."""
    paired = [a - b for a, b in zip(ours, theirs, strict=True)]
    mean, n = statistics.mean(paired), len(paired)
    if n == 1:
        return f"{mean:+6.2f}"
    half = float(t.ppf(0.975, n - 1)) * statistics.stdev(paired) / n**0.5
    return f"{mean:+6.2f} [{mean - half:+.2f}, {mean + half:+.2f}]"


def show(update: str, found: list[dict[str, Scores]]) -> None:
    """The lines of one update: scores, and each way against the fresh student without the champion."""
    old = {name: [scores[name].old for scores in found] for name in found[0]}
    new = {name: [scores[name].new for scores in found] for name in found[0]}
    for name in found[0]:
        line = f"{update:9}{name:28}{spread(old[name])}   {spread(new[name])}"
        if name not in (BEFORE, "fresh"):
            line += f"   {difference(old[name], old['fresh']):26} {difference(new[name], new['fresh'])}"
        print(line)


def main() -> None:
    """Run the seeds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    seeds, started, found = range(parser.parse_args().seeds), time.monotonic(), {}
    for update in ("classes", "drift"):
        found[update] = []
        for seed in seeds:
            with tempfile.TemporaryDirectory() as folder:
                found[update].append(one_seed(update, seed, Path(folder)))
            spent = time.monotonic() - started
            print(f"{update}, seed {seed}: {spent:.0f} s so far", file=sys.stderr, flush=True)
    print(f"test accuracy %, mean ± sd of {len(seeds)} seeds; differences from fresh, points, paired [95 %]")
    print(f"{'update':9}{'student':28}{'old':>13}{'new':>16}   {'old - fresh':29} new - fresh")
    for update, scores in found.items():
        show(update, scores)


if __name__ == "__main__":
    main()
