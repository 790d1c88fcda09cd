"""Publishing event state (RFC 3903): one entity-tag, kept alive by refreshes until it is taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialog.address import NameAddr
from dialog.dialog import next_hop
from dialog.event_package import EventType
from dialog.message import Request, Response
from dialog.service_events import PublicationChanged, PublicationEnded
from dialog.status import reason_phrase
from dialog.timers import Timer
from dialog.usage.asking import Asked, NoAnswer, outside_request
from dialog.usage.subscriber import MAX_INTERVAL_RETRIES, granted, min_expires

if TYPE_CHECKING:
    from dialog.core import Core


class Publication:
    """What we publish: the `source` of PublicationChanged and PublicationEnded.

    One PUBLISH is on its way at a time (section 4.1); what `modify` gives meanwhile goes out after it. A
    server that forgot it (412) is given it anew.
    """

    def __init__(
        self,
        core: Core,
        target: str,
        from_: NameAddr | str,
        event: EventType,
        expires: int,
        content_type: str,
        body: bytes,
    ) -> None:
        self.target = target
        self.event = event
        self.expires = expires
        self._core = core
        self._from = from_
        self._state = (content_type, body)
        self._tag: str | None = None
        self._sent: tuple[str, bytes] | None = None
        self._busy = False
        self._leaving = False
        self._over = False
        self._retries = 0
        self._refresh: Timer | None = None
        # The requests of one publication have one Call-ID and rising CSeq numbers, as registrations do.
        self._call_id = core.new_call_id()
        self._sequence = core.new_sequence()

    def start(self) -> None:
        """Send it; called by the core."""
        self._send()

    def modify(self, content_type: str, body: bytes) -> None:
        """Publish something else in its place. Nothing happens when it is over."""
        if not self._over and not self._leaving:
            self._core.act()
            self._state = (content_type, body)
            self._send()

    def remove(self) -> None:
        """Take it back; PublicationEnded follows."""
        if not self._over and not self._leaving:
            self._core.act()
            self._leaving = True
            self._send()

    def _send(self) -> None:
        if self._busy or self._over:
            return
        if self._refresh is not None:
            self._refresh.cancel()
        if self._leaving and self._tag is None:
            self._end(0, "")
            return
        self._core_send(self._compose())

    def _compose(self) -> Request:
        headers = [("Event", str(self.event)), ("Expires", "0" if self._leaving else str(self.expires))]
        body = b""
        if self._tag is not None:
            headers.append(("SIP-If-Match", self._tag))
        if not self._leaving and (self._tag is None or self._state != self._sent):
            content_type, body = self._state
            headers.append(("Content-Type", content_type))
        request = outside_request(self._core, "PUBLISH", self.target, self._from, headers, body)
        self._sequence += 1
        request.headers.set("Call-ID", self._call_id)
        request.headers.set("CSeq", f"{self._sequence} PUBLISH")
        return request

    def _core_send(self, request: Request) -> None:
        self._busy = True
        sent = None if self._leaving else self._state
        asked = Asked(lambda response, cause: self._answered(sent, response, cause))
        self._core.send_request(request, asked, next_hop(request))

    def _answered(
        self, sent: tuple[str, bytes] | None, response: Response | None, cause: NoAnswer | None
    ) -> None:
        """The answer to what published `sent`, or took it back (None)."""
        self._busy = False
        if response is None:
            status = 408 if cause == "timeout" else 503
            self._end(status, reason_phrase(status))
            return
        self._sequence = max(self._sequence, response.cseq.number)
        if response.status < 300:
            self._published(sent, response)
        elif self._leaving:
            self._end(0, "")
        elif response.status == 412 and self._tag is not None:
            self._tag = self._sent = None
            self._send()
        elif (
            response.status == 423
            and (minimum := min_expires(response)) is not None
            and self._retries < MAX_INTERVAL_RETRIES
        ):
            self._retries += 1
            self.expires = max(minimum, self.expires)
            self._send()
        else:
            self._end(response.status, response.reason)

    def _published(self, sent: tuple[str, bytes] | None, response: Response) -> None:
        self._retries = 0
        self._tag = response.headers.get("SIP-ETag")
        self._sent = sent
        if sent is None:
            self._end(0, "")
        elif self._leaving:
            self._send()
        else:
            seconds = granted(response, self.expires)
            self._core.emit(PublicationChanged(self, seconds))
            if sent != self._state:
                self._send()
            else:
                later = max(seconds - min(32.0, seconds / 2), 0.5)
                self._refresh = self._core.queue.start(later, self._send)

    def _end(self, status: int, reason: str) -> None:
        if self._over:
            return
        self._over = True
        if self._refresh is not None:
            self._refresh.cancel()
        self._core.emit(PublicationEnded(self, status, reason))
