"""When to send RTCP (RFC 3550 section 6.3 and appendix A.7), for a session of few participants."""

from random import Random

MINIMUM_S = 5.0
_COMPENSATION = 2.71828 - 1.5
"""Timer reconsideration makes the average interval longer than wanted; this brings it back."""
_OVERHEAD = 28
"""IP and UDP headers count as well."""


class Interval:
    """The schedule of one participant.

    `bandwidth` is RTCP's share in bytes a second: a twentieth of the session's. Ask `due(now)` once
    `deadline` has come.
    """

    __slots__ = (
        "_average_size",
        "_bandwidth",
        "_initial",
        "_last",
        "_members",
        "_random",
        "_senders",
        "_we_sent",
        "deadline",
    )

    def __init__(self, random: Random, now: float, *, bandwidth: float = 400.0) -> None:
        self._random = random
        self._bandwidth = bandwidth
        self._average_size = 128.0
        self._initial = True
        self._members = 2
        self._senders = 0
        self._we_sent = False
        self._last = now
        self.deadline = now + self._draw()

    def observe(self, size: int) -> None:
        """A compound packet of `size` bytes was received or sent."""
        self._average_size += (size + _OVERHEAD - self._average_size) / 16

    def participants(self, *, members: int, senders: int, we_sent: bool) -> None:
        """Who takes part, ourselves included; `we_sent` is whether we sent RTP lately."""
        self._members = members
        self._senders = senders
        self._we_sent = we_sent

    def left(self, now: float, members: int) -> None:
        """Somebody said BYE: with fewer to share the bandwidth we may report sooner (section 6.3.4)."""
        if members < self._members:
            share = members / self._members
            self.deadline = now + share * (self.deadline - now)
            self._last = now - share * (now - self._last)
            self._members = members

    def due(self, now: float) -> bool:
        """Whether to send now. If not, `deadline` was reconsidered and lies ahead (section 6.3.6)."""
        interval = self._draw()
        if self._last + interval > now:
            self.deadline = self._last + interval
            return False
        self._initial = False
        self._last = now
        self.deadline = now + self._draw()
        return True

    def deterministic(self) -> float:
        """The interval before randomisation, in seconds (section 6.3.1)."""
        members, bandwidth = float(self._members), self._bandwidth
        if self._senders <= self._members / 4:
            if self._we_sent:
                bandwidth *= 0.25
                members = self._senders
            else:
                bandwidth *= 0.75
                members -= self._senders
        minimum = MINIMUM_S / 2 if self._initial else MINIMUM_S
        return max(minimum, members * self._average_size / bandwidth)

    def _draw(self) -> float:
        return self.deterministic() * (self._random.random() + 0.5) / _COMPENSATION
