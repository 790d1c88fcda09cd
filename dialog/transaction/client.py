"""Client transactions (RFC 3261 section 17.1, RFC 6026 section 7.2)."""

from __future__ import annotations

from typing import ClassVar, Literal, Protocol

from dialog.flow import Flow
from dialog.message import Request, Response
from dialog.transaction.base import Surroundings, Transaction
from dialog.transaction.matching import ClientKey
from dialog.transaction.tables import INVITE_CLIENT, NON_INVITE_CLIENT, Action, Input, State

UNRELIABLE_LINGER = 32.0
"""Timer D on an unreliable transport: at least 32 s, whatever T1 is."""


class ClientUser(Protocol):
    """Who sent the request and wants to know what became of it."""

    def on_response(self, transaction: ClientTransaction, response: Response) -> None:
        """A response that is not a retransmission; for an INVITE, every 2xx."""

    def on_failure(
        self, transaction: ClientTransaction | None, cause: Literal["timeout", "transport"]
    ) -> None:
        """No final response will come. `transaction` is None when no way to the target was found."""


class _Nobody:
    """The user of a transaction that has terminated."""

    def on_response(self, transaction: ClientTransaction, response: Response) -> None:
        """Nobody waits for it."""

    def on_failure(
        self, transaction: ClientTransaction | None, cause: Literal["timeout", "transport"]
    ) -> None:
        """It was told before."""


_NOBODY = _Nobody()


class ClientTransaction(Transaction):
    """One request of ours, resent until it is answered."""

    __slots__ = ("_ack", "_data", "_response", "key", "request", "user")

    def __init__(
        self, layer: Surroundings, key: ClientKey, request: Request, flow: Flow, user: ClientUser
    ) -> None:
        invite = request.method == "INVITE"
        super().__init__(
            layer,
            INVITE_CLIENT if invite else NON_INVITE_CLIENT,
            State.CALLING if invite else State.TRYING,
            flow,
        )
        self.key = key
        self.request = request
        self.user = user
        self._data = bytes(request)
        self._ack: bytes | None = None
        self._response: Response | None = None

    def start(self) -> None:
        """Send the request and start timers A and B, or E and F."""
        timers = self.layer.timers
        if self.state is State.CALLING:
            self._resend_after(timers.T1, Input.TIMER_A)
            self._end_after(timers.patience, Input.TIMER_B)
        else:
            self._resend_after(timers.T1, Input.TIMER_E)
            self._end_after(timers.patience, Input.TIMER_F)
        self.layer.send(self.flow, self._data)

    def receive(self, response: Response) -> None:
        """A response matched to this transaction."""
        self._response = response
        if response.status < 200:
            self.feed(Input.PROVISIONAL)
        elif response.status < 300:
            self.feed(Input.SUCCESS)
        else:
            self.feed(Input.FAILURE)
        self._response = None

    def give_up(self) -> None:
        """Forget the request; the user is not told."""
        self.feed(Input.GIVE_UP)

    def _release(self) -> None:
        self.user = _NOBODY

    def _pass_up(self) -> None:
        assert self._response is not None
        self.user.on_response(self, self._response)

    def _resend(self) -> None:
        self.layer.send(self.flow, self._data)

    def _send_ack(self) -> None:
        """ACK a final response other than 2xx, with the very bytes of the first time (17.1.1.3)."""
        if self._ack is None:
            assert self._response is not None
            self._ack = bytes(ack_for_failure(self.request, self._response))
        self.layer.send(self.flow, self._ack)

    def _report_timeout(self) -> None:
        self.user.on_failure(self, "timeout")

    def _report_transport(self) -> None:
        self.user.on_failure(self, "transport")

    def _double_a(self) -> None:
        self._resend_after(self._interval * 2, Input.TIMER_A)

    def _double_e(self) -> None:
        self._resend_after(min(self._interval * 2, self.layer.timers.T2), Input.TIMER_E)

    def _slow_e(self) -> None:
        self._resend_after(self.layer.timers.T2, Input.TIMER_E)

    def _start_d(self) -> None:
        self._forget_after(0.0 if self.flow.reliable else UNRELIABLE_LINGER, Input.TIMER_D)

    def _start_k(self) -> None:
        self._forget_after(0.0 if self.flow.reliable else self.layer.timers.T4, Input.TIMER_K)

    def _start_m(self) -> None:
        self._forget_after(self.layer.timers.patience, Input.TIMER_M)

    actions: ClassVar = {
        Action.PASS_UP: _pass_up,
        Action.RESEND: _resend,
        Action.SEND_ACK: _send_ack,
        Action.REPORT_TIMEOUT: _report_timeout,
        Action.REPORT_TRANSPORT: _report_transport,
        Action.DOUBLE_A: _double_a,
        Action.STOP_A: Transaction._stop_resending,
        Action.STOP_B: Transaction._stop_ending,
        Action.START_D: _start_d,
        Action.DOUBLE_E: _double_e,
        Action.SLOW_E: _slow_e,
        Action.STOP_E: Transaction._stop_resending,
        Action.STOP_F: Transaction._stop_ending,
        Action.START_K: _start_k,
        Action.START_M: _start_m,
    }


def ack_for_failure(request: Request, response: Response) -> Request:
    """The ACK for a final response other than 2xx: the INVITE's way, the response's To (17.1.1.3)."""
    headers = [("Via", str(request.via)), ("Max-Forwards", "70")]
    headers += [("Route", value) for value in request.headers.get_all("Route")]
    headers += [
        ("From", request.headers.get("From") or ""),
        ("To", response.headers.get("To") or ""),
        ("Call-ID", request.call_id),
        ("CSeq", f"{request.cseq.number} ACK"),
    ]
    return Request("ACK", request.request_uri, headers)


def cancel_for(request: Request, reason: str | None) -> Request:
    """The CANCEL of a request: the same but for its method and what is not needed (section 9.1)."""
    headers = [("Via", str(request.via)), ("Max-Forwards", "70")]
    headers += [("Route", value) for value in request.headers.get_all("Route")]
    headers += [
        ("From", request.headers.get("From") or ""),
        ("To", request.headers.get("To") or ""),
        ("Call-ID", request.call_id),
        ("CSeq", f"{request.cseq.number} CANCEL"),
    ]
    if reason:
        headers.append(("Reason", reason))
    return Request("CANCEL", request.request_uri, headers)
