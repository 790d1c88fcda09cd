"""A call: one INVITE dialog usage, from either side (RFC 3261 sections 13 to 15).

`InviteUsage` is what the application holds. The machines are beside it: `Caller` and `Callee` for the first
INVITE, `Branch` for each dialog and its UPDATEs, `Modifying` for re-INVITEs, `SessionTimer`, `Bye`.
Methods called when the call does not allow them raise LocalProtocolError with a sentence that says why;
nothing is sent then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from dialog.address import NameAddr
from dialog.bodies import session_description
from dialog.dialog import Dialog
from dialog.errors import LocalProtocolError
from dialog.events import CallEnded, EndedBy, IncomingCall, RefreshWanted, SessionOffer, UsageEvent
from dialog.incoming import IncomingRequest
from dialog.message import Request
from dialog.status import reason_phrase
from dialog.usage.branch import Branch
from dialog.usage.callee import Callee
from dialog.usage.caller import Caller, check_before_answer
from dialog.usage.ending import Bye
from dialog.usage.exchange import Exchange
from dialog.usage.info import Info, receive_info
from dialog.usage.invitation import check_line, invitation
from dialog.usage.modify import check_confirmed
from dialog.usage.modifying import Modifying
from dialog.usage.session import SessionUsage
from dialog.usage.session_timer import SessionTimer
from dialog.usage.sharing import Sharer, Sharers
from dialog.usage.state import Role, UsageState

if TYPE_CHECKING:
    from dialog.core import Core

__all__ = ["InviteUsage", "Role", "UsageState"]


class InviteUsage(SessionUsage):
    """One call. `request` is its first INVITE, `role` which side of it we are."""

    __slots__ = ("_callee", "_held_bye", "call_id", "request", "role", "sharers")

    def __init__(self, core: Core, role: Role, request: Request) -> None:
        self.core = core
        self.role = role
        self.request = request
        self.call_id = request.call_id
        self.state = UsageState.CALLING
        self.branch: Branch | None = None
        """The dialog of the call: the callee's from the start, the caller's from the 2xx on."""
        self._caller: Caller | None = None
        self._callee: Callee | None = None
        self.sharers = Sharers()
        """Other usages of the call's dialog; while there are any, the dialog outlives the call."""
        self._modifying: Modifying | None = None
        self.timer = SessionTimer(self)
        self._held_bye: str | None = None
        core.add_usage(self)

    @classmethod
    def calling(
        cls,
        core: Core,
        target: str,
        from_: NameAddr | str,
        body: bytes | None,
        content_type: str,
        headers: Sequence[tuple[str, str]],
        held: bool = False,
    ) -> InviteUsage:
        """Send an INVITE, or hold it back until `start`; called by the core."""
        request = invitation(core, target, from_, body, content_type, headers)
        usage = cls(core, Role.UAC, request)
        for name, value in usage.timer.request_fields():
            request.headers.add(name, value)
        usage._caller = Caller(usage, request, offered=held or bool(body), held=held)
        return usage

    @classmethod
    def called(
        cls, core: Core, incoming: IncomingRequest, replaces: InviteUsage | None = None
    ) -> InviteUsage:
        """Take an INVITE, which may be meant to take the place of a call; called by the core."""
        request = incoming.request
        offer = session_description(request, core.config.accept)
        usage = cls(core, Role.UAS, request)
        dialog = Dialog.from_request(request, incoming.to_tag, core.new_sequence())
        dialog.flow = incoming.flow
        branch = Branch(usage, dialog, Exchange.NOTHING if offer is None else Exchange.THEIRS)
        branch.note_peer(request)
        usage.establish(branch)
        usage._callee = Callee(usage, incoming, branch)
        core.emit(IncomingCall(usage, request, replaces))
        if offer is not None:
            core.emit(SessionOffer(usage, offer.content, offer.content_type, branch.tag))
        return usage

    # What the application may ask.

    @property
    def local_uri(self) -> NameAddr:
        """Our side, as the INVITE named it."""
        return (self.request.from_ if self.role is Role.UAC else self.request.to).with_tag(None)

    @property
    def remote_uri(self) -> NameAddr:
        """The other side: who called, or the URI that was called, by which it can be called again."""
        if self.role is Role.UAC:
            return NameAddr(self.request.uri)
        return self.request.from_.with_tag(None)

    @property
    def is_trusted(self) -> bool:
        """Whether the call came, or went, by a server that may say who somebody is (RFC 3325)."""
        if self.branch is not None:
            flow = self.branch.dialog.flow
        else:
            flow = None if self._caller is None else self._caller.flow
        return flow is not None and self.core.trust.believes(flow)

    @property
    def can_offer_early(self) -> bool:
        """Callee: whether `progress` may carry an offer, that is whether the caller can acknowledge it."""
        return self._callee is not None and self._callee.provisionals.possible

    # What the application may do.

    def start(self, body: bytes | None, content_type: str = "application/sdp") -> None:
        """Caller: send the INVITE that was held back, with this offer; nothing when the call was given up."""
        self._check_caller("start")
        self.core.check_length(body or b"")
        if self._caller is not None and self.state is UsageState.CALLING:
            self.core.act()
            self._caller.start(body or b"", content_type)

    def cancel(self, reason: str | None = None) -> None:
        """Caller: give up before the answer; CallFailed follows. `reason` is a Reason header value.

        Nothing happens when the call is over or ending already.
        """
        self._check_caller("cancel")
        check_line(reason)
        check_before_answer(self.state)
        if self._caller is not None and self.state is not UsageState.ENDING:
            self.core.act()
            self._caller.cancel(reason)

    def ring(self, status: int = 180) -> None:
        """Callee: a provisional response without a body."""
        callee = self._unanswered("ring")
        self.core.act()
        callee.progress(status)

    def progress(self, body: bytes, status: int = 183) -> None:
        """Callee: a provisional response with a session description, for early media.

        It is our answer (or offer, when the caller made none) if the caller can acknowledge it, and a preview
        of it otherwise.
        """
        callee = self._unanswered("send early media")
        self.core.check_length(body)
        self.core.act()
        callee.progress(status, body)

    def accept(self, body: bytes = b"") -> None:
        """Callee: answer the call; `body` is our answer, or our offer if the caller made none.

        It is not needed, and not sent, when an acknowledged provisional response brought it.
        """
        callee = self._unanswered("accept")
        callee.check_acceptable(body)
        self.core.check_length(body)
        self.core.act()
        callee.accept(body)

    def reject(
        self, status: int = 486, reason: str | None = None, headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        """Callee: refuse the call with a final response (300 to 699). No event follows: the call is over."""
        callee = self._unanswered("reject")
        if not 300 <= status <= 699:
            raise LocalProtocolError(f"{status} does not refuse a call: use 300 to 699")
        self.core.act()
        callee.reject(status, reason, headers)
        self._close()

    def bye(self, reason: str | None = None) -> None:
        """End the call; CallEnded follows when the peer has confirmed it, or will not.

        A caller not yet answered cancels. A callee that has answered must not send BYE before the ACK came
        (section 15): it is held until then. Nothing happens when the call is over or ending already.
        """
        check_line(reason)
        if self.state in (UsageState.ENDING, UsageState.ENDED):
            return
        if self.state in (UsageState.CALLING, UsageState.RINGING):
            if self.role is Role.UAS:
                raise LocalProtocolError("a call that is not answered is refused with reject(), not bye()")
            self.cancel(reason)
            return
        self.core.act()
        self.hang_up(reason)

    def info(self, content_type: str, body: bytes) -> None:
        """Send an INFO in the call's dialog."""
        check_confirmed(self.state)
        self.core.check_length(body)
        self.core.act()
        Info(self, content_type, body)

    # What the core gives.

    def receive_request(self, incoming: IncomingRequest) -> None:
        """A request in one of our dialogs, other than ACK and CANCEL."""
        request = incoming.request
        branch = self.find_branch(request.from_.tag or "")
        if branch is not None and not branch.dialog.accepts_sequence(request):
            incoming.respond(500, "CSeq Out Of Order")
            return
        sharer = self.sharers.find(request)
        if sharer is not None:
            sharer.receive_request(incoming)
        elif branch is None or self.state is UsageState.ENDED:
            incoming.respond(481)  # only what shares the dialog is left of it (RFC 5057 section 5.1)
        elif request.method == "BYE":
            self._receive_bye(incoming)
        elif request.method == "INVITE":
            self.modifying.receive(incoming)
        elif request.method == "UPDATE":
            branch.updating.receive(incoming)
        elif request.method == "PRACK" and self._callee is not None:
            self._callee.provisionals.on_prack(incoming)
        elif request.method == "INFO":
            receive_info(self, incoming)
        else:
            self._receive_other(incoming)

    def receive_ack(self, ack: Request) -> None:
        """An ACK in our dialog: of the first INVITE or of a re-INVITE, as its CSeq says."""
        if self._callee is not None and self._callee.awaits_ack:
            self._callee.on_ack(ack)
        if self._modifying is not None:
            self._modifying.on_ack(ack)

    # What the machines of this call share.

    @property
    def modifying(self) -> Modifying:
        """Its re-INVITEs."""
        if self._modifying is None:
            self._modifying = Modifying(self)
        return self._modifying

    def establish(self, branch: Branch) -> None:
        """This is the call's branch."""
        self.branch = branch
        self.core.dialogs.add(branch.dialog.key, self)

    def refresh_session(self) -> None:
        """The session timer wants a refresh: an UPDATE where the peer takes it, else a re-INVITE, whose offer
        only the application can make (RFC 4028 section 7.4)."""
        branch = self.confirmed_branch
        busy = self.modify_underway or self.modify_busy_in or branch.updating_out
        if self.state is not UsageState.CONFIRMED or busy or not branch.quiet:
            self.timer.refresh_failed()
        elif "UPDATE" in branch.peer_allows:
            branch.updating.refresh()
        else:
            self.refresh_by_offer()

    def refresh_by_offer(self) -> None:
        """A refresh needs a session description: the application has it."""
        if self.state is UsageState.CONFIRMED:
            self.core.emit(RefreshWanted(self))
            self.timer.refresh_failed()  # asked again, unless it succeeds

    def session_expired(self) -> None:
        """Nobody has refreshed the session: the peer is gone (RFC 4028 section 10)."""
        if self.state is UsageState.CONFIRMED:
            self.send_last_bye('SIP;cause=408;text="Session timer expired"')
            self.finish(CallEnded(self, "timeout", "Session timer expired"))

    def hang_up(self, reason: str | None) -> None:
        """Send BYE, now or as soon as it is allowed."""
        if self._caller is not None and self.state is UsageState.ANSWERED:
            self._caller.refuse_late_offer()
        if self._callee is not None and self._callee.holds_final:
            self._callee.reject(480)  # the 2xx that waited for a PRACK never left: there is nothing to end
            self.finish(CallEnded(self, "local", reason or ""))
            return
        must_wait = self._callee is not None and self._callee.awaits_ack
        self.state = UsageState.ENDING
        self._held_bye = reason
        self._stop_changes()
        if not must_wait:
            self.send_held_bye()

    def send_held_bye(self) -> None:
        """The ACK came (or never will): the BYE may go."""
        Bye(self.core, self.confirmed_dialog, self._held_bye, self._bye_done)

    def send_last_bye(self, reason: str) -> None:
        """Send a BYE whose outcome nobody waits for."""
        Bye(self.core, self.confirmed_dialog, reason, self._bye_done)

    def dialog_is_gone(self, status: int, cause: Literal["remote", "timeout", "transport"]) -> None:
        """The peer does not know the dialog, or does not answer: BYE, and the call is over."""
        if self.state is not UsageState.CONFIRMED:
            return
        self.send_last_bye(f'SIP;cause={status};text="{reason_phrase(status)}"')
        by: EndedBy = "timeout" if status == 408 else cause
        if cause != "remote":  # a 481 is about this usage alone (RFC 5057 section 5.1)
            self.sharers.dialog_is_gone(status, cause)
        self.finish(CallEnded(self, by, reason_phrase(status)))

    def leave(self, sharer: Sharer) -> None:
        """A usage that shares the dialog is over; the last one of all takes the dialog with it."""
        self.sharers.remove(sharer)
        if self.state is UsageState.ENDED:
            self._release_dialog()

    def finish(self, event: UsageEvent) -> None:
        """The call is over; only the first reason counts."""
        if self.state is not UsageState.ENDED:
            self._close()
            self.core.emit(event)

    # Inside.

    def _close(self) -> None:
        self.state = UsageState.ENDED
        self._stop_changes()
        if self._callee is not None:
            # Lingering transactions remember their bytes, not the call: 32 s of calls would be a lot to keep.
            self._callee.release()
            self._callee = None
        if self._caller is not None:
            self._caller.release()
            self._caller = None
        self.timer.release()
        self._release_dialog()
        self.core.remove_usage(self)

    def _stop_changes(self) -> None:
        self.timer.stop()
        if self._modifying is not None:
            self._modifying.stop()
        if self.branch is not None:
            self.branch.stop()

    def _release_dialog(self) -> None:
        if self.branch is not None and not self.sharers:
            self.core.dialogs.remove(self.branch.dialog.key)
            self.branch.release()
            self._modifying = None

    def _bye_done(self) -> None:
        self.finish(CallEnded(self, "local", self._held_bye or ""))

    def _receive_bye(self, incoming: IncomingRequest) -> None:
        incoming.respond(200)
        reason = incoming.request.headers.get("Reason") or ""
        if self.branch is None:
            return  # a branch not yet answered: its final response decides
        if self._callee is not None and self._callee.on_bye(reason):
            return
        if self._caller is not None and self.state is UsageState.ANSWERED:
            self._caller.refuse_late_offer()
        self.finish(CallEnded(self, "local" if self.state is UsageState.ENDING else "remote", reason))

    def _receive_other(self, incoming: IncomingRequest) -> None:
        """What the core was told to do with this method in a call; a NOTIFY that nobody awaits gets 481."""
        handler = self.core.call_handlers.get(incoming.request.method)
        if handler is None:
            incoming.respond(481)
        else:
            handler(self, incoming)

    def _check_caller(self, verb: str) -> None:
        if self.role is not Role.UAC:
            raise LocalProtocolError(f"only the caller can {verb} a call")

    def _unanswered(self, verb: str) -> Callee:
        if self.role is Role.UAC:
            raise LocalProtocolError(f"only the callee can {verb}")
        if self.state in (UsageState.ANSWERED, UsageState.CONFIRMED):
            raise LocalProtocolError(f"cannot {verb}: the call was answered already")
        if self._callee is None or self.state is UsageState.ENDING:
            raise LocalProtocolError(f"cannot {verb}: the call is over")
        return self._callee
