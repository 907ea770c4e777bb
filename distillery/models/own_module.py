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
    return made


def _try(module: nn.Module, layer: Module, size: tuple[int, ...]) -> None:
    """In eval mode, so that neither batch norms nor the random numbers move."""
    was_training = module.training
    try:
        with torch.no_grad():
            logits = module.eval()(torch.zeros(2, *size))
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        raise ParamsError(f"the module of {layer.function} cannot read rows {size}: {said}") from error
    finally:
        module.train(was_training)
    shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
    if shape != (2, layer.classes):
        raise ParamsError(
            f"the module of {layer.function} gave {shape} for two rows, not (2, {layer.classes})"
        )
