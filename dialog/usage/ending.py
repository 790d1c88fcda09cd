"""BYE (RFC 3261 section 15.1.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from dialog.dialog import Dialog
from dialog.message import Response
from dialog.transaction.client import ClientTransaction

if TYPE_CHECKING:
    from dialog.core import Core


class Bye:
    """Our BYE in one dialog. `done` is called once, when it was answered or never will be.

    Whatever the answer is, the session is over (section 15.1.1): a 481 or 408 as much as a 200.
    """

    def __init__(self, core: Core, dialog: Dialog, reason: str | None, done: Callable[[], None]) -> None:
        self._done = done
        headers = [("Reason", reason)] if reason else []
        bye = dialog.request("BYE", dialog.next_sequence(), headers)
        core.send_request(bye, self, dialog.next_hop, otherwise=dialog.flow)

    def on_response(self, transaction: ClientTransaction, response: Response) -> None:
        """Any final response ends it."""
        if response.status >= 200:
            self._done()

    def on_failure(
        self, transaction: ClientTransaction | None, cause: Literal["timeout", "transport"]
    ) -> None:
        """Nobody is there to be told."""
        self._done()
