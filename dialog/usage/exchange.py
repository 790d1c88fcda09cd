"""Where the offer/answer exchange of one dialog stands (RFC 3264, RFC 6337), whichever messages carry it.

           our offer                     their offer
  NOTHING -----------> OURS    NOTHING ---------------> THEIRS
  AGREED  -----------> OURS    AGREED  ---------------> THEIRS
  OURS  -- their answer, refusal -> AGREED     THEIRS  -- our answer, refusal -> AGREED

an offer in               has its answer in
INVITE                    a reliable 18x, or the 2xx
reliable 18x              PRACK
PRACK, UPDATE             their 2xx
2xx to an INVITE          ACK
"""

from __future__ import annotations

from enum import Enum


class Exchange(Enum):
    """The states of an exchange."""

    NOTHING = "nothing"
    """Nobody has offered anything yet."""
    OURS = "ours"
    """Our offer waits for the peer's answer."""
    THEIRS = "theirs"
    """The peer's offer waits for our answer."""
    AGREED = "agreed"
    """The last offer was answered, or refused so that what was agreed before holds."""
