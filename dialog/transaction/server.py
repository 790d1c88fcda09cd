"""Server transactions (RFC 3261 section 17.2, RFC 6026 section 7.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal, Protocol

from dialog.flow import Flow
from dialog.message import Request
from dialog.timers import Timer
from dialog.transaction.base import Surroundings, Transaction
from dialog.transaction.matching import MergeKey, ServerKey
from dialog.transaction.tables import INVITE_SERVER, NON_INVITE_SERVER, Action, Input, State
from dialog.via import Via

TRYING_AFTER = 0.2
"""Seconds after which an INVITE nobody has answered yet gets its 100 (section 17.2.1)."""


class ServerUser(Protocol):
    """Who answers the request."""

    def on_cancel(self, cancel: Request) -> None:
        """The caller cancelled the INVITE (already answered 200) before it had a final response."""

    def on_ack(self, ack: Request) -> None:
        """An ACK that carries the INVITE's own branch, after a 2xx (old peers do this)."""

    def on_response_lost(self, cause: Literal["timeout", "transport"]) -> None:
        """Our response was never acknowledged, or could not be sent."""


class ServerTransaction(Transaction):
    """One request of a peer: every retransmission of it is absorbed or answered alike.

    `respond` is the only way to answer. The last response is kept as bytes. `to_tag` is the tag that our
    responses add to the To; `user`, if there is one, hears of CANCEL, ACK and failure.
    """

    __slots__ = (
        "_ack",
        "_compose_trying",
        "_last",
        "_pending",
        "_trying",
        "key",
        "lost",
        "merge_key",
        "method",
        "to_tag",
        "user",
        "via",
    )

    def __init__(self, layer: Surroundings, key: ServerKey, method: str, flow: Flow) -> None:
        invite = method == "INVITE"
        super().__init__(
            layer,
            INVITE_SERVER if invite else NON_INVITE_SERVER,
            State.PROCEEDING if invite else State.TRYING,
            flow,
        )
        self.key = key
        self.method = method
        self.merge_key: MergeKey | None = None
        self.via: Via | None = None
        """The top Via of a request that came on a connection: where responses go when that is gone."""
        self.lost = False
        """The connection is gone, and responses have to find another way (section 18.2.2)."""
        self.to_tag = ""
        self.user: ServerUser | None = None
        self._last: bytes | None = None
        self._pending = b""
        self._ack: Request | None = None
        self._trying: Timer | None = None
        self._compose_trying: Callable[[], bytes] | None = None

    @property
    def answered(self) -> bool:
        """True once a final response was sent (or the transaction is over)."""
        return self.state not in (State.TRYING, State.PROCEEDING)

    def start_trying(self, compose: Callable[[], bytes]) -> None:
        """Send the 100 that `compose` gives unless something else is sent within 200 ms. Only for INVITE."""
        self._compose_trying = compose
        self._trying = self.layer.queue.start(TRYING_AFTER, lambda: self.feed(Input.TRYING_DUE))

    def respond(self, status: int, data: bytes) -> None:
        """Send a response. After a final one only a repeated 2xx to an INVITE still goes out."""
        self._pending = data
        if status < 200:
            self.feed(Input.SEND_PROVISIONAL)
        elif status < 300:
            self.feed(Input.SEND_SUCCESS)
        else:
            self.feed(Input.SEND_FAILURE)

    def _release(self) -> None:
        self.user = self._compose_trying = None

    @property
    def unanswered_invite(self) -> bool:
        """An INVITE somebody is thinking about, perhaps for long."""
        return self.state is State.PROCEEDING and self.table is INVITE_SERVER

    def receive_again(self) -> None:
        """The same request came once more."""
        self.feed(Input.REQUEST)

    def receive_ack(self, ack: Request) -> None:
        """An ACK with this transaction's key."""
        self._ack = ack
        self.feed(Input.ACK)
        self._ack = None

    def _pass_up(self) -> None:
        if self.user is not None and self._ack is not None:
            self.user.on_ack(self._ack)

    def _send(self) -> None:
        self._last = self._pending
        self._transmit(self._last)

    def _resend(self) -> None:
        if self._last is not None:
            self._transmit(self._last)

    def _send_trying(self) -> None:
        assert self._compose_trying is not None
        self._last = self._compose_trying()
        self._transmit(self._last)

    def _transmit(self, data: bytes) -> None:
        if self.lost:
            self.layer.send_elsewhere(self, data)
        else:
            self.layer.send(self.flow, data)

    def _stop_trying(self) -> None:
        if self._trying is not None:
            self._trying.cancel()
            self._trying = None
            self._compose_trying = None

    def _report_timeout(self) -> None:
        if self.user is not None:
            self.user.on_response_lost("timeout")

    def _report_transport(self) -> None:
        if self.user is not None:
            self.user.on_response_lost("transport")

    def _start_g(self) -> None:
        self._resend_after(self.layer.timers.T1, Input.TIMER_G)

    def _double_g(self) -> None:
        self._resend_after(min(self._interval * 2, self.layer.timers.T2), Input.TIMER_G)

    def _start_h(self) -> None:
        self._end_after(self.layer.timers.patience, Input.TIMER_H)

    def _start_i(self) -> None:
        self._forget_after(0.0 if self.flow.reliable else self.layer.timers.T4, Input.TIMER_I)

    def _start_j(self) -> None:
        self._forget_after(0.0 if self.flow.reliable else self.layer.timers.patience, Input.TIMER_J)

    def _start_l(self) -> None:
        self._forget_after(self.layer.timers.patience, Input.TIMER_L)

    actions: ClassVar = {
        Action.PASS_UP: _pass_up,
        Action.SEND: _send,
        Action.RESEND: _resend,
        Action.SEND_TRYING: _send_trying,
        Action.STOP_TRYING: _stop_trying,
        Action.REPORT_TIMEOUT: _report_timeout,
        Action.REPORT_TRANSPORT: _report_transport,
        Action.START_G: _start_g,
        Action.DOUBLE_G: _double_g,
        Action.STOP_G: Transaction._stop_resending,
        Action.START_H: _start_h,
        Action.STOP_H: Transaction._stop_ending,
        Action.START_I: _start_i,
        Action.START_J: _start_j,
        Action.START_L: _start_l,
    }
