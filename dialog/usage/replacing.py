"""Which call an INVITE with Replaces is to take the place of (RFC 3891 section 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialog.errors import ParseError
from dialog.inspection import Refusal
from dialog.message import Request
from dialog.replaces import Replaces
from dialog.usage.invite import InviteUsage
from dialog.usage.state import Role, UsageState

if TYPE_CHECKING:
    from dialog.core import Core


def find_replaced(core: Core, request: Request) -> InviteUsage | Refusal | None:
    """The call that Replaces names, None without Replaces, or the answer to a Replaces that cannot be obeyed.

    An early call can be replaced by its caller only: the callee of one is who rings, and nobody may take a
    ringing call away from there.
    """
    try:
        replaces = Replaces.of(request)
    except ParseError as error:
        return Refusal(400, (), error.reason)
    if replaces is None:
        return None
    usage = core.dialogs.find(replaces.key)
    if not isinstance(usage, InviteUsage):
        return Refusal(481)
    if usage.state in (UsageState.ENDING, UsageState.ENDED):
        return Refusal(603)
    early = usage.state in (UsageState.CALLING, UsageState.RINGING)
    if early and usage.role is Role.UAS:
        return Refusal(481)
    if replaces.early_only and not early:
        return Refusal(486)
    return usage
