"""What each method is worth, against plain distillation and static int8, at one student, teacher and length.

    python benchmarks/methods.py FOLDER --keep DIR [--seeds 3] [--rows 10000] [--epochs 8] [--only NAME ...]
        [--set student.model.width=4 ...]

FOLDER holds the four MNIST-layout files. The teacher is trained on all train rows; students see the first
`rows` of them, so that there is something left to gain. Every line is one change of the first: its accuracy
on the 10,000 test rows, the difference to the first line's of the same seed (points, paired, with the 95 %
interval of Student's t over seeds), the file's bytes and those that it travels with, packed, and p50 against
the first line's, in turns in one process. What is finished stands in DIR and is not done again. Nothing is
chosen by test rows.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import statistics
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from method_lines import ASSISTANT, AWARE, LEARNING, PLAIN, PRUNING, QUANTIZING, TEACHER, short
from numpy.typing import NDArray
from scipy.stats import t

from distillery.artifacts import scratch_folder
from distillery.combining import combine
from distillery.data.batches import TrainBatches
from distillery.data.canonical import read_canonical
from distillery.data.importing import materialise
from distillery.data.locate import origin_of
from distillery.data.preparation import prepare
from distillery.data.rows import Rows, Split, load_rows
from distillery.data.sources import read_source
from distillery.distillation import distill
from distillery.export import export
from distillery.feeding import feeder
from distillery.inference import open_session, run_rows
from distillery.labelling import label, load_targets
from distillery.models.network import Classifier, load_model, save_model
from distillery.pairing import time_pair
from distillery.params.project import Params, overlaid, parse_setting, read_tree, validate
from distillery.params.teacher import TrainedTeacher
from distillery.params.teachers import Confidence, Mean
from distillery.pruning.prune import prune
from distillery.quantization.aware import train_aware
from distillery.quantization.fake_quantization import round_biases, with_fake_quantizers
from distillery.quantization.fallback import static_within
from distillery.quantization.mixed_precision import static_mixed
from distillery.quantization.quantize import dynamic, static
from distillery.sparsity import transport_bytes
from distillery.training import hard_labels, new_classifier, reproducible, train

ROOT = Path(__file__).resolve().parent.parent
TIMED_ROUNDS, TIMED_ROWS = 400, 64
Targets = NDArray[np.float32]


@dataclass(frozen=True)
class Bench:
    """What all lines share: rows, parameters, and where what is finished is kept."""

    everything: Rows
    rows: Rows  # that students see
    tree: dict[str, Any]
    given: Path  # teachers and what they say
    keep: Path

    def params(self, change: dict[str, Any], seed: int) -> Params:
        """The parameters of one line."""
        return validate(overlaid(self.tree, overlaid(change, {"runtime": {"seed": seed}})), "methods")

    def teacher(self, seed: int = 0) -> Classifier:
        """Trained on all rows, once."""
        folder = self.given / (f"teacher-{seed}" if seed else "teacher")
        if not (folder / "network.json").exists():
            teach(self.params({}, seed), self.everything, folder)
        return load_model(folder)

    def said(self, model: Classifier, params: Params) -> Targets:
        """What a network says of this seed's views."""
        with scratch_folder(self.given) as scratch:
            drain(label(model, self.rows, params.augment, params.runtime, scratch / "targets.npy"))
            return np.array(load_targets(scratch))

    def targets(self, params: Params, teacher: int = 0) -> Targets:
        """What a teacher says of this seed's views, once."""
        whose = [str(teacher)] if teacher else []
        file = self.given / "-".join(
            ["targets", *whose, str(len(self.rows.labels)), str(params.runtime.seed)]
        )
        if not file.with_suffix(".npy").exists():
            with scratch_folder(self.given) as scratch:
                np.save(scratch / "targets.npy", self.said(self.teacher(teacher), params))
                (scratch / "targets.npy").rename(file.with_suffix(".npy"))
        return np.asarray(np.load(file.with_suffix(".npy"), mmap_mode="r", allow_pickle=False))


