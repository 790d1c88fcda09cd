"""Requests and responses (RFC 3261 section 7).

A message holds its header fields as text; the accessors below read them when first asked and remember
the result until a field changes. Text is UTF-8 with `surrogateescape`, so that bytes which are not UTF-8
survive unharmed from the wire to the wire. `bytes(message)` writes it with the Content-Length it has.
"""

from __future__ import annotations

from collections.abc import Iterable

from dialog.address import NameAddr
from dialog.cseq import CSeq
from dialog.errors import LocalProtocolError, ParseError
from dialog.grammar import TOKEN
from dialog.headers import Headers, split_list
from dialog.status import reason_phrase
from dialog.uri import Uri, parse_uri
from dialog.via import Via

__all__ = ["Message", "Request", "Response"]

_COPIED = frozenset(("via", "from", "to", "call-id", "cseq"))


class Message:
    """What requests and responses share: headers, body, and the accessors of common fields.

    Accessors of the fields that every message has (`via`, `from_`, `to`, `call_id`, `cseq`) raise ParseError
    when the field is missing or malformed; the others only when it is malformed.
    """

    __slots__ = ("body", "headers")

    def __init__(self, headers: Headers | Iterable[tuple[str, str]] = (), body: bytes = b"") -> None:
        self.headers = headers if isinstance(headers, Headers) else Headers(headers)
        self.body = body

    @property
    def start_line(self) -> str:
        """The first line, without its line end."""
        raise NotImplementedError

    def _required(self, name: str) -> str:
        value = self.headers.get(name)
        if value is None:
            raise ParseError(400, f"Missing {name}", name)
        return value

    @property
    def via(self) -> Via:
        """The topmost Via."""
        parsed = self.headers.parsed
        via: Via | None = parsed.get("via")
        if via is None:
            value = self._required("Via")
            if "," in value:
                elements = split_list(value)
                value = elements[0] if elements else ""
            via = parsed["via"] = Via.parse(value)
        return via

    def replace_via(self, via: Via) -> None:
        """Put `via` in the place of the topmost one (to note where a request came from)."""
        value = self._required("Via")
        text = str(via)
        if "," in value:
            text = ", ".join([text, *split_list(value)[1:]])
        self.headers.replace_first("Via", text)
        self.headers.parsed["via"] = via

    @property
    def vias(self) -> tuple[Via, ...]:
        """All Via values, topmost first."""
        return tuple(Via.parse(text) for text in self.headers.split_all("Via"))

    def _address(self, name: str) -> NameAddr:
        parsed = self.headers.parsed
        address: NameAddr | None = parsed.get(name)
        if address is None:
            address = parsed[name] = NameAddr.parse(self._required(name), name)
        return address

    @property
    def from_(self) -> NameAddr:
        """Who the request is from."""
        return self._address("From")

    @property
    def to(self) -> NameAddr:
        """Who the request is for."""
        return self._address("To")

    @property
    def call_id(self) -> str:
        """The Call-ID, compared byte by byte."""
        return self._required("Call-ID")

    @property
    def cseq(self) -> CSeq:
        """The CSeq number and method."""
        parsed = self.headers.parsed
        cseq: CSeq | None = parsed.get("cseq")
        if cseq is None:
            cseq = parsed["cseq"] = CSeq.parse(self._required("CSeq"))
        return cseq

    def _addresses(self, name: str) -> tuple[NameAddr, ...]:
        parsed = self.headers.parsed
        addresses: tuple[NameAddr, ...] | None = parsed.get(name)
        if addresses is None:
            addresses = parsed[name] = tuple(
                [NameAddr.parse(text, name) for text in self.headers.split_all(name)]
            )
        return addresses

    @property
    def contacts(self) -> tuple[NameAddr, ...]:
        """The Contact addresses; none for the ``*`` of a REGISTER that removes all."""
        return () if self.headers.get("Contact") == "*" else self._addresses("Contact")

    @property
    def routes(self) -> tuple[NameAddr, ...]:
        """The Route addresses, next hop first."""
        return self._addresses("Route")

    @property
    def record_routes(self) -> tuple[NameAddr, ...]:
        """The Record-Route addresses as they stand (a UAC reverses them)."""
        return self._addresses("Record-Route")

    def _number(self, name: str, largest: int) -> int | None:
        value = self.headers.get(name)
        if value is None:
            return None
        if len(value) > 20 or not (value.isascii() and value.isdigit()) or int(value) > largest:
            raise ParseError(400, f"Bad {name}", name)
        return int(value)

    @property
    def max_forwards(self) -> int | None:
        """How many hops are left, 0 to 255; None in requests of RFC 2543 elements."""
        return self._number("Max-Forwards", 255)

    @property
    def expires(self) -> int | None:
        """Seconds, at most 2**32-1 (section 20.19)."""
        return self._number("Expires", 2**32 - 1)

    @property
    def require(self) -> tuple[str, ...]:
        """The option tags that the recipient has to understand."""
        return tuple(self.headers.split_all("Require")) if "Require" in self.headers else ()

    @property
    def allowed_methods(self) -> frozenset[str]:
        """The methods that Allow names (section 20.5); without the header none, which tells nothing."""
        names = ",".join(self.headers.get_all("Allow")).split(",")
        return frozenset(name.strip() for name in names if name.strip())

    @property
    def supported(self) -> tuple[str, ...]:
        """The option tags that the sender understands."""
        return tuple(self.headers.split_all("Supported")) if "Supported" in self.headers else ()

    @property
    def content_type(self) -> str | None:
        """The media type of the body in lower case, without parameters: ``application/sdp``."""
        value = self.headers.get("Content-Type")
        if value is None:
            return None
        return value.partition(";")[0].strip(" \t").lower()

    def __bytes__(self) -> bytes:
        head = f"{self.start_line}\r\n{self.headers.write(len(self.body))}\r\n"
        return head.encode("utf-8", "surrogateescape") + self.body

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Message):
            return NotImplemented
        return (
            self.start_line == other.start_line and self.headers == other.headers and self.body == other.body
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.start_line!r}>"


