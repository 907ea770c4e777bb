"""What a person should hear beside a run's table: where a good number hides something."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from distillery.report.variants import Variant

STUDENT, CONTROL = "student-fp32", "control-fp32"


def cautions(
    variants: Sequence[Variant],
    chosen: str | None,
    confusion: Sequence[Sequence[int]] | None,
    classes: Sequence[str],
) -> Iterator[str]:
    """Sentences; `confusion` is the chosen variant's on test rows, [true][predicted]."""
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
