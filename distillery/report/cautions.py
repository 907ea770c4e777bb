"""What a person should hear beside a run's table: where a good number hides something."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from distillery.report.variants import Variant

STUDENT, CONTROL = "student-fp32", "control-fp32"
ALIKE = 0.999  # of validation rows: a file and the network that it was exported from


def cautions(
    variants: Sequence[Variant],
    chosen: str | None,
    confusion: Sequence[Sequence[int]] | None,
    classes: Sequence[str],
    parities: Mapping[str, Mapping[str, Any]],
) -> Iterator[str]:
    """Sentences; `confusion` is the chosen variant's on test rows, [true][predicted].

    `parities` are what parity.json holds of each variant that has one.
    """
    accuracy: Mapping[str, float] = {variant.name: variant.accuracy for variant in variants}
    behind = accuracy.get(CONTROL, 0.0) - accuracy.get(STUDENT, 1.0)
    if behind > 0:
        yield (
            f"{CONTROL} is {100 * behind:.2f} points above {STUDENT} on test rows: what the teacher "
            "said did not help here; a better teacher or another loss may (docs/choosing-methods.md)"
        )
    silent = [name for at, name in enumerate(classes) if confusion and not any(row[at] for row in confusion)]
    if silent:
        yield (
            f"{chosen} answers no test row with {', '.join(silent)}: its accuracy is that of the others; "
            "look at macro F1, and at how many rows each class has"
        )
    for name, parity in parities.items():
        if parity["agreement"] < ALIKE:
            rows = parity["rows"]
            yield (
                f"{name} answers {round(rows * (1 - parity['agreement'])):,} of {rows:,} validation rows "
                "otherwise than the network that it was exported from: its numbers are the file's and hold, "
                "but they are not quite those of what was trained (docs/methods/quantization.md)"
            )
