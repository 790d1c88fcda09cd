"""UPDATE in both directions (RFC 3311): a changed or refreshed session, in early and confirmed dialogs.

Unlike a re-INVITE it is answered at once, so nobody may be asked; it may be sent before the call is answered,
once the first offer has its answer. Which side may offer is the branch's exchange to say (section 5.2):
an offer that meets ours is refused with 491, one that comes before we answered the last with 500.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dialog.bodies import session_description
from dialog.errors import LocalProtocolError
from dialog.events import ModifyAccepted, ModifyFailed, SessionAnswer, SessionOffer
from dialog.incoming import IncomingRequest
from dialog.message import Response
from dialog.status import reason_phrase
from dialog.timers import Timer
from dialog.transaction.client import ClientTransaction
from dialog.usage.exchange import Exchange
from dialog.usage.glare import MAX_GLARE_RETRIES, glare_delay, retry_after
from dialog.usage.state import UsageState

if TYPE_CHECKING:
    from dialog.usage.branch import Branch
    from dialog.usage.invite import InviteUsage


class Updating:
    """The UPDATEs of one dialog: at most one of each side."""

    __slots__ = ("_branch", "_client", "_server", "_usage")

    def __init__(self, usage: InviteUsage, branch: Branch) -> None:
        self._usage = usage
        self._branch = branch
        self._client: UpdateClient | None = None
        self._server: UpdateServer | None = None

    @property
    def busy_out(self) -> bool:
        """An UPDATE of ours is on its way, or waits to be tried again."""
        return self._client is not None and not self._client.done

    def offer(self, body: bytes) -> None:
        """Offer a changed session; ModifyAccepted or ModifyFailed follows."""
        self._check_free()
        self._client = UpdateClient(self._usage, self._branch, body)

    def refresh(self) -> None:
        """Refresh the session (RFC 4028 section 7.4): an UPDATE without a body, and without any event."""
        self._check_free()
        self._client = UpdateClient(self._usage, self._branch, b"")

    def receive(self, incoming: IncomingRequest) -> None:
        """An UPDATE of the peer."""
        if self._server is not None and self._server.unanswered:
            retry_after(self._usage.core, incoming, "Another UPDATE In Progress")
            return
        self._server = UpdateServer(self._usage, self._branch, incoming)
        self._server.start()

    def stop(self) -> None:
        """Nothing is tried or answered any more."""
        if self._client is not None:
            self._client.abandon()
        if self._server is not None:
            self._server.stop()

    def _check_free(self) -> None:
        if self.busy_out:
            raise LocalProtocolError("an UPDATE of ours is still in progress")


class UpdateClient:
    """One UPDATE of ours, tried again after glare; without a body it is a session refresh."""

    def __init__(self, usage: InviteUsage, branch: Branch, body: bytes) -> None:
        self._usage = usage
        self._core = usage.core
        self._branch = branch
        self._body = body
        self._retries = 0
        self._retry: Timer | None = None
        self.done = False
        self._send()

    def abandon(self) -> None:
        """The call or the branch is over: no retry, no events."""
        self.done = True
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def on_response(self, transaction: ClientTransaction, response: Response) -> None:
        """A response to our UPDATE."""
        status = response.status
        if status < 200 or self.done:
            return
        if status < 300:
            self._on_success(response)
        elif status == 422 and self._usage.timer.ask_for_more(response):
            self._send()
        elif status == 491 and self._retries < MAX_GLARE_RETRIES:
            self._branch.offer_failed()
            self._retries += 1
            self._retry = self._core.queue.start(glare_delay(self._usage), self._try_again)
        else:
            if status in (405, 501):
                self._branch.peer_allows -= {"UPDATE"}
            self._fail(status, response.reason, "remote" if status in (408, 481) else None)

    def on_failure(
        self, transaction: ClientTransaction | None, cause: Literal["timeout", "transport"]
    ) -> None:
        """No final response: the peer is gone, and the dialog with it (section 12.2.1.2)."""
        if not self.done:
            status = 408 if cause == "timeout" else 503
            self._fail(status, reason_phrase(status), cause)

    def _send(self) -> None:
        core, dialog = self._core, self._branch.dialog
        self._retry = None
        headers = list(core.capabilities)
        headers += self._usage.timer.request_fields()
        if self._body:
            headers.append(("Content-Type", core.config.accept[0]))
            self._branch.exchange = Exchange.OURS
        request = dialog.request("UPDATE", dialog.next_sequence(), headers, self._body)
        core.send_request(
            request,
            self,
            dialog.next_hop,
            contact=True,
            contact_user=self._usage.local_uri.uri,
            otherwise=dialog.flow,
        )

    def _try_again(self) -> None:
        if self._branch.quiet and not self._usage.modify_busy_in:
            self._send()
        else:
            self._retry = self._core.queue.start(glare_delay(self._usage), self._try_again)

    def _on_success(self, response: Response) -> None:
        usage, branch = self._usage, self._branch
        self.done = True
        branch.dialog.refresh_target(response)
        branch.note_peer(response)
        if usage.branch is branch:
            usage.timer.agreed(response)
        if not self._body:
            return
        branch.offer_failed()
        answer = session_description(response, self._core.config.accept)
        if answer is None:
            self._core.emit(ModifyFailed(usage, 488, "No session description in the 2xx"))
            return
        self._core.emit(SessionAnswer(usage, answer.content, branch.tag))
        self._core.emit(ModifyAccepted(usage))

    def _fail(self, status: int, reason: str, gone: Literal["remote", "timeout", "transport"] | None) -> None:
        usage = self._usage
        self.done = True
        self._branch.offer_failed()
        ends_call = gone is not None and usage.branch is self._branch and usage.state is UsageState.CONFIRMED
        if self._body:
            self._core.emit(ModifyFailed(usage, status, reason, ends_call))
        elif 400 <= status < 500 and gone is None:
            usage.refresh_by_offer()  # some want a session description in it, or do not know UPDATE after all
        else:
            usage.timer.refresh_failed()
        if ends_call and gone is not None:
            usage.dialog_is_gone(status, gone)


class UpdateServer:
    """One UPDATE of the peer, until it is answered."""

    def __init__(self, usage: InviteUsage, branch: Branch, incoming: IncomingRequest) -> None:
        self._usage = usage
        self._core = usage.core
        self._branch = branch
        self._incoming = incoming

    @property
    def unanswered(self) -> bool:
        """It has no final response yet."""
        return not self._incoming.transaction.answered

    def start(self) -> None:
        """Refuse it, answer it, or ask the application."""
        usage, branch, request = self._usage, self._branch, self._incoming.request
        offer = session_description(request, self._core.config.accept)
        if offer is None:
            self._accept(b"")
        elif branch.exchange is Exchange.OURS or usage.modify_busy_out:
            self._incoming.respond(491)
        elif not branch.quiet:
            retry_after(self._core, self._incoming, "An Offer Is Unanswered")
        else:
            branch.ask(self)
            self._core.emit(SessionOffer(usage, offer.content, offer.content_type, branch.tag))

    def accept(self, body: bytes) -> None:
        """200 with our answer."""
        self._branch.answered()
        self._accept(body)

    def reject(self, status: int) -> None:
        """A final response of refusal: the session stays as it is."""
        self._branch.answered()
        self._incoming.respond(status)

    def stop(self) -> None:
        """The call is over: what is unanswered gets 487 (section 15.1.2)."""
        if self.unanswered:
            self._incoming.respond(487)

    def _accept(self, body: bytes) -> None:
        usage, branch, incoming = self._usage, self._branch, self._incoming
        branch.dialog.refresh_target(incoming.request)
        branch.note_peer(incoming.request)
        headers = [("Contact", incoming.contact), *self._core.capabilities]
        if usage.state is UsageState.CONFIRMED:
            headers += usage.timer.answer_fields(incoming.request)
        if body:
            headers.append(("Content-Type", self._core.config.accept[0]))
        incoming.respond(200, None, headers, body)
