"""From bytes to messages (RFC 3261 sections 7 and 18.3), a datagram or a stream.

The head of a message is decoded once and cut into lines; the values of its fields are only read when
somebody asks (`Message`) or checks them (`validation`). So what is refused here is what has no message in
it at all: no start line, no end of the head, a line that is no field, a length that does not fit.

Any bytes whatever give a message or a ParseError, in time linear in their number.
"""

from __future__ import annotations

from dialog.errors import ParseError
from dialog.grammar import FOLD, LINE_ENDS, SIP_VERSION, STATUS_CODE, TOKEN
from dialog.headers import Headers, field_key
from dialog.message import Request, Response

__all__ = ["MAX_BODY_BYTES", "MAX_HEAD_BYTES", "StreamParser", "is_keepalive", "parse_datagram"]

MAX_HEAD_BYTES = 65535
"""How long the head of a message may be on a stream unless said otherwise."""
MAX_BODY_BYTES = 1 << 20
"""How long a body may be on a stream unless said otherwise."""

_END_OF_HEAD = b"\r\n\r\n"


def is_keepalive(data: bytes) -> bool:
    """Whether a datagram is no message but a sign of life: empty, line ends, NULs (RFC 5626 3.5.1)."""
    return not data.strip(b"\r\n\0")


def parse_datagram(data: bytes, max_bytes: int = 65535) -> Request | Response:
    """Read the one message of a datagram.

    Bytes after the declared Content-Length are ignored; without one the body goes to the end (section 18.3).
    Two lapses are forgiven, since a datagram has an end of its own: the blank line may be missing after the
    last field, and all lines may end in LF alone (old devices, and people with netcat).
    ParseError: 400 when it is malformed or the body is shorter than declared, 505 for another version, 513
    when it is longer than `max_bytes`; its `message` is then what could be read of the request.
    """
    if data[:1] in (b"\r", b"\n"):
        data = data.lstrip(b"\r\n")
    head, body = _split(data)
    if len(data) > max_bytes:
        message, _ = _read(_cut(head, max_bytes))
        raise _refused(message, 513, "Message Too Large")
    message, error = _read(head)
    if error is not None:
        raise error
    length = _content_length(message)
    if length is not None:
        if length > len(body):
            raise _refused(message, 400, "Body Shorter Than Content-Length", "Content-Length")
        body = body[:length]
    message.body = body
    return message


def _split(data: bytes) -> tuple[bytes, bytes]:
    """The head and the body of a datagram."""
    end = data.find(_END_OF_HEAD)
    if end >= 0:
        return data[:end], data[end + 4 :]
    head, _, body = data.partition(b"\n\n")
    if b"\r" not in head:
        return head.removesuffix(b"\n").replace(b"\n", b"\r\n"), body
    # A line cut off in the middle stays a part of the head: most often no field, and then refused.
    return data.removesuffix(b"\r\n"), b""


