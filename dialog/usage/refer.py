"""REFER (RFC 3515): asking a peer to call somebody, and hearing how it went; and being asked.

The answer to a REFER says only that the peer will try. What comes of it is told by NOTIFYs of an implicit
subscription in the same dialog, each with the status line of the latest response (message/sipfrag); unless
both sides agree to do without (RFC 4488).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dialog.address import NameAddr
from dialog.dialog import Dialog, next_hop
from dialog.errors import LocalProtocolError, ParseError
from dialog.event_package import EventType, SubscriptionState
from dialog.grammar import parse_params
from dialog.incoming import IncomingRequest
from dialog.message import Request, Response
from dialog.replaces import Replaces
from dialog.service_events import IncomingRefer, ReferAnswered, ReferEnded, ReferProgress, SubscriptionEndedBy
from dialog.sipfrag import SIPFRAG, StatusFragment, is_sipfrag
from dialog.status import reason_phrase
from dialog.uri import SipUri, Uri
from dialog.usage.asking import Asked, NoAnswer, outside_request
from dialog.usage.invite import InviteUsage
from dialog.usage.modify import check_confirmed
from dialog.usage.notifier import Notifier
from dialog.usage.subscriber import Watch

if TYPE_CHECKING:
    from dialog.core import Core

PATIENCE = 300
"""Seconds that we tell the transferor to wait for the outcome; our own call is given up before."""


class Refer:
    """Our REFER, in a call or outside one: the `source` of its events, of which ReferEnded is the last."""

    def __init__(self, core: Core, request: Request, usage: InviteUsage | None, *, followed: bool) -> None:
        self.request = request
        self._core = core
        self._usage = usage
        self._followed = followed
        self._sequence = request.cseq.number
        self._accepted = False
        self._over = False
        self._watch = Watch(core, usage, EventType("refer", str(self._sequence)), self)
        self._watch.is_ours = self._is_ours

    @classmethod
    def inside(
        cls, core: Core, usage: InviteUsage, headers: Sequence[tuple[str, str]], *, followed: bool
    ) -> Refer:
        """Send it in the dialog of a call."""
        check_confirmed(usage.state)
        dialog = usage.confirmed_dialog
        fields = (*core.client_headers, *core.capabilities, *headers)
        refer = cls(core, dialog.request("REFER", dialog.next_sequence(), fields), usage, followed=followed)
        core.send_request(
            refer.request,
            Asked(refer._answered),
            dialog.next_hop,
            contact=True,
            contact_user=usage.local_uri.uri,
            otherwise=dialog.flow,
        )
        return refer

    @classmethod
    def outside(
        cls,
        core: Core,
        target: str,
        from_: NameAddr | str,
        headers: Sequence[tuple[str, str]],
        *,
        followed: bool,
    ) -> Refer:
        """Send it to somebody we have no call with."""
        request = outside_request(core, "REFER", target, from_, (*core.capabilities, *headers))
        refer = cls(core, request, None, followed=followed)
        core.dialogs.add_half(request.call_id, request.from_.tag or "", refer._receive_notify)
        core.send_request(
            request, Asked(refer._answered), next_hop(request), contact=True, contact_user=request.from_.uri
        )
        return refer

    def notified(self, watch: Watch, state: SubscriptionState, request: Request) -> None:
        """How it fares."""
        fragment = StatusFragment.parse(request.body) if is_sipfrag(request.content_type or "") else None
        if fragment is not None and not self._over:
            if fragment.status < 200:
                self._core.emit(ReferProgress(self, fragment.status, fragment.reason))
            else:
                self._finish(ReferEnded(self, "done", fragment.status, fragment.reason))
        if state.terminated:
            self._finish(ReferEnded(self, "unknown", 0, state.reason))
        elif self._over:
            watch.await_notify()  # the outcome is known; the end of the subscription comes, or we forget it

    def watch_over(self, watch: Watch, by: SubscriptionEndedBy, status: int, reason: str) -> None:
        """No more will be told."""
        self._finish(ReferEnded(self, "unknown", status, reason))

    def _is_ours(self, event: EventType) -> bool:
        """The id is the CSeq of the REFER; the first of a dialog need not be named (section 2.4.6).

        A REFER that is challenged is sent again with a higher CSeq, whose NOTIFY may overtake its answer.
        """
        if event.package != "refer" or event.id is None or event.id == str(self._sequence):
            return event.package == "refer"
        digits = event.id.isascii() and event.id.isdigit() and len(event.id) <= 10
        return not self._accepted and digits and int(event.id) > self._sequence

    def _answered(self, response: Response | None, cause: NoAnswer | None) -> None:
        if response is None:
            status = 408 if cause == "timeout" else 503
            self._refused(ReferEnded(self, cause or "timeout", status, reason_phrase(status)))
        elif response.status < 300:
            self._sequence = response.cseq.number
            self._accepted = True
            refused = (response.headers.get("Refer-Sub") or "").strip().lower().startswith("false")
            if self._over:
                return
            followed = not refused
            self._core.emit(ReferAnswered(self, response.status, followed))
            if followed:
                self._watch.await_notify()
            else:
                self._watch.close()
                self._finish(ReferEnded(self, "untold", 0, ""))
        else:
            self._refused(ReferEnded(self, "refused", response.status, response.reason))

    def _refused(self, event: ReferEnded) -> None:
        if not self._over:
            self._watch.close()
            self._finish(event)
        usage = self._usage
        if usage is not None and event.status in (408, 481):
            usage.dialog_is_gone(event.status, "remote" if event.status == 481 else "timeout")

    def _receive_notify(self, incoming: IncomingRequest) -> None:
        """The NOTIFY that makes the dialog of a REFER sent outside one; only one branch is followed."""
        if self._watch.host is not None or not self._watch.takes(incoming.request):
            incoming.respond(481)
            return
        dialog = Dialog.from_notify(self.request, incoming.request)
        dialog.flow = incoming.flow
        self._watch.open(dialog, 0, ())
        self._watch.receive_request(incoming)

    def _finish(self, event: ReferEnded) -> None:
        if not self._over:
            self._over = True
            self._core.dialogs.remove_half(self.request.call_id, self.request.from_.tag or "")
            self._core.emit(event)


class Referral:
    """A REFER of a peer: the `source` of IncomingRefer.

    `target` is whom to call, with the call to take the place of in `replaces`; `referred_by` is what the
    INVITE has to carry on (RFC 3892), None when the peer does not say who it is.
    """

    def __init__(self, core: Core, incoming: IncomingRequest, usage: InviteUsage | None) -> None:
        """ParseError (400) for a REFER that does not name one URI."""
        request = incoming.request
        values = request.headers.split_all("Refer-To")
        if len(values) != 1:
            raise ParseError(400, "One Refer-To Is Needed", "Refer-To")
        uri = NameAddr.parse(values[0], "Refer-To").uri
        self.request = request
        self.replaces: Replaces | None = None
        self.method = "INVITE"
        if isinstance(uri, SipUri):
            self.method = (uri.params.get("method") or "INVITE").upper()
            for name, value in uri.headers:
                if name.lower() == "replaces":
                    self.replaces = Replaces.parse(value)
            params = {name: value for name, value in uri.params.items() if name != "method"}
            uri = replace(uri, headers=(), params=params)
        self.target: Uri = uri
        self.referred_by = request.headers.get("Referred-By")
        self._core = core
        self._usage = usage
        self._incoming: IncomingRequest | None = incoming
        self._notifier: Notifier | None = None

    def accept(self) -> None:
        """Say that we try: 202, and a first NOTIFY (100) unless the peer wants none (RFC 4488)."""
        incoming = self._take()
        request = incoming.request
        if (request.headers.get("Refer-Sub") or "").strip().lower().startswith("false"):
            headers = (("Refer-Sub", "false"), ("Contact", incoming.contact))
            incoming.respond(202, None, headers, record_route=True)
            return
        # Inside a call the id tells this subscription from that of another REFER (RFC 3515 section 2.4.6).
        event = EventType("refer", None if self._usage is None else str(request.cseq.number))
        self._notifier = Notifier(self._core, incoming, event, self._usage)
        self._notifier.answer(202)
        self._notifier.begin(PATIENCE, SIPFRAG, bytes(StatusFragment(100, "Trying")))

    def reject(self, status: int = 603) -> None:
        """We will not."""
        if not 300 <= status <= 699:
            raise LocalProtocolError(f"{status} does not refuse a REFER: use 300 to 699")
        self._take().respond(status)

    def progress(self, status: int, reason: str) -> None:
        """A provisional response to our INVITE."""
        if self._notifier is not None:
            self._notifier.notify(SIPFRAG, bytes(StatusFragment(status, reason)))

    def finish(self, status: int, reason: str) -> None:
        """The final response to our INVITE; the last NOTIFY."""
        if self._notifier is not None:
            body = bytes(StatusFragment(status, reason))
            self._notifier.terminate("noresource", content_type=SIPFRAG, body=body)

    def _take(self) -> IncomingRequest:
        incoming, self._incoming = self._incoming, None
        if incoming is None:
            raise LocalProtocolError("the REFER was answered already")
        self._core.act()
        return incoming


def receive_refer(core: Core, incoming: IncomingRequest, usage: InviteUsage | None = None) -> None:
    """A REFER outside a dialog, or in that of a call.

    One outside that names a call of ours by Target-Dialog (RFC 4538) comes from its other side, for nobody
    else knows the tags: it counts as if it had come in the call.
    """
    try:
        referral = Referral(core, incoming, usage)
        named = usage or _target_dialog(core, incoming.request)
    except ParseError as error:
        incoming.respond(400, error.reason)
        return
    core.emit(IncomingRefer(referral, named, incoming.request))


def _target_dialog(core: Core, request: Request) -> InviteUsage | None:
    """The call that Target-Dialog names, as we know it: our own tag is the local one."""
    value = request.headers.get("Target-Dialog")
    if value is None:
        return None
    call_id, semicolon, rest = value.partition(";")
    params = parse_params(semicolon + rest, "Target-Dialog")
    key = call_id.strip(), params.get("local-tag") or "", params.get("remote-tag") or ""
    user = core.dialogs.find(key)
    return user if isinstance(user, InviteUsage) else None
