"""Session descriptions (RFC 8866): text to lines and back, nothing lost on the way.

A description is kept as its lines in their order, each a letter and a value, with the media lines
split off into `MediaDescription`; what nobody here understands stays where it stood. Reading is
lenient where devices need it: any of CR LF, LF and CR ends a line (osip's own test data ends one with
a bare CR), blank lines and missing s= or t= are forgiven, comments (a line that begins with a sign) and
lines of unknown letters are kept, a port above 65535 is read (and refused later). Writing is strict:
CR LF, single spaces in m= lines.

What is no description raises `BadSdp`: nothing that starts with v=0, a line of words, an m= line without
port and protocol, a c= line without an address.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

from media.errors import BadSdp


class Line(NamedTuple):
    """One line: `kind` is its letter ("" for a line that has none) and `value` what follows the `=`."""

    kind: str
    value: str

    def __str__(self) -> str:
        return f"{self.kind}={self.value}" if self.kind else self.value


@dataclass(frozen=True, slots=True)
class Connection:
    """A c= line (RFC 8866 section 5.7); `address` may end in the TTL and count of a multicast group."""

    network_type: str
    address_type: str
    address: str

    @property
    def host(self) -> str:
        """The address alone."""
        return self.address.split("/", 1)[0]

    @classmethod
    def parse(cls, value: str) -> Self:
        """Read the value of a c= line; `ValueError` if it has fewer than its three parts."""
        parts = value.split()
        if len(parts) < 3:
            raise ValueError("a c= line needs network type, address type and address")
        return cls(parts[0], parts[1], parts[2])

    @classmethod
    def to(cls, host: str) -> Self:
        """The connection data for an IP address literal or host name."""
        return cls("IN", "IP6" if ":" in host else "IP4", host)

    def __str__(self) -> str:
        return f"{self.network_type} {self.address_type} {self.address}"


@dataclass(frozen=True, slots=True)
class Origin:
    """An o= line (RFC 8866 section 5.2): who made the description, which session, which version.

    Identifier and version are kept as text: some devices put there what is no number.
    """

    username: str
    session_id: str
    session_version: str
    network_type: str
    address_type: str
    address: str

    @classmethod
    def parse(cls, value: str) -> Self:
        """Read the value of an o= line; user names with spaces are taken whole, missing parts are ""."""
        parts = value.rsplit(maxsplit=5)
        parts += [""] * (6 - len(parts))
        return cls(*parts)

    def __str__(self) -> str:
        return (
            f"{self.username} {self.session_id} {self.session_version} "
            f"{self.network_type} {self.address_type} {self.address}"
        )


def attribute_of(value: str) -> tuple[str, str | None]:
    """Split the value of an a= line into name and value (None for a property attribute)."""
    name, colon, rest = value.partition(":")
    return name.strip(), rest if colon else None


class _Lines:
    """What the session level and each media section can be asked in the same way."""

    __slots__ = ()

    lines: tuple[Line, ...]

    @property
    def connection(self) -> Connection | None:
        """The first c= line of this section."""
        for kind, value in self.lines:
            if kind == "c":
                return Connection.parse(value)
        return None

    def attributes(self, name: str | None = None) -> Iterator[tuple[str, str | None]]:
        """Name and value of each a= line in order, or only of those called `name`."""
        for kind, value in self.lines:
            if kind == "a" and (name is None or name in value):
                attribute = attribute_of(value)
                if name is None or attribute[0] == name:
                    yield attribute

    def attribute(self, name: str) -> str | None:
        """The value of the first attribute called `name`; "" if it has none, None if it is absent."""
        for _, value in self.attributes(name):
            return value or ""
        return None

    def has(self, name: str) -> bool:
        """Whether there is an attribute called `name`."""
        return self.attribute(name) is not None

    def bandwidths(self) -> dict[str, str]:
        """The b= lines: type to value."""
        pairs = (value.partition(":") for kind, value in self.lines if kind == "b")
        return {kind: value for kind, _, value in pairs}


@dataclass(frozen=True, slots=True)
class MediaDescription(_Lines):
    """One m= line and the lines under it.

    `port` 0 means refused or switched off (RFC 3264 section 6). `formats` are the payload types for
    RTP profiles, otherwise whatever the protocol names there. `lines` are those after the m= line.
    """

    media: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    lines: tuple[Line, ...] = ()
    port_count: int = 1

    @classmethod
    def parse(cls, value: str) -> Self:
        """Read the value of an m= line; `ValueError` says what is wrong."""
        parts = value.split()
        if len(parts) < 3:
            raise ValueError("an m= line needs media, port and protocol")
        port, slash, count = parts[1].partition("/")
        if not (port.isascii() and port.isdigit()) or len(port) > 9:
            raise ValueError(f"{port!r} is not a port")
        if slash and not (count.isascii() and count.isdigit() and len(count) <= 9):
            raise ValueError(f"{count!r} is not a number of ports")
        return cls(parts[0], int(port), parts[2], tuple(parts[3:]), (), int(count) if slash else 1)

    @property
    def refused(self) -> bool:
        """Whether the port is 0."""
        return self.port == 0

    def with_lines(self, lines: Iterable[Line]) -> "MediaDescription":
        """The same m= line with other lines under it."""
        return MediaDescription(
            self.media, self.port, self.protocol, self.formats, tuple(lines), self.port_count
        )

    def __str__(self) -> str:
        """The section as text, without a line end after the last line."""
        count = f"/{self.port_count}" if self.port_count != 1 else ""
        head = f"m={self.media} {self.port}{count} {self.protocol}"
        return "\r\n".join([" ".join([head, *self.formats]), *map(str, self.lines)])


@dataclass(frozen=True, slots=True)
class SessionDescription(_Lines):
    """A whole description: the lines of the session level, then the media sections."""

    lines: tuple[Line, ...]
    media: tuple[MediaDescription, ...] = ()

    @classmethod
    def parse(cls, text: str | bytes) -> Self:
        """Read a description; `BadSdp` names the line and the reason.

        Bytes are taken as UTF-8; those that are not survive as surrogates, so `bytes()` gives them back.
        """
        if isinstance(text, bytes | bytearray | memoryview):
            text = bytes(text).decode("utf-8", "surrogateescape")
        session: list[Line] = []
        media: list[MediaDescription] = []
        section = session
        started = False
        for number, raw in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
            line = _read_line(number, raw)
            if line is None:
                continue
            if not started and line.kind:
                _check_start(number, raw, line)
                started = True
            if line.kind == "m":
                try:
                    opened = MediaDescription.parse(line.value)
                except ValueError as error:
                    raise BadSdp(number, raw, str(error)) from None
                if media:
                    media[-1] = media[-1].with_lines(section)
                media.append(opened)
                section = []
                continue
            if line.kind == "c" and len(line.value.split()) < 3:
                raise BadSdp(number, raw, "a c= line needs network type, address type and address")
            section.append(line)
        if not started:
            first = next((line for line in text.splitlines() if line.strip()), "")
            raise BadSdp(1 if first else 0, first, "it must start with v=0" if first else "it is empty")
        if media:
            media[-1] = media[-1].with_lines(section)
        return cls(tuple(session), tuple(media))

    @property
    def origin(self) -> Origin | None:
        """The o= line, None if there is none."""
        for kind, value in self.lines:
            if kind == "o":
                return Origin.parse(value)
        return None

    @property
    def session_name(self) -> str:
        """The s= line, "-" if there is none."""
        return next((value for kind, value in self.lines if kind == "s"), "-")

    def connection_of(self, media: MediaDescription) -> Connection | None:
        """The c= line that counts for a media section: its own, else the session's."""
        return media.connection or self.connection

    def with_media(self, media: Sequence[MediaDescription]) -> "SessionDescription":
        """The same session level with other media sections."""
        return SessionDescription(self.lines, tuple(media))

    def __str__(self) -> str:
        """The description as it goes on the wire, each line ended by CR LF."""
        return "\r\n".join([*map(str, self.lines), *map(str, self.media), ""])

    def __bytes__(self) -> bytes:
        return str(self).encode("utf-8", "surrogateescape")


def _read_line(number: int, raw: str) -> Line | None:
    """One line of text; None if it is blank."""
    if raw[1:2] == "=" and raw[0].isalpha():
        return Line(raw[0], raw[2:])
    stripped = raw.lstrip()
    if not stripped:
        return None
    if stripped[1:2] == "=" and stripped[0].isalpha():  # indented by hand or by a broken template
        return Line(stripped[0], stripped[2:])
    if stripped[0].isalnum():
        raise BadSdp(number, raw, "a line is a letter, `=` and a value")
    return Line("", raw)


def _check_start(number: int, raw: str, line: Line) -> None:
    """The first line of any kind must be v=0; comments above it (in collections of samples) may stay."""
    if line.kind != "v":
        raise BadSdp(number, raw, "it must start with v=0")
    if line.value.strip() != "0":
        raise BadSdp(number, raw, "only version 0 is known")
