"""The preset for small colour images, on files of CIFAR-10's layout whose classes are colours."""

import numpy as np
import pytest

SMALL = {
    "teacher.model.width": 4, "teacher.model.blocks": 1, "teacher.training.epochs": 10,
    "teacher.training.batch_size": 16,
    "student.model.width": 4, "distill.training.epochs": 2, "quantize.qat.training.epochs": 2,
    "augment.views": 2, "data.calibration": 32, "budget.max_accuracy_drop": 100, "budget.max_p50_ms": 1000,
}  # fmt: skip


def write_cifar(folder, count):
    """Records of a label byte and 32 x 32 planes of red, green and blue."""
    random = np.random.default_rng(0)
    folder.mkdir()
    for name, rows in (("data_batch_1.bin", count), ("test_batch.bin", count // 4)):
        labels = np.arange(rows) % 10
        images = random.integers(0, 120, (rows, 3, 32, 32)) + 13 * labels[:, None, None, None]
        records = np.concatenate([labels[:, None], images.reshape(rows, -1)], 1)
        (folder / name).write_bytes(records.astype(np.uint8).tobytes())
    (folder / "batches.meta.txt").write_text("\n".join("abcdefghij"))


@pytest.mark.slow
def test_the_preset_for_small_colour_images_runs_on_an_imported_folder(new_project, root, tmp_path):
    write_cifar(tmp_path / "cifar", 400)
    new_project("data", "import", str(tmp_path / "cifar"))
    settings = [part for name, value in SMALL.items() for part in ("--set", f"{name}={value}")]
    done = new_project("run", "--json", "--params", str(root / "params/cifar.yaml"), *settings)
    by_name = {variant["name"]: variant for variant in done.json["variants"]}
    assert by_name["student-int8-static"]["integer_op_share"] == 1.0
    assert by_name["teacher-fp32"]["accuracy"] > 0.2  # of ten classes
    sizes = [by_name[f"student-{kind}"]["file_bytes"] for kind in ("int8-static", "fp32")]
    assert sizes == sorted(sizes)
