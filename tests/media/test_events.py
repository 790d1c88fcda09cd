"""media/events.py: names and classes."""

import dataclasses
from typing import Any, get_args

import pytest

from media.events import SESSION_EVENTS, FirstMedia, SessionEventName


def test_every_name_has_its_class() -> None:
    assert set(SESSION_EVENTS) == set(get_args(SessionEventName))


def test_events_are_frozen() -> None:
    event: Any = FirstMedia(None, ("127.0.0.1", 4000))
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.source = None
