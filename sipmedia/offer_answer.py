"""Carries session descriptions between a call's INVITE usage and its media session, and nothing else.

``dialog`` says what a body is (offer, answer, preview) and never reads it; ``media`` reads it and knows
no SIP. Here a body of one becomes the argument of the other, and a refusal of one the status of the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from media import (
    BadSdp,
    InvalidState,
    MediaDirection,
    MediaError,
    MediaManager,
    MediaRefused,
    MediaSession,
    NegotiationError,
    NoCommonCodec,
    PortError,
    SessionConstraints,
    SessionState,
)
from media.sdp.negotiation import SignalingState
from sipmedia.early_media import EarlyMedia

_WARNING = re.compile(r'\b[0-9]{3} \S+ "((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Refusal:
    """How SIP says what media could not do: status, and a Warning header (RFC 3261 s20.43) with the why."""

    status: int
    warning_code: int
    text: str

    def warning(self, host: str) -> tuple[str, str]:
        """The Warning header field, naming us as ``host``."""
        quoted = self.text.replace("\\", "\\\\").replace('"', '\\"')
        return "Warning", f'{self.warning_code} {host} "{quoted}"'


def warning_text(value: str) -> str:
    """What a Warning header field says, "" when it has no text: the quoted part after code and agent."""
    match = _WARNING.search(value)
    return re.sub(r"\\(.)", r"\1", match[1]) if match is not None else ""


def refusal(error: MediaError) -> Refusal:
    """The SIP answer to an offer that media refused with ``error``."""
    match error:
        case NoCommonCodec():
            return Refusal(488, 305, str(error))  # incompatible media format
        case MediaRefused():
            return Refusal(488, 304, str(error))  # media type not available
        case BadSdp() | NegotiationError():
            return Refusal(488, 399, str(error))
        case PortError():
            return Refusal(503, 399, "no RTP port is free")
        case InvalidState():
            return Refusal(491, 399, "another change is under way")  # RFC 3261 s14.2
        case _:
            return Refusal(500, 399, str(error))


@dataclass(frozen=True, slots=True)
class Wish:
    """What we want of the next offer or answer."""

    held: bool = False
    codecs: tuple[str, ...] | None = None


class OfferAnswer:
    """The media side of one call: one session, made with the first offer in either direction.

    ``on_session`` is called with it before anything is negotiated, and with each session that an early
    dialog needs for its preview. Every method may raise :class:`media.MediaError`; the session is then as
    it was before.
    """

    def __init__(self, manager: MediaManager, constraints: SessionConstraints) -> None:
        self.session: MediaSession | None = None
        self.wish = Wish(codecs=constraints.audio_codecs)
        self.on_session: Callable[[MediaSession], None] = _ignore
        self.manager = manager
        self._constraints = constraints
        self._answer: bytes | None = None
        self._early_offer: bytes | None = None
        self._early: EarlyMedia | None = None
        self._asked = False

    @property
    def early(self) -> EarlyMedia:
        """Its early dialogs; most calls have none."""
        if self._early is None:
            self._early = EarlyMedia(self)
        return self._early

    @property
    def agreed(self) -> bool:
        """Whether an offer has met its answer."""
        return self.session is not None and self.session.state in (SessionState.ACTIVE, SessionState.PAUSED)

    @property
    def offering(self) -> bool:
        """Whether an offer of ours awaits its answer."""
        return self.session is not None and self.session.signaling_state is SignalingState.HAVE_LOCAL_OFFER

    @property
    def held_by_remote(self) -> bool:
        """Whether the far end does not want to hear us now (RFC 3264 s8.4)."""
        return self.session is not None and self.agreed and not self.session.direction.sends

    @property
    def asks(self) -> bool:
        """Whether the manager knows whom to ask for our address outside."""
        config = self.manager.config
        return config.stun_server is not None and config.advertised_ip is None

    def must_ask(self) -> bool:
        """Whether our first offer has to wait for `gather`; its ports are taken then."""
        if not self.asks:
            return False
        self.adopt(self.manager.create_session())
        assert self.session is not None
        try:
            self.session.take_ports(self._constraints)
        except BaseException:
            self.close()
            raise
        return True

    async def gather(self) -> None:
        """Find out our address outside before the first offer or answer, where the manager knows whom to ask;
        once, whatever the outcome.

        What is taken for it is given back when the wait is cancelled or fails.
        """
        if not self.asks or self.agreed or self._asked:
            return
        self._asked = True
        if self.session is None:
            self.adopt(self.manager.create_session())
        assert self.session is not None
        try:
            await self.session.gather(self._constraints)
        except BaseException:
            self.close()
            raise

    def offer(self) -> bytes:
        """Our offer: the first, which binds the ports, or one that asks for what is wished now."""
        if self.session is None:
            session, sdp = self.manager.create_offer(self._constraints)
            self.adopt(session)
            return sdp.encode()
        return self.session.create_offer(self.wanted()).encode()

    def early_offer(self) -> bytes:
        """Our offer before we answer, to a caller who made none; the same again when asked again."""
        if self._early_offer is None:
            self._early_offer = self.offer()
            self._answer = b""  # what answers the call then holds no description
        return self._early_offer

    def take_offer(self, body: bytes) -> None:
        """The offer of an incoming call: ports are bound, and it is made sure that it can be answered."""
        self.adopt(self.manager.create_session_from_sdp(body)).check_offer(self.wanted())

    def answer(self) -> bytes:
        """Our answer to the offer of an incoming call; the same again when asked again (183, then 200)."""
        assert self.session is not None
        if self._answer is None:
            self._answer = self.session.create_answer(self.wanted()).encode()
        return self._answer

    def answer_to(self, body: bytes) -> bytes:
        """Our answer to an offer inside the call, or to the one that came with the 200 to a late offer."""
        session = self.session
        if session is None:
            session = self.adopt(self.manager.create_session_from_sdp(body))
        else:
            session.set_remote_offer(body)
        try:
            return session.create_answer(self.wanted()).encode()
        except MediaError:
            session.rollback()
            raise

    def take_answer(self, body: bytes) -> None:
        """Their answer to our offer, on whichever branch of a forked call it came."""
        assert self.session is not None
        try:
            self.session.set_remote_answer(body)
        finally:
            self._close_early()

    def refresh(self) -> bytes:
        """What we said last, offered again: it changes nothing."""
        assert self.session is not None
        return self.session.repeat_offer().encode()

    def rollback(self) -> None:
        """Forget our open offer, which was refused."""
        if self.session is not None:
            self.session.rollback()

    def close(self) -> None:
        """Close the session and what was forked from it; ``session_closed`` follows."""
        self._close_early()
        if self.session is not None and self.session.state is not SessionState.CLOSED:
            self.session.close()

    def release(self) -> None:
        """All is over: let go of who was told of sessions (see :meth:`CallPart.release`)."""
        self.on_session = _ignore

    def adopt(self, session: MediaSession) -> MediaSession:
        """This is the call's session."""
        self.session = session
        self.on_session(session)
        return session

    def _close_early(self) -> None:
        early, self._early = self._early, None
        if early is not None:
            early.close()

    def wanted(self) -> SessionConstraints:
        """What we wish now, as constraints of an offer or answer."""
        usual = self._constraints
        direction = MediaDirection.SENDONLY if self.wish.held else MediaDirection.SENDRECV
        if direction is usual.audio_direction and self.wish.codecs == usual.audio_codecs:
            return usual
        return replace(usual, audio_direction=direction, audio_codecs=self.wish.codecs)


def _ignore(session: MediaSession) -> None:
    """Nobody watches the session yet."""
