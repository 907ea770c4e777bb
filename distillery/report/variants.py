"""What a run came to: one row a variant, as numbers for JSON and as a table for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

COLUMNS = (
    "variant", "accuracy ± 95 %", "macro F1", "file bytes", "× smaller", "p50 / p95 ms",
    "integer ops", "agrees with teacher", "budget",
)  # fmt: skip
SPARSE_COLUMNS = ("zeros", "packed bytes")  # beside the file's bytes, which zeros make no smaller
AT = COLUMNS.index("file bytes") + 1


@dataclass(frozen=True)
class Variant:
    """One model file. Accuracies are on test rows; latency is batch 1 on one thread."""

    name: str
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    macro_f1: float
    file_bytes: int
    transport_bytes: int
    parameters: int
    zero_share: float
    macs: int
    latency_p50_ms: float
    latency_p95_ms: float
    throughput_rows_per_second: float
    peak_rss_bytes: int
    integer_op_share: float
    teacher_agreement: float
    test_rows: int
    broken: list[str]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


def variant_of(
    name: str, evaluation: Mapping[str, Any], measurement: Mapping[str, Any], broken: Sequence[str]
) -> Variant:
    """A variant from its evaluation.json and measurement.json and the bounds it broke."""
    test = evaluation["test"]
    quality = {
        key: test[key]
        for key in ("accuracy", "accuracy_low", "accuracy_high", "macro_f1", "teacher_agreement")
    }
    footprint = {key: measurement[key] for key in Variant.__dataclass_fields__ if key in measurement}
    return Variant(name=name, **quality, **footprint, test_rows=test["rows"], broken=list(broken))


def are_sparse(variants: Sequence[Variant]) -> bool:
    """Whether single weights were pruned; rounding makes zeros too, but not in a float file."""
    return any(variant.zero_share > 0 for variant in variants if variant.name.endswith("-fp32"))


def variants_table(variants: Sequence[Variant], chosen: str | None) -> Table:
    """The table at the end of a run; the first variant is the teacher, the yardstick of `× smaller`."""
    teacher, sparse = variants[0], are_sparse(variants)
    table = Table(title=f"test accuracy on {teacher.test_rows:,} rows; latency at batch 1, one thread")
    for name in (*COLUMNS[:AT], *(SPARSE_COLUMNS if sparse else ()), *COLUMNS[AT:]):
        table.add_column(
            name,
            justify="left" if name in (COLUMNS[0], COLUMNS[-1]) else "right",
            overflow="fold",  # a pruned variant's name cut short is that of another
        )
    for variant in variants:
        style, cells = "bold" if variant.name == chosen else None, _cells(variant, teacher, chosen)
        packed = [f"{variant.zero_share:.1%}", f"{variant.transport_bytes:,}"] if sparse else []
        table.add_row(*cells[:AT], *packed, *cells[AT:], style=style)
    return table


def _cells(variant: Variant, teacher: Variant, chosen: str | None) -> list[str]:
    half = 50 * (variant.accuracy_high - variant.accuracy_low)
    verdict = "chosen" if variant.name == chosen else "; ".join(b.split(":")[0] for b in variant.broken)
    return [
        variant.name,
        f"{variant.accuracy:.2%} ± {half:.2f}",
        f"{variant.macro_f1:.4f}",
        f"{variant.file_bytes:,}",
        f"{teacher.file_bytes / variant.file_bytes:.1f}",
        f"{variant.latency_p50_ms:.3f} / {variant.latency_p95_ms:.3f}",
        f"{variant.integer_op_share:.1%}",
        f"{variant.teacher_agreement:.2%}",
        f"breaks {verdict}" if variant.broken else verdict,
    ]


def models_table(models: Sequence[Mapping[str, Any]]) -> Table:
    """The registry as a table."""
    sparse = any(model.get("zero_share") and str(model["name"]).endswith("-fp32") for model in models)
    extra = SPARSE_COLUMNS if sparse else ()
    table = Table("version", "name", "aliases", "accuracy", "file bytes", *extra, "p50 ms", "data", "commit")
    for model in models:
        packed = [f"{model['zero_share']:.1%}", f"{model['transport_bytes']:,}"] if sparse else []
        table.add_row(
            str(model["version"]),
            str(model["name"]),
            ", ".join(model["aliases"]),
            f"{model['accuracy']:.2%}",
            f"{model['file_bytes']:,}",
            *packed,
            f"{model['latency_p50_ms']:.3f}",
            str(model["data_digest"])[:12],
            str(model["git_commit"])[:12],
        )
    return table
