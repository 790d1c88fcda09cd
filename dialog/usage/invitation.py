"""The INVITE that begins a call (RFC 3261 section 13.2.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dialog.address import NameAddr
from dialog.addressee import addressee
from dialog.errors import LocalProtocolError, ParseError
from dialog.message import Request
from dialog.uri import SipUri
from dialog.usage.prack import OPTION as RELIABLE

if TYPE_CHECKING:
    from dialog.core import Core


def invitation(
    core: Core,
    target: str,
    from_: NameAddr | str,
    body: bytes | None,
    content_type: str,
    headers: Sequence[tuple[str, str]],
) -> Request:
    """An INVITE without Via and Contact. LocalProtocolError for an unusable target, sender or body."""
    try:
        whom = addressee(SipUri.parse(target), headers)
        sender = from_ if isinstance(from_, NameAddr) else NameAddr.parse(from_, "From")
    except ParseError as error:
        raise LocalProtocolError(f"cannot call {target!r} as {from_}: {error.reason}") from error
    core.check_length(body or b"")
    fields = [
        ("Max-Forwards", "70"),
        ("From", str(sender.with_tag(core.new_tag()))),
        ("To", whom.to),
        ("Call-ID", core.new_call_id()),
        ("CSeq", f"{core.new_sequence()} INVITE"),
        *core.client_headers,
        *core.capabilities,
        *headers,
        *whom.fields,
    ]
    if core.config.reliable_provisional == "required":
        fields.append(("Require", RELIABLE))
    if body:
        fields.append(("Content-Type", content_type))
    return Request("INVITE", whom.uri, fields, body or b"")


def check_line(reason: str | None) -> None:
    """LocalProtocolError unless a Reason can stand in a header."""
    if reason is not None and ("\r" in reason or "\n" in reason):
        raise LocalProtocolError(f"a Reason must be one line: {reason!r}")


def check_body(body: bytes) -> None:
    """LocalProtocolError for the lack of a session description."""
    if not body:
        raise LocalProtocolError("an accepted INVITE must carry a session description: the body is empty")
