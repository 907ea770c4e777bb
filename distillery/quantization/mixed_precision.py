"""Mixed precision: each layer's weights get as few bits as harm little, within an accuracy or a size.

How much a layer suffers from so many bits is found as for `fallback`: by the mean squared difference that
quantizing it alone makes to the logits of the calibration rows. From all layers at the fewest bits, the one
whose next bits take most harm away for each byte goes up, after HAWQ-V2's weighing of perturbation against
size (Dong et al. 2019, https://arxiv.org/abs/1911.03852). Validation rows only say when it is enough.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from onnx import ModelProto

from distillery.data.rows import Rows, Split
from distillery.params.quantize import BitsParams, MixedParams, StaticParams
from distillery.quantization.fallback import accuracy, harms
from distillery.quantization.quantize import static, weight_sizes
from distillery.quantization.weight_bits import FLOAT

Bits = dict[str, int]  # of the weights of each layer, by operator and place in the student's graph: Conv_4


@dataclass(frozen=True)
class Point:
    """A point of the curve: the bits of each layer, 32 being float, and what the file then comes to."""

    bits: Bits
    accuracy: float  # share of the validation rows
    bytes: int


def static_mixed(
    student: ModelProto, rows: Rows, method: StaticParams, mixed: MixedParams
) -> tuple[bytes, list[Point]]:
    """The first file that is accurate enough, or the last that is small enough, and the curve up to it.

    Where the fewest bits of all are above `max_bytes` already, that is the file: none is smaller. Where no
    bits are accurate enough it is that with the most. The curve ends with the point that was taken.
    """
    held_out, whole = rows.where(Split.VALIDATION), student.SerializeToString(deterministic=True)
    least = accuracy(whole, rows, held_out) - (mixed.max_accuracy_drop or 0) / 100
    content, curve = b"", list[Point]()
    for bits in ladder(weight_sizes(student), harms_by_bits(student, rows, method, mixed.bits), mixed.bits):
        more = whole if set(bits.values()) == {FLOAT} else static(student, rows, method, bits=bits)
        if curve and mixed.max_bytes is not None and len(more) > mixed.max_bytes:
            break
        content = more
        curve.append(Point(bits, accuracy(content, rows, held_out), len(content)))
        if mixed.max_accuracy_drop is not None and curve[-1].accuracy >= least:
            break
    return content, curve


def harms_by_bits(
    student: ModelProto, rows: Rows, method: StaticParams, bits: tuple[int, ...]
) -> dict[int, dict[str, float]]:
    """Bits -> layer -> harm of that layer alone; float does none."""
    found: dict[int, dict[str, float]] = {}
    for count in bits:
        if count == FLOAT:
            found[count] = dict.fromkeys(weight_sizes(student), 0.0)
        else:
            wanted = BitsParams.model_validate({**method.bits.model_dump(), "weights": count})
            found[count] = harms(student, rows, method.model_copy(update={"bits": wanted}))
    return found


def ladder(
    sizes: Mapping[str, int], harms: Mapping[int, Mapping[str, float]], bits: tuple[int, ...]
) -> Iterator[Bits]:
    """Every layer at the fewest `bits`, then one layer's bits risen at a time, until all have the most.

    `sizes` counts the weights of each layer. Of equals the earlier layer goes first.
    """
    here = dict.fromkeys(sizes, bits[0])
    yield dict(here)
    above = dict(pairwise(bits))

    def gain(name: str) -> float:
        low, high = here[name], above[here[name]]
        return (harms[low][name] - harms[high][name]) / (sizes[name] * (high - low))

    while rising := [name for name in here if here[name] in above]:
        name = max(rising, key=gain)
        here[name] = above[here[name]]
        yield dict(here)