class StreamParser:
    """Cuts a stream into messages.

    `receive` gives what has become complete, in order: messages, and a ParseError in the place of each
    that is malformed but whose end is known. Once an end cannot be known, or a limit is passed, the last
    item is that error, `failed` is true, the connection has to be closed (section 18.3) and further bytes are
    ignored. At most `max_head_bytes + max_body_bytes` and the piece just given are held.
    """

    def __init__(self, max_head_bytes: int = MAX_HEAD_BYTES, max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self.failed = False
        self.line_ends = 0
        """Line ends that came between messages, for who answers keep-alives and sets it back."""
        self._max_head_bytes = max_head_bytes
        self._max_body_bytes = max_body_bytes
        self._buffer = bytearray()
        self._searched = 0  # the buffer has no end of a head before this
        self._message: Request | Response | ParseError | None = None  # its head is complete
        self._body_bytes = 0

    @property
    def held(self) -> int:
        """Bytes of an incomplete message that are kept."""
        return len(self._buffer)

    def receive(self, data: bytes) -> list[Request | Response | ParseError]:
        """Take the next bytes of the stream and give what they completed; nothing is raised."""
        received: list[Request | Response | ParseError] = []
        if self.failed:
            return received
        self._buffer += data
        try:
            while (item := self._next()) is not None:
                received.append(item)
        except ParseError as error:
            self.failed = True
            self._buffer.clear()
            self._message = None
            received.append(error)
        return received

    def _next(self) -> Request | Response | ParseError | None:
        """The next complete item; raises the ParseError after which there is no next."""
        if self._message is None and not self._read_head():
            return None
        buffer = self._buffer
        if len(buffer) < self._body_bytes:
            return None
        item = self._message
        if isinstance(item, Request | Response):
            item.body = bytes(buffer[: self._body_bytes])
        del buffer[: self._body_bytes]
        self._message = None
        return item

    def _read_head(self) -> bool:
        buffer = self._buffer
        # Line ends between messages are keep-alives (section 7.5, RFC 5626 section 3.5.1).
        if not self._searched and (blank := LINE_ENDS.match(buffer)):
            self.line_ends += blank[0].count(b"\n")
            del buffer[: blank.end()]
        if not buffer:
            return False
        end = buffer.find(_END_OF_HEAD, self._searched)
        if end > self._max_head_bytes or (end < 0 and len(buffer) > self._max_head_bytes + 3):
            message, _ = _read(_cut(bytes(buffer[: self._max_head_bytes + 1]), self._max_head_bytes))
            raise _refused(message, 513, "Headers Too Large")
        if end < 0:
            self._searched = max(0, len(buffer) - 3)
            return False
        message, error = _read(bytes(buffer[:end]))
        del buffer[: end + 4]
        self._searched = 0
        length = _content_length(message)
        if length is None:
            raise error or _refused(message, 400, "Missing Content-Length", "Content-Length")
        if length > self._max_body_bytes:
            raise _refused(message, 513, "Body Too Large", "Content-Length")
        self._message = error or message
        self._body_bytes = length
        return True


def _cut(head: bytes, max_bytes: int) -> bytes:
    """A head without what is over the limit, and the line it cuts: half a value lies."""
    return head if len(head) <= max_bytes else head[:max_bytes].rpartition(b"\r\n")[0]


def _refused(message: Request | Response, status: int, reason: str, field: str = "") -> ParseError:
    """The error for a message that was read but cannot be taken: a response is only dropped."""
    if isinstance(message, Request):
        return ParseError(status, reason, field, message)
    return ParseError(None, reason, field)


def _content_length(message: Request | Response) -> int | None:
    values = message.headers.get_all("content-length")
    if not values:
        return None
    value = values[0]
    if len(values) > 1:
        raise _refused(message, 400, "Repeated Content-Length", "Content-Length")
    if not (value.isascii() and value.isdigit()):
        raise _refused(message, 400, "Bad Content-Length", "Content-Length")
    # More digits than any length has: as long as it takes to be longer than what came.
    return int(value) if len(value) <= 12 else int(value.lstrip("0")[:12] or "0")


def _read(head: bytes) -> tuple[Request | Response, ParseError | None]:
    """Read a head without its blank line: the message as far as it can be read, and what is wrong with it.

    Raises ParseError without a status when there is no start line of SIP, or a bad one of a response.
    """
    text = head.decode("utf-8", "surrogateescape")
    if "\r\n " in text or "\r\n\t" in text:
        text = FOLD.sub(" ", text)
    lines = text.split("\r\n")
    ends = len(lines) - 1
    bare = text.count("\n") != ends or text.count("\r") != ends
    message, status, reason = _read_start_line(lines[0])
    if bare and not reason:
        reason = "Bare CR Or LF"
    items: list[tuple[str, str, str]] = []
    del lines[0]
    for line in lines:
        name, colon, value = line.partition(":")
        key = field_key(name) or field_key(name := name.rstrip(" \t"))
        if key is None or not colon or (bare and ("\n" in line or "\r" in line)):
            # Left out, so that an answer never repeats what somebody could read as two lines.
            reason = reason or "Bad Header Field"
            continue
        items.append((key, name, value.strip(" \t")))
    message.headers = Headers.from_items(items)
    return message, _refused(message, status, reason) if reason else None


def _read_start_line(line: str) -> tuple[Request | Response, int, str]:
    """A message with nothing but its start line; then what is at fault with that: status, reason or ""."""
    if line[:4].upper() == "SIP/":
        return _read_status_line(line), 400, ""
    # Request-Line  =  Method SP Request-URI SP SIP-Version CRLF
    parts = line.split(" ")
    if len(parts) != 3:
        # More spaces between or after are forgiven (RFC 4475 sections 3.1.2.9 and 3.1.2.10).
        parts = [part for part in parts if part]
    version = parts[-1] if parts else ""
    status, reason = 400, ""
    if version != "SIP/2.0" and version.upper() != "SIP/2.0":
        if SIP_VERSION.fullmatch(version) is None or len(parts) < 3:
            raise ParseError(None, "Not A SIP Message")
        status, reason = 505, "Version Not Supported"
    elif len(parts) != 3 or TOKEN.fullmatch(parts[0]) is None:
        reason = "Bad Request Line"
    # Made without the checks that guard what we send: those are for the caller's mistakes.
    request = Request.__new__(Request)
    request.method = parts[0]
    request.request_uri = parts[1] if len(parts) == 3 else " ".join(parts[1:-1])
    request.body = b""
    return request, status, reason


def _read_status_line(line: str) -> Response:
    # Status-Line  =  SIP-Version SP Status-Code SP Reason-Phrase CRLF
    version, _, rest = line.partition(" ")
    code, _, reason = rest.partition(" ")
    if version.upper() != "SIP/2.0" or STATUS_CODE.fullmatch(code) is None:
        raise ParseError(None, "Bad Status Line")
    response = Response.__new__(Response)
    response.status = int(code)
    response.reason = reason
    response.body = b""
    return response
