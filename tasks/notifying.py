"""Notices to a webhook: signed, retried, not waited for longer than a moment, not lost by a dead receiver.

A notice is a file in the outbox first, and goes from there; what was not taken goes with the next one.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import urllib3

from distillery.artifacts import read_json, write_json
from distillery.notice import Event, Notice, signature
from tasks.registry_store import without_credentials

OUTBOX = Path(".distillery/outbox")
SECRET, URL = "DISTILLERY_WEBHOOK_SECRET", "DISTILLERY_WEBHOOK_URL"
KEPT = 100  # notices that wait; a receiver that is gone for ever must not fill the disk
ATTEMPTS, ANSWER_SECONDS, LINGER_SECONDS = 3, 5.0, 10.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Webhook:
    """Where notices go, and the secret that signs them."""

    url: str
    secret: bytes

    def __str__(self) -> str:
        return without_credentials(self.url)

    def deliver(self, body: bytes) -> str | None:
        """Send once, with retries on no answer, 429 and 5xx; None when taken, else why not, in words."""
        timestamp = int(time.time())
        headers = {
            "Content-Type": "application/json",
            "X-Distillery-Timestamp": str(timestamp),
            "X-Distillery-Signature": f"sha256={signature(self.secret, body, timestamp)}",
        }
        retries = urllib3.Retry(
            ATTEMPTS - 1,
            redirect=0,
            backoff_factor=0.5,
            status_forcelist=(429, 500, 502, 503, 504),
            allowed_methods={"POST"},
            raise_on_status=False,
            raise_on_redirect=False,
        )
        try:
            with urllib3.PoolManager(retries=retries, timeout=ANSWER_SECONDS) as pool:
                status = pool.request("POST", self.url, body=body, headers=headers).status
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            return f"{type(error).__name__} at {urlsplit(self.url).hostname}"
        return None if 200 <= status < 300 else f"it answered {status}"


def find_webhook(url: str | None, say: Say) -> Webhook | None:
    """The webhook that the environment, or else `retrain.webhook`, names; nothing is sent unsigned."""
    url, secret = os.environ.get(URL) or url, os.environ.get(SECRET)
    if not url:
        return None
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        say(f"no notice is sent: the webhook {without_credentials(url)} is no http or https address")
        return None
    if not secret:
        say(f"no notice is sent: set {SECRET}, which signs what goes to {without_credentials(url)}")
        return None
    return Webhook(url, secret.encode())


class Outbox:
    """A project's notices that wait to be delivered."""

    def __init__(self, project: Path, webhook: Webhook | None, say: Say) -> None:
        self._folder = project / OUTBOX
        self._webhook = webhook
        self._say = say

    def send(self, event: Event, model: str, said: str, details: Mapping[str, Any]) -> None:
        """Put a notice into the outbox and deliver what waits, for some seconds; a failure is only said."""
        if self._webhook is None:
            return
        moment = datetime.now(UTC)
        notice = Notice(uuid4().hex, event, moment.isoformat(timespec="seconds"), model, said, details)
        file = self._folder / f"{moment:%Y%m%dT%H%M%S%f}-{notice.id}.json"
        write_json(file, asdict(notice))
        for old in sorted(self._folder.glob("*.json"))[:-KEPT]:
            old.unlink(missing_ok=True)
        delivery = threading.Thread(target=self._deliver_all, args=(self._webhook,), daemon=True)
        delivery.start()
        delivery.join(LINGER_SECONDS)
        if file.exists():
            self._say(f"a notice waits in {OUTBOX}: it goes with the next one")

    def _deliver_all(self, webhook: Webhook) -> None:
        """Oldest first; the first that is not taken ends it, so that they arrive in order."""
        for file in sorted(self._folder.glob("*.json")):
            try:
                notice = Notice(**read_json(file))
            except (OSError, ValueError, TypeError):
                file.unlink(missing_ok=True)  # not ours, or cut off on a full disk: it would block the rest
                continue
            refused = webhook.deliver(notice.body)
            if refused:
                self._say(f"the webhook {webhook} did not take a notice: {refused}")
                return
            file.unlink(missing_ok=True)
