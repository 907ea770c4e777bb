"""Warm start: a student that begins from the weights of an earlier network, classes matched by name.

Everything is copied but the encoding, which has learned the present train rows, and the head's rows of
classes that the earlier network lacks: these start fresh. A warm start can generalise worse than a fresh one
(Ash, Adams 2020, https://arxiv.org/abs/1910.08475), so it is a choice, and the control stays fresh beside it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from safetensors.torch import load, save
from torch import Tensor

from distillery.artifacts import canonical_json
from distillery.errors import DataError
from distillery.models.layers import Module, Network
from distillery.models.network import Classifier

ENTRY = "distillery"  # one entry of metadata: the order of several is not fixed, and bytes must be
LENGTH = 8  # bytes, little-endian, of the header that a safetensors file begins with


@dataclass(frozen=True)
class Known:
    """An earlier network: its shape, its class names in the order of its logits, its weights by name."""

    network: Network
    classes: tuple[str, ...]
    weights: dict[str, Tensor]


def pack(network: bytes, weights: bytes, classes: Sequence[str]) -> bytes:
    """One file of what `save_model` wrote and the class names; equal parts give equal bytes.

    ValueError where the weights are not those of the network, or there is not a name for each logit.
    """
    shape, tensors = Network.model_validate_json(network), load(weights)
    if isinstance(shape.layers[-1], Module):
        raise ValueError("it is a torch module, whose head is not known")
    try:
        fitted = Classifier(shape)
        fitted.load_state_dict(tensors)
    except RuntimeError as error:
        raise ValueError("the weights are not those of the network") from error
    if fitted.state_dict()[f"{_head(shape)}weight"].shape[0] != len(classes):
        raise ValueError(f"the network has not {len(classes)} logits, one for each class")
    described = {"network": shape.model_dump(mode="json"), "classes": list(classes)}
    return bytes(save(tensors, {ENTRY: canonical_json(described).decode()}))


def unpack(content: bytes) -> Known:
    """Read what `pack` wrote."""
    end = LENGTH + int.from_bytes(content[:LENGTH], "little")
    described = json.loads(json.loads(content[LENGTH:end])["__metadata__"][ENTRY])
    network = Network.model_validate(described["network"])
    return Known(network, tuple(described["classes"]), load(content))


def misfit(known: Known, network: Network) -> str | None:
    """Why a network cannot begin from the earlier one, in words; None: it can. Heads may differ in width."""
    if known.network.rows != network.rows:
        return "it reads rows of another form"
    if known.network.layers[:-1] != network.layers[:-1]:
        return "its layers are not those of student.model"
    return None


def fresh_classes(known: Known, classes: Sequence[str]) -> list[str]:
    """The classes that the earlier network lacks."""
    return [name for name in classes if name not in known.classes]


def begin_from(student: Classifier, known: Known, classes: Sequence[str]) -> None:
    """Copy the earlier weights into a fresh student, in place; `classes` names its logits in their order.

    Raises DataError where the student has another architecture.
    """
    why = misfit(known, student.network)
    if why is not None:
        raise DataError(
            f"the student cannot begin from the earlier network: {why}; set retrain.start to fresh"
        )
    head, begun = _head(student.network), student.state_dict()
    shared = [name for name in classes if name in known.classes]
    here = [list(classes).index(name) for name in shared]
    there = [known.classes.index(name) for name in shared]
    for name, tensor in known.weights.items():
        if name.startswith(head):
            begun[name][here] = tensor[there]
        elif not name.startswith("encoding."):
            begun[name].copy_(tensor)


def _head(network: Network) -> str:
    """What the names of the last layer's weights begin with."""
    return f"layers.{len(network.layers) - 1}.dense."
