"""Every environment variable that a library reads, set in one place, before any of them is imported."""

from __future__ import annotations

import os
from pathlib import Path

STATE = Path(".distillery")

# What is ours to say, whatever the shell says: nothing reports home, nothing is written outside the project.
FIXED = {
    "DO_NOT_TRACK": "true",  # the word: MLflow ignores "1"
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "ORT_DISABLE_TELEMETRY": "1",
    "DVC_NO_ANALYTICS": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",  # its own survives its parent; tasks/server.py has ours
    "PREFECT_CLI_PROMPT": "false",
}
# What a person may have set otherwise.
DEFAULTS = {
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # cuBLAS is deterministic only with a fixed workspace
    "OMP_WAIT_POLICY": "passive",  # spinning threads starve each other where another process computes too
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",  # of its 7 the last waits for minutes; the step is repeated too
    "MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "NullPool",  # a pool would go on using a database that was replaced
    "PREFECT_API_URL": "",  # explicit: a stray .env in the folder would be read otherwise
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",  # our own listener tells of the steps
}
# Prefixes of what steers the kernels of torch, oneDNN, MKL, OpenMP, OpenBLAS, numpy and CUDA.
NUMERIC = (
    "ATEN_", "CUBLAS_", "DNNL_", "GOMP_", "KMP_", "MKL_", "NPY_", "NVIDIA_TF32_", "OMP_", "ONEDNN_",
    "OPENBLAS_", "TORCH_ALLOW_TF32_",
)  # fmt: skip


def prepare_environment(project: Path) -> None:
    """Set the environment for a project: call it before prefect, mlflow, dvc or onnxruntime is imported.

    A PREFECT_API_URL that is set already names a real server, and stays.
    """
    state = project.resolve() / STATE
    os.environ |= FIXED
    os.environ["DVC_SITE_CACHE_DIR"] = str(state / "dvc")
    os.environ["MPLCONFIGDIR"] = str(state / "matplotlib")
    os.environ["PREFECT_HOME"] = str(state / "prefect")
    os.environ["PREFECT_RESULTS_LOCAL_STORAGE_PATH"] = str(state / "results")
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    if not has_own_server():
        os.environ["PREFECT_LOGGING_TO_API_ENABLED"] = "false"
        _spare_the_proxy("127.0.0.1")


def numeric_variables() -> dict[str, str]:
    """Those variables that decide which kernels the numeric libraries run, as they are set now."""
    return {name: value for name, value in sorted(os.environ.items()) if name.startswith(NUMERIC)}


def has_own_server() -> bool:
    """Whether the user named a real Prefect server."""
    return bool(os.environ.get("PREFECT_API_URL"))


def _spare_the_proxy(host: str) -> None:
    """Keep a proxy of the shell out of the way to our own server; either spelling may hide the other."""
    hosts = (os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or "").split(",")
    if host not in hosts:
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join([*filter(None, hosts), host])
