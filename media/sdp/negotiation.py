"""The offer/answer machine of RFC 3264, for one session with one audio line.

             create_offer                         set_remote_answer
    STABLE --------------> HAVE_LOCAL_OFFER -----------------------> STABLE
           <--------------     rollback
             set_remote_offer                      create_answer
    STABLE ----------------> HAVE_REMOTE_OFFER --------------------> STABLE
           <----------------    rollback

The names are those of JSEP (RFC 9429 section 3.2). The machine is pure: descriptions go in, a
description or an `AudioAgreement` comes out; a call that raises leaves it as it was.

Every media line stands in its place for good (RFC 3264 section 8). Ours is the first audio line that
can be used, the one in use as long as it can be; all others are answered, and offered again, with
port 0. Groups (BUNDLE), ICE, and identification tags are not echoed, which declines them.

The version in o= belongs to what was last *sent*: it grows by one for a description that differs from it,
also after a rollback, and stays for one that does not.
"""

import copy
import enum
from dataclasses import dataclass, replace

from media.errors import BadAnswer, InvalidState, MediaRefused, NoCommonCodec
from media.sdp.agreement import AudioAgreement
from media.sdp.attributes import RTP_PROFILES, RtpMap, direction_of, formats_of
from media.sdp.description import Connection, Line, MediaDescription, Origin, SessionDescription
from media.sdp.local_audio import LocalAudio
from media.sdp.matching import (
    accept_audio,
    answer_audio,
    audio_line,
    labels,
    match_answer,
    match_offer,
    refused_line,
    why_unusable,
)
from media.sdp.payload_types import PayloadTypes, offered_formats


class SignalingState(enum.Enum):
    """Where an offer/answer exchange stands."""

    STABLE = "stable"
    HAVE_LOCAL_OFFER = "have-local-offer"
    HAVE_REMOTE_OFFER = "have-remote-offer"


class _Input(enum.Enum):
    LOCAL_OFFER = "make an offer"
    REMOTE_OFFER = "take an offer"
    LOCAL_ANSWER = "make an answer"
    REMOTE_ANSWER = "take an answer"
    ROLLBACK = "roll back"


_S, _I = SignalingState, _Input

TRANSITIONS = {
    (_S.STABLE, _I.LOCAL_OFFER): _S.HAVE_LOCAL_OFFER,
    (_S.STABLE, _I.REMOTE_OFFER): _S.HAVE_REMOTE_OFFER,
    (_S.HAVE_LOCAL_OFFER, _I.REMOTE_ANSWER): _S.STABLE,
    (_S.HAVE_LOCAL_OFFER, _I.ROLLBACK): _S.STABLE,
    (_S.HAVE_REMOTE_OFFER, _I.LOCAL_ANSWER): _S.STABLE,
    (_S.HAVE_REMOTE_OFFER, _I.ROLLBACK): _S.STABLE,
}

_ADVICE = {
    _S.STABLE: "no offer is open; make one with create_offer() or take theirs with set_remote_offer()",
    _S.HAVE_LOCAL_OFFER: "our offer awaits its answer; give it to set_remote_answer(), or rollback() first",
    _S.HAVE_REMOTE_OFFER: "their offer awaits our answer; make it with create_answer(), or rollback() first",
}


_Choice = tuple[int, list[RtpMap], list[RtpMap]]
"""The line of an offer to accept, those of its formats that suit, and all of them."""


@dataclass(frozen=True, slots=True)
class _Offered:
    """Our open offer: its text, and what stands in the audio line (index None: there is none)."""

    description: SessionDescription
    local: LocalAudio
    index: int | None
    entries: tuple[RtpMap, ...]
    types_before: PayloadTypes


