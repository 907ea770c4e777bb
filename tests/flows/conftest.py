"""Runs steps of a flow in this process: no Prefect, no cache, bodies called as they are."""

from __future__ import annotations

from importlib import import_module

import pytest

from distillery.artifacts import describe
from distillery.params.base import Block
from tasks.steps import Noun
from tasks.work import Work


class InProcess:
    """Interprets a flow by running every call, and keeps them."""

    def __init__(self, project):
        self.project = project
        self.calls = []
        self.skipping = ()

    def interpret(self, call):
        if call.step.name in self.skipping:
            return Noun(call.step.name, call.variant, None)
        into = self.project / call.label
        into.mkdir()
        inputs = [self._given(value) for value in call.inputs]
        body = getattr(import_module(call.step.module), call.step.name)
        body(*inputs, work=Work(self.project, into, lambda _: None))
        self.calls.append(call)
        return Noun(call.step.name, call.variant, describe(into, self.project))

    def folder(self, noun):
        return noun.folder(self.project)

    def _given(self, value):
        match value:
            case Noun():
                return self.folder(value)
            case Block():
                return value
            case _:
                return {name: self.folder(noun) for name, noun in value.items()}

    @property
    def labels(self):
        """What was run, in order."""
        return [call.label for call in self.calls]


@pytest.fixture
def in_process(tmp_path):
    """An interpreter in an empty project."""
    return InProcess(tmp_path)
