"""The parameters that shape a file, as one digest: a part of every version's identity."""

from __future__ import annotations

from typing import Any

from distillery.artifacts import digest_json
from distillery.params.project import Params

OUTSIDE_IDENTITY = {"budget", "promotion", "retrain", "registry"}
DISTILL_OFF = {"soft": {"kind": "kl"}, "pace": {"kind": "constant"}, "terms": []}
CHAIN_OFF = ["distill", "prune", "quantize"]
STATIC_OFF = {
    "weights": "per_channel", "activations": "asymmetric", "equalize": False, "correct_biases": False,
    "fallback": None, "bits": {"weights": 8, "activations": 8}, "rounding": {"kind": "nearest"},
    "mixed": None,
}  # fmt: skip
QAT_OFF = {"scales": {"kind": "observed"}, "progress": None}


def params_digest(params: Params) -> str:
    """The digest of the parameters that shape a file."""
    tree = params.model_dump(mode="json", exclude=OUTSIDE_IDENTITY)
    del tree["data"]["path"]  # where rows were read from does not shape a file; their digest says which
    for teacher in (tree["teacher"], *tree["teachers"]["others"]):
        teacher.pop("file", None)  # nor does where a teacher lay
    _drop_what_is_off(tree)
    return digest_json(tree)


def _drop_what_is_off(tree: dict[str, Any]) -> None:
    """Methods that are off shape no file, and identities are older than these names."""
    teachers, distill = tree["teachers"], tree["distill"]
    if tree["teacher"]["kind"] == "trained":
        del tree["teacher"]["kind"]
    if not teachers["others"]:
        del teachers["combine"]
    if not (teachers["others"] or teachers["assistants"]) and teachers["generations"] == 1:
        del tree["teachers"]
    if tree["prune"] is None or tree["chain"] == CHAIN_OFF:
        del tree["chain"]
    if tree["prune"] is None:
        del tree["prune"]
    static, qat = tree["quantize"]["static"] or {}, tree["quantize"]["qat"] or {}
    for block, offs in ((distill, DISTILL_OFF), (static, STATIC_OFF), (qat, QAT_OFF)):
        for name, off in offs.items():
            if name in block and block[name] == off:
                del block[name]
