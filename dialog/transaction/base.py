"""What the four transactions share: a table, a state, two timers and a way out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol

from dialog.flow import Flow
from dialog.timers import Timer, TimerQueue, Timers
from dialog.transaction.tables import Action, Input, State, Table, step


class Surroundings(Protocol):
    """What a transaction needs from its layer."""

    timers: Timers
    queue: TimerQueue

    def send(self, flow: Flow, data: bytes) -> None:
        """Hand a message to the transport."""

    def send_elsewhere(self, transaction: Any, data: bytes) -> None:
        """Send a response whose connection is gone another way."""

    def forget(self, transaction: Transaction) -> None:
        """The transaction has terminated: match nothing to it any more."""


class Transaction:
    """One running machine. `actions` maps each action of the subclass's tables to what carries it out.

    At most two timers run at once: one that resends (A, E, G) and one that ends something (the others).
    """

    __slots__ = ("_ending", "_interval", "_resending", "flow", "layer", "state", "table")

    actions: ClassVar[Mapping[Action, Callable[[Any], None]]]

    def __init__(self, layer: Surroundings, table: Table, state: State, flow: Flow) -> None:
        self.layer = layer
        self.table = table
        self.state = state
        self.flow = flow
        self._resending: Timer | None = None
        self._ending: Timer | None = None
        self._interval = 0.0

    def feed(self, happening: Input) -> None:
        """Let one thing happen: move as the table says and do what it says, in its order."""
        self.state, actions = step(self.table, self.state, happening)
        for action in actions:
            self.actions[action](self)
        if self.state is State.TERMINATED:
            self._stop_resending()
            self._stop_ending()
            self.layer.forget(self)
            self._release()

    def _release(self) -> None:
        """It has terminated: let go of its user, which may hold it, so that both are freed at once."""
        raise NotImplementedError

    def transport_error(self) -> None:
        """The transport could not send for this transaction, or its flow is gone."""
        self.feed(Input.TRANSPORT_ERROR)

    def _resend_after(self, interval: float, timer: Input) -> None:
        """(Re)start the resending timer; a reliable transport needs none."""
        self._stop_resending()
        self._interval = interval
        if not self.flow.reliable:
            self._resending = self.layer.queue.start(interval, lambda: self.feed(timer))

    def _end_after(self, delay: float, timer: Input) -> None:
        """(Re)start the timer that gives up."""
        self._stop_ending()
        self._ending = self.layer.queue.start(delay, lambda: self.feed(timer))

    def _forget_after(self, delay: float, timer: Input) -> None:
        """(Re)start the timer that lets the transaction be forgotten."""
        self._stop_ending()
        self._ending = self.layer.queue.start_cleanup(delay, lambda: self.feed(timer))

    def _stop_resending(self) -> None:
        if self._resending is not None:
            self._resending.cancel()
            self._resending = None

    def _stop_ending(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None