def by_both(bench: Bench, params: Params, how: Mean | Confidence) -> Targets:
    """What two teachers say, of other seeds."""
    both = [bench.targets(params, teacher) for teacher in (0, 1)]
    with scratch_folder(bench.given) as scratch:
        drain(combine(bench.rows, both, how, scratch / "targets.npy"))
        return np.array(load_targets(scratch))


TEACHING: dict[str, Callable[[Bench, Params], Targets]] = {  # what else the student learns from
    "two teachers": lambda bench, params: by_both(bench, params, Mean(kind="mean")),
    "two teachers, by confidence": lambda bench, params: by_both(
        bench, params, Confidence(kind="confidence")
    ),
    "an assistant": lambda bench, params: bench.said(
        learned(bench, "assistant", params.runtime.seed), params
    ),
    "a second generation": lambda bench, params: bench.said(
        learned(bench, PLAIN, params.runtime.seed), params
    ),
}


class Fewer:
    """A reader of the first so many train rows of another, and of all its test rows."""

    def __init__(self, reader: Any, rows: int) -> None:
        self.form, self.format, self.files = reader.form, reader.format, reader.files
        self.reader, self.rows = reader, rows

    def chunks(self) -> Iterable[Any]:
        """As the other's, cut."""
        left = self.rows
        for chunk in self.reader.chunks():
            if chunk.tested:
                yield chunk
            elif left > 0:
                count = min(left, len(chunk.features))
                left -= count
                yield dataclasses.replace(
                    chunk,
                    features=chunk.features[:count],
                    labels=dataclasses.replace(chunk.labels, codes=chunk.labels.codes[:count]),
                )


def drain(stream: Iterable[object]) -> None:
    """Let it run."""
    for _ in stream:
        pass


def open_bench(asked: argparse.Namespace) -> Bench:
    """Rows and teacher: made once, kept in `keep`."""
    tree = read_tree(ROOT / "params.yaml")
    data = {"data": {"path": str(asked.folder.resolve())}}
    overlays = [read_tree(ROOT / "params/mnist.yaml"), TEACHER, short(asked.epochs), data]
    for more in (*overlays, *map(parse_setting, asked.settings)):
        tree = overlaid(tree, more)
    params, given = validate(tree, "methods"), asked.keep / "given"
    everything, few = (prepared(params, given, count) for count in (None, asked.rows))
    keep = asked.keep / "-".join([f"{asked.rows}-{asked.epochs}", *asked.settings])
    return Bench(everything, few, tree, given, keep)


def prepared(params: Params, given: Path, count: int | None) -> Rows:
    """The rows, split: all, or the first `count` train rows and the test rows."""
    into, reader = given / f"rows-{count or 'all'}", read_source(params.data, Path())
    if not (into / "schema.json").exists():
        into.mkdir(parents=True)
        with scratch_folder(given) as folder:
            some: Any = reader if count is None else Fewer(reader, count)
            materialise(some, origin_of(params.data), folder)
            prepare(read_canonical(folder), params.data, into)
    return load_rows(into)


def teach(params: Params, rows: Rows, into: Path) -> None:
    """The teacher."""
    teacher, runtime = params.teacher, params.runtime
    assert isinstance(teacher, TrainedTeacher)
    into.mkdir(parents=True, exist_ok=True)
    model = new_classifier(teacher.model.network(rows.form, len(rows.classes)), rows, runtime)
    size, views = teacher.training.batch_size, params.augment.views
    batches = TrainBatches(rows, params.augment, size, runtime.seed, views)
    drain(train(model, batches, hard_labels(teacher.training.label_smoothing), teacher.training, runtime))
    save_model(model, into)


