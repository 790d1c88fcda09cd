"""What happened in a call, in order: the SIP messages and what the sound did, each with its time.

A trace is recorded as the call goes (raw bytes, a time and a direction: cheap) and read when somebody
wants to see it: :meth:`CallTrace.entries` turns it into :class:`TraceEntry` s for the ladder.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from sipmedia.trace.explain import Explainer, head_and_body

EntryKind = Literal["message", "media", "note"]
Direction = Literal["sent", "received"]

# Any header line, long or compact (RFC 3261 s7.3.3); only the bytes are looked at, so a message that
# the parser refuses is still traced.
_CALL_ID = re.compile(rb"^(?:call-id|i)[ \t]*:[ \t]*([^\r\n]+?)[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)


def call_id_of(data: bytes) -> str | None:
    """The Call-ID of a SIP message, ``None`` when it has none."""
    match = _CALL_ID.search(head_and_body(data)[0])
    return None if match is None else match[1].decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Lane:
    """One party of the ladder: a name for people and the address it speaks from."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class TraceEntry:
    """One rung. ``time`` is in seconds since the first; ``source`` and ``target`` are lane numbers.

    A ``note`` stands at its ``source`` lane. ``label`` is what was sent, ``detail`` what it means.
    """

    time: float
    kind: EntryKind
    source: int
    target: int
    label: str
    detail: str
    retransmission: bool = False


@dataclass(frozen=True, slots=True)
class MediaSpan:
    """The time in which sound flowed, and how much: the band behind the ladder."""

    start: float
    end: float
    codec: str
    packets: tuple[int, int]
    """From lane 0 to lane 1, and back."""


@dataclass(frozen=True, slots=True)
class _Recorded:
    time: float
    direction: Direction
    data: bytes


@dataclass(frozen=True, slots=True)
class _Milestone:
    time: float
    kind: EntryKind
    direction: Direction
    label: str
    detail: str


class CallTrace:
    """The record of one call. ``local`` is lane 0, ``remote`` lane 1.

    Times handed in are of any one clock; entries count from the first. At most ``limit`` messages and as
    many milestones are kept, the rest is counted in ``dropped``.
    """

    def __init__(self, limit: int = 500) -> None:
        self.local = Lane("here", "")
        self.remote = Lane("there", "")
        self.dropped = 0
        self.limit = limit
        self._recorded: list[_Recorded | _Milestone] = []
        self._media: tuple[float, float | None, str, tuple[int, int]] | None = None

    def name(self, local: str, remote: str) -> None:
        """Say who the two parties are."""
        self.local = Lane(local, self.local.address)
        self.remote = Lane(remote, self.remote.address)

    def between(self, local: str, remote: str) -> None:
        """Say from where to where the messages go; the first addresses count."""
        if not self.local.address:
            self.local = Lane(self.local.name, local)
            self.remote = Lane(self.remote.name, remote)

    def message(self, time: float, direction: Direction, data: bytes) -> None:
        """A SIP message went over the wire."""
        self._keep(_Recorded(time, direction, data))

    def milestone(self, time: float, direction: Direction, label: str, detail: str = "") -> None:
        """Something happened to the sound; ``direction`` is the way it flows."""
        self._keep(_Milestone(time, "media", direction, label, detail))

    def note(self, time: float, label: str, detail: str = "") -> None:
        """Something happened on our side alone."""
        self._keep(_Milestone(time, "note", "sent", label, detail))

    def media_started(self, time: float, codec: str) -> None:
        """Sound begins to flow (or goes on with another codec)."""
        if self._media is None:
            self._media = (time, None, codec, (0, 0))
        elif codec not in self._media[2].split(", "):
            self._media = (self._media[0], None, f"{self._media[2]}, {codec}", (0, 0))

    def media_ended(self, time: float, sent: int, received: int) -> None:
        """Sound is over: packets that went each way."""
        if self._media is not None:
            self._media = (self._media[0], time, self._media[2], (sent, received))

    def _keep(self, item: _Recorded | _Milestone) -> None:
        if len(self._recorded) < self.limit:
            self._recorded.append(item)
        else:
            self.dropped += 1

    @property
    def started(self) -> float:
        """When the first entry was recorded, on the clock of whoever recorded."""
        return self._recorded[0].time if self._recorded else 0.0

    def entries(self) -> list[TraceEntry]:
        """The rungs in order of time."""
        explainer = Explainer(self.local.name, self.remote.name)
        seen: set[tuple[Direction, bytes]] = set()
        entries = []
        for item in sorted(self._recorded, key=lambda item: item.time):
            source, target = (0, 1) if item.direction == "sent" else (1, 0)
            time = item.time - self.started
            if isinstance(item, _Milestone):
                entries.append(TraceEntry(time, item.kind, source, target, item.label, item.detail))
                continue
            key = (item.direction, item.data)
            label, detail = explainer.explain(item.data, source)
            again = key in seen
            seen.add(key)
            entries.append(
                TraceEntry(time, "message", source, target, label, "sent again" if again else detail, again)
            )
        return entries

    def media_span(self) -> MediaSpan | None:
        """When sound flowed, ``None`` when it never did; an unfinished one lasts to the last entry."""
        if self._media is None:
            return None
        start, end, codec, packets = self._media
        if end is None:
            end = self._recorded[-1].time if self._recorded else start
        # Whoever hears the BYE stops a moment after it came: the sound still ended with it.
        byes = (r.time for r in self._recorded if isinstance(r, _Recorded) and r.data.startswith(b"BYE "))
        end = max(start, min(end, next(byes, end)))
        return MediaSpan(start - self.started, end - self.started, codec, packets)
