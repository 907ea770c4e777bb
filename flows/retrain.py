"""An update: look for what is new, train with what the champion knows, judge, and promote or keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from distillery.errors import DistilleryError
from distillery.notice import Event
from distillery.params.retrain import BeginParams
from distillery.triggers import Kind, Trigger, find_changes, find_shift
from flows.data import IMPORTED, add_data
from flows.data import Asked as AskedData
from flows.once import compress_once, show_verdict
from flows.outcome import Outcome
from flows.project import Request
from flows.telling import Teller
from tasks.data_versions import read_schema
from tasks.locking import RETRAIN, project_lock
from tasks.notifying import Outbox, find_webhook
from tasks.promoting import Asked, Promotion, promote
from tasks.retraining import (
    Champion,
    find_champion,
    judged_state,
    newest_shift,
    present_state,
    save_state,
    what_it_knows,
)
from tasks.watching import Watch


@dataclass(frozen=True)
class Update:
    """What became of a retraining, and why it began."""

    event: Event
    said: str
    triggers: tuple[Trigger, ...] = ()
    version: str | None = None  # that was judged
    champion: str | None = None  # the version that is champion now
    verdict: Mapping[str, Any] | None = None  # of the gates, where they were asked
    outcome: Outcome | None = None  # of the run, where there was one

    def to_json(self) -> dict[str, Any]:
        """The object that `retrain --json` prints."""
        return {
            "event": str(self.event),
            "said": self.said,
            "triggers": [trigger.to_json() for trigger in self.triggers],
            "version": self.version,
            "champion": self.champion,
            "verdict": self.verdict,
        }


def retrain(request: Request, *, force: bool, wait: bool, teller: Teller) -> Update:
    """One update, told to the webhook whatever becomes of it. Busy where another runs and `wait` is false."""
    outbox = Outbox(request.project, find_webhook(request.params.retrain.webhook, teller.say), teller.say)
    model = request.params.registry.name
    with project_lock(request.project, wait, teller.say, RETRAIN):
        try:
            update = _update(request, force, teller)
        except (DistilleryError, KeyboardInterrupt) as error:
            outbox.send(Event.FAILED, model, str(error) or "interrupted", {})
            raise
        outbox.send(update.event, model, update.said, update.to_json())
    return update


def _update(request: Request, force: bool, teller: Teller) -> Update:
    watched = _look(request, teller)
    if watched:  # what a source named is the project's own data set from now on
        data = request.params.data.model_copy(update=IMPORTED)
        request = replace(request, params=request.params.model_copy(update={"data": data}), own_data=True)
    project, params = request.project, request.params
    champion = find_champion(project, params, teller.say)
    triggers = _triggers(request, champion, watched, force)
    if not triggers:
        said = "nothing to do: same data, params, code and champion as when they were judged last"
        return Update(Event.SKIPPED, said, champion=champion.version.number if champion else None)
    for trigger in triggers:
        teller.say(f"because {trigger.said}")
    remember = what_it_knows(project, params, champion, teller.say)
    begin = _begin(request, champion, teller)
    retrained = params.retrain.model_copy(update={"remember": remember, "begin": begin})
    asked = replace(request, params=params.model_copy(update={"retrain": retrained}))
    outcome = compress_once(asked, (), wait=True, teller=teller)
    judged = _judged(request, champion, outcome, triggers, teller)
    if judged.verdict is not None:
        show_verdict(asked, judged.verdict, teller.say)
    update = replace(judged, triggers=tuple(triggers), outcome=outcome)
    save_state(project, present_state(project, params, find_champion(project, params, teller.say)))
    return update


def _look(request: Request, teller: Teller) -> list[Trigger]:
    """Make a data version of what is new at the watched place."""
    place = request.params.retrain.watch
    if place is None:
        return []
    folder = request.project / "data"
    versions = len(read_schema(folder)["versions"]) if folder.exists() else 0
    with Watch(request.project, place).arrived(versions) as arrived:
        if arrived is None:
            return []
        status = add_data(request, AskedData(arrived.folder), teller.say)
    said = f"{len(arrived.files)} new file(s) in {place} are version {status['version']} of the data"
    return [Trigger(Kind.WATCHED, said)]


def _triggers(
    request: Request, champion: Champion | None, watched: list[Trigger], force: bool
) -> list[Trigger]:
    now = present_state(request.project, request.params, champion)
    changes = find_changes(judged_state(request.project, champion, now), now)
    forced = [Trigger(Kind.FORCED, "it was forced")] if force else []
    if not any(trigger.kind is Kind.DATA for trigger in changes):
        return [*watched, *changes, *forced]
    shifted = find_shift(newest_shift(request.project), request.params.retrain.max_shift)
    return [*watched, *changes, *shifted, *forced]


def _begin(request: Request, champion: Champion | None, teller: Teller) -> BeginParams:
    """Torch is imported only where a network is looked at."""
    if request.params.retrain.start == "fresh":
        return request.params.retrain.begin
    from tasks.warm_start import where_to_begin

    return where_to_begin(request.project, request.params, champion, teller.say)


def _judged(
    request: Request, champion: Champion | None, outcome: Outcome, triggers: list[Trigger], teller: Teller
) -> Update:
    """What became of the variant that was chosen."""
    before = champion.version.number if champion else None
    if outcome.chosen is None:
        return Update(Event.REFUSED, f"no variant was chosen: {outcome.reason}", champion=before)
    version = outcome.chosen["version"]
    if before is None:
        return Update(Event.PROMOTED, f"version {version} is the first champion", (), version, version)
    if version == before:
        said = f"version {version}, the champion, is what comes out again"
        return Update(Event.SKIPPED, said, (), version, version)
    asked = Asked(version, "; ".join(trigger.said for trigger in triggers))
    return _told(promote(request.project, request.params, asked, teller.say), before)


def _told(done: Promotion, before: str) -> Update:
    """What the gates decided; where nothing is forced, there is a verdict."""
    verdict = done.verdict
    told = verdict.to_json() if verdict else None
    if done.link is not None:
        said = f"version {done.version} is champion, in place of {before}"
        return Update(Event.PROMOTED, said, (), done.version, done.version, told)
    if done.waits:
        said = f"version {done.version} passed, and waits for approval: `distillery promote --approve`"
        return Update(Event.WAITING, said, (), done.version, before, told)
    failing = ", ".join(verdict.failing) if verdict else "not judged"
    said = f"version {done.version} does not take the place of {before}: {failing}"
    return Update(Event.REFUSED, said, (), done.version, before, told)
