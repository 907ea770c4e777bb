"""The pipeline's steps, a line each, declared without any heavy import.

Calling a step hands the call to whoever interprets the flow: the plan, the no-op check or Prefect.
The body of step `name` is the function `name` in `tasks/name.py`, imported when it must run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from distillery.artifacts import ArtifactRef
from distillery.params.base import Block
from tasks.memory import DigestMemory
from tasks.reads import machine, registry_store, report_templates, source_files, teacher_file


@dataclass(frozen=True)
class Noun:
    """What a step made, or (`artifact` None) will make: it cannot be known before the step runs."""

    step: str
    variant: str | None
    artifact: ArtifactRef | None

    @property
    def label(self) -> str:
        """Names the call that makes it."""
        return label_of(self.step, self.variant)

    def folder(self, project: Path) -> Path:
        """Where what was made is; only what was made can be asked."""
        if self.artifact is None:
            raise ValueError(f"{self.label} is only planned")
        return project / self.artifact.path


def label_of(step: str, variant: str | None) -> str:
    """Names one use of a step: `evaluate_model.student-int8-qat`."""
    return step if variant is None else f"{step}.{variant}"


Input = Noun | Block | Mapping[str, Noun]
Reads = Callable[[Path, tuple[Input, ...], DigestMemory], Mapping[str, str]]


@dataclass(frozen=True)
class Step:
    """A step: its name, the libraries that shape its result, and what it reads besides its inputs.

    One that asks a server, and can be repeated, is done again after each of `pauses` (seconds) where the
    server does not answer.
    """

    name: str
    libraries: tuple[str, ...]
    reads: Reads | None = None
    package: str = "tasks"
    pauses: tuple[float, ...] = ()

    @property
    def module(self) -> str:
        """Where the body is: the function `name` of this module."""
        return f"{self.package}.{self.name}"

    def __call__(self, *inputs: Input, variant: str | None = None) -> Noun:
        """Do the step as the current interpreter does it."""
        return _interpreter.get().interpret(Call(self, inputs, variant))


@dataclass(frozen=True)
class Call:
    """One use of a step in a flow; `variant` tells uses of the same step apart."""

    step: Step
    inputs: tuple[Input, ...]
    variant: str | None

    @property
    def label(self) -> str:
        """Names this use."""
        return label_of(self.step.name, self.variant)

    @property
    def nouns(self) -> list[Noun]:
        """Every noun among the inputs, those in mappings too."""
        groups = ([v] if isinstance(v, Noun) else v.values() for v in self.inputs if not isinstance(v, Block))
        return [noun for group in groups for noun in group]


class Interpreter(Protocol):
    """Gives the flow its meaning."""

    def interpret(self, call: Call) -> Noun:
        """Plan, look up or run one call."""

    def folder(self, noun: Noun) -> Path | None:
        """Where what was made is; None while it is only planned."""


_interpreter: ContextVar[Interpreter] = ContextVar("interpreter")


@contextmanager
def interpreted_by(interpreter: Interpreter) -> Iterator[None]:
    """Steps called inside the block go to `interpreter`."""
    token = _interpreter.set(interpreter)
    try:
        yield
    finally:
        _interpreter.reset(token)


def made(noun: Noun) -> Path | None:
    """The folder of what the current interpreter made; None while it is only planned."""
    return _interpreter.get().folder(noun)


TORCH = ("torch", "numpy", "safetensors")
EXPORT = ("torch", "onnx", "onnx-ir", "onnxscript", "onnxruntime", "protobuf", "numpy", "safetensors")
SERVE = ("onnxruntime", "numpy")

prepare_data = Step("prepare_data", ("numpy", "scikit-learn"), reads=source_files)
train_teacher = Step("train_teacher", TORCH)
adopt_teacher = Step("adopt_teacher", (*TORCH, "onnx", "onnxruntime", "protobuf"), reads=teacher_file)
label_with_teacher = Step("label_with_teacher", TORCH)
label_with_file = Step("label_with_file", (*TORCH, "onnxruntime"))
combine_targets = Step("combine_targets", ("numpy",))
remember_champion = Step("remember_champion", (*TORCH, "onnxruntime"))
distill_student = Step("distill_student", TORCH)
train_control = Step("train_control", TORCH)
prune_student = Step("prune_student", TORCH)
quantize_student = Step("quantize_student", EXPORT)
export_model = Step("export_model", EXPORT)
evaluate_model = Step("evaluate_model", (*SERVE, "scikit-learn", "pandas", "pyarrow"))
measure_model = Step("measure_model", (*SERVE, "onnx"), reads=machine)
choose_model = Step("choose_model", ())
register_model = Step("register_model", ("mlflow", "onnx"), reads=registry_store, pauses=(2.0, 10.0))
write_report = Step("write_report", ("matplotlib", "jinja2", "pillow"), reads=report_templates)

MAKE_A_FILE = (
    prepare_data, train_teacher, adopt_teacher, label_with_teacher, label_with_file, combine_targets,
    remember_champion, distill_student, train_control, prune_student, quantize_student, export_model,
)  # fmt: skip
STEPS = (
    *MAKE_A_FILE, evaluate_model, measure_model, choose_model, register_model, write_report,
)  # fmt: skip