def learned(bench: Bench, name: str, seed: int) -> Classifier:
    """The student of a way to learn, or the assistant between; kept."""
    folder = bench.keep / "students" / f"{name}-{seed}"
    if not (folder / "network.json").exists():
        params = bench.params(ASSISTANT if name == "assistant" else LEARNING.get(name, {}), seed)
        network = params.student.model.network(bench.rows.form, len(bench.rows.classes))
        model = new_classifier(network, bench.rows, params.runtime)
        targets = TEACHING.get(name, Bench.targets)(bench, params)
        shown = bench.teacher() if params.distill.looks_inside else None
        drain(distill(model, bench.rows, targets, params.augment, params.distill, params.runtime, shown))
        folder.mkdir(parents=True, exist_ok=True)
        save_model(model, folder)
    return load_model(folder)


def of_pruning(bench: Bench, name: str, seed: int) -> Params:
    """The parameters of a way to prune: single weights learn half as long again, channels as long."""
    training = bench.params({}, seed).distill.training.model_dump()
    if PRUNING[name]["kind"] != "channels":
        training["epochs"], training["learning_rate"] = training["epochs"] // 2, training["learning_rate"] / 3
    return bench.params({"prune": PRUNING[name] | {"training": training}}, seed)


def pruned(bench: Bench, name: str, seed: int) -> Classifier:
    """The plainly distilled student, pruned."""
    params = of_pruning(bench, name, seed)
    model, (method,) = learned(bench, PLAIN, seed), params.prune
    told = (params.augment, params.distill, method, params.runtime)
    drain(prune(model, bench.rows, bench.targets(params), *told))
    return model


def exported(bench: Bench, model: Classifier, params: Params) -> bytes:
    """The float file."""
    with reproducible(params.runtime):
        return export(model, bench.rows.classes)


def in_int8(bench: Bench, model: Classifier, change: dict[str, Any], seed: int) -> bytes:
    """The student as static int8, by the parameters with this change."""
    params = bench.params(change, seed)
    student, method = onnx.load_from_string(exported(bench, model, params)), params.quantize.static
    assert method is not None
    with reproducible(params.runtime):  # rounding may be learned
        if method.mixed is not None:
            return static_mixed(student, bench.rows, method, method.mixed)[0]
        if method.fallback is not None:
            return static_within(student, bench.rows, method, method.fallback.max_accuracy_drop)[0]
        return static(student, bench.rows, method)


def aware(bench: Bench, change: dict[str, Any], seed: int) -> bytes:
    """The plainly distilled student, trained on with the rounding."""
    params = bench.params(change, seed)
    model = with_fake_quantizers(learned(bench, PLAIN, seed))
    told = (params.augment, params.distill, params.quantize.qat, params.runtime)
    drain(train_aware(model, bench.rows, bench.targets(params), *told))
    round_biases(model)
    return exported(bench, model, params)


def require_legal(bench: Bench) -> None:
    """Raises ParamsError at once, and not after an hour, where a line's parameters are not legal."""
    for change in (*LEARNING.values(), *QUANTIZING.values(), *AWARE.values()):
        bench.params(change, 0)
    for name in PRUNING:
        of_pruning(bench, name, 0)


def lines(bench: Bench) -> dict[str, Callable[[int], bytes]]:
    """Every line of the table: from a seed to a file."""
    plain = bench.params({}, 0)

    def of_float(seed: int) -> bytes:
        return exported(bench, learned(bench, PLAIN, seed), plain)

    def of_dynamic(seed: int) -> bytes:
        student = onnx.load_from_string(of_float(seed))
        return dynamic(student, plain.quantize.dynamic, bench.rows.classes)

    made: dict[str, Callable[[int], bytes]] = {
        name: lambda seed, name=name: in_int8(bench, learned(bench, name, seed), {}, seed)  # type: ignore[misc]
        for name in (*LEARNING, *TEACHING)
    }
    made |= {"float": of_float, "dynamic": of_dynamic}
    for name, change in QUANTIZING.items():
        made[name] = lambda seed, change=change: in_int8(bench, learned(bench, PLAIN, seed), change, seed)  # type: ignore[misc]
    for name, change in AWARE.items():
        made[name] = lambda seed, change=change: aware(bench, change, seed)  # type: ignore[misc]
    for name in PRUNING:
        made[name] = lambda seed, name=name: in_int8(bench, pruned(bench, name, seed), {}, seed)  # type: ignore[misc]
    return made


