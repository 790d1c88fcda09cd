"""What calls are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sipmedia.call import Call


class CallPart:
    """Does one thing for a call and knows it, until all is over."""

    def __init__(self, call: Call) -> None:
        self.call = call

    def release(self) -> None:
        """All is over, and nothing will be asked any more.

        Without the way back the call is freed with its last user. Left in a circle with its parts it would
        wait for the collector of cycles, which stops a phone of many calls again and again.
        """
        del self.call
