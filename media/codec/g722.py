"""G.722 at 64 kbit/s (mode 1): 16 kHz audio in two sub-bands of ADPCM, by the G722 package (libg722).

RTP counts G.722 at 8000 Hz though it samples at 16000: a mistake of an early draft that RFC 3551
section 4.5.2 keeps for compatibility. The codec has memory in both directions, so every stream has
its own pair. The library is loaded with the first stream that needs it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from media.codec import registry
from media.codec.base import Codec
from media.errors import CodecError, CodecUnavailable

_SAMPLE_RATE_HZ = 16000
_BIT_RATE = 64000


def _library() -> Any:
    try:
        import G722
    except ImportError as error:
        raise CodecUnavailable(
            "G722",
            f"the package G722 cannot be loaded ({error}); install it with `pip install G722`, "
            "or leave G722 out of the codecs",
        ) from error
    return G722


def _library_state() -> Any:
    return _library().G722(_SAMPLE_RATE_HZ, _BIT_RATE)


class G722Encoder:
    """Encoder of one outgoing stream."""

    __slots__ = ("_state",)

    def __init__(self) -> None:
        self._state = _library_state()

    def encode(self, samples: NDArray[np.int16]) -> bytes:
        """One byte for two samples; `CodecError` for an odd number, which would shift all that follow."""
        if len(samples) % 2:
            raise CodecError(f"G.722 encodes pairs of samples, got {len(samples)}; use an even block size")
        payload: bytes = self._state.encode(np.ascontiguousarray(samples))
        return payload


class G722Decoder:
    """Decoder of one incoming stream."""

    __slots__ = ("_state",)

    def __init__(self) -> None:
        self._state = _library_state()

    def decode(self, payload: bytes | memoryview) -> NDArray[np.int16]:
        """Two samples for each byte; any bytes are valid."""
        return np.array(self._state.decode(bytes(payload)), np.int16)


G722 = registry.register(
    Codec("G722", 8000, _SAMPLE_RATE_HZ, G722Encoder, G722Decoder, static_payload_type=9, require=_library)
)
