from __future__ import annotations

import numpy as np
import pytest

from distillery.file_labelling import label_with
from distillery.labelling import label, load_targets


@pytest.mark.parametrize("family", ["mlp", "resnet"])
def test_a_file_says_of_every_view_what_its_network_says(
    family, students, files, rows, augment, runtime, tmp_path
):
    (tmp_path / "file").mkdir()
    list(label(students[family], rows, augment, runtime, tmp_path / "targets.npy"))
    notes = [i.note for i in label_with(files[family], rows, augment, runtime, tmp_path / "file/targets.npy")]
    assert notes == ["view 1 of 2", "view 2 of 2"]
    np.testing.assert_allclose(load_targets(tmp_path / "file"), load_targets(tmp_path), rtol=1e-3, atol=1e-3)


def test_a_tables_file_is_asked_by_the_names_of_its_categories(
    table_student, table_file, table, augment, runtime, tmp_path
):
    (tmp_path / "file").mkdir()
    list(label(table_student, table, augment, runtime, tmp_path / "targets.npy"))
    list(label_with(table_file, table, augment, runtime, tmp_path / "file/targets.npy"))
    np.testing.assert_allclose(load_targets(tmp_path / "file"), load_targets(tmp_path), rtol=1e-3, atol=1e-3)
