"""The keys of a call, whichever way they travel: telephone-events, SIP INFO, or in the sound itself.

Gateways like to send the same key more than one way. A key that came one way is the same as one that came
another way about the same time, and is told once; two presses that came the same way are two.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from media import BadDigits, DtmfDigitReceived, InvalidState, MediaSession
from media.audio.graph import SampleSource
from media.audio.tones import DTMF_FREQUENCIES, dtmf_key
from media.dtmf.inband import InbandDetector
from media.dtmf.telephone_event import check_digits
from media.frame import AudioFrame
from sipmedia import info_dtmf
from sipmedia.events import DtmfMethod
from sipmedia.parts import CallPart
from sipmedia.playback import to_loop

if TYPE_CHECKING:
    from sipmedia.call import Call
    from sipmedia.milestones import Milestones

SendMethod = Literal["auto", "rfc4733", "info", "info-plain", "inband"]
Listening = Literal["auto", "always", "never"]

PAUSE_MS = 60
"""Silence after each key, as the media sends it."""

SAME_KEY_S = 0.5
"""The same key that came another way so near in time is the same press."""

_REMEMBERED = 64


@dataclass(slots=True)
class _Press:
    digit: str
    begin: float
    end: float
    ways: set[DtmfMethod] = field(default_factory=set)


class Presses:
    """Tells new presses from those that came another way already. Pure."""

    def __init__(self) -> None:
        self._recent: deque[_Press] = deque(maxlen=_REMEMBERED)

    def is_new(self, digit: str, way: DtmfMethod, now: float, duration_s: float) -> bool:
        """Take note of a key that came at ``now``, pressed for so long until now."""
        begin = now - duration_s
        for press in self._recent:  # the oldest first: keys keep their order whichever way they come
            if press.digit != digit or way in press.ways:
                continue
            if begin <= press.end + SAME_KEY_S and press.begin <= now + SAME_KEY_S:
                press.ways.add(way)
                press.begin, press.end = min(begin, press.begin), max(now, press.end)
                return False
        self._recent.append(_Press(digit, begin, now, {way}))
        return True


class Keypad(CallPart):
    """Sends and receives the keys of one call."""

    def __init__(self, call: Call, milestones: Milestones, listening: Listening) -> None:
        super().__init__(call)
        self._milestones = milestones
        self._listening = listening
        self._loop = asyncio.get_running_loop()
        self._presses = Presses()
        self._ear: _Ear | None = None

    # --- sending ---

    async def press(self, session: MediaSession, digits: str, duration_ms: int, method: SendMethod) -> None:
        """Press keys and wait until they are sent."""
        call = self.call  # which may be over, and have let us go, before the last key
        digits = check_digits(digits)
        if method == "auto":
            method = self._best_way(session, digits)
        if method == "rfc4733":
            session.send_dtmf(digits, duration_ms)
        elif method == "inband" and "!" in digits:
            raise BadDigits(
                "flash ('!') has no sound, so it cannot be sent in the sound: use rfc4733 or info"
            )
        self._milestones.pressed(digits, duration_ms)
        if method == "rfc4733":
            slots = math.ceil(duration_ms / 20) * 20 + PAUSE_MS
            await asyncio.sleep(len(digits) * slots / 1000 + 0.02)
        elif method == "inband":
            await self._sing(session, digits, duration_ms)
        else:
            for digit in digits:
                if method == "info":
                    await call.info(info_dtmf.RELAY, info_dtmf.relay_body(digit, duration_ms))
                else:
                    await call.info(info_dtmf.PLAIN, info_dtmf.plain_body(digit))
                await asyncio.sleep((duration_ms + PAUSE_MS) / 1000)

    def _best_way(self, session: MediaSession, digits: str) -> Literal["rfc4733", "info", "inband"]:
        """Telephone-events if agreed upon, else INFO if the far end says it takes it, else sound."""
        plan = session.path.plan
        if plan is not None and plan.telephone_event_send is not None:
            return "rfc4733"
        if "INFO" in self.call.usage.peer_allows:
            return "info"
        if not set(digits) <= DTMF_FREQUENCIES.keys():
            raise InvalidState("the far end takes neither telephone-event nor INFO, so it cannot get a flash")
        return "inband"

    async def _sing(self, session: MediaSession, digits: str, duration_ms: int) -> None:
        """Before whatever is being played, which goes on afterwards."""
        pause = np.zeros(session.rate * PAUSE_MS // 1000, np.int16)
        parts = [part for key in digits for part in (dtmf_key(key, session.rate, duration_ms / 1000), pause)]
        done: asyncio.Future[None] = self._loop.create_future()

        def finished() -> None:
            if not done.done():
                done.set_result(None)

        source = SampleSource(np.concatenate(parts), session.rate)
        session.play(source, lambda _: to_loop(self._loop, finished), first=True)
        await done

    # --- receiving ---

    def negotiated(self, session: MediaSession) -> None:
        """Offer and answer met: listen to the sound if keys may be in it."""
        if self._listening != "never":
            self._listen(session)

    def expect(self, session: MediaSession) -> None:
        """Somebody will listen for keys, whom the call does not have among its listeners yet."""
        if self._listening == "auto":
            self._listen(session, somebody=True)

    def take_event(self, event: DtmfDigitReceived) -> None:
        """A key in telephone-events."""
        self.heard(event.digit, event.duration_ms, "rfc4733")

    def take_info(self, content_type: str, body: bytes) -> None:
        """The body of an INFO request."""
        key = info_dtmf.parse(content_type, body)
        if key is not None:
            self.heard(*key, "info")

    def heard(self, digit: str, duration_ms: int, way: DtmfMethod) -> None:
        """A key came one of the ways."""
        if self._presses.is_new(digit, way, self._loop.time(), duration_ms / 1000):
            self._milestones.key(digit, duration_ms, way)

    def _listen(self, session: MediaSession, *, somebody: bool = False) -> None:
        """Looking for keys in every frame costs as much as all else in a call: only if it is of use."""
        plan = session.path.plan
        events = plan is not None and plan.telephone_event_receive is not None
        of_use = not events and (somebody or self.call.has_listeners("dtmf"))
        wanted = session.codec is not None and (self._listening == "always" or of_use)
        if wanted and self._ear is None:
            self._ear = _Ear(lambda digit, ms: to_loop(self._loop, lambda: self.heard(digit, ms, "inband")))
            session.add_sink(self._ear)
        elif not wanted and self._ear is not None:
            session.remove_sink(self._ear)
            self._ear = None


class _Ear:
    """A sink that hears keys (media thread)."""

    def __init__(self, on_key: Callable[[str, int], None]) -> None:
        self._on_key = on_key
        self._detector: InbandDetector | None = None

    def push(self, frame: AudioFrame) -> None:
        """Look into one frame."""
        detector = self._detector
        if detector is None or frame.sample_rate_hz != detector.sample_rate_hz:
            detector = self._detector = InbandDetector(frame.sample_rate_hz)
        for digit in detector.process(frame.samples):
            self._on_key(digit.digit, digit.duration_ms)
