"""The Via field (RFC 3261 section 20.42): where a request came from, and where its response goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from dialog.errors import ParseError
from dialog.grammar import VIA, format_params, parse_params
from dialog.uri import check_host, format_host

__all__ = ["MAGIC_COOKIE", "Via"]

MAGIC_COOKIE = "z9hG4bK"
"""What a branch made by the rules of RFC 3261 section 8.1.1.7 begins with."""


@dataclass(frozen=True, slots=True)
class Via:
    """One Via value. `host` is without the brackets of an IPv6 reference; parameter names are lower case."""

    transport: str
    host: str
    port: int | None = None
    params: Mapping[str, str | None] = field(default_factory=dict, hash=False)
    protocol: str = "SIP/2.0"

    @classmethod
    def parse(cls, text: str) -> Via:
        """Read one via-parm (not a list of them); ParseError (400) when it is malformed."""
        match = VIA.fullmatch(text)
        if match is None:
            raise ParseError(400, "Bad Via", "Via")
        name, version, transport, host, port, params = match.groups()
        host = check_host(host, "Via")
        number = None
        if port is not None:
            number = int(port)
            if number > 65535:
                raise ParseError(400, "Bad Port In Via", "Via")
        return cls(
            transport.upper(),
            host,
            number,
            parse_params(params, "Via") if params else {},
            f"{name}/{version}".upper(),
        )

    @property
    def branch(self) -> str | None:
        """The transaction's branch, if given."""
        return self.params.get("branch")

    @property
    def follows_rfc3261(self) -> bool:
        """Whether the branch has the magic cookie and something after it (RFC 3261 section 8.1.1.7)."""
        branch = self.params.get("branch") or ""
        return len(branch) > len(MAGIC_COOKIE) and branch[: len(MAGIC_COOKIE)].lower() == "z9hg4bk"

    @property
    def received(self) -> str | None:
        """The address the request came from, without the brackets some put around it (RFC 5118 4.5)."""
        received = self.params.get("received")
        return received[1:-1] if received and received[0] == "[" and received[-1] == "]" else received

    @property
    def wants_rport(self) -> bool:
        """Whether the response port is asked for (RFC 3581 section 3): `rport` is there."""
        return "rport" in self.params

    @property
    def rport(self) -> int | None:
        """The port the request came from (RFC 3581), if filled in with a usable number."""
        return self._number("rport", 65535)

    @property
    def maddr(self) -> str | None:
        """The multicast or forced address to send the response to."""
        return self.params.get("maddr")

    @property
    def ttl(self) -> int | None:
        """The time to live of a multicast response, 0 to 255."""
        return self._number("ttl", 255)

    @property
    def sent_by(self) -> tuple[str, int | None]:
        """Host in lower case and port as given, the key of transaction matching (RFC 3261 17.2.3)."""
        return self.host.lower(), self.port

    def _number(self, name: str, largest: int) -> int | None:
        text = self.params.get(name)
        if not text or len(text) > 5 or not (text.isascii() and text.isdigit()):
            return None
        number = int(text)
        return number if number <= largest else None

    def with_params(self, **params: str | None) -> Via:
        """A copy with these parameters added or replaced, the others kept in their order."""
        return replace(self, params={**self.params, **params})

    def __str__(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        return (
            f"{self.protocol}/{self.transport} {format_host(self.host)}{port}"
            f"{format_params(self.params) if self.params else ''}"
        )
