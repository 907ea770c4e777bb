"""Notices against a real receiver on the loopback."""

import hashlib
import hmac
import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from distillery.notice import Event
from tasks import notifying
from tasks.notifying import OUTBOX, SECRET, URL, Outbox, Webhook, find_webhook


@contextmanager
def receiver(*answers):
    """Answers with these statuses in turn, the last for ever; yields its address and what it was sent."""
    got, left = [], list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = left.pop(0) if len(left) > 1 else left[0]
            got.append((status, dict(self.headers), body))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", got
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def said():
    return []


@pytest.fixture
def send(tmp_path, said):
    def send(url, text="digits: version 3 is champion"):
        outbox = Outbox(tmp_path, Webhook(url, b"secret"), said.append)
        outbox.send(Event.PROMOTED, "digits", text, {"from": "1", "to": "3"})
        return sorted((tmp_path / OUTBOX).glob("*"))

    return send


def test_a_notice_arrives_signed_and_leaves_nothing_behind(send, said):
    with receiver(200) as (url, got):
        assert send(url) == []
    ((_, headers, body),) = got
    timestamp = headers["X-Distillery-Timestamp"]
    assert abs(int(timestamp) - time.time()) < 60
    expected = hmac.digest(b"secret", f"{timestamp}.".encode() + body, hashlib.sha256).hex()
    assert headers["X-Distillery-Signature"] == f"sha256={expected}"
    assert json.loads(body)["details"] == {"from": "1", "to": "3"}
    assert said == []


def test_a_receiver_that_stumbles_is_asked_again(send):
    with receiver(503, 500, 200) as (url, got):
        assert send(url) == []
    assert [status for status, _, _ in got] == [503, 500, 200]
    assert len({body for _, _, body in got}) == 1


def test_what_is_not_taken_waits_and_goes_with_the_next_one_in_order(send, said):
    with receiver(400) as (url, got):
        assert len(send(url, "first")) == 1
    assert len(got) == 1  # a refusal is no stumble
    assert said[0].endswith("did not take a notice: it answered 400")
    with receiver(200) as (url, got):
        assert send(url, "second") == []
    assert [json.loads(body)["said"] for _, _, body in got] == ["first", "second"]


def test_a_redirect_is_not_followed(send, said):
    with receiver(302) as (url, got):
        assert len(send(url)) == 1
    assert len(got) == 1
    assert said[0].endswith("it answered 302")


def test_a_dead_receiver_costs_seconds_and_loses_nothing(send, said, monkeypatch):
    monkeypatch.setattr(notifying, "ANSWER_SECONDS", 0.2)
    assert len(send("http://127.0.0.1:9/hook")) == 1
    assert "did not take a notice: MaxRetryError at 127.0.0.1" in said[0]


def test_what_is_no_notice_does_not_block_the_outbox(send, tmp_path):
    (tmp_path / OUTBOX).mkdir(parents=True)
    for name, content in {"0.json": "{", "1.json": '{"id": 1}', "2.json": "[]"}.items():
        (tmp_path / OUTBOX / name).write_text(content)
    with receiver(200) as (url, got):
        assert send(url) == []
    assert len(got) == 1


def test_the_outbox_keeps_the_newest_only(send, monkeypatch):
    monkeypatch.setattr(notifying, "KEPT", 3)
    with receiver(400) as (url, _):
        for at in range(5):
            left = send(url, f"notice {at}")
    assert [json.loads(file.read_text())["said"] for file in left] == ["notice 2", "notice 3", "notice 4"]


def test_nothing_is_sent_unsigned(monkeypatch, said):
    monkeypatch.delenv(SECRET, raising=False)
    assert find_webhook("https://host/hook?token=abc", said.append) is None
    assert SECRET in said[0]
    assert "abc" not in said[0]


def test_the_environment_names_the_webhook_before_the_params_do(monkeypatch, said):
    monkeypatch.setenv(SECRET, "word")
    monkeypatch.delenv(URL, raising=False)
    assert find_webhook(None, said.append) is None
    assert find_webhook("https://params/hook", said.append) == Webhook("https://params/hook", b"word")
    monkeypatch.setenv(URL, "https://environment/hook")
    assert find_webhook("https://params/hook", said.append).url == "https://environment/hook"
    monkeypatch.setenv(URL, "file:///etc/passwd")
    assert find_webhook(None, said.append) is None
    assert "is no http or https address" in said[0]