class Request(Message):
    """A request. `request_uri` is the Request-URI as text, `uri` what it says."""

    __slots__ = ("method", "request_uri")

    def __init__(
        self,
        method: str,
        uri: Uri | str,
        headers: Headers | Iterable[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> None:
        super().__init__(headers, body)
        if TOKEN.fullmatch(method) is None:
            raise LocalProtocolError(f"{method!r} is not a method name")
        request_uri = str(uri)
        if not request_uri or any(character in request_uri for character in " \t\r\n"):
            raise LocalProtocolError(f"{request_uri!r} cannot be a Request-URI")
        self.method = method
        self.request_uri = request_uri

    @property
    def start_line(self) -> str:
        """The request line."""
        return f"{self.method} {self.request_uri} SIP/2.0"

    @property
    def uri(self) -> Uri:
        """The Request-URI; ParseError (400) when it is malformed."""
        return parse_uri(self.request_uri)


class Response(Message):
    """A response. Without a reason it gets the default phrase of its status."""

    __slots__ = ("reason", "status")

    def __init__(
        self,
        status: int,
        reason: str | None = None,
        headers: Headers | Iterable[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> None:
        super().__init__(headers, body)
        if not 100 <= status <= 699:
            raise LocalProtocolError(f"{status} is not a SIP status code (100 to 699)")
        if reason is None:
            reason = reason_phrase(status)
        elif "\n" in reason or "\r" in reason:
            raise LocalProtocolError(f"a reason phrase must not hold a line end: {reason!r}")
        self.status = status
        self.reason = reason

    @classmethod
    def to_request(
        cls,
        request: Request,
        status: int,
        reason: str | None = None,
        *,
        to_tag: str | None = None,
        record_route: bool = False,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> Response:
        """The response to a request by section 8.2.6.2.

        Copies all Via, From, To, Call-ID and CSeq as they came, Record-Route too if asked, and Timestamp in
        a 100; adds `to_tag` to a To that has no tag; then come `headers`. It works on what could be read of
        a malformed request.
        """
        keys = _COPIED
        if record_route:
            keys |= {"record-route"}
        if status == 100:
            keys |= {"timestamp"}
        items = request.headers.items_of(keys)
        if to_tag is not None and not _has_tag(request):
            items = [
                (key, name, f"{value};tag={to_tag}") if key == "to" else (key, name, value)
                for key, name, value in items
            ]
        copied = Headers.from_items(items)
        for name, value in headers:
            copied.add(name, value)
        return cls(status, reason, copied, body)

    @property
    def start_line(self) -> str:
        """The status line."""
        return f"SIP/2.0 {self.status} {self.reason}"


def _has_tag(request: Request) -> bool:
    try:
        return request.to.tag is not None
    except ParseError:
        # Unreadable, and copied as it is: nothing more can be said with it.
        return True
