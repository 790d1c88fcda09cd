"""L16: uncompressed 16-bit samples in network byte order (RFC 3551 section 4.5.11).

Payload types 10 and 11 are fixed at 44.1 kHz, stereo and mono; 8 and 16 kHz have dynamic ones. Two
channels travel interleaved, left first; ours is a mono world, so a stereo stream is averaged coming
in and doubled going out.
"""

import numpy as np
from numpy.typing import NDArray

from media.codec import registry
from media.codec.base import Codec
from media.errors import CodecError


class L16Encoder:
    """Stateless encoder for one or two channels on the wire."""

    __slots__ = ("_channels",)

    def __init__(self, channels: int = 1) -> None:
        self._channels = channels

    def encode(self, samples: NDArray[np.int16]) -> bytes:
        """Two bytes a sample and channel."""
        wire = samples.astype(">i2")
        return (wire if self._channels == 1 else wire.repeat(self._channels)).tobytes()


class L16Decoder:
    """Stateless decoder for one or two channels on the wire."""

    __slots__ = ("_channels",)

    def __init__(self, channels: int = 1) -> None:
        self._channels = channels

    def decode(self, payload: bytes | memoryview) -> NDArray[np.int16]:
        """Mono samples; `CodecError` when the payload ends inside a sample or between the channels.

        Such a payload was cut or is of another codec: guessing would play it as full-scale noise.
        """
        size = len(payload)
        if size % (2 * self._channels):
            raise CodecError(f"L16 payload of {size} bytes is no multiple of {2 * self._channels} bytes")
        samples = np.frombuffer(payload, ">i2").astype(np.int16) if size else np.zeros(0, np.int16)
        if self._channels == 1:
            return samples
        mixed: NDArray[np.int16] = samples.reshape(-1, self._channels).mean(axis=1).astype(np.int16)
        return mixed


def _l16(sample_rate_hz: int, *, channels: int = 1, static_payload_type: int | None = None) -> Codec:
    return registry.register(
        Codec(
            "L16",
            sample_rate_hz,
            sample_rate_hz,
            lambda: L16Encoder(channels),
            lambda: L16Decoder(channels),
            static_payload_type,
            channels,
        )
    )


# The first of them is what the bare name "L16" means.
L16_16K = _l16(16000)
L16_8K = _l16(8000)
L16_44K_STEREO = _l16(44100, channels=2, static_payload_type=10)
L16_44K = _l16(44100, static_payload_type=11)
