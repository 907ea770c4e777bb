"""How an ONNX file of any origin is joined to the rows and classes of a data set, or why it cannot be.

The contract. Images: one input, uint8 or float, of (batch, H, W, C), (batch, C, H, W), or, grey,
(batch, H, W) or (batch, H * W). Sequences: one input, float (batch, L, C) for series, and whole numbers
(batch, L) for tokens. Tables: one float input (batch, columns), if all of them are numbers; with
categories, a file that takes what this project's own files take. One float output of (batch, classes).
Classes are matched by the names in its metadata `classes`, a JSON list, else by their count.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import onnx
from onnx import ModelProto, TensorProto, ValueInfoProto

from distillery.adapting import Pictures, Wiring
from distillery.data.form import Form, Series, Shape, Table, Tokens, in_words
from distillery.errors import ParamsError
from distillery.feeding import column_names
from distillery.params.teacher import OnnxTeacher, Pixels
from distillery.tensors import CATEGORIES, CLASS_NAMES, INPUT

FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)
WHOLE = (TensorProto.INT64, TensorProto.INT32)
PIXELS = "{divide_by: 255, mean: [0], std: [1]}"

Dims = tuple[int | None, ...]  # None where a file leaves a dimension open
Inputs = dict[str, tuple[str, int]]


class Misfit(Exception):
    """One reason why a file cannot be joined to the rows."""


def wire(model: ModelProto, teacher: OnnxTeacher, form: Form, classes: Sequence[str]) -> Wiring:
    """The wiring; ParamsError with every reason against it."""
    faults: list[str] = []
    inputs: Inputs = {}
    pictures, output, columns = None, None, None
    try:
        inputs, pictures = _inputs(model, teacher.pixels, form)
    except Misfit as misfit:
        faults.append(str(misfit))
    try:
        columns, width = _columns(model, classes)
        output = _output(model, teacher.output, width)
    except Misfit as misfit:
        faults.append(str(misfit))
    if faults or output is None:
        raise ParamsError(f"The teacher {teacher.file} cannot be joined to these rows", faults)
    return Wiring(inputs, pictures, output.name, teacher.gives == "probabilities", columns)


def _inputs(model: ModelProto, pixels: Pixels | None, form: Form) -> tuple[Inputs, Pictures | None]:
    stored = {tensor.name for tensor in model.graph.initializer}
    given = [value for value in model.graph.input if value.name not in stored]
    match form:
        case Shape():
            (value,) = _single(given)
            pictures = _pictures(value, pixels, form)
            return {INPUT: (value.name, _kind(value))}, pictures
        case Table():
            _no_pixels(pixels, form)
            return _table_inputs(given, form), None
        case Series():
            _no_pixels(pixels, form)
            return _sequence_input(given, FLOATS, (form.length, form.channels)), None
        case Tokens():
            _no_pixels(pixels, form)
            return _sequence_input(given, WHOLE, (form.length,)), None


def _no_pixels(pixels: Pixels | None, form: Form) -> None:
    if pixels is not None:
        raise Misfit(f"teacher.pixels: these rows are {in_words(form)}; set it to null")


def _sequence_input(given: list[ValueInfoProto], kinds: Sequence[int], row: tuple[int, ...]) -> Inputs:
    (value,) = _single(given)
    dims = _dims(value)
    if _kind(value) not in kinds or (dims is not None and not _agree(dims[1:], row)):
        what = "float" if kinds is FLOATS else "int64 or int32"
        raise Misfit(f"it takes {_said(value)}; these rows are {what} {('batch', *row)}".replace("'", ""))
    return {INPUT: (value.name, _kind(value))}


def _single(given: list[ValueInfoProto]) -> list[ValueInfoProto]:
    if len(given) != 1:
        names = ", ".join(_said(value) for value in given) or "none"
        raise Misfit(f"it takes {len(given)} inputs ({names}); a file that takes one can be used")
    return given


def _pictures(value: ValueInfoProto, pixels: Pixels | None, form: Shape) -> Pictures:
    kind, dims = _kind(value), _dims(value)
    if kind != TensorProto.UINT8 and kind not in FLOATS:
        raise Misfit(f"it takes {_said(value)}; uint8 or float images can be used")
    if kind in FLOATS and pixels is None:
        raise Misfit(f"it takes floats: say what bytes become, for example teacher.pixels: {PIXELS}")
    if kind == TensorProto.UINT8 and pixels is not None:
        raise Misfit("teacher.pixels: it takes bytes as they are; set it to null")
    if pixels is not None and {len(pixels.mean), len(pixels.std)} - {1, form.channels}:
        raise Misfit(
            f"teacher.pixels: mean and std have one value, or one for each of {form.channels} channels"
        )
    for axes, shape in _layouts(form, first=kind in FLOATS):
        if dims is None or _agree(dims[1:], shape):
            return Pictures(axes, shape, pixels)
    size = f"{form.height} x {form.width} x {form.channels}"
    raise Misfit(f"it takes {_said(value)}; these images are {size} (height, width, channels)")


def _layouts(form: Shape, *, first: bool) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Orders of the axes, and shapes; floats are tried channels `first`, as most frameworks have them."""
    height, width, channels = form.height, form.width, form.channels
    last = ((0, 1, 2), (height, width, channels))
    orders = [((2, 0, 1), (channels, height, width)), last]
    grey: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
    if channels == 1:
        grey = [((0, 1, 2), (height, width)), ((0, 1, 2), (height * width,))]
    return [*(orders if first else reversed(orders)), *grey]


