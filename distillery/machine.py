"""What this machine is, asked of the kernel and the package metadata: no heavy import."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from distillery.errors import ParamsError
from distillery.params.runtime import RuntimeParams

FEATURES = (
    "avx2",
    "avx512f",
    "avx512_vnni",
    "avx_vnni",
    "avx512_bf16",
    "amx_bf16",
    "amx_int8",
    "asimddp",
    "bf16",
)
GPUS = Path("/proc/driver/nvidia/gpus")
BF16 = frozenset({"amx_bf16", "avx512_bf16"})


@cache
def _cpuinfo() -> dict[str, str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    lines = (line.partition(":") for line in text.split("\n\n", 1)[0].splitlines())
    return {key.strip().lower(): value.strip() for key, _, value in lines}


def cpu_model() -> str:
    """The processor's own name."""
    return _cpuinfo().get("model name") or platform.machine()


def cpu_features() -> list[str]:
    """Those features of the processor that decide which kernels run."""
    flags = set((_cpuinfo().get("flags") or _cpuinfo().get("features") or "").split())
    return [feature for feature in FEATURES if feature in flags]


def gpu_models() -> list[str]:
    """The names of the graphics processors, as NVIDIA's driver gives them."""
    texts = (file.read_text(encoding="utf-8") for file in sorted(GPUS.glob("*/information")))
    return [
        line.partition(":")[2].strip() for text in texts for line in text.splitlines() if "Model:" in line
    ]


def describe_machine() -> dict[str, str]:
    """What a time measured here depends on."""
    family, stepping = _cpuinfo().get("cpu family", ""), _cpuinfo().get("model", "")
    return {
        "cpu": f"{cpu_model()} {family}/{stepping}".strip(),
        "features": " ".join(cpu_features()),
        "system": f"{platform.system()} {platform.machine()}",
    }


def library_version(name: str) -> str:
    """The installed version of a distribution, or `absent`."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def has_cuda() -> bool:
    """Whether there is a graphics processor and a torch that can use it."""
    return Path("/dev/nvidia0").exists() and not library_version("torch").endswith("+cpu")


def resolve(runtime: RuntimeParams) -> RuntimeParams:
    """Replace `auto` by what this machine has, so that the cache key and the record say what ran.

    Raises ParamsError where cuda is asked for and is not there.
    """
    if runtime.device == "cuda" and not has_cuda():
        raise ParamsError(
            "runtime.device: cuda is not there for this machine and torch: set it to cpu or auto"
        )
    device = ("cuda" if has_cuda() else "cpu") if runtime.device == "auto" else runtime.device
    fast = device == "cuda" or not BF16.isdisjoint(cpu_features())
    precision = ("bf16" if fast else "fp32") if runtime.precision == "auto" else runtime.precision
    return runtime.model_copy(update={"device": device, "precision": precision})
