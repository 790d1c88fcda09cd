"""A request of ours that has an answer and nothing else: OPTIONS, MESSAGE, INFO (RFC 3261 s11, RFC 3428)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dialog.address import NameAddr
from dialog.dialog import next_hop
from dialog.message import Request, Response
from dialog.service_events import Answered
from dialog.usage.asking import Asked, NoAnswer, outside_request
from dialog.usage.modify import check_confirmed

if TYPE_CHECKING:
    from dialog.core import Core
    from dialog.usage.invite import InviteUsage


class Question:
    """The `source` of its Answered event. `request` is what was asked."""

    __slots__ = ("_core", "_dialog_usage", "request")

    def __init__(self, core: Core, request: Request, usage: InviteUsage | None = None) -> None:
        self.request = request
        self._core = core
        self._dialog_usage = usage

    @classmethod
    def outside(
        cls,
        core: Core,
        method: str,
        target: str,
        from_: NameAddr | str,
        headers: Sequence[tuple[str, str]],
        body: bytes,
    ) -> Question:
        """Ask somebody outside any dialog."""
        question = cls(core, outside_request(core, method, target, from_, headers, body))
        request = question.request
        contact = method != "MESSAGE"  # RFC 3428 section 4: no Contact
        user = request.from_.uri
        core.send_request(
            request, Asked(question._answered), next_hop(request), contact=contact, contact_user=user
        )
        return question

    @classmethod
    def inside(
        cls,
        core: Core,
        usage: InviteUsage,
        method: str,
        headers: Sequence[tuple[str, str]],
        body: bytes,
    ) -> Question:
        """Ask the other side of a call, in its dialog."""
        check_confirmed(usage.state)
        core.check_length(body)
        dialog = usage.confirmed_dialog
        request = dialog.request(method, dialog.next_sequence(), (*core.client_headers, *headers), body)
        question = cls(core, request, usage)
        core.send_request(request, Asked(question._answered), dialog.next_hop, otherwise=dialog.flow)
        return question

    def _answered(self, response: Response | None, cause: NoAnswer | None) -> None:
        self._core.emit(Answered(self, response, cause))
        usage = self._dialog_usage
        if usage is None:
            return
        if response is None:
            usage.dialog_is_gone(408 if cause == "timeout" else 503, cause or "timeout")
        elif response.status == 481:
            usage.dialog_is_gone(481, "remote")
