"""The re-INVITEs of a call, ours and the peer's, and how they keep out of each other's way (section 14)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialog.errors import LocalProtocolError
from dialog.incoming import IncomingRequest
from dialog.message import Request
from dialog.usage.modify import ModifyClient, ModifyServer
from dialog.usage.state import UsageState

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
        return self.unanswered or self.awaits_ack

    @property
    def unanswered(self) -> bool:
        """A re-INVITE of the peer has no final response yet."""
        return self._server is not None and self._server.unanswered

    @property
    def awaits_ack(self) -> bool:
        """Our offer is in the 2xx to a re-INVITE of the peer, its answer will come in the ACK."""
        return self._server is not None and self._server.awaits_answer

    @property
    def busy_out(self) -> bool:
        """An INVITE of ours is on the wire."""
        return self._client is not None and self._client.in_progress

    @property
    def offered_in_2xx(self) -> bool:
        """The 2xx to our re-INVITE brought an offer, which waits for our answer."""
        return self._client is not None and self._client.awaits_answer

    def reinvite(self, body: bytes) -> None:
        """Offer a changed session, or (b"") ask for an offer."""
        if self._client is not None and not self._client.done:
            raise LocalProtocolError("a re-INVITE of ours is still in progress")
        if self.busy_in:
            raise LocalProtocolError("a re-INVITE of the peer is still in progress")
        self._usage.core.check_length(body)
        self._usage.core.act()
        self._client = ModifyClient(self._usage, body)

    def answer_offer(self, body: bytes) -> None:
        """The answer to the offer of a 2xx or of a re-INVITE, or the offer that a re-INVITE asks for."""
        if self._client is not None and self._client.awaits_answer:
            self._usage.core.act()
            self._client.answer_offer(body)
        else:
            server = self._waiting_server()
            self._usage.core.act()
            server.accept(body)

    def reject_offer(self, status: int) -> None:
        """Refuse a re-INVITE of the peer."""
        server = self._waiting_server()
        self._usage.core.act()
        server.reject(status)

    def replace_offer(self, body: bytes) -> None:
        """What our re-INVITE that waits to be tried again shall offer."""
        if self._client is None or self._client.done or self._client.in_progress:
            raise LocalProtocolError("no re-INVITE of ours waits to be tried again")
        self._usage.core.check_length(body)
        self._client.body = body

    def receive(self, incoming: IncomingRequest) -> None:
        """A re-INVITE that may be looked at now."""
        if self._server is not None:
            self._server.stop()
        self._server = ModifyServer(self._usage, incoming)
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

    def _waiting_server(self) -> ModifyServer:
        if self._server is None or not self._server.unanswered or self._usage.state is UsageState.ENDED:
            raise LocalProtocolError("no offer is waiting for an answer")
        return self._server
