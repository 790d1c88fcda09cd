"""Everything that `media` raises on purpose, in one tree.

    MediaError
    ├── BadSdp              a description nobody can read: line number, line, reason
    ├── NegotiationError    an offer or answer that cannot be used
    │   ├── NoCommonCodec   both codec lists
    │   ├── MediaRefused    no media line of the offer is one we can do (profile, kind, address)
    │   └── BadAnswer       an answer that does not fit the offer
    ├── InvalidState        the call came at the wrong moment; says what to do instead
    ├── UnknownSession      no session of that name
    ├── Unsupported         asked for something this version does not do
    ├── BadAddress          not an address, or not one of this machine
    ├── PortError
    │   ├── AddressInUse    somebody else holds the port
    │   ├── BadPortRange    empty, odd, or outside 1-65535
    │   └── PortsExhausted  every port of the range is taken
    ├── UnknownCodec        no codec of that name; lists those there are
    ├── CodecUnavailable    a codec whose library is not installed; says what to install
    ├── CodecError          a payload that cannot be decoded, samples that cannot be encoded
    ├── BadPacket           not an RTP or RTCP packet
    ├── BadAudio            bytes that are no whole number of samples, a file of the wrong kind
    ├── BadDigits           a key no telephone has, or a length no key is pressed
    ├── DeviceError         microphones and loudspeakers (media/device/errors.py)
    └── BufferFull          the write queue holds its 30 seconds

Each message is a sentence that names the thing at fault and what to change; the parts of it are
attributes, for those who would rather build their own.
"""

from collections.abc import Sequence


class MediaError(Exception):
    """Base of everything `media` raises on purpose."""


class BadSdp(MediaError, ValueError):
    """A session description that cannot be read.

    `line_number` counts from 1 (0: the text as a whole), `line` is the offending line and
    `reason` says what is wrong with it.
    """

    def __init__(self, line_number: int, line: str, reason: str) -> None:
        self.line_number = line_number
        self.line = line
        self.reason = reason
        shown = line if len(line) <= 120 else line[:117] + "..."
        where = f"line {line_number} {shown!r}: " if line_number else ""
        super().__init__(f"bad SDP: {where}{reason}")


class NegotiationError(MediaError):
    """An offer or answer that was read but cannot be used."""


class NoCommonCodec(NegotiationError):
    """The two sides share no audio codec; `ours` and `theirs` are the two lists, in order.

    The sentence also goes to the far end, so it advises nothing. Ours are those of `audio_codecs`, of
    `SessionConstraints` or `default_audio_codecs`: one of theirs among them would do.
    """

    def __init__(self, ours: Sequence[str], theirs: Sequence[str]) -> None:
        self.ours = tuple(ours)
        self.theirs = tuple(theirs)
        super().__init__(
            f"no common codec: we have {', '.join(self.ours) or 'none'}; "
            f"they have {', '.join(self.theirs) or 'none'}"
        )


class MediaRefused(NegotiationError):
    """No media line of the offer can be used; `reasons` has one sentence per line, in order."""

    def __init__(self, reasons: Sequence[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__("no usable audio in the offer: " + ("; ".join(self.reasons) or "no media lines"))


class BadAnswer(NegotiationError):
    """An answer that does not fit the offer it answers; the session stays as it was."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the answer does not fit our offer: {reason}")


class InvalidState(MediaError):
    """The call is not possible now. The message says in which state the thing is and what to do."""


class UnknownSession(MediaError, KeyError):
    """There is no session with this identifier (it may have been closed)."""

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        super().__init__(
            f"no session {session_id!r}: it was closed or never created; "
            "list_sessions() names those there are"
        )

    def __str__(self) -> str:  # KeyError would print the message in quotes
        return str(self.args[0])


class Unsupported(MediaError):
    """Something the contract has a place for and this version does not do."""


class BadAddress(MediaError, ValueError):
    """`host` is not an IP address, or not one that this machine can bind."""

    def __init__(self, host: str, reason: str = "it is not an IP address") -> None:
        self.host = host
        self.reason = reason
        super().__init__(
            f"bad address {host!r}: {reason}. "
            "Use an IP address of this machine (127.0.0.1 for local tests, 0.0.0.0 for all of them)."
        )


class PortError(MediaError):
    """Base of what can go wrong with RTP ports."""


class AddressInUse(PortError, OSError):
    """Another program (or session) holds this UDP port."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        super().__init__(
            f"UDP port {port} on {host} is in use: another program or session holds it. "
            "Choose another port or port range, or end the program that holds it."
        )

    def __str__(self) -> str:
        return str(self.args[0])


class BadPortRange(PortError, ValueError):
    """A port range that cannot hold a pair of an even RTP port and the odd RTCP port after it."""

    def __init__(self, low: int, high: int, reason: str) -> None:
        self.low = low
        self.high = high
        self.reason = reason
        super().__init__(f"bad RTP port range {low}-{high}: {reason}")


class PortsExhausted(PortError):
    """Every pair of the range is taken; `in_use` says how many of them by ourselves."""

    def __init__(self, host: str, low: int, high: int, in_use: int = 0) -> None:
        self.host = host
        self.low = low
        self.high = high
        self.in_use = in_use
        super().__init__(
            f"no free RTP port on {host} in {low}-{high}; pairs held by our own sessions: {in_use}, "
            "the rest by other programs. Close sessions or widen rtp_port_range."
        )


class UnknownCodec(MediaError, LookupError):
    """No codec of this name; `known` lists the names there are."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.name = name
        self.known = tuple(known)
        super().__init__(f"unknown codec {name!r}; there are {', '.join(self.known) or 'none'}")


class CodecUnavailable(MediaError):
    """The codec is known, but the library it needs cannot be loaded; `name` is the codec's."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason
        super().__init__(f"codec {name} cannot be used: {reason}")


class CodecError(MediaError):
    """A payload that this codec cannot have produced, or samples it cannot take."""


class BadPacket(MediaError, ValueError):
    """Not an RTP or RTCP packet; the message names the wrong field."""


class BadAudio(MediaError, ValueError):
    """Audio data that cannot be used: half a sample, the wrong kind of file, the wrong rate."""


class BadDigits(MediaError, ValueError):
    """Not DTMF: a character that is no key, or an impossible duration."""


class BufferFull(MediaError):
    """The write queue is full: the application writes faster than the call plays.

    Nothing of the refused write was taken. Wait with `await session.drain()`, or write less.
    """
