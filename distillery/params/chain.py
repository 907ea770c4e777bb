"""The order in which a student is compressed, and which orders make sense: light, for the params ask it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field

from distillery.params.prune import (
    ChannelParams,
    MagnitudeParams,
    PatternParams,
    Pruning,
    RegrowParams,
    ThresholdParams,
)

Link = Literal["distill", "prune", "quantize"]
Chain = Annotated[tuple[Link, ...], Field(min_length=1)]


def followed(chain: Sequence[Link], methods: Sequence[Pruning]) -> list[Link]:
    """The links that are followed: with no method, pruning is off wherever it stands."""
    return [link for link in chain if methods or link != "prune"]


def out_of_order(chain: Sequence[Link], methods: Sequence[Pruning]) -> Iterator[str]:
    """Why such a chain cannot be, each reason with what to do instead."""
    links = followed(chain, methods)
    if "quantize" not in links:
        yield "chain: quantize is missing: it ends every chain, and the budget chooses among all variants"
    elif links.index("quantize") < len(links) - 1:
        after = links[links.index("quantize") + 1]
        yield (
            f"chain: {after} comes after quantize, but integers are not trained further: put quantize last; "
            "quantize.qat trains with the rounding"
        )
    elif len(links) == 1:
        yield "chain: nothing comes before quantize: begin with distill"
    if ("distill", "distill") in pairwise(links):
        yield (
            "chain: distill follows distill with nothing pruned between: raise distill.training.epochs, or "
            "teachers.generations"
        )
    asked = links.count("prune")
    if methods and asked != len(methods):
        wanted = ", ".join(["distill", *["prune"] * len(methods), "quantize"])
        yield f"chain: prune stands in it {asked} times for {len(methods)} in prune: write it so: [{wanted}]"


def out_of_turn(methods: Sequence[Pruning]) -> Iterator[str]:
    """Why the prunings cannot follow each other so: none may undo what another did, or find nothing to do."""
    for at, method in enumerate(methods):
        reasons = (_after(earlier, method, f"prune.{at}", n) for n, earlier in enumerate(methods[:at]))
        yield from [reason for reason in reasons if reason is not None][:1]


def _after(earlier: Pruning, method: Pruning, where: str, number: int) -> str | None:
    match earlier, method:
        case ChannelParams(), PatternParams() if earlier.multiple % method.of:
            return (
                f"{where}.of: channels leaves widths in multiples of {earlier.multiple}, which are no whole "
                f"groups of {method.of}; set prune.{number}.multiple to {method.of}"
            )
        case (ChannelParams(), _) | (_, PatternParams()):
            return None
        case _, ChannelParams():
            return f"{where}.kind: channels would lose the zeros of {earlier.kind}; put channels first"
        case PatternParams(), RegrowParams():
            return f"{where}.kind: what regrow lets grow back breaks the pattern; put pattern last"
    before, then = _share(earlier), _share(method)
    moves = isinstance(method, RegrowParams)  # others come and go though no more do
    if before is None or then is None or then > before or (then == before and moves):
        return None
    return (
        f"{where}.share: {then:g} of the weights are to be zero where prune.{number} leaves {before:g}: "
        "nothing would go; raise it"
    )


def _share(method: Pruning) -> float | None:
    """The share of single weights that a method leaves zero; None where only the weights say it."""
    match method:
        case PatternParams():
            return 1 - method.keep / method.of
        case ChannelParams() | ThresholdParams():
            return None
        case MagnitudeParams() | RegrowParams():
            return method.share
