"""Acknowledging reliable provisional responses (RFC 3262 section 4).

Each INVITE of ours has one `Prack` per dialog. The first reliable response sets the number, each later one
must have the next; a repeated one is dropped (our PRACK is a transaction and repeats itself), and so is one
that comes too early: the peer sends it again. An offer in one is answered in its PRACK.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dialog.bodies import session_description
from dialog.events import SessionAnswer, SessionOffer
from dialog.message import Response
from dialog.transaction.client import ClientTransaction
from dialog.usage.exchange import Exchange

if TYPE_CHECKING:
    from dialog.usage.branch import Branch
    from dialog.usage.invite import InviteUsage

OPTION = "100rel"
MAX_RETRIES = 4
_LARGEST = 2**32 - 1


def reliable_sequence(response: Response) -> int | None:
    """The RSeq of a provisional response that asks for PRACK, else None; a malformed one counts as none."""
    value = response.headers.get("RSeq")
    if value is None or response.status == 100:
        return None
    if not any(tag.lower() == OPTION for tag in response.require):
        return None
    if len(value) > 10 or not (value.isascii() and value.isdigit()):
        return None
    number = int(value)
    return number if 1 <= number <= _LARGEST else None


class Prack:
    """The reliable provisional responses to one INVITE of ours in one dialog."""

    __slots__ = ("_branch", "_invite", "_last", "_rack", "_retries", "_usage")

    def __init__(self, usage: InviteUsage, branch: Branch, invite_sequence: int) -> None:
        self._usage = usage
        self._branch = branch
        self._invite = invite_sequence
        self._last: int | None = None
        self._rack = ""
        self._retries = 0

    def is_new(self, sequence: int) -> bool:
        """Whether a response with this RSeq is the next one; nothing is done with any other."""
        if self._last is not None and sequence != self._last + 1:
            return False
        if self._branch.asker is self:
            return False  # the last one still waits for its PRACK with our answer
        self._last = sequence
        self._rack = f"{sequence} {self._invite} INVITE"
        return True

    def take(self, response: Response) -> None:
        """The next response: acknowledge it, and tell what session description it brings."""
        usage, branch = self._usage, self._branch
        body = session_description(response, usage.core.config.accept)
        if body is not None and branch.exchange is Exchange.NOTHING:
            branch.ask(self)
            usage.core.emit(SessionOffer(usage, body.content, body.content_type, branch.tag))
            return
        self._send(b"")
        if body is not None and branch.exchange is Exchange.OURS:
            branch.exchange = Exchange.AGREED
            branch.settled = True
            usage.core.emit(SessionAnswer(usage, body.content, branch.tag))

    def accept(self, body: bytes) -> None:
        """Our answer to the offer: it goes with the PRACK."""
        self._branch.answered()
        self._branch.settled = True
        self._send(body)

    def reject(self, status: int) -> None:
        """An offer in a response cannot be refused (section 5): the call is given up."""
        self._branch.answered()
        self._send(b"")
        self._usage.cancel()

    def on_response(self, transaction: ClientTransaction, response: Response) -> None:
        """The INVITE decides what becomes of the call, whatever is said to the PRACK. But a request that
        overtook it makes it out of order (500, RFC 3261 section 12.2.2): then it is sent anew."""
        if response.status == 500 and self._retries < MAX_RETRIES and not self._usage.over:
            self._retries += 1
            self._send(transaction.request.body)

    def on_failure(
        self, transaction: ClientTransaction | None, cause: Literal["timeout", "transport"]
    ) -> None:
        """The same: the peer will fail the INVITE, or not answer that either."""

    def _send(self, body: bytes) -> None:
        core, dialog = self._usage.core, self._branch.dialog
        headers = [("RAck", self._rack)]
        if body:
            headers.append(("Content-Type", core.config.accept[0]))
        prack = dialog.request("PRACK", dialog.next_sequence(), headers, body)
        core.send_request(prack, self, dialog.next_hop, otherwise=dialog.flow)
