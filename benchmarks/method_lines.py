"""The lines of benchmarks/methods.py: what each changes of the first."""

from __future__ import annotations

from typing import Any

PLAIN = "distilled, static int8"
TEACHER = {"teacher": {"training": {"epochs": 5}}}


def short(epochs: int) -> dict[str, Any]:
    """The student's length and the plain file's form, which every line has."""
    quantize = {"qat": {"training": {"epochs": 3}}, "static": {"weights": "per_channel"}}
    return {"distill": {"training": {"epochs": epochs}}, "quantize": quantize}


LEARNING: dict[str, dict[str, Any]] = {  # over params/mnist.yaml; docs/methods/distillation.md
    PLAIN: {},
    "labels alone": {"distill": {"alpha": 0.0}},
    "temperature 1": {"distill": {"temperature": 1.0}},
    "alpha 1": {"distill": {"alpha": 1.0}},
    "logits (mse)": {"distill": {"soft": {"kind": "mse"}, "alpha": 0.3}},
    "decoupled": {"distill": {"soft": {"kind": "decoupled", "target": 1.0, "others": 8.0}, "alpha": 0.5}},
    "annealed": {"distill": {"pace": {"kind": "annealed", "temperature": 1.0, "alpha": 0.3}}},
    "distances": {"distill": {"terms": [{"kind": "distances", "weight": 25.0, "warm_up": 0} | {
        "student": "logits", "teacher": "logits"}]}},
    "angles": {"distill": {"terms": [{"kind": "angles", "weight": 50.0, "warm_up": 0} | {
        "student": "logits", "teacher": "logits"}]}},
    "hints": {"distill": {"terms": [{"kind": "hints", "weight": 1.0, "warm_up": 2} | {
        "student": "residual2", "teacher": "residual2"}]}},
    "attention": {"distill": {"terms": [{"kind": "attention", "weight": 1000.0, "warm_up": 0} | {
        "student": "residual1", "teacher": "residual1"}]}},
}  # fmt: skip

ASSISTANT: dict[str, Any] = {"student": {"model": {"width": 12}}}

LEARNED = {"kind": "learned", "steps": 300, "batch_size": 32, "learning_rate": 0.01, "regularization": 0.01}
BY_HARM = {"bits": [4, 8], "max_accuracy_drop": 0.2, "max_bytes": None}
SCALES = {"kind": "learned", "start": "range", "weights": "per_channel"}
QUANTIZING: dict[str, dict[str, Any]] = {  # of the plainly distilled student; docs/methods/quantization.md
    "static, entropy": {"quantize": {"static": {"ranges": "entropy"}}},
    "static, percentile": {"quantize": {"static": {"ranges": "percentile"}}},
    "static, mse": {"quantize": {"static": {"ranges": "mse"}}},
    "static, per tensor": {"quantize": {"static": {"weights": "per_tensor"}}},
    "static, symmetric": {"quantize": {"static": {"activations": "symmetric"}}},
    "static, per tensor, equalized": {"quantize": {"static": {"weights": "per_tensor", "equalize": True}}},
    "static, equalized": {"quantize": {"static": {"equalize": True}}},
    "static, biases corrected": {"quantize": {"static": {"correct_biases": True}}},
    "static, learned rounding": {"quantize": {"static": {"rounding": LEARNED}}},
    "4 bits, float where it hurts": {
        "quantize": {"static": {"bits": {"weights": 4}, "fallback": {"max_accuracy_drop": 0.2}}}
    },
    "4 bits": {"quantize": {"static": {"bits": {"weights": 4}}}},
    "4 bits, learned rounding": {"quantize": {"static": {"bits": {"weights": 4}, "rounding": LEARNED}}},
    "4 and 8 bits": {"quantize": {"static": {"mixed": BY_HARM}}},
    "4 and 8 bits, learned rounding": {"quantize": {"static": {"mixed": BY_HARM, "rounding": LEARNED}}},
}
AWARE: dict[str, dict[str, Any]] = {  # of the same, trained on with the rounding
    "aware": {},
    "aware, learned scales": {"quantize": {"qat": {"scales": SCALES}}},
    "aware, layer by layer": {
        "quantize": {"qat": {"progress": {"kind": "layers", "epochs": 1, "order": "sensitivity"}}}
    },
    "aware, bit by bit": {"quantize": {"qat": {"progress": {"kind": "bits", "epochs": 1, "steps": [12]}}}},
}
REGROWN = {"kind": "regrow", "every": 40, "drop": 0.3, "until": 0.75}
MASKED = {"penalty": None, "scope": "network", "share": 0.5}
PRUNING: dict[str, dict[str, Any]] = {  # likewise, then retrained; docs/methods/pruning.md
    "half the weights": MASKED | {"kind": "magnitude", "ramp_epochs": 2, "every": 20},
    "half, regrown": MASKED | REGROWN | {"grow": "gradient"},
    "half, regrown by activation": MASKED | REGROWN | {"grow": "activation"},
    "2 of 4": {"kind": "pattern", "keep": 2, "of": 4, "penalty": None},
    "half the channels": {"kind": "channels", "importance": "group", "scope": "layer", "share": 0.5} | {
        "rounds": 1, "multiple": 1, "max_accuracy_drop": 100.0, "penalty": None},
}  # fmt: skip