class Negotiation:
    """One session's offers and answers.

    `session_id` is the number for o= (draw it at random), `address` what o= and c= say until a
    `LocalAudio` says otherwise.
    """

    def __init__(self, session_id: int, *, user_name: str = "-", session_name: str = "-") -> None:
        self.state = SignalingState.STABLE
        self.audio: AudioAgreement | None = None
        """What is agreed for audio; None before the first answer and when audio is switched off."""
        self.agreed = False
        """Whether an offer was ever answered."""
        self._session_id = session_id
        self._user_name = user_name
        self._session_name = session_name or "-"
        self._version = 0
        self._place: int | None = None
        self._last_sent: tuple[object, ...] | None = None
        self._types = PayloadTypes()
        self._local: SessionDescription | None = None
        self._remote: SessionDescription | None = None
        self._offered: _Offered | None = None
        self._remote_offer: SessionDescription | None = None
        self._checked: tuple[LocalAudio, _Choice | None] | None = None

    @property
    def local(self) -> SessionDescription | None:
        """Our description: the open offer, else the one agreed on."""
        return self._offered.description if self._offered else self._local

    @property
    def remote(self) -> SessionDescription | None:
        """Their description: the open offer, else the one agreed on."""
        return self._remote_offer or self._remote

    @property
    def offered_codecs(self) -> dict[int, RtpMap]:
        """The codecs of our open offer by payload type: what may arrive before the answer does."""
        entries = self._offered.entries if self._offered else ()
        return {entry.payload_type: entry for entry in entries if entry.is_codec}

    @property
    def offered_noise(self) -> int | None:
        """The payload type of comfort noise in our open offer."""
        entries = self._offered.entries if self._offered else ()
        return next((entry.payload_type for entry in entries if entry.is_noise), None)

    @property
    def offered_events(self) -> int | None:
        """The first telephone-event payload type of our open offer."""
        entries = self._offered.entries if self._offered else ()
        return next((entry.payload_type for entry in entries if entry.is_event), None)

    def fork(self) -> "Negotiation":
        """A machine that stands where this one does and goes its own way from here (early dialogs)."""
        return copy.copy(self)  # nothing of what it holds is ever changed

    def create_offer(self, local: LocalAudio) -> SessionDescription:
        """Our offer. Lines that stand already keep their places; payload types keep their meaning."""
        after = self._next(_Input.LOCAL_OFFER)
        media = [refused_line(line) for line in self._local.media] if self._local else []
        index = self._audio_place(media)
        entries: list[RtpMap] = []
        types = self._types
        if local.enabled:
            protocol = media[index].protocol if index is not None else "RTP/AVP"
            entries, types = offered_formats(local, types)
            line = audio_line(
                local,
                protocol,
                entries,
                local.direction,
                rtcp_mux=local.rtcp_mux,
                rtcp_reduced_size=local.rtcp_reduced_size,
                rtcp_xr=local.rtcp_xr,
            )
            if index is None:
                index = len(media)
                media.append(line)
            else:
                media[index] = line
        description = self._publish(local, media)
        place = index if local.enabled else None
        self._offered = _Offered(description, local, place, tuple(entries), self._types)
        self._types = types
        self.state = after
        return description

    def repeat_offer(self, local: LocalAudio) -> SessionDescription:
        """Offer what we said last, word for word and under the same version: it refreshes a session and
        changes nothing (RFC 4028 section 7.4). `local` lends what does not show in a description."""
        after = self._next(_Input.LOCAL_OFFER)
        if self._local is None:
            raise InvalidState("nothing was agreed yet that could be repeated; make an offer first")
        description = self._publish(local, list(self._local.media))
        index = self.audio.index if self.audio is not None else None
        entries: tuple[RtpMap, ...] = ()
        if index is not None:
            line = description.media[index]
            entries = tuple(formats_of(line))
            local = replace(local, direction=direction_of(line, description))
        self._offered = _Offered(description, local, index, entries, self._types)
        self.state = after
        return description

    def set_remote_answer(self, answer: SessionDescription) -> None:
        """Their answer to our offer; the result is in `audio`.

        Raises `BadAnswer` where it does not fit and `NoCommonCodec` where it names no codec we offered.
        Missing lines count as refused, but ours must be there. Audio they refused gives `audio` None.
        """
        after = self._next(_Input.REMOTE_ANSWER)
        offered = self._offered
        assert offered is not None
        _check_lines(offered.description, answer)
        audio = None
        types = offered.types_before
        if offered.index is not None:
            if len(answer.media) <= offered.index:
                raise BadAnswer(f"it has no line {offered.index + 1} (audio)")
            line = answer.media[offered.index]
            if not line.refused:
                reason = why_unusable(answer, line, offered.local, offered.index + 1)
                if reason is not None:
                    raise BadAnswer(reason)
                matched = match_answer(line, offered.entries, offered.local)
                if not labels(matched):
                    theirs = labels(formats_of(line, offered.entries)) or line.formats
                    raise NoCommonCodec(labels(offered.entries), theirs)
                audio = accept_audio(answer, offered.index, offered.entries, matched, offered.local)
                types = self._types.learn((), matched)
        self._types = types
        self.audio = audio
        if audio is not None:
            self._place = audio.index
        self._local, self._remote = offered.description, answer
        self._offered = None
        self.agreed = True
        self.state = after

    def set_remote_offer(self, offer: SessionDescription) -> None:
        """Their offer; it is looked at when the answer is made."""
        self.state = self._next(_Input.REMOTE_OFFER)
        self._remote_offer = offer
        self._checked = None

    def check_answer_possible(self) -> None:
        """Raise `InvalidState` if there is no offer to answer."""
        self._next(_Input.LOCAL_ANSWER)

    def check_answer(self, local: LocalAudio) -> None:
        """Raise what `create_answer` would; nothing changes, and no description is written."""
        self.check_answer_possible()
        assert self._remote_offer is not None
        if local.enabled:
            self._checked = (local, self._choose(self._remote_offer, local))

    def create_answer(self, local: LocalAudio) -> SessionDescription:
        """Our answer to their offer; the result is in `audio`.

        Raises `NoCommonCodec` or `MediaRefused` where they offered something and nothing of it can be used
        (the offer then stays open for another try or a rollback). An offer whose lines
        are all switched off is answered as it is.
        """
        after = self._next(_Input.LOCAL_ANSWER)
        offer = self._remote_offer
        assert offer is not None
        media = [refused_line(line) for line in offer.media]
        audio = None
        types = self._types
        if self._checked is not None and self._checked[0] == local:
            chosen = self._checked[1]
        else:
            chosen = self._choose(offer, local) if local.enabled else None
        if chosen is not None:
            index, entries, offered = chosen
            media[index], audio = answer_audio(offer, index, entries, local)
            types = types.learn(entries, offered)
        self._local = self._publish(local, media)
        self._remote = offer
        self._remote_offer = None
        self._types = types
        self.audio = audio
        if audio is not None:
            self._place = audio.index
        self.agreed = True
        self.state = after
        return self._local

    def rollback(self) -> None:
        """Forget the open offer, ours or theirs; what was agreed before it holds on."""
        self.state = self._next(_Input.ROLLBACK)
        if self._offered is not None:  # numbers nobody agreed to are free again
            self._types = self._offered.types_before
        self._offered = None
        self._remote_offer = None

    def _next(self, what: _Input) -> SignalingState:
        after = TRANSITIONS.get((self.state, what))
        if after is None:
            raise InvalidState(f"cannot {what.value} in state {self.state.value}: {_ADVICE[self.state]}")
        return after

    def _audio_place(self, media: list[MediaDescription]) -> int | None:
        """Where our audio line stands: the one in use or used last, else any place given to plain audio."""

        def fits(index: int) -> bool:  # what was another profile's line is not ours to bring to life
            return media[index].media.lower() == "audio" and media[index].protocol.upper() in RTP_PROFILES

        order = range(len(media)) if self._place is None else (self._place, *range(len(media)))
        return next((index for index in order if index < len(media) and fits(index)), None)

    def _choose(self, offer: SessionDescription, local: LocalAudio) -> _Choice | None:
        """The line of an offer to accept; None if no line is switched on."""
        order = list(range(len(offer.media)))
        if self.audio is not None and self.audio.index < len(order):
            order.remove(self.audio.index)
            order.insert(0, self.audio.index)
        reasons: list[str] = []
        theirs: list[str] = []
        for index in order:
            line = offer.media[index]
            if line.refused:
                continue
            reason = why_unusable(offer, line, local, index + 1)
            if reason is not None:
                reasons.append(reason)
                continue
            known = formats_of(line)
            entries = match_offer(known, local)
            if entries:
                return index, entries, known
            if known and not labels(known):
                reasons.append(f"line {index + 1} carries {known[0].encoding} only")
                continue
            if not line.formats:
                reasons.append(f"line {index + 1} names no format")
                continue
            theirs.extend(labels(known) or line.formats)
        if theirs:
            raise NoCommonCodec([codec.name for codec in local.codecs], list(dict.fromkeys(theirs)))
        if reasons:
            raise MediaRefused(reasons)
        return None

    def _publish(self, local: LocalAudio, media: list[MediaDescription]) -> SessionDescription:
        """A description to send, under the version that its content calls for."""
        connection = Connection.to(local.address)
        content = (connection, *media)
        if content != self._last_sent:
            self._version += 1
            self._last_sent = content
        origin = Origin(
            self._user_name,
            str(self._session_id),
            str(self._version),
            connection.network_type,
            connection.address_type,
            connection.address,
        )
        return SessionDescription(
            (
                Line("v", "0"),
                Line("o", str(origin)),
                Line("s", self._session_name),
                Line("c", str(connection)),
                Line("t", "0 0"),
            ),
            tuple(media),
        )


def _check_lines(offer: SessionDescription, answer: SessionDescription) -> None:
    """RFC 3264 section 6: the lines of an answer are those of the offer, one for one."""
    if len(answer.media) > len(offer.media):
        raise BadAnswer(f"it has {len(answer.media)} media lines, we offered {len(offer.media)}")
    for number, (ours, theirs) in enumerate(zip(offer.media, answer.media, strict=False), 1):
        if ours.media.lower() != theirs.media.lower():
            raise BadAnswer(f"its line {number} is {theirs.media}, we offered {ours.media}")
        if theirs.refused:
            continue
        if ours.refused:
            raise BadAnswer(f"its line {number} ({theirs.media}) is live, we offered it with port 0")
        if ours.protocol.upper() != theirs.protocol.upper():
            raise BadAnswer(f"its line {number} is {theirs.protocol}, we offered {ours.protocol}")
