"""Whom a request in a dialog is for (RFC 3261 section 12.2.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from dialog.dialog import DialogKey
from dialog.incoming import IncomingRequest
from dialog.message import Request

if TYPE_CHECKING:
    from dialog.usage.sharing import DialogUser

Handler = Callable[[IncomingRequest], None]
"""Takes a request and answers it, now or later."""


class Dialogs:
    """The calls and subscriptions by their dialogs, and who awaits the request that makes one."""

    def __init__(self) -> None:
        self._users: dict[DialogKey, DialogUser] = {}
        self._halves: dict[tuple[str, str], Handler] = {}

    def __len__(self) -> int:
        return len(self._users) + len(self._halves)

    def __iter__(self) -> Iterator[DialogKey]:
        """The dialogs in use."""
        return iter(self._users)

    def add(self, key: DialogKey, user: DialogUser) -> None:
        """Requests in this dialog are for this call or subscription."""
        self._users[key] = user

    def remove(self, key: DialogKey) -> None:
        """Requests in this dialog are strays from now on."""
        self._users.pop(key, None)

    def find(self, key: DialogKey) -> DialogUser | None:
        """Who uses this dialog: for Replaces and Target-Dialog, which name one from outside."""
        return self._users.get(key)

    def user_of(self, request: Request) -> DialogUser | None:
        """The call or subscription that a request inside a dialog is for.

        A peer that answered without a tag (RFC 2543) may show one later.
        """
        call_id, ours, theirs = request.call_id, request.to.tag or "", request.from_.tag or ""
        return self._users.get((call_id, ours, theirs)) or self._users.get((call_id, ours, ""))

    def add_half(self, call_id: str, local_tag: str, handler: Handler) -> None:
        """Requests to our tag in no dialog yet go to `handler`: the NOTIFY that comes before (or instead of)
        the response to our SUBSCRIBE makes the dialog (RFC 6665 section 4.4.1)."""
        self._halves[call_id, local_tag] = handler

    def remove_half(self, call_id: str, local_tag: str) -> None:
        """No request makes a dialog with this tag of ours any more."""
        self._halves.pop((call_id, local_tag), None)

    def awaiting(self, request: Request) -> Handler | None:
        """Who awaits a request to this To tag of ours, whatever its From tag."""
        return self._halves.get((request.call_id, request.to.tag or ""))
