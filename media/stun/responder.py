"""The other side of Binding discovery (RFC 8489 section 6.3.1), for simulations and tests. Pure."""

from __future__ import annotations

from media.errors import BadPacket
from media.plan import Address
from media.stun.message import BINDING, Attribute, MessageClass, StunMessage

_KNOWN = frozenset(Attribute)
SOFTWARE = b"sipmedia"


def respond(data: bytes, source: Address) -> bytes | None:
    """The answer to a datagram from `source`; None for what is no Binding request."""
    try:
        request = StunMessage.parse(data)
    except BadPacket:
        return None
    if request.message_class is not MessageClass.REQUEST or request.method != BINDING:
        return None
    unknown = [number for number, _ in request.attributes if number < 0x8000 and number not in _KNOWN]
    if unknown:
        numbers = b"".join(number.to_bytes(2, "big") for number in unknown)
        error = (Attribute.ERROR_CODE, b"\x00\x00\x04\x14Unknown Attribute")
        answer = StunMessage(BINDING, MessageClass.ERROR, request.transaction_id, (error,))
        return bytes(answer.plus((Attribute.UNKNOWN_ATTRIBUTES, numbers)).with_fingerprint())
    answer = StunMessage(BINDING, MessageClass.SUCCESS, request.transaction_id)
    return bytes(answer.with_mapped_address(source).plus((Attribute.SOFTWARE, SOFTWARE)).with_fingerprint())
