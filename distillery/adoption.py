"""A teacher that is there already: any ONNX file that classifies, or safetensors weights of a named network.

An ONNX file is wrapped to take raw rows and give logits, and tried on validation rows before it is believed.
"""

from __future__ import annotations

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto
from safetensors import SafetensorError
from safetensors.torch import load

from distillery.adapting import wrapped
from distillery.data.rows import Rows, Split
from distillery.errors import ParamsError
from distillery.inference import open_session, run_rows, softmax
from distillery.models.layers import Network
from distillery.models.network import Classifier
from distillery.normalisation import learn_encoding
from distillery.params.teacher import OnnxTeacher, WeightsTeacher
from distillery.wiring import wire

OLDEST_OPSET = 7  # whose operators broadcast
TRIED_ROWS = 1024
ALONE = 3  # rows that are also run one by one
CLOSE = 1e-3  # of a sum of probabilities to 1
ALIKE = 0.05  # of a row's probabilities in two batches: a file that quantizes as it runs differs a little


def adopt_onnx(content: bytes, teacher: OnnxTeacher, rows: Rows) -> bytes:
    """The file as one that takes raw rows and gives `logits` in the order of the classes.

    Raises ParamsError with every reason why it cannot be used.
    """
    model = _parsed(content, teacher.file)
    wiring = wire(model, teacher, rows.form, rows.classes)
    adopted = wrapped(model, wiring, rows.form, rows.classes)
    faults = _faults(adopted, teacher, rows, whole=wiring.columns is None)
    if faults:
        raise ParamsError(f"The teacher {teacher.file} cannot be used", faults)
    return adopted


def _parsed(content: bytes, file: str) -> ModelProto:
    try:
        model = onnx.load_model_from_string(content)
    except DecodeError:
        raise ParamsError(f"teacher.file: {file} is not an ONNX file") from None
    if not model.graph.node or not model.graph.output:
        raise ParamsError(f"teacher.file: {file} is not an ONNX file, or holds no graph")
    if any(tensor.data_location == TensorProto.EXTERNAL for tensor in model.graph.initializer):
        raise ParamsError(
            f"teacher.file: {file} keeps its weights in another file: put them inside, with "
            "onnx.save(onnx.load(FILE), NEW, save_as_external_data=False)"
        )
    plain = [opset.version for opset in model.opset_import if opset.domain in ("", "ai.onnx")]
    if plain and plain[0] < OLDEST_OPSET:
        raise ParamsError(
            f"teacher.file: {file} has opset {plain[0]}: export it with {OLDEST_OPSET} or newer"
        )
    return model


def _faults(adopted: bytes, teacher: OnnxTeacher, rows: Rows, *, whole: bool) -> list[str]:
    """What is wrong with what it says of validation rows, together and one by one."""
    positions = rows.where(Split.VALIDATION)[:TRIED_ROWS]
    try:
        session = open_session(adopted)
        alone = np.concatenate(
            [run_rows(session, rows, positions[[at]]) for at in range(len(positions[:ALONE]))]
        )
    except Exception as error:  # the runtime raises many kinds, none of which it exports
        return [f"ONNX Runtime cannot run it: {_first_line(error)}"]
    try:
        logits = run_rows(session, rows, positions)
    except Exception as error:
        return [f"it takes one row at a time: export it with a dynamic batch ({_first_line(error)})"]
    if logits.shape != (len(positions), len(rows.classes)):
        return [f"it gives {logits.shape} for {len(positions)} rows of {len(rows.classes)} classes"]
    if not np.isfinite(logits).all():
        return ["it gives infinite numbers, or none, for rows of these data"]
    if np.abs(softmax(alone) - softmax(logits[:ALONE])).max() > ALIKE:
        return ["what it says of a row depends on the other rows of the batch"]
    return [*_said_wrong(logits, teacher, whole=whole), *_guessing(logits, rows.labels[positions])]


def _said_wrong(logits: NDArray[np.float32], teacher: OnnxTeacher, *, whole: bool) -> list[str]:
    """Logits that are probabilities, or the other way round."""
    shares = np.exp(logits) if teacher.gives == "probabilities" else logits
    sums, fair = shares.sum(1), bool((shares >= 0).all())
    are = fair and bool((sums <= 1 + CLOSE).all()) and bool((sums >= 1 - CLOSE).all() or not whole)
    if teacher.gives == "probabilities" and not are:
        return ["teacher.gives: what it gives are no probabilities; set it to logits"]
    if teacher.gives == "logits" and are and whole:
        return ["teacher.gives: what it gives are probabilities; set it to probabilities"]
    return []


def _guessing(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> list[str]:
    """A teacher that sees other pixels, or knows the classes in another order, knows nothing."""
    right = float((logits.argmax(1) == labels).mean())
    guess = float(np.bincount(labels).max() / len(labels))
    if right > guess:
        return []
    return [
        f"it is right about {right:.1%} of the validation rows, where the commonest class alone makes "
        f"{guess:.1%}: see teacher.pixels, and the order of its classes"
    ]


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__


def adopt_weights(content: bytes, teacher: WeightsTeacher, rows: Rows) -> Classifier:
    """A classifier of the named network with these weights, in eval mode.

    Where the file has no `encoding.*`, that is learned from the train rows. Raises ParamsError with every
    tensor that is missing, unknown or of another shape.
    """
    model = Classifier(_network(teacher, rows))
    try:
        given = load(content)
    except SafetensorError as error:
        raise ParamsError(f"teacher.file: {teacher.file} is not a safetensors file: {error}") from None
    learn_encoding(model, rows)
    wanted = model.state_dict()
    encoded = any(name.startswith("encoding.") for name in given)
    optional = {n for n in wanted if n.endswith("num_batches_tracked")}
    optional |= set() if encoded else {n for n in wanted if n.startswith("encoding.")}
    faults = [f"{name} is missing" for name in sorted(set(wanted) - set(given) - optional)]
    faults += [f"{name} is unknown to the network" for name in sorted(set(given) - set(wanted))]
    faults += [
        f"{name} is {tuple(given[name].shape)}; the network's is {tuple(wanted[name].shape)}"
        for name in sorted(set(given) & set(wanted))
        if given[name].shape != wanted[name].shape
    ]
    if faults:
        raise ParamsError(
            f"The weights in {teacher.file} are not those of teacher.model by the names of its layers here; "
            "a model of another library can be exported to ONNX, for teacher.kind: onnx",
            faults,
        )
    model.load_state_dict(wanted | given)
    return model.eval()


def _network(teacher: WeightsTeacher, rows: Rows) -> Network:
    return teacher.model.network(rows.form, len(rows.classes))
