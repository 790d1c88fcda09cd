"""What a codec is: its name on the wire, its rates, and how to make the two halves for one stream."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Encoder(Protocol):
    """Turns samples of one stream into payloads; keeps that stream's state."""

    def encode(self, samples: NDArray[np.int16]) -> bytes:
        """The payload for these samples, which follow the previous call's without a gap."""
        ...


class Decoder(Protocol):
    """Turns payloads of one stream into samples; keeps that stream's state."""

    def decode(self, payload: bytes | memoryview) -> NDArray[np.int16]:
        """The samples of this payload; `CodecError` for one this codec can never produce.

        The array belongs to the caller.
        """
        ...


@dataclass(frozen=True, slots=True)
class Codec:
    """One entry of the registry; equal when name, rates, channels and parameters are equal.

    `clock_rate_hz` counts RTP timestamps and stands in the SDP; `sample_rate_hz` is the rate of the
    samples. They differ for G.722 only (RFC 3551 section 4.5.2). `channels` is what the wire carries;
    samples are mono on our side always.
    """

    name: str
    clock_rate_hz: int
    sample_rate_hz: int
    encoder_factory: Callable[[], Encoder] = field(compare=False, repr=False)
    decoder_factory: Callable[[], Decoder] = field(compare=False, repr=False)
    static_payload_type: int | None = None
    channels: int = 1
    fmtp: str = ""

    @property
    def samples_per_ms(self) -> float:
        """Samples in a millisecond (44.1 at 44100 Hz)."""
        return self.sample_rate_hz / 1000

    @property
    def clock_per_ms(self) -> float:
        """RTP timestamp units in a millisecond."""
        return self.clock_rate_hz / 1000

    def samples_in(self, duration_ms: int) -> int:
        """Whole samples in `duration_ms`: what one packet of that ptime carries."""
        return self.sample_rate_hz * duration_ms // 1000

    def timestamp_units(self, samples: int) -> int:
        """How far the RTP timestamp moves for that many samples."""
        return samples * self.clock_rate_hz // self.sample_rate_hz

    def make_encoder(self) -> Encoder:
        """A fresh encoder for one outgoing stream."""
        return self.encoder_factory()

    def make_decoder(self) -> Decoder:
        """A fresh decoder for one incoming stream."""
        return self.decoder_factory()
