"""What a phone does besides calls: messages, and questions (OPTIONS)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dialog import service_events as sip
from dialog.errors import LocalProtocolError
from dialog.services import Services
from dialog.status import reason_phrase
from dialog.usage.question import Question
from sipmedia.changing import settled
from sipmedia.emitter import Emitter
from sipmedia.errors import InvalidAddress, PhoneClosed, RequestFailed
from sipmedia.service_events import MessageReceived

if TYPE_CHECKING:
    from dialog.message import Response
    from dialog.usage.invite import InviteUsage
    from sipmedia.account import Account
    from sipmedia.call import Call


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a far end says of itself (RFC 3261 s11.2), and how long it took to say so in seconds.

    A phone that answers "busy" (486) is there as well: ``status`` tells.
    """

    status: int
    reason: str
    methods: frozenset[str]
    extensions: frozenset[str]
    content_types: frozenset[str]
    events: frozenset[str]
    languages: tuple[str, ...]
    server: str
    round_trip: float


class ServicePhone(Emitter):
    """The part of a :class:`~sipmedia.Softphone` that is not about calls."""

    def __init__(self) -> None:
        super().__init__()
        self._watchers: dict[object, Callable[[sip.ServiceEvent], None]] = {}
        self._at_close: dict[object, Callable[[], None]] = {}

    @property
    def accounts(self) -> Sequence[Account]:
        """Its identities."""
        raise NotImplementedError

    async def message(
        self,
        target: str,
        text: str | bytes,
        *,
        content_type: str = "text/plain;charset=utf-8",
        account: Account | None = None,
    ) -> None:
        """Send a message (RFC 3428) to a SIP URI, and wait until it is delivered.

        :raises RequestFailed: when it is not. :raises InvalidAddress: for a URI that cannot be used.
        """
        body = text.encode() if isinstance(text, str) else text
        _delivered(await self._ask("MESSAGE", target, account, content_type, body))

    async def options(self, target: str, *, account: Account | None = None) -> Capabilities:
        """Ask a SIP URI what it can do; any answer of its will do (a "ping").

        :raises RequestFailed: when nobody answers. :raises InvalidAddress: for a URI that cannot be used.
        """
        began = asyncio.get_running_loop().time()
        response = await self._ask("OPTIONS", target, account, "", b"", [("Accept", "application/sdp")])
        took = asyncio.get_running_loop().time() - began
        headers = response.headers

        def listed(name: str) -> frozenset[str]:
            return frozenset(
                value.strip().lower() for value in ",".join(headers.get_all(name)).split(",")
            ) - {""}

        return Capabilities(
            status=response.status,
            reason=response.reason,
            methods=response.allowed_methods,
            extensions=listed("Supported"),
            content_types=listed("Accept"),
            events=listed("Allow-Events"),
            languages=tuple(sorted(listed("Accept-Language"))),
            server=headers.get("Server") or headers.get("User-Agent") or "",
            round_trip=took,
        )

    # --- for calls, subscriptions and what else has a source ---

    def watch(
        self,
        source: object,
        listener: Callable[[sip.ServiceEvent], None],
        at_close: Callable[[], None] | None = None,
    ) -> None:
        """Give the events of ``source`` to ``listener``, and call ``at_close`` if the phone closes before."""
        self._watchers[source] = listener
        if at_close is not None:
            self._at_close[source] = at_close

    def forget(self, source: object) -> None:
        """Nobody listens to ``source`` any more."""
        self._watchers.pop(source, None)
        self._at_close.pop(source, None)

    async def answer_to(self, question: Question) -> Response:
        """Wait for the answer.

        :raises RequestFailed: when there is none (408, 503). :raises PhoneClosed: when the phone closes.
        """
        future: asyncio.Future[sip.Answered] = asyncio.get_running_loop().create_future()

        def answered(event: sip.ServiceEvent) -> None:
            self.forget(question)
            if isinstance(event, sip.Answered) and not future.done():
                future.set_result(event)

        def closed() -> None:
            if not future.done():
                future.set_exception(PhoneClosed("the phone closed before there was an answer"))

        self.watch(question, answered, closed)
        try:
            await settled(future)
        except asyncio.CancelledError:
            future.cancel()  # nobody asks what becomes of it any more
            raise
        event = future.result()
        if event.response is None:
            status = 408 if event.cause == "timeout" else 503
            raise RequestFailed(question.request.method, status, reason_phrase(status))
        return event.response

    async def message_in(self, usage: InviteUsage, body: bytes, content_type: str) -> None:
        """Send a message in a call. :raises RequestFailed: when it is not delivered."""
        services = usage.core.services
        question = services.ask_in_call(usage, "MESSAGE", content_type=content_type, body=body)
        _delivered(await self.answer_to(question))

    def close_services(self) -> None:
        """The phone closes: nothing is awaited any more; what is kept up elsewhere is taken back."""
        for at_close in list(self._at_close.values()):
            at_close()
        self._at_close.clear()

    # --- from the user agent ---

    def handle_service(self, event: sip.ServiceEvent) -> None:
        """Give an event to whom it is for."""
        watcher = self._watchers.get(event.source)
        if watcher is not None:
            watcher(event)
        elif isinstance(event, sip.IncomingMessage):
            self._on_message_received(event)

    def _on_message_received(self, event: sip.IncomingMessage) -> None:
        """Somebody must be there to read it, or the sender is told that nobody is (480)."""
        call = None if event.usage is None else self._call_of(event.usage)
        here = self.has_listeners("message")
        in_call = call is not None and call.has_listeners("message")
        if not here and not in_call:
            event.source.reject(480)
            return
        request = event.request
        if (request.headers.get("Content-Encoding") or "identity").lower() != "identity":
            event.source.reject(415, (("Accept-Encoding", "identity"),))
            return
        event.source.accept()
        content_type = request.content_type or "text/plain"
        text = request.body.decode("utf-8", "replace") if content_type.startswith("text/") else ""
        name, uri = request.from_.display_name, str(request.from_.uri)
        message = MessageReceived(call, uri, name, content_type, request.body, text)
        if call is not None:
            call.emit("message", message)
        self.emit("message", message)

    # --- what the phone has ---

    def _services(self) -> Services:
        """The core's. :raises PhoneClosed:"""
        raise NotImplementedError

    def _call_of(self, usage: InviteUsage) -> Call | None:
        raise NotImplementedError

    async def _ask(
        self,
        method: str,
        target: str,
        account: Account | None,
        content_type: str,
        body: bytes,
        headers: Sequence[tuple[str, str]] = (),
    ) -> Response:
        services = self._services()
        sender = (account or self.accounts[0]).address
        try:
            question = services.ask(
                method, target, from_=sender, headers=headers, content_type=content_type, body=body
            )
        except LocalProtocolError as error:
            raise InvalidAddress(str(error)) from error
        return await self.answer_to(question)


def _delivered(response: Response) -> None:
    if response.status >= 300:
        raise RequestFailed("MESSAGE", response.status, response.reason)
