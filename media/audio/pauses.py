"""What a sender says of its pauses: comfort noise instead of audio (RFC 3389 section 4)."""

from collections import deque

import numpy as np

from media.audio.comfort_noise import analyse
from media.audio.voice_activity import VoiceActivity
from media.frame import Samples

_ANALYSED_MS = 160
_FIRST_UPDATE_MS = 200
_UPDATE_MS = 1000
_CHANGED_DB = 3


class Pauses:
    """Decides block by block whether audio is sent, a description of the noise, or nothing.

    A description is sent when a pause begins, 200 ms later when more is known of the noise, and then
    when its level changed by 3 dB, but not more than five times a second, or every second: a receiver
    that lost one hears the old one that long.
    """

    __slots__ = ("_activity", "_next_ms", "_paused_ms", "_rate", "_recent", "_told")

    def __init__(self, sample_rate_hz: int) -> None:
        self._rate = sample_rate_hz
        self._activity = VoiceActivity(sample_rate_hz)
        self._recent: deque[Samples] = deque()
        self._paused_ms = -1.0  # below 0: no pause
        self._next_ms = 0.0
        self._told = 127

    def told(self, samples: Samples) -> bytes | None:
        """None: send these samples. Else the payload of comfort noise to send, empty for nothing at all."""
        if self._activity.is_active(samples):
            self._paused_ms = -1.0
            self._recent.clear()
            return None
        self._remember(samples)
        if self._paused_ms < 0:
            self._paused_ms = 0.0
            self._next_ms = _FIRST_UPDATE_MS
            return self._describe()
        self._paused_ms += len(samples) * 1000 / self._rate
        if self._paused_ms < self._next_ms:
            return b""
        payload = self._describe_if_changed()
        if not payload:
            return b""
        self._next_ms = self._paused_ms + _FIRST_UPDATE_MS
        return payload

    def _describe(self) -> bytes:
        payload = analyse(np.concatenate(self._recent), self._rate)
        self._told = payload[0]
        return payload

    def _describe_if_changed(self) -> bytes:
        """At the first update, after a second, or when the level is another one."""
        told = self._told
        payload = self._describe()
        overdue = self._paused_ms >= self._next_ms + _UPDATE_MS - _FIRST_UPDATE_MS
        if self._next_ms == _FIRST_UPDATE_MS or overdue or abs(payload[0] - told) >= _CHANGED_DB:
            return payload
        self._told = told
        return b""

    def _remember(self, samples: Samples) -> None:
        self._recent.append(samples)
        most = _ANALYSED_MS * self._rate // 1000
        while sum(map(len, self._recent)) - len(self._recent[0]) >= most:
            self._recent.popleft()
