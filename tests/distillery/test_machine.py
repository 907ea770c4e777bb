from __future__ import annotations

import json
from importlib.metadata import version

import pytest

from distillery import machine
from distillery.params.runtime import RuntimeParams

AUTO = RuntimeParams(seed=0, threads=2, precision="auto", device="auto")


@pytest.mark.parametrize(
    ("cuda", "features", "expected"),
    [
        (False, ["avx2"], ("cpu", "fp32")),
        (False, ["avx2", "avx512f", "avx512_vnni"], ("cpu", "fp32")),
        (False, ["amx_bf16"], ("cpu", "bf16")),
        (False, ["avx512_bf16"], ("cpu", "bf16")),
        (True, [], ("cuda", "bf16")),
    ],
)
def test_auto_follows_what_the_machine_has(monkeypatch, cuda, features, expected):
    monkeypatch.setattr(machine, "has_cuda", lambda: cuda)
    monkeypatch.setattr(machine, "cpu_features", lambda: features)
    resolved = machine.resolve(AUTO)
    assert (resolved.device, resolved.precision) == expected
    assert (resolved.seed, resolved.threads) == (0, 2)


def test_a_stated_precision_is_kept_whatever_the_machine_has(monkeypatch):
    monkeypatch.setattr(machine, "cpu_features", lambda: ["amx_bf16"])
    assert machine.resolve(AUTO.model_copy(update={"precision": "fp32"})).precision == "fp32"


def test_features_are_those_flags_that_choose_kernels(monkeypatch):
    monkeypatch.setattr(machine, "_cpuinfo", lambda: {"flags": "fpu amx_bf16 avx2 sse", "model name": "Chip"})
    assert machine.cpu_features() == ["avx2", "amx_bf16"]
    assert machine.cpu_model() == "Chip"


def test_a_machine_without_cpuinfo_still_has_a_name(monkeypatch):
    monkeypatch.setattr(machine, "_cpuinfo", dict)
    assert machine.cpu_model()
    assert machine.cpu_features() == []


def test_the_description_is_plain_json_and_the_same_twice():
    assert machine.describe_machine() == machine.describe_machine()
    assert set(json.loads(json.dumps(machine.describe_machine()))) == {"cpu", "features", "system"}


def test_a_library_has_its_version_and_an_absent_one_says_so():
    assert machine.library_version("numpy") == version("numpy")
    assert machine.library_version("no-such-distribution-anywhere") == "absent"


def test_graphics_processors_are_named_as_the_driver_does(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "GPUS", tmp_path)
    assert machine.gpu_models() == []
    for number in (1, 0):
        (tmp_path / f"0000:0{number}:00.0").mkdir()
        text = f"Model: \t\t NVIDIA H100 {number}\nIRQ:   \t 61\n"
        (tmp_path / f"0000:0{number}:00.0/information").write_text(text)
    assert machine.gpu_models() == ["NVIDIA H100 0", "NVIDIA H100 1"]
