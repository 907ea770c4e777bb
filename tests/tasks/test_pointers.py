import pytest

from distillery.errors import ProjectError
from tasks.pointers import directory_listing, directory_md5, matches_pin, models_kept, pinned_digest

POINTER = """outs:
- md5: {md5}
  size: {size}
  nfiles: {files}
  hash: md5
  path: data
"""


def pin(project, files, size):
    (project / "data.dvc").write_text(POINTER.format(md5=directory_md5(files), size=size, files=len(files)))


@pytest.fixture
def data(project):
    (project / "data/sub").mkdir(parents=True)
    (project / "data/b.bin").write_bytes(b"abc")
    (project / "data/sub/é.bin").write_bytes(b"")
    return {"b.bin": "900150983cd24fb0d6963f7d28e17f72", "sub/é.bin": "d41d8cd98f00b204e9800998ecf8427e"}


def test_the_listing_is_json_as_dvc_spells_it():
    assert directory_listing({"b": "2", "a": "1"}) == (
        b'[{"md5": "1", "relpath": "a"}, {"md5": "2", "relpath": "b"}]'
    )


def test_a_folder_matches_its_pin_until_a_byte_a_name_or_a_file_changes(project, data):
    assert not matches_pin(project, "data")
    pin(project, data, 3)
    assert matches_pin(project, "data")
    assert matches_pin(project, "data", data)

    (project / "data/b.bin").write_bytes(b"abd")
    assert not matches_pin(project, "data")
    (project / "data/b.bin").write_bytes(b"abc")
    (project / "data/extra").write_bytes(b"")
    assert not matches_pin(project, "data")
    (project / "data/extra").unlink()
    (project / "data/b.bin").rename(project / "data/c.bin")
    assert not matches_pin(project, "data")


def test_a_pointer_is_read(project, data):
    assert pinned_digest(project, "data") is None
    pin(project, data, 3)
    pinned = pinned_digest(project, "data")
    assert (pinned.md5, pinned.bytes, pinned.files) == (directory_md5(data), 3, 2)


@pytest.mark.parametrize(
    "text", ["", "outs: []", "outs: [{md5: a}]", "a: [", "<<<<<<< HEAD\nouts:", "- 1", "\xff"]
)
def test_a_broken_pointer_is_named_with_its_remedy(project, text):
    (project / "data.dvc").write_bytes(text.encode("latin-1"))
    with pytest.raises(ProjectError, match=r"data\.dvc does not pin one folder.*git checkout"):
        pinned_digest(project, "data")


def test_models_are_not_kept_before_they_are(project):
    assert not models_kept(project, {"model.onnx": "0"})
