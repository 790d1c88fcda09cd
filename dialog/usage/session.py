"""The session of a call: in which dialog an offer stands, who waits for an answer, and how it is changed.

The half of `InviteUsage` that is about descriptions; the other half is about the call's life.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialog.dialog import Dialog
from dialog.errors import LocalProtocolError
from dialog.usage.invitation import check_body
from dialog.usage.modify import check_confirmed
from dialog.usage.state import UsageState

if TYPE_CHECKING:
    from dialog.core import Core
    from dialog.usage.branch import Asker, Branch
    from dialog.usage.caller import Caller
    from dialog.usage.modifying import Modifying
    from dialog.usage.session_timer import SessionTimer


class SessionUsage:
    """What `InviteUsage` does with session descriptions. LocalProtocolError, and nothing sent, for misuse."""

    __slots__ = ("_caller", "_modifying", "branch", "core", "state", "timer")

    core: Core
    state: UsageState
    branch: Branch | None
    timer: SessionTimer
    _caller: Caller | None
    _modifying: Modifying | None
    """The re-INVITEs; made when there is one, for most calls have none."""

    # What the application may ask.

    @property
    def early_dialogs(self) -> list[str]:
        """Remote tags of the branches a call of ours has so far."""
        return [] if self._caller is None else self._caller.early_dialogs

    @property
    def dialog(self) -> Dialog | None:
        """The dialog of `branch`."""
        return None if self.branch is None else self.branch.dialog

    @property
    def peer_allows(self) -> frozenset[str]:
        """Methods that the peer's Allow named last; empty before the caller's 2xx."""
        return frozenset() if self.branch is None else self.branch.peer_allows

    @property
    def session_interval(self) -> int | None:
        """Seconds after which the session must be refreshed (RFC 4028); None without a session timer."""
        return self.timer.interval

    # What the application may do.

    def reinvite(self, body: bytes | None) -> None:
        """Offer a changed session, or (None) ask for an offer; ModifyAccepted or ModifyFailed follows."""
        check_confirmed(self.state)
        self.modifying.reinvite(body or b"")

    def update(self, body: bytes, early_dialog: str | None = None) -> None:
        """Offer a changed session by UPDATE, also before the call is answered: ModifyAccepted or ModifyFailed
        follows. `early_dialog` names the branch of a forked call; without it, the only one."""
        check_body(body)
        branch = self._branch_to_update(early_dialog)
        if not branch.quiet or self.modify_underway:
            raise LocalProtocolError("no UPDATE now: an offer is open, or none was ever answered")
        self.core.check_length(body)
        self.core.act()
        branch.updating.offer(body)

    def refresh(self, body: bytes) -> None:
        """Offer what was said last once more, for a RefreshWanted: by UPDATE if the peer takes that, else by
        re-INVITE; ModifyAccepted or ModifyFailed follows."""
        if "UPDATE" in self.peer_allows:
            self.update(body)
        else:
            self.reinvite(body)

    def answer_offer(self, body: bytes, early_dialog: str | None = None) -> None:
        """Answer a SessionOffer, or give the offer of an OfferWanted. `early_dialog` is the offer's."""
        check_body(body)
        self.core.check_length(body)
        asker = self._asker(early_dialog)
        self.core.act()
        asker.accept(body)

    def reject_offer(self, status: int = 488, early_dialog: str | None = None) -> None:
        """Refuse a SessionOffer. That of a re-INVITE, UPDATE or PRACK leaves the call as it was; that of a
        response ends it by BYE or CANCEL, for a response cannot be refused."""
        asker = self._asker(early_dialog)
        self.core.act()
        asker.reject(status)

    def replace_offer(self, body: bytes) -> None:
        """What a re-INVITE of ours that waits to be tried again after glare (491) shall offer instead.

        For an application that answered the peer's offer meanwhile, and whose own is out of date by that.
        """
        check_body(body)
        self.modifying.replace_offer(body)

    # What the machines of this call share.

    @property
    def modifying(self) -> Modifying:
        """Its re-INVITEs."""
        raise NotImplementedError

    @property
    def confirmed_branch(self) -> Branch:
        """The call's branch, where there must be one."""
        assert self.branch is not None
        return self.branch

    @property
    def confirmed_dialog(self) -> Dialog:
        """The call's dialog, where there must be one."""
        return self.confirmed_branch.dialog

    @property
    def over(self) -> bool:
        """The call has ended, or is about to."""
        return self.state in (UsageState.ENDING, UsageState.ENDED)

    @property
    def modify_busy_in(self) -> bool:
        """A re-INVITE of the peer is unanswered, or waits for the ACK with its answer."""
        return self._modifying is not None and self._modifying.busy_in

    @property
    def modify_busy_out(self) -> bool:
        """A re-INVITE of ours is on the wire."""
        return self._modifying is not None and self._modifying.busy_out

    @property
    def modify_underway(self) -> bool:
        """A re-INVITE of ours is on the wire, or waits to be tried again."""
        return self._modifying is not None and self._modifying.underway

    def find_branch(self, tag: str) -> Branch | None:
        """The dialog with this remote tag."""
        if self.branch is not None and self.branch.tag in (tag, ""):
            return self.branch
        return None if self._caller is None else self._caller.branch(tag)

    # Inside.

    def _branches(self, early_dialog: str | None) -> list[Branch]:
        """The dialogs that `early_dialog` may mean: that one, or all."""
        if early_dialog is not None:
            branch = self.find_branch(early_dialog)
            return [] if branch is None else [branch]
        if self.branch is not None:
            return [self.branch]
        return [] if self._caller is None else self._caller.branches

    def _branch_to_update(self, early_dialog: str | None) -> Branch:
        if self.over:
            raise LocalProtocolError("the call is over")
        branches = self._branches(early_dialog)
        if len(branches) != 1:
            count = len(branches) or "no"
            raise LocalProtocolError(f"there are {count} early dialogs: name one of {self.early_dialogs}")
        return branches[0]

    def _asker(self, early_dialog: str | None) -> Asker:
        """Who waits for the application's session description."""
        for branch in self._branches(early_dialog):
            if branch.asker is not None and self.state is not UsageState.ENDED:
                return branch.asker
        raise LocalProtocolError("no offer is waiting for an answer")
