"""The pipeline's middle: the student pruned, and distilled again, in the order that `params.chain` gives."""

from __future__ import annotations

from distillery.params.project import Params
from flows.teaching import Taught
from tasks.steps import Noun, distill_student, prune_student


def follow_chain(data: Noun, taught: Taught, control: Noun, params: Params) -> Noun:
    """The student at the end of the chain, before it is quantized.

    A chain begins with the distilled student, or with the control where it prunes first; every link learns
    from the same targets. The first pruning is the step's own name, later links are told by their place.
    """
    augment, distill, runtime, targets = params.augment, params.distill, params.runtime, taught.targets
    network, methods = control, iter(params.prune)
    for place, link in enumerate(params.chain[:-1], 1):  # the last is quantize
        variant = f"link-{place}"
        match link:
            case "distill" if place == 1:
                network = taught.student
            case "distill":
                network = distill_student(
                    data, targets, augment, params.student, distill, runtime, taught.guide, network,
                    variant=variant,
                )  # fmt: skip
            case "prune":
                first = "prune" not in params.chain[: place - 1]
                network = prune_student(
                    data, network, targets, augment, distill, next(methods), runtime,
                    variant=None if first else variant,
                )  # fmt: skip
    return network
