"""What happens when changes of a session meet (RFC 3261 section 14.1, RFC 3311 section 5.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialog.usage.state import Role

if TYPE_CHECKING:
    from dialog.core import Core
    from dialog.incoming import IncomingRequest
    from dialog.usage.invite import InviteUsage

MAX_GLARE_RETRIES = 8


def glare_delay(usage: InviteUsage) -> float:
    """How long to wait after 491: the owner of the Call-ID 2.1 to 4 s, the other 0 to 2 s, in 10 ms steps."""
    return usage.core.random.randint(*((210, 400) if usage.role is Role.UAC else (0, 200))) / 100


def retry_after(core: Core, incoming: IncomingRequest, reason: str) -> None:
    """500 with a random Retry-After: the peer's last request of this kind is not answered yet."""
    incoming.respond(500, reason, (("Retry-After", str(core.random.randrange(11))),))
