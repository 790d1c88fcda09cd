"""Codecs: one module each, found by name or payload type in `registry`.

Importing this package registers PCMU, PCMA, G722 and L16.
"""

from media.codec import g711, g722, l16, registry
from media.codec.base import Codec, Decoder, Encoder
from media.codec.registry import by_static_payload_type, get, names, register

__all__ = [
    "Codec",
    "Decoder",
    "Encoder",
    "by_static_payload_type",
    "g711",
    "g722",
    "get",
    "l16",
    "names",
    "register",
    "registry",
]
