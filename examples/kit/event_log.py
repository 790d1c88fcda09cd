"""A log of a manager's events with the times they came."""

import time
from collections.abc import Sequence

from examples.kit.console import short, show
from media import MediaManager, MediaSession, SessionEvent, SessionEventName


class EventLog:
    """Remembers every event of a manager with the time it came."""

    NAMES: tuple[SessionEventName, ...] = (
        "session_created",
        "session_updated",
        "sdp_negotiated",
        "dtmf_received",
        "session_closed",
        "session_error",
    )

    def __init__(self, manager: MediaManager) -> None:
        self._events: list[tuple[float, str, MediaSession, str]] = []
        for name in self.NAMES:
            manager.on(name, lambda event, name=name: self._remember(name, event))

    def _remember(self, name: str, event: SessionEvent) -> None:
        details = (str(getattr(event, field, "")) for field in ("what", "codec", "digit", "error"))
        self._events.append((time.monotonic(), name, event.session, " ".join(filter(None, details))))

    def count(self, name: str, of: Sequence[MediaSession]) -> int:
        """How many events of this name these sessions had."""
        return sum(session in of and event == name for _at, event, session, _details in self._events)

    def show(self, of: Sequence[MediaSession]) -> None:
        """Print the events of these sessions, each with the seconds since the first of them."""
        begun = None
        for at, name, session, details in self._events:
            if session in of:
                begun = at if begun is None else begun
                show(f"   [{at - begun:6.3f}] {name:<16} [{short(session.session_id)}] {details}".rstrip())
