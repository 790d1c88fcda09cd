"""A peer that does more media than we do: lines added around the descriptions of a session of ours."""

from media.sdp.description import MediaDescription, SessionDescription

EXTRA_LINES = (
    "m=video 40000 RTP/AVP 31\r\na=rtpmap:31 H261/90000",
    "m=audio 40002 RTP/SAVP 0 8\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x",
    "m=audio 40004 UDP/TLS/RTP/SAVPF 0 8\r\na=setup:actpass",
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=sctp-port:5000",
    "m=image 40006 udptl t38",
    "m=audio 40008 RTP/AVP 18 96\r\na=rtpmap:96 AMR/8000",
)
"""None of these can be accepted by us."""


class MoreLines:
    """Translates between a session and its peer; every line keeps the place it once had.

    `add` switches one more line on, `move` gives the session's own line a new place, as a peer does that
    ends one stream and begins another. Both count from the next offer on.
    """

    def __init__(self) -> None:
        self._agreed: list[MediaDescription | None] = []
        self._places: list[MediaDescription | None] = []  # None: the session's own line
        self._new: list[MediaDescription] = []
        self._moves = False

    def add(self, text: str) -> None:
        """One more line in the next offer."""
        self._new.extend(SessionDescription.parse("v=0\r\n" + text).media)

    def move(self) -> None:
        """The own line stands at the end of the next offer, and its old place is dead."""
        self._moves = True

    @property
    def changed(self) -> bool:
        """Whether the open offer has other lines than were agreed on."""
        return self._places != self._agreed

    def settle(self, agreed: bool) -> None:
        """The offer that is open, of either side, was answered, or came to nothing."""
        if agreed:
            self._agreed = list(self._places)
        else:
            self._places = list(self._agreed)

    def offer(self, sdp: str) -> str:
        """What the peer gets for an offer of the session."""
        description = SessionDescription.parse(sdp)
        self._places += self._new
        self._new = []
        own = self._own_place()
        if own is not None and self._moves and description.media:
            media = description.media[0]
            self._places[own] = MediaDescription(media.media, 0, media.protocol, media.formats)
            self._places.append(None)
        elif own is None and description.media:
            self._places.append(None)
        self._moves = False
        return str(self._joined(description, dead=set()))

    def answer(self, sdp: str, offer: str) -> str:
        """What the peer gets for the session's answer to `offer`, the one that came from the peer."""
        offered = SessionDescription.parse(offer).media
        dead = {index for index, line in enumerate(offered) if line.refused}
        return str(self._joined(SessionDescription.parse(sdp), dead))

    def take_offer(self, sdp: str) -> str:
        """What the session gets for an offer of the peer's."""
        description = SessionDescription.parse(sdp)
        for line in description.media[len(self._places) :]:
            assert line.media == "audio"
            self._places.append(None)
        for index, line in enumerate(description.media):
            place = self._places[index]
            if place is not None and not line.refused and (line.media, line.protocol) == ("audio", "RTP/AVP"):
                self._bring_to_life(index)  # a dead line may be used anew (RFC 3264 section 8.1)
        return str(self._own(description))

    def take_answer(self, sdp: str) -> str:
        """What the session gets for the peer's answer: as many lines of the same kinds, ours refused."""
        description = SessionDescription.parse(sdp)
        assert len(description.media) == len(self._places)
        return str(self._own(description))

    def _bring_to_life(self, index: int) -> None:
        """The session's own line stands there from now on, and where it stood is dead."""
        own, place = self._own_place(), self._places[index]
        if own is not None and place is not None:
            self._places[own] = MediaDescription(place.media, 0, place.protocol, place.formats)
        self._places[index] = None

    def _own_place(self) -> int | None:
        return self._places.index(None) if None in self._places else None

    def _joined(self, description: SessionDescription, dead: set[int]) -> SessionDescription:
        own = iter(description.media)
        lines = []
        for index, place in enumerate(self._places):
            if place is None:
                lines.append(next(own))
            else:
                lines.append(
                    MediaDescription(place.media, 0, place.protocol, place.formats)
                    if index in dead
                    else place
                )
        return description.with_media(lines)

    def _own(self, description: SessionDescription) -> SessionDescription:
        own = []
        for place, line in zip(self._places, description.media, strict=True):
            if place is None:
                own.append(line)
            else:
                assert (line.media, line.protocol) == (place.media, place.protocol)
                assert line.refused, f"a line nobody can do was accepted: {line}"
        return description.with_media(own)
