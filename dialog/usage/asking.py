"""A request of ours outside any dialog (RFC 3261 section 8.1.1), and one whose only outcome is its answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from dialog.address import NameAddr
from dialog.addressee import addressee
from dialog.errors import LocalProtocolError, ParseError
from dialog.message import Request, Response
from dialog.transaction.client import ClientTransaction
from dialog.uri import parse_uri

if TYPE_CHECKING:
    from dialog.core import Core

NoAnswer = Literal["timeout", "transport"]
"""Why no final response came."""


def outside_request(
    core: Core,
    method: str,
    target: str,
    from_: NameAddr | str,
    headers: Sequence[tuple[str, str]] = (),
    body: bytes = b"",
) -> Request:
    """A request to `target` without Via and Contact; LocalProtocolError for an unreadable address."""
    try:
        whom = addressee(parse_uri(target), headers)
        sender = from_ if isinstance(from_, NameAddr) else NameAddr.parse(from_, "From")
    except ParseError as error:
        raise LocalProtocolError(f"cannot send {method} to {target!r} as {from_}: {error.reason}") from error
    core.check_length(body)
    fields = [
        ("Max-Forwards", "70"),
        ("From", str(sender.with_tag(core.new_tag()))),
        ("To", whom.to),
        ("Call-ID", core.new_call_id()),
        ("CSeq", f"{core.new_sequence()} {method}"),
        *core.client_headers,
        *headers,
        *whom.fields,
    ]
    return Request(method, whom.uri, fields, body)


class Asked:
    """The user of a transaction whose final response, or lack of one, goes to one function."""

    __slots__ = ("_done",)

    def __init__(self, done: Callable[[Response | None, NoAnswer | None], None]) -> None:
        self._done = done

    def on_response(self, transaction: ClientTransaction, response: Response) -> None:
        """Only a final response counts."""
        if response.status >= 200:
            self._done(response, None)

    def on_failure(
        self, transaction: ClientTransaction | None, cause: Literal["timeout", "transport"]
    ) -> None:
        """None will come."""
        self._done(None, cause)
