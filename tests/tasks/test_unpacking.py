import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillery.errors import DistilleryError
from tasks.bundle import source_tar
from tasks.unpacking import unpack


def tar_of(*members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, content, kind in members:
            entry = tarfile.TarInfo(name)
            entry.type, entry.size = kind, len(content)
            entry.linkname = "/etc/passwd"
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def file(name, content=b"x"):
    return name, content, tarfile.REGTYPE


def test_the_code_comes_out_as_it_went_in(root, tmp_path):
    unpack(source_tar(root), tmp_path / "code")
    assert source_tar(tmp_path / "code") == source_tar(root)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([file("../evil")], "'../evil' leads out of the folder"),
        ([file("/etc/evil")], "'/etc/evil' leads out of the folder"),
        ([file("a/../../evil")], "leads out of the folder"),
        ([("link", b"", tarfile.SYMTYPE), file("link/evil")], "'link' is no plain file"),
        ([("hard", b"", tarfile.LNKTYPE)], "'hard' is no plain file"),
        ([("pipe", b"", tarfile.FIFOTYPE)], "'pipe' is no plain file"),
        ([("device", b"", tarfile.CHRTYPE)], "'device' is no plain file"),
        ([("folder", b"", tarfile.DIRTYPE)], "'folder' is no plain file"),
        ([file("a"), file("a/b")], "'a' is a file and a folder"),
        ([file("a"), file("a", b"y")], "'a' stands twice"),
    ],
)
def test_what_is_no_plain_file_below_the_folder_is_refused_and_nothing_is_written(members, said, tmp_path):
    with pytest.raises(DistilleryError, match="not one that was made here") as caught:
        unpack(tar_of(file("fine"), *members), tmp_path / "deep/code")
    assert any(said in fault for fault in caught.value.faults)
    assert not list(tmp_path.rglob("*"))


def test_a_compressed_or_torn_archive_is_refused(tmp_path):
    import gzip

    whole = tar_of(file("a", b"x" * 5000))
    for content in (gzip.compress(whole), whole[:2000], b"no tar" * 200):
        with pytest.raises(DistilleryError, match="cannot be read"):
            unpack(content, tmp_path / "code")
    assert not (tmp_path / "code").exists()


@given(st.integers(0, 1023), st.integers(0, 255))
def test_a_changed_header_byte_is_refused_or_writes_plain_files_below(tmp_path_factory, place, value):
    content = bytearray(tar_of(file("a/b", b"x" * 600)))
    content[place] = value
    into = tmp_path_factory.mktemp("there") / "code"
    try:
        unpack(bytes(content), into)
    except DistilleryError:
        assert not into.exists()
    else:
        assert not [path for path in into.rglob("*") if path.is_symlink()]
