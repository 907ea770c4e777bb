"""Folders of images as they are read for prediction."""

from __future__ import annotations

import pytest

from distillery.errors import DataError
from distillery.raw_pictures import open_pictures


def test_a_folder_of_folders_is_refused_with_what_to_name_instead(tmp_path):
    (tmp_path / "rose").mkdir()
    (tmp_path / "rose" / "1.png").write_bytes(b"never read")
    with pytest.raises(DataError, match="folders in it are not read: name each of them"):
        open_pictures(tmp_path, (8, 8, 1))