def _table_inputs(given: list[ValueInfoProto], form: Table) -> Inputs:
    ours = column_names(form)
    kinds = {INPUT: TensorProto.FLOAT, CATEGORIES: TensorProto.STRING}
    if {value.name for value in given} == set(ours):
        fits = all(
            _kind(value) == kinds[value.name] and _agree((_dims(value) or ())[1:], (len(ours[value.name]),))
            for value in given
        )
        if fits:
            return {value.name: (value.name, kinds[value.name]) for value in given}
    if CATEGORIES in ours:
        raise Misfit(
            f"these rows have categories: only a file that takes float `{INPUT}` and string `{CATEGORIES}`, "
            "as those of this project do, can be used"
        )
    (value,) = _single(given)
    dims, count = _dims(value), len(form.columns)
    if _kind(value) not in FLOATS or (dims is not None and not _agree(dims[1:], (count,))):
        raise Misfit(f"it takes {_said(value)}; these rows are {count} numbers: float (batch, {count})")
    return {INPUT: (value.name, _kind(value))}


def _columns(model: ModelProto, classes: Sequence[str]) -> tuple[tuple[int, ...] | None, int]:
    """Which of its outputs are our classes, in order (None: all, as they are), and how many it has."""
    text = {prop.key: prop.value for prop in model.metadata_props}.get(CLASS_NAMES)
    if text is None:
        return None, len(classes)
    names = _names(text)
    missing = sorted(set(classes) - set(names))
    if missing:
        raise Misfit(
            f"it does not know the classes {', '.join(map(repr, missing))}; it knows "
            f"{', '.join(map(repr, names))}"
        )
    order = tuple(names.index(name) for name in classes)
    return (None if order == tuple(range(len(names))) else order), len(names)


def _names(text: str) -> list[str]:
    try:
        names = json.loads(text)
    except ValueError:
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise Misfit(f"its metadata `{CLASS_NAMES}` is not a JSON list of names: mend it or take it out")
    if len(set(names)) != len(names):
        raise Misfit(f"its metadata `{CLASS_NAMES}` names a class twice")
    return names


def _output(model: ModelProto, wanted: str | None, width: int) -> ValueInfoProto:
    there = ", ".join(_said(value) for value in model.graph.output)
    named = [value for value in model.graph.output if wanted in (None, value.name)]
    if not named:
        raise Misfit(f"teacher.output: it has no output {wanted!r}; it has {there}")
    fitting = [value for value in named if _kind(value) in FLOATS and _fits(_dims(value), width)]
    if not fitting:
        raise Misfit(f"it gives {there}; a float output (batch, {width}), one value a class, can be used")
    if len(fitting) > 1:
        names = ", ".join(value.name for value in fitting)
        raise Misfit(f"several of its outputs could be meant: set teacher.output to one of {names}")
    return fitting[0]


def _fits(dims: Dims | None, width: int) -> bool:
    return dims is None or _agree(dims[1:], (width,))


def _kind(value: ValueInfoProto) -> int:
    """The element type; 0 for what is no tensor."""
    return int(value.type.tensor_type.elem_type) if value.type.HasField("tensor_type") else 0


def _dims(value: ValueInfoProto) -> Dims | None:
    """The shape; None where a file does not even say how many dimensions there are."""
    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        return None
    return tuple(d.dim_value if d.HasField("dim_value") else None for d in kind.shape.dim)


def _agree(dims: Dims, shape: tuple[int, ...]) -> bool:
    return len(dims) == len(shape) and all(a in (None, b) for a, b in zip(dims, shape, strict=True))


def _said(value: ValueInfoProto) -> str:
    kind = _kind(value)
    if not kind:
        return f"{value.name}, no tensor"
    dims = _dims(value)
    shape = "of any shape" if dims is None else f"({', '.join('?' if d is None else str(d) for d in dims)})"
    return f"{value.name} {onnx.helper.tensor_dtype_to_string(kind).partition('.')[2].lower()} {shape}"
