"""Codecs: one module each, found by name or payload type in `registry`.

Importing this package registers PCMU, PCMA, G722, L16 and opus; libraries are loaded when one is used.
"""

from media.codec import g711, g722, l16, opus, registry
from media.codec.base import Codec, ConcealingDecoder, Decoder, Encoder, LossAwareEncoder
from media.codec.registry import by_static_payload_type, get, names, register

__all__ = [
    "Codec",
    "ConcealingDecoder",
    "Decoder",
    "Encoder",
    "LossAwareEncoder",
    "by_static_payload_type",
    "g711",
    "g722",
    "get",
    "l16",
    "names",
    "opus",
    "register",
    "registry",
]
