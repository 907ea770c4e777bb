"""A watched folder, and a watched address on the loopback."""

import os
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from distillery.artifacts import files_below
from distillery.errors import DataError
from tasks.watching import Watch


@pytest.fixture
def project(tmp_path):
    (tmp_path / "project/incoming").mkdir(parents=True)
    return tmp_path / "project"


@pytest.fixture
def put(project):
    """Writes a file of the watched folder, as if some time ago."""

    def put(name, text, age=60):
        file = project / "incoming" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        os.utime(file, (file.stat().st_atime - age, file.stat().st_mtime - age))
        return file

    return put


def look(project, versions=1, place="incoming", fail=False):
    """The names that are new, and the bytes that were staged under them."""
    with Watch(project, place).arrived(versions) as arrived:
        if arrived is None:
            return {}
        assert sorted(arrived.files) == files_below(arrived.folder)
        if fail:
            raise KeyboardInterrupt
        return {name: (arrived.folder / name).read_text() for name in arrived.files}


def test_each_file_is_new_once(project, put):
    put("a.csv", "1")
    put("deep/b.csv", "2")
    assert look(project) == {"a.csv": "1", "deep/b.csv": "2"}
    assert look(project, 2) == {}
    put("c.csv", "3")
    assert look(project, 2) == {"c.csv": "3"}


def test_a_changed_file_is_new_and_a_renamed_one_is_not(project, put):
    file = put("a.csv", "1")
    look(project)
    file.rename(file.with_name("b.csv"))
    assert look(project, 2) == {}
    put("b.csv", "2")
    assert look(project, 2) == {"b.csv": "2"}


def test_a_file_that_is_being_written_waits(project, put):
    put("a.csv", "1", age=0)
    assert look(project) == {}
    put("a.csv", "1", age=60)
    assert look(project) == {"a.csv": "1"}


def test_what_did_not_become_a_version_is_new_again(project, put):
    put("a.csv", "1")
    with pytest.raises(KeyboardInterrupt):
        look(project, 1, fail=True)
    assert look(project, 1) == {"a.csv": "1"}


def test_what_became_a_version_before_a_kill_is_not_added_twice(project, put):
    put("a.csv", "1")
    with pytest.raises(KeyboardInterrupt):
        look(project, 1, fail=True)
    put("b.csv", "2")
    assert look(project, 2) == {"b.csv": "2"}


def test_another_place_is_looked_at_anew(project, put):
    put("a.csv", "1")
    look(project)
    (project / "incoming").rename(project / "other")
    assert look(project, 2, "other") == {"a.csv": "1"}


def test_a_place_that_is_not_there_is_said(project):
    with pytest.raises(DataError, match=r"retrain.watch: .*nowhere is not there: make the folder"):
        look(project, place="nowhere")


@contextmanager
def served(folder):
    asked = []

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            super().do_GET()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def test_an_address_is_fetched_only_when_what_it_says_of_itself_changed(project, put):
    put("rows.csv", "one")
    with served(project / "incoming") as (address, asked):
        url = f"{address}/rows.csv"
        assert look(project, 1, url) == {"rows.csv": "one"}
        before = len(asked)
        assert look(project, 2, url) == {}
        assert len(asked) == before
        put("rows.csv", "two and more", age=30)
        assert look(project, 2, url) == {"rows.csv": "two and more"}


def test_an_address_that_does_not_answer_is_said_without_its_secrets(project):
    with pytest.raises(DataError, match=r"http://127.0.0.1:9/rows.csv cannot be read") as caught:
        look(project, 1, "http://127.0.0.1:9/rows.csv?token=abc")
    assert "token" not in str(caught.value)
