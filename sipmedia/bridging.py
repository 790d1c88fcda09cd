"""Two calls joined: each hears the other."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Self

from media import MediaError
from media.audio.mixer import Mixer
from sipmedia.errors import SipMediaError
from sipmedia.events import Dtmf
from sipmedia.seat import Seat, same_manager, session_of

if TYPE_CHECKING:
    from media import MediaSession, SdpNegotiated
    from sipmedia.call import Call


class Bridge:
    """Joins two calls until :meth:`close`, or until one of them ends; made by :func:`bridge`.

    While both send the same codec, packets are sent on as they come: no transcoding, no second jitter
    buffer, losses concealed once, at the end. Otherwise, from the tick a codec changes on, sound is
    decoded, converted to the other's rate if need be, and encoded again. Keys pressed on one side
    are pressed on the other, by whatever way it takes them. What one call plays is heard by its party
    in place of the other.
    """

    def __init__(self, one: Call, other: Call, *, always_transcode: bool = False) -> None:
        self._calls = (one, other)
        self._sessions = (session_of(one), session_of(other))
        same_manager(other, same_manager(one, None))
        self._loop = asyncio.get_running_loop()
        self._always_transcode = always_transcode
        self._seats: tuple[Seat, ...] = ()
        self._forwarding = False
        self._misfit = False
        self._closed = False
        for call, session in zip(self._calls, self._sessions, strict=True):
            session.on("sdp_negotiated", self._on_negotiated)
            call.on("dtmf", self._on_dtmf)
            call.once("ended", self._on_ended)
        self._choose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def transcodes(self) -> bool:
        """Whether sound is decoded and encoded again on its way; otherwise packets are sent on."""
        return bool(self._seats)

    @property
    def closed(self) -> bool:
        """Whether it is over."""
        return self._closed

    def close(self) -> None:
        """Part the two calls; both go on. May be called twice."""
        if self._closed:
            return
        self._closed = True
        for call, session in zip(self._calls, self._sessions, strict=True):
            session.remove_listener("sdp_negotiated", self._on_negotiated)
            call.remove_listener("dtmf", self._on_dtmf)
        self._stop_forwarding()
        self._stop_mixing()

    def _choose(self) -> None:
        one, other = self._sessions
        agreed = one.codec is not None and other.codec is not None
        same = agreed and one.codec == other.codec and one.rate == other.rate
        if same and not self._always_transcode and not self._misfit:
            self._stop_mixing()
            self._forward()
        else:
            self._stop_forwarding()
            self._mix()

    def _forward(self) -> None:
        for session, target in self._ways():
            session.path.forward_to(target.path, self._on_misfit)
        self._forwarding = True

    def _mix(self) -> None:
        if not self._seats:
            mixer = Mixer()
            self._seats = tuple(Seat(session, mixer) for session in self._sessions)

    def _stop_forwarding(self) -> None:
        if not self._forwarding:
            return
        self._forwarding = False
        for session in self._sessions:
            session.path.stop_forwarding()

    def _stop_mixing(self) -> None:
        for seat in self._seats:
            seat.leave()
        self._seats = ()

    def _ways(self) -> tuple[tuple[MediaSession, MediaSession], ...]:
        one, other = self._sessions
        return (one, other), (other, one)

    def _on_negotiated(self, event: SdpNegotiated) -> None:
        self._misfit = False
        if not self._closed:
            self._choose()

    def _on_misfit(self) -> None:
        """Media thread: one side sends another codec than we do, as it may."""
        try:
            self._loop.call_soon_threadsafe(self._transcode)
        except RuntimeError:  # the loop is closed
            pass

    def _transcode(self) -> None:
        if self._forwarding:
            self._misfit = True
            self._choose()

    def _on_dtmf(self, event: Dtmf) -> None:
        one, other = self._calls
        target = other if event.call is one else one
        if event.method == "inband" or (event.method == "rfc4733" and self._forwards_keys(target)):
            return  # it is in the sound, or in the packets, that are sent on
        target.spawn(self._press(target, event), "passing on a key")

    def _forwards_keys(self, target: Call) -> bool:
        session = target.session
        plan = session.path.plan if session is not None else None
        return self._forwarding and plan is not None and plan.telephone_event_send is not None

    async def _press(self, target: Call, event: Dtmf) -> None:
        try:
            await target.send_dtmf(event.digit, event.duration_ms)
        except (MediaError, SipMediaError) as error:
            target.report(error, f"passing on the key {event.digit}")

    def _on_ended(self, _: object) -> None:
        self.close()


def bridge(one: Call, other: Call, *, always_transcode: bool = False) -> Bridge:
    """Let two answered calls hear each other; see :class:`Bridge`.

    :raises InvalidCallState: before there is media, and for calls of different media managers.
    :raises CallEnded: when one is over.
    """
    return Bridge(one, other, always_transcode=always_transcode)