def accuracy(content: bytes, rows: Rows) -> float:
    """In %, on test rows."""
    positions = rows.where(Split.TEST)
    said = run_rows(open_session(content), rows, positions).argmax(1)
    return 100 * float((said == rows.labels[positions]).mean())


def result(bench: Bench, name: str, seed: int, make: Callable[[int], bytes]) -> dict[str, float]:
    """One file's accuracy and bytes; made once."""
    file = bench.keep / "files" / f"{name}-{seed}.onnx"
    noted = file.with_suffix(".json")
    if not noted.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        content = make(seed)
        file.write_bytes(content)
        sizes = {"bytes": len(content), "packed": transport_bytes(content)}
        noted.write_text(json.dumps({"accuracy": accuracy(content, bench.rows)} | sizes))
        print(f"{name}, seed {seed}: {noted.read_text()}", file=sys.stderr, flush=True)
    return dict(json.loads(noted.read_text()))


def difference(ours: list[float], theirs: list[float]) -> str:
    """Mean of the paired difference, and the 95 % interval of Student's t over seeds."""
    paired = [a - b for a, b in zip(ours, theirs, strict=True)]
    mean, n = statistics.mean(paired), len(paired)
    half = float(t.ppf(0.975, n - 1)) * statistics.stdev(paired) / n**0.5 if n > 1 else float("nan")
    return f"{mean:+.2f} [{mean - half:+.2f}, {mean + half:+.2f}]"


def time_ratio(bench: Bench, name: str) -> float:
    """p50 of a line's first file against the first line's."""
    files = [(bench.keep / "files" / f"{which}-0.onnx").read_bytes() for which in (PLAIN, name)]
    positions = bench.rows.where(Split.TEST)[:TIMED_ROWS]
    feed = feeder(bench.rows.form)(bench.rows.features[positions])
    times = time_pair(files[0], files[1], feed, TIMED_ROUNDS)
    return float(np.median(times.challenger) / np.median(times.champion))


def main() -> None:
    """Make what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--keep", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="a.b=c")
    parser.add_argument("--only", nargs="*", help="lines, by name; the first is always there")
    asked = parser.parse_args()
    logging.disable(logging.WARNING)  # the quantizer's advice, once a file
    bench = open_bench(asked)
    require_legal(bench)
    makers = {n: m for n, m in lines(bench).items() if asked.only is None or n in (PLAIN, *asked.only)}
    found = {
        name: [result(bench, name, seed, make) for seed in range(asked.seeds)]
        for name, make in makers.items()
    }
    print(f"{asked.rows} train rows, {asked.epochs} epochs, {asked.seeds} seeds; test accuracy %")
    print(f"{'line':32}{'mean ± sd':>15}  {'against the first':24}{'bytes':>8}{'packed':>8}{'p50':>7}")
    base = [one["accuracy"] for one in found[PLAIN]]
    for name, ones in found.items():
        scores = [one["accuracy"] for one in ones]
        deviation = statistics.stdev(scores) if len(scores) > 1 else 0.0
        print(
            f"{name:32}{statistics.mean(scores):8.2f} ± {deviation:4.2f}  {difference(scores, base):24}"
            f"{max(one['bytes'] for one in ones):8,.0f}{max(one['packed'] for one in ones):8,.0f}"
            f"{time_ratio(bench, name):6.2f}x"
        )


if __name__ == "__main__":
    main()
