import hashlib
import hmac
import json

from hypothesis import given
from hypothesis import strategies as st

from distillery.notice import Event, Notice, signature


def test_the_body_is_the_notice_as_canonical_json():
    notice = Notice("id", Event.PROMOTED, "2026-01-01T00:00:00+00:00", "digits", "said", {"to": "7"})
    assert json.loads(notice.body) == {
        "id": "id", "event": "promoted", "at": "2026-01-01T00:00:00+00:00", "model": "digits", "said": "said",
        "details": {"to": "7"},
    }  # fmt: skip


@given(st.binary(min_size=1), st.binary(), st.integers(0, 2**40))
def test_the_signature_is_the_hmac_of_time_and_body(secret, body, timestamp):
    expected = hmac.digest(secret, str(timestamp).encode() + b"." + body, hashlib.sha256).hex()
    assert signature(secret, body, timestamp) == expected


def test_the_signature_changes_with_secret_body_and_time():
    signed = {
        signature(*given) for given in [(b"k", b"b", 1), (b"l", b"b", 1), (b"k", b"c", 1), (b"k", b"b", 2)]
    }
    assert len(signed) == 4
