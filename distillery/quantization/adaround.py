"""AdaRound: of the two integers beside each weight, that which lets its layer's outputs stay.

Layer by layer, over the calibration rows, with V continuous and one number a weight:

    argmin_V  || f(W x) - f(W~ x^) ||^2 + lambda sum (1 - |2 h(V) - 1|^beta)            (eq. 25 and 24)
    W~ = s clip(floor(W / s) + h(V), n, p)                                             (eq. 22)
    h(V) = clip(sigmoid(V) (zeta - gamma) + gamma, 0, 1)                                 (eq. 23)

x is what the layer reads in float and x^ what it reads in the quantized graph, behind layers that were
rounded before it; f is the ReLU that follows, if one does. The second term draws h(V) to 0 or 1 as beta falls
(Nagel et al. 2020, https://arxiv.org/abs/2004.10568).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto
from torch import Tensor

from distillery.data.rows import Rows
from distillery.integers import constants
from distillery.params.quantize import LearnedParams
from distillery.quantization.calibration import Watched
from distillery.quantization.torch_layers import Layer, torch_layer
from distillery.quantization.weight_bits import Grid, read_grid, set_weight, weighted

ZETA, GAMMA = 1.1, -0.1  # how far the sigmoid is stretched
BETA_FIRST, BETA_LAST = 20.0, 2.0
WARM_UP = 0.2  # share of the steps without the regulariser


@dataclass(frozen=True)
class Problem:
    """One layer to be rounded: its weight on a grid, and rows of what it reads and should make."""

    weight: NDArray[np.float32]
    grid: Grid
    layer: Layer
    inputs: Tensor  # (N, ...), as the quantized graph has them
    wanted: Tensor  # (N, ...), as the float graph has them, after the ReLU


def learn_rounding(
    quantized: ModelProto, student: ModelProto, rows: Rows, bits: Mapping[str, int], method: LearnedParams
) -> None:
    """Round anew, in place, the layers of a QDQ graph whose nodes are named as the float student's are.

    `bits` names the layers to round, and on how many bits their weights lie.
    """
    layers, known = weighted(student.graph), constants(student.graph)
    for name in [name for name in layers if name in bits]:
        node = layers[name]
        (reading,) = (other.input[0] for other in quantized.graph.node if other.name == name)
        layer = _with_relu(torch_layer(node, known), student.graph, node.output[0])
        problem = Problem(
            weight=known[node.input[1]],
            grid=read_grid(quantized.graph, name, bits[name]),
            layer=layer,
            inputs=_values(quantized, reading, rows),
            wanted=layer.activate(_values(student, node.output[0], rows)),
        )
        set_weight(quantized.graph, name, learned(problem, method), problem.grid)


def learned(problem: Problem, method: LearnedParams) -> NDArray[np.int32]:
    """The integers of a weight: the learned ones, or the nearest where those keep the outputs better.

    What is 0 stays 0, so that what was pruned stays pruned.
    """
    scale = torch.from_numpy(np.array(problem.grid.against(problem.weight)))
    ratio = torch.from_numpy(problem.weight.copy()) / scale
    below, free = torch.floor(ratio), ratio != 0
    v = beginning(ratio - below).requires_grad_()
    optimizer = torch.optim.Adam([v], lr=method.learning_rate)
    for step in range(method.steps):
        at = _batch(step, method.batch_size, len(problem.inputs))
        h = rectified_sigmoid(v) * free
        soft = (below + h).clamp(problem.grid.low, problem.grid.high) * scale
        loss = output_error(problem, soft, at)
        if step >= WARM_UP * method.steps:
            loss = loss + method.regularization * indecision(h, beta(step, method.steps)).sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    up = (rectified_sigmoid(v.detach()) >= 0.5) & free
    ours = (below + up).clamp(problem.grid.low, problem.grid.high).numpy().astype(np.int32)
    return _better(problem, ours, problem.grid.nearest(problem.weight))


def rectified_sigmoid(v: Tensor) -> Tensor:
    """h(V), eq. 23: reaches 0 and 1 where a sigmoid only nears them."""
    return (torch.sigmoid(v) * (ZETA - GAMMA) + GAMMA).clamp(0, 1)


def beginning(rest: Tensor) -> Tensor:
    """V with h(V) = `rest`, W / s - floor(W / s): the soft weight begins as the float one."""
    return -torch.log((ZETA - GAMMA) / (rest - GAMMA) - 1)


def indecision(h: Tensor, beta: float) -> Tensor:
    """1 - |2 h - 1|^beta, eq. 24: 0 where h is 0 or 1."""
    return 1 - (2 * h - 1).abs().pow(beta)


def beta(step: int, steps: int) -> float:
    """From BETA_FIRST, when the warm-up is over, down half a cosine to BETA_LAST."""
    warm = WARM_UP * steps
    done = max(0.0, step - warm) / (steps - warm)
    return BETA_LAST + (BETA_FIRST - BETA_LAST) * (1 + math.cos(math.pi * done)) / 2


def output_error(problem: Problem, weight: Tensor, at: Tensor | slice = slice(None)) -> Tensor:
    """Squared error of a layer's outputs with this weight, summed over channels, mean over the rest."""
    wrong = problem.layer.run(problem.inputs[at], weight) - problem.wanted[at]
    return wrong.square().sum(problem.layer.channels).mean()


def _better(problem: Problem, *choices: NDArray[np.int32]) -> NDArray[np.int32]:
    """The integers with the least error over all rows; the last of equals."""
    with torch.no_grad():
        weights = [torch.from_numpy(problem.grid.dequantized(q)) for q in choices]
        errors = [float(output_error(problem, weight)) for weight in weights]
    return choices[max(at for at, error in enumerate(errors) if error == min(errors))]


def _batch(step: int, size: int, rows: int) -> Tensor:
    """Positions of a step's rows: one after the other, round and round."""
    return (torch.arange(min(size, rows)) + step * size) % rows


def _values(model: ModelProto, tensor: str, rows: Rows) -> Tensor:
    """What a tensor holds (N, ...) for the calibration rows."""
    return torch.from_numpy(np.concatenate([values[tensor] for values in Watched(model, [tensor]).run(rows)]))


def _with_relu(layer: Layer, graph: GraphProto, output: str) -> Layer:
    """The layer, with the ReLU that is all that reads its output."""
    readers = {node.op_type for node in graph.node if output in node.input}
    return replace(layer, relu=True) if readers == {"Relu"} else layer
