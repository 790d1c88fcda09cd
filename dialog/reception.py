"""From a datagram to the transaction or usage it is for (RFC 3261 sections 8.2, 9.2 and 12.2.2)."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, ClassVar

from dialog.errors import ParseError
from dialog.flow import MESSAGE_TRANSPORTS, Flow
from dialog.incoming import IncomingRequest
from dialog.inspection import inspect
from dialog.message import Request, Response
from dialog.parser import is_keepalive, parse_datagram
from dialog.server_selection import is_ip_address
from dialog.validation import validate_request, validate_response

if TYPE_CHECKING:
    from dialog.core import Core
    from dialog.dialogs import Handler

_BUSY = (("Retry-After", "5"),)


class Reception:
    """Reads what comes, and answers by itself what is for no call."""

    __slots__ = ("_core", "dropped")

    forwards: ClassVar[bool] = False
    """Whether requests of others are ours to send on, so that responses to them may come."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.dropped = 0
        """Messages that could neither be used nor answered."""

    def receive(self, flow: Flow, data: bytes) -> None:
        """A datagram, or bytes of a stream, came on this flow; nothing in them makes this raise."""
        connections = self._core.connections
        if flow.connection and flow.transport not in MESSAGE_TRANSPORTS:
            for item in connections.receive(flow, data):
                self._receive_item(flow, item)
            connection = connections.get(flow)
            if connection is not None and connection.failed:
                connections.close(flow, "what came could not be told apart into messages")
            return
        if flow.connection:
            connections.note_message(flow)
        if is_keepalive(data):
            return
        try:
            message = parse_datagram(data, self._core.config.max_message_bytes)
        except ParseError as error:
            self._refuse_malformed(error, flow, data)
        else:
            self._receive_message(flow, message, data)

    def _receive_item(self, flow: Flow, item: Request | Response | ParseError) -> None:
        """What a stream was cut into."""
        if isinstance(item, ParseError):
            self._refuse_malformed(item, flow, str(item).encode())
        else:
            if self._core.on_framed is not None:
                self._core.on_framed(flow, bytes(item))
            self._receive_message(flow, item, b"")

    def _receive_message(self, flow: Flow, message: Request | Response, data: bytes) -> None:
        try:
            if isinstance(message, Response):
                validate_response(message, forwarded=self.forwards)
                if not self._core.layer.receive_response(message):
                    self.dropped += 1
                return
            answer_flow = _note_source(message, flow)
            validate_request(message)
            if flow.connection and "alias" in message.via.params:
                alias = self._core.connections.alias_of(flow, message.via)
                if alias is not None:
                    self._core.locator.learn(alias, flow)
        except ParseError as error:
            self._refuse_malformed(error, flow, data)
            return
        self._receive_request(message, flow, answer_flow)

    def _receive_request(self, request: Request, flow: Flow, answer_flow: Flow) -> None:
        core, method = self._core, request.method
        transaction = core.layer.find_server(request)
        if method == "ACK":
            if transaction is not None:
                transaction.receive_ack(request)
            else:
                self._receive_ack(request)
            return
        if transaction is not None:
            if transaction.lost:
                core.layer.move(transaction, answer_flow)
            transaction.receive_again()
            return
        if len(core.layer) >= core.config.max_transactions:
            self._answer_statelessly(request, answer_flow, 503, None, _BUSY)
            return
        merged = core.layer.find_merged(request) is not None
        incoming = IncomingRequest(core, request, core.layer.serve(request, answer_flow), flow)
        if method == "CANCEL":
            self._receive_cancel(incoming)
        elif merged:
            incoming.respond(482)
        else:
            refusal = inspect(request, core.config)
            if refusal is None:
                self._dispatch(incoming)
            else:
                incoming.respond(refusal.status, refusal.reason, refusal.headers)

    def _dispatch(self, incoming: IncomingRequest) -> None:
        core, request = self._core, incoming.request
        handler: Handler | None
        if request.to.tag is None:
            handler = core.handlers.get(request.method)
        else:
            user = core.dialogs.user_of(request)
            handler = core.dialogs.awaiting(request) if user is None else user.receive_request
        if handler is None:
            incoming.respond(481)
        else:
            handler(incoming)

    def _receive_ack(self, ack: Request) -> None:
        user = self._core.dialogs.user_of(ack)
        if user is None:
            self.dropped += 1
        else:
            user.receive_ack(ack)

    def _receive_cancel(self, incoming: IncomingRequest) -> None:
        """Section 9.2: answered by itself, whatever becomes of the request it cancels."""
        cancelled = self._core.layer.find_server(incoming.request, "INVITE")
        if cancelled is None:
            incoming.respond(481)
            return
        incoming.transaction.to_tag = cancelled.to_tag
        incoming.respond(200)
        if cancelled.user is not None and not cancelled.answered:
            cancelled.user.on_cancel(incoming.request)

    def _refuse_malformed(self, error: ParseError, flow: Flow, data: bytes) -> None:
        """Answer what can be answered: a request whose top Via can be read. Everything else is dropped."""
        request = error.message
        self.dropped += 1
        if error.status is None or request is None or request.method == "ACK":
            return
        try:
            answer_flow = _note_source(request, flow)
        except ParseError:
            return
        # The same bytes get the same tag, as a stateless server must see to (section 8.2.7).
        tag = blake2b(data, digest_size=6).hexdigest()
        self._answer_statelessly(request, answer_flow, error.status, error.reason, (), tag)

    def _answer_statelessly(
        self,
        request: Request,
        flow: Flow,
        status: int,
        reason: str | None,
        headers: tuple[tuple[str, str], ...],
        tag: str = "overload",
    ) -> None:
        headers = (*self._core.server_headers, *headers)
        response = Response.to_request(request, status, reason, to_tag=tag, headers=headers)
        self._core.send(flow, bytes(response))


def _note_source(request: Request, flow: Flow) -> Flow:
    """Write into the top Via where the request came from; give the flow of its responses.

    RFC 3261 sections 18.2.1 and 18.2.2, RFC 3581 section 4. Doing it twice changes nothing.
    """
    via = request.via
    host, port = flow.remote
    if via.wants_rport:
        request.replace_via(via.with_params(received=host, rport=str(port)))
    elif via.host != host:
        request.replace_via(via.with_params(received=host))
    if flow.reliable:
        return flow
    maddr = via.maddr
    if maddr is not None and is_ip_address(maddr):
        host = maddr
    if not via.wants_rport:
        port = via.port or 5060
    return flow if (host, port) == flow.remote else flow._replace(remote=(host, port))
