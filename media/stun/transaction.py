"""One Binding request over UDP (RFC 8489 section 6.2.1): repeated Rc times, the intervals doubling. Pure.

request  0.5 s  request  1 s  request  2 s ... request   Rm * RTO, then nothing came
"""

from __future__ import annotations

from dataclasses import dataclass

from media.errors import BadPacket
from media.plan import Address
from media.stun.message import BINDING, MessageClass, StunMessage, binding_request

RTO = 0.5
"""Seconds until the first repeat."""
RC = 7
"""Requests sent at most."""
RM = 16
"""After the last one we wait this many times the RTO."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """Our addresses as a server outside sees them. `rtcp` is None where that was not found out."""

    rtp: Address
    rtcp: Address | None


class BindingTransaction:
    """Give it the time and what comes from the server; take what is to be sent.

    `mapped` is the answer once there is one; `failed` says why there will be none.
    """

    def __init__(self, transaction_id: bytes, server: Address, now: float, *, rto: float = RTO) -> None:
        self.server = server
        self.mapped: Address | None = None
        self.failed: str | None = None
        self.next_deadline: float = now
        """When `poll` is due."""
        self._id = transaction_id
        self._data = bytes(binding_request(transaction_id))
        self._interval = rto
        self._rto = rto
        self._sent = 0

    @property
    def over(self) -> bool:
        """Whether the outcome is known."""
        return self.mapped is not None or self.failed is not None

    def poll(self, now: float) -> bytes | None:
        """What to send to the server now, if anything."""
        if self.over or now < self.next_deadline:
            return None
        if self._sent >= RC:
            self.failed = f"the STUN server {self.server[0]}:{self.server[1]} does not answer"
            return None
        self._sent += 1
        last = self._sent == RC
        self.next_deadline = now + (RM * self._rto if last else self._interval)
        self._interval *= 2
        return self._data

    def receive(self, data: bytes, source: Address) -> bool:
        """Take a datagram; whether it was for us. What a stranger sends, or what cannot be read, is not."""
        if source != self.server or self.over:
            return False
        try:
            message = StunMessage.parse(data)
            if message.transaction_id != self._id or message.method != BINDING:
                return False
            if message.message_class is MessageClass.ERROR:
                code, reason = message.error or (0, "no reason")
                self.failed = f"the STUN server refused: {code} {reason}".rstrip()
                return True
            if message.message_class is not MessageClass.SUCCESS:
                return False
            mapped = message.mapped_address
        except BadPacket:
            return False
        if mapped is None:
            self.failed = "the STUN server answered without an address"
        self.mapped = mapped
        return True
