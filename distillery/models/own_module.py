"""A torch module of the user's own, made again by its function wherever a saved network is loaded."""

from __future__ import annotations

import torch
from torch import nn

from distillery.errors import ParamsError
from distillery.models.layers import Module
from distillery.own_code import called, own_digest


def own_module(layer: Module, size: tuple[int, ...]) -> nn.Module:
    """What the function gives for this size, tried on two rows of zeros.

    Raises ParamsError where the code is no longer that of the network, or gives anything but logits.
    """
    if own_digest(layer.function) != layer.code:
        raise ParamsError(
            f"the code of {layer.function} is not that of the network, whose weights may mean something else "
            "in it: bring the code back, or train anew"
        )
    made = called(layer.function, size, layer.classes, arguments=layer.arguments)
    if not isinstance(made, nn.Module):
        kind = f"{type(made).__module__}.{type(made).__qualname__}"
        raise ParamsError(f"{layer.function} gave a {kind}, not a torch.nn.Module")
    _try(made, layer, size)
    if not any(parameter.requires_grad for parameter in made.parameters()):
        raise ParamsError(f"the module of {layer.function} has no parameters that can be trained")
    _require_own_places(made, layer)
    return made


def _require_own_places(module: nn.Module, layer: Module) -> None:
    """The file of weights has each tensor once."""
    first: dict[int, str] = {}
    for name, tensor in module.state_dict().items():
        other = first.setdefault(tensor.untyped_storage().data_ptr(), name)
        if tensor.numel() and other != name:
            raise ParamsError(
                f"the module of {layer.function} has one tensor as {other} and as {name}, which cannot be "
                "saved: give each its own"
            )


def _try(module: nn.Module, layer: Module, size: tuple[int, ...]) -> None:
    """As it is trained and as it is asked; what moved is put back: batch norms, and the random numbers."""
    was_training = module.training
    before = {name: value.clone() for name, value in module.state_dict().items()}
    for mode in (False, True):
        try:
            with torch.no_grad(), torch.random.fork_rng(devices=[]):
                logits = module.train(mode)(torch.zeros(2, *size))
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
            when = " in training" if mode else ""
            raise ParamsError(
                f"the module of {layer.function} cannot read rows {size}{when}: {said}"
            ) from error
        _require_logits(logits, layer, when=" in training" if mode else "")
    module.load_state_dict(before)
    module.train(was_training)


def _require_logits(logits: object, layer: Module, when: str) -> None:
    shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
    if shape != (2, layer.classes):
        raise ParamsError(
            f"the module of {layer.function} gave {shape} for two rows{when}, not (2, {layer.classes})"
        )
