"""Telling others of states of ours (RFC 6665): our calls, for busy lamps, and what the application has."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from dialog import service_events as sip
from dialog.usage.notifier import Notifier, NotifierState
from sipmedia.parties import CallState
from sipmedia.service_events import SubscriptionRequested
from sipmedia.services import ServicePhone

if TYPE_CHECKING:
    from sipmedia.call import Call
    from sipmedia.config import PhoneConfig
    from sipmedia.packages.dialog_info import DialogState, State

SHORTEST_LAMP = 0.02
"""Seconds in which changes of calls are gathered into one NOTIFY."""


class Watcher:
    """Somebody who subscribed to a state of ours. ``event`` is the package, ``uri`` who it is, ``resource``
    the URI whose state is asked for, ``accepts`` the content types that are understood (none: the usual)."""

    def __init__(self, notifier: Notifier) -> None:
        request = notifier.request
        self.event = notifier.event.package
        self.uri = str(request.from_.uri)
        self.resource = request.request_uri
        accepted = ",".join(request.headers.get_all("Accept")).split(",")
        self.accepts = tuple(value.partition(";")[0].strip() for value in accepted if value.strip())
        self._notifier = notifier

    @property
    def undecided(self) -> bool:
        """Whether it is neither accepted nor rejected."""
        return self._notifier.state is NotifierState.WAITING

    @property
    def over(self) -> bool:
        """Whether the subscription has ended."""
        return self._notifier.state is NotifierState.TERMINATED

    def accept(self, content_type: str = "", body: bytes = b"", *, expires: int | None = None) -> None:
        """Take the subscription and tell the state; ``expires`` may shorten it."""
        self._notifier.accept(content_type, body, expires=expires)

    def reject(self, status: int = 403) -> None:
        """Refuse it."""
        self._notifier.reject(status)

    def notify(self, content_type: str, body: bytes) -> None:
        """Tell a new state. Harmless when the subscription is over."""
        self._notifier.notify(content_type, body)

    def terminate(self, reason: str = "deactivated") -> None:
        """End the subscription; ``reason`` is a word of RFC 6665 s4.1.3. Harmless when it is over."""
        self._notifier.terminate(reason)


class ServingPhone(ServicePhone):
    """The part of a :class:`~sipmedia.Softphone` that others subscribe to."""

    config: PhoneConfig

    def __init__(self) -> None:
        super().__init__()
        self._lamps: dict[Watcher, int] = {}
        self._lamps_due = False

    @property
    def calls(self) -> list[Call]:
        """The calls that are not over."""
        raise NotImplementedError

    def handle_service(self, event: sip.ServiceEvent) -> None:
        """Give an event to whom it is for."""
        if isinstance(event, sip.IncomingSubscription):
            self._on_subscription(event)
        else:
            super().handle_service(event)

    def _on_subscription(self, event: sip.IncomingSubscription) -> None:
        watcher = Watcher(event.source)
        if event.event.package == "dialog" and self.config.busy_lamp:
            self._light(watcher)
            return
        self.emit("subscription", SubscriptionRequested(watcher))
        asyncio.get_running_loop().call_soon(_unless_decided, watcher)

    # --- our calls, for whoever has a lamp ---

    def _light(self, watcher: Watcher) -> None:
        watcher.accept(*self._dialog_info(watcher, 0))
        self._lamps[watcher] = 0

    def follow_for_lamps(self, call: Call) -> None:
        """Tell those who watch our calls when this one changes."""
        if self.config.busy_lamp:
            for name in ("ringing", "progress", "answered", "ended"):
                call.on(name, self._call_changed)
            self._call_changed(None)

    def _call_changed(self, _: object) -> None:
        if self._lamps and not self._lamps_due:
            self._lamps_due = True
            asyncio.get_running_loop().call_later(SHORTEST_LAMP, self._tell_lamps)

    def _tell_lamps(self) -> None:
        self._lamps_due = False
        for watcher in [watcher for watcher in self._lamps if watcher.over]:
            del self._lamps[watcher]
        for watcher in self._lamps:
            self._lamps[watcher] += 1
            watcher.notify(*self._dialog_info(watcher, self._lamps[watcher]))

    def _dialog_info(self, watcher: Watcher, version: int) -> tuple[str, bytes]:
        """Content type and document."""
        from sipmedia.packages.dialog_info import CONTENT_TYPE, DialogInfo  # XML, when somebody has a lamp

        calls = tuple(_dialog_state(call) for call in self.calls)
        return CONTENT_TYPE, bytes(DialogInfo(watcher.resource, version, True, calls))


def _dialog_state(call: Call) -> DialogState:
    from sipmedia.packages.dialog_info import DialogState

    states: dict[CallState, State] = {
        CallState.CALLING: "trying",
        CallState.RINGING: "early",
        CallState.ANSWERED: "confirmed",
        CallState.ENDED: "terminated",
    }
    dialog = call.usage.dialog
    _, local_tag, remote_tag = dialog.key if dialog is not None else ("", "", "")
    return DialogState(
        f"{call.call_id}-{'in' if call.incoming else 'out'}",
        states[call.state],
        "recipient" if call.incoming else "initiator",
        call.call_id,
        local_tag,
        remote_tag,
        call.local_uri,
        call.remote_uri,
    )


def _unless_decided(watcher: Watcher) -> None:
    if watcher.undecided:
        watcher.reject(480)
