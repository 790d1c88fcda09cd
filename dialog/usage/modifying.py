"""The re-INVITEs of a call, ours and the peer's, and how they keep out of each other's way (section 14)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialog.errors import LocalProtocolError
from dialog.incoming import IncomingRequest
from dialog.message import Request
from dialog.usage.exchange import Exchange
from dialog.usage.glare import retry_after
from dialog.usage.modify import ModifyClient, ModifyServer
from dialog.usage.state import Role, UsageState

if TYPE_CHECKING:
    from dialog.usage.invite import InviteUsage


class Modifying:
    """At most one re-INVITE of each side; checks what the application asks, and acts on it."""

    __slots__ = ("_client", "_server", "_usage")

    def __init__(self, usage: InviteUsage) -> None:
        self._usage = usage
        self._client: ModifyClient | None = None
        self._server: ModifyServer | None = None

    @property
    def busy_in(self) -> bool:
        """A re-INVITE of the peer is unanswered, or waits for the ACK with its answer."""
        return self.unanswered or (self._server is not None and self._server.awaits_answer)

    @property
    def unanswered(self) -> bool:
        """A re-INVITE of the peer has no final response yet."""
        return self._server is not None and self._server.unanswered

    @property
    def busy_out(self) -> bool:
        """An INVITE of ours is on the wire."""
        return self._client is not None and self._client.in_progress

    @property
    def underway(self) -> bool:
        """A re-INVITE of ours is on the wire, or waits to be tried again."""
        return self._client is not None and not self._client.done

    def reinvite(self, body: bytes) -> None:
        """Offer a changed session, or (b"") ask for an offer."""
        if self.underway:
            raise LocalProtocolError("a re-INVITE of ours is still in progress")
        if self.busy_in:
            raise LocalProtocolError("a re-INVITE of the peer is still in progress")
        branch = self._usage.confirmed_branch
        if branch.updating_out or not branch.quiet:
            raise LocalProtocolError("an UPDATE is still in progress")
        self._usage.core.check_length(body)
        self._usage.core.act()
        self._client = ModifyClient(self._usage, body)

    def replace_offer(self, body: bytes) -> None:
        """What our re-INVITE that waits to be tried again shall offer."""
        if self._client is None or self._client.done or self._client.in_progress:
            raise LocalProtocolError("no re-INVITE of ours waits to be tried again")
        self._usage.core.check_length(body)
        self._client.body = body

    def receive(self, incoming: IncomingRequest) -> None:
        """A re-INVITE of the peer: section 14.2, RFC 3311 section 5.2, and RFC 5407 3.1 for what crosses."""
        usage = self._usage
        branch = usage.branch
        unanswered_callee = usage.role is Role.UAS and usage.state in (UsageState.CALLING, UsageState.RINGING)
        late_offer = usage.role is Role.UAC and usage.state is UsageState.ANSWERED
        if unanswered_callee or self.unanswered:
            retry_after(usage.core, incoming, "Another INVITE In Progress")
        elif branch is None or late_offer or self.busy_out or branch.exchange is Exchange.OURS:
            incoming.respond(491)
        elif usage.state in (UsageState.ENDING, UsageState.ENDED):
            incoming.respond(481)
        elif not branch.quiet:
            retry_after(usage.core, incoming, "An Offer Is Unanswered")
        else:
            if self._server is not None:
                self._server.stop()
            self._server = ModifyServer(usage, incoming)
            self._server.start()

    def on_ack(self, ack: Request) -> None:
        """An ACK in the dialog."""
        if self._server is not None:
            self._server.on_ack(ack)

    def stop(self) -> None:
        """The call ends: nothing is tried or sent again."""
        if self._client is not None:
            self._client.abandon()
        if self._server is not None:
            self._server.stop()
