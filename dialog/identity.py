"""Who calls, and by what way the call came: identity, privacy and history as headers tell them.

    P-Asserted-Identity, P-Preferred-Identity   RFC 3325 section 9, and Remote-Party-ID before it
    Privacy                                     RFC 3323 section 4.2
    Diversion                                   RFC 5806
    History-Info                                RFC 7044 section 5

What cannot be read is left out: none of this is worth refusing a call for. Nothing here is proof of anything:
`trust` knows which networks are to be believed.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from dialog.address import NameAddr
from dialog.errors import ParseError
from dialog.message import Message, Request
from dialog.uri import SipUri, Uri

MAX_ENTRIES = 50
"""As many redirections, identities or entries of a history are read."""

ANONYMOUS = NameAddr(SipUri("anonymous", "anonymous.invalid"), "Anonymous")
"""The From of a caller who does not want to be named (RFC 3323 section 4.1.1.3)."""


@dataclass(frozen=True, slots=True)
class Diversion:
    """One redirection of a call: who it was for, and why it went on ("unknown" where nobody says)."""

    address: NameAddr
    reason: str


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One target that the call had on its way."""

    uri: Uri
    index: str
    """Where it stands in the tree of targets: "1.2" came of "1"."""
    cause: int | None
    """The SIP status for which it went on from there, or the cause of a redirection (RFC 4458)."""


def addresses(message: Message, name: str) -> list[NameAddr]:
    """The addresses of a header field, those that can be read."""
    found = []
    for text in _elements(message, name):
        try:
            found.append(NameAddr.parse(text, name))
        except ParseError:
            continue
    return found


def sender_of(request: Request) -> Uri:
    """Which of our accounts a request is from: the From, or what an anonymous one prefers to be called."""
    preferred = addresses(request, "P-Preferred-Identity") if _is_anonymous(request) else []
    return preferred[0].uri if preferred else request.from_.uri


def secret_identity(request: Request) -> str | None:
    """P-Preferred-Identity of an anonymous request: for trusted servers alone (RFC 3325 section 9.2)."""
    preferred = request.headers.get("P-Preferred-Identity")
    return preferred if preferred is not None and _is_anonymous(request) else None


def asserted_identities(message: Message) -> list[NameAddr]:
    """Who the network says the sender is: at most a SIP and a TEL address.

    Where it does not say so as RFC 3325 has it, what older servers write into Remote-Party-ID.
    """
    found = addresses(message, "P-Asserted-Identity")
    return found or [NameAddr(one.uri, one.display_name) for one in _remote_parties(message)]


def privacy(message: Message) -> frozenset[str]:
    """What the sender wants kept private: "id", "header", "session", "user", "none"; "critical" insists."""
    values = ";".join(message.headers.get_all("Privacy")).replace(",", ";").split(";")
    found = {value.strip().lower() for value in values if value.strip()}
    if any((party.params.get("privacy") or "off").lower() != "off" for party in _remote_parties(message)):
        found.add("id")
    return frozenset(found)


def diversions(message: Message) -> list[Diversion]:
    """The redirections of a call, the latest first."""
    return [
        Diversion(address, (address.params.get("reason") or "unknown").strip('"').lower())
        for address in addresses(message, "Diversion")
    ]


def history(message: Message) -> list[HistoryEntry]:
    """The targets of a call in the order of the header, which is that in which they were tried."""
    return [
        HistoryEntry(_bare(address.uri), address.params.get("index") or "", _cause(address))
        for address in addresses(message, "History-Info")
    ]


def _remote_parties(message: Message) -> list[NameAddr]:
    """Those of Remote-Party-ID (draft-ietf-sip-privacy) that are the sender itself."""
    other = "called" if isinstance(message, Request) else "calling"
    return [
        party
        for party in addresses(message, "Remote-Party-ID")
        if (party.params.get("party") or "").lower() != other
        and (party.params.get("id-type") or "subscriber").lower() == "subscriber"
    ]


def _is_anonymous(request: Request) -> bool:
    sender = request.from_.uri
    return isinstance(sender, SipUri) and sender.host == "anonymous.invalid"


def _elements(message: Message, name: str) -> list[str]:
    if name not in message.headers:
        return []
    try:
        return message.headers.split_all(name)[:MAX_ENTRIES]
    except ParseError:
        return []


def _bare(uri: Uri) -> Uri:
    """Without the headers in which History-Info hides Reason and Privacy."""
    if isinstance(uri, SipUri) and uri.headers:
        return SipUri(uri.user, uri.host, uri.port, uri.params, (), uri.scheme, uri.password)
    return uri


def _cause(address: NameAddr) -> int | None:
    uri = address.uri
    if not isinstance(uri, SipUri):
        return None
    texts = [unquote(value) for name, value in uri.headers if name.lower() == "reason"]
    for text in texts:
        for part in text.split(";"):
            name, _, value = part.partition("=")
            if name.strip().lower() == "cause" and value.strip().isascii() and value.strip().isdigit():
                return int(value.strip()[:4])
    value = uri.params.get("cause") or ""
    return int(value[:4]) if value.isascii() and value.isdigit() else None
