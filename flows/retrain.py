"""An update: look for what is new, train with what the champion knows, judge, and promote or keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distillery.errors import DistilleryError, Refused
from distillery.notice import Event
from distillery.triggers import Kind, State, Trigger, find_changes, find_shift
from flows.data import Asked, add_data
from flows.once import compress_once
from flows.outcome import Outcome
from flows.project import Request
from flows.promote import promote
from flows.terminal import Terminal
from tasks.knowing import Known, find_champion, with_knowledge
from tasks.locking import RETRAIN, project_lock
from tasks.notifying import Outbox, find_webhook
from tasks.retraining import judged_state, newest_shift, present_state, save_state
from tasks.watching import Watch


@dataclass(frozen=True)
class Update:
    """What became of a retraining, and why it began."""

    event: Event
    said: str
    triggers: tuple[Trigger, ...]
    champion: str | None  # the version that is champion now
    previous: str | None
    verdict: Mapping[str, Any] | None  # of the gates, where they were asked

    def to_json(self) -> dict[str, Any]:
        """The object that `retrain --json` prints."""
        return {
            "event": str(self.event),
            "said": self.said,
            "triggers": [trigger.to_json() for trigger in self.triggers],
            "champion": self.champion,
            "previous": self.previous,
            "verdict": self.verdict,
        }


def retrain(request: Request, *, force: bool, wait: bool, terminal: Terminal) -> Update:
    """One update, told to the webhook whatever becomes of it."""
    outbox = Outbox(request.project, find_webhook(request.params.retrain.webhook, terminal.say), terminal.say)
    model = request.params.registry.name
    with project_lock(request.project, wait, terminal.say, RETRAIN):
        try:
            update = _update(request, force, terminal)
        except (DistilleryError, KeyboardInterrupt) as error:
            outbox.send(Event.FAILED, model, str(error) or "interrupted", {})
            raise
    outbox.send(update.event, model, update.said, update.to_json())
    return update


def _update(request: Request, force: bool, terminal: Terminal) -> Update:
    watched = _look(request, terminal)
    champion = find_champion(request.project, request.params)
    now = present_state(request.project, request.params, champion)
    triggers = _triggers(request, now, watched, force)
    for trigger in triggers:
        terminal.say(f"because {trigger.said}")
    if not triggers:
        said = "nothing to do: same data, params, code and champion as when they were judged last"
        return Update(Event.SKIPPED, said, (), champion and champion.version, None, None)
    outcome = compress_once(with_knowledge(request, champion), (), wait=True, terminal=terminal)
    update = _judged(request, champion, outcome, triggers, terminal)
    save_state(request.project, present_state(request.project, request.params, find_champion(...)))
    return update
