"""What a codec is: its name on the wire, its rates, and how to make the two halves for one stream."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray


class Encoder(Protocol):
    """Turns samples of one stream into payloads; keeps that stream's state."""

    def encode(self, samples: NDArray[np.int16]) -> bytes:
        """The payload for these samples, which follow the previous call's without a gap.

        Empty: nothing needs to be sent for them (discontinuous transmission).
        """
        ...


@runtime_checkable
class LossAwareEncoder(Encoder, Protocol):
    """An encoder that can guard its payloads against loss."""

    def set_packet_loss(self, fraction: float) -> None:
        """The peer's latest RTCP report says that this share of our packets was lost."""
        ...


class Decoder(Protocol):
    """Turns payloads of one stream into samples; keeps that stream's state."""

    def decode(self, payload: bytes | memoryview) -> NDArray[np.int16]:
        """The samples of this payload; `CodecError` for one this codec can never produce.

        The array belongs to the caller.
        """
        ...


@runtime_checkable
class ConcealingDecoder(Decoder, Protocol):
    """A decoder that knows better than we do what to put in place of lost payloads."""

    def conceal(self, n: int) -> NDArray[np.int16]:
        """`n` samples in place of lost ones, or of a pause that `Codec.announces_silence` told of."""
        ...

    def recover(self, payload: bytes, n: int) -> NDArray[np.int16] | None:
        """The `n` lost samples just before `payload` (which is decoded next), as far as it knows them.

        None where it is of no help for so many.
        """
        ...


@dataclass(frozen=True, slots=True)
class Codec:
    """One entry of the registry; equal when name, rates, channels and parameters are equal.

    `clock_rate_hz` counts RTP timestamps and stands in the SDP; `sample_rate_hz` is the rate of the
    samples. They differ for G.722 (RFC 3551 section 4.5.2), and for Opus below 48 kHz. `channels` is what
    the wire carries; samples are mono on our side always.

    `fmtp` is what our descriptions say, `peer_fmtp` what the peer's said, which binds encoders:
    `encoder_for_fmtp` makes one that obeys. `announces_silence` tells of a payload whether nothing
    follows it by the sender's will. `require` raises `CodecUnavailable` if a library is missing.
    `ptimes_ms` are the packet lengths it can be sent in, longest first.
    """

    name: str
    clock_rate_hz: int
    sample_rate_hz: int
    encoder_factory: Callable[[], Encoder] = field(compare=False, repr=False)
    decoder_factory: Callable[[], Decoder] = field(compare=False, repr=False)
    static_payload_type: int | None = None
    channels: int = 1
    fmtp: str = ""
    peer_fmtp: str = ""
    ptimes_ms: tuple[int, ...] = (60, 40, 30, 20, 10)
    encoder_for_fmtp: Callable[[str], Encoder] | None = field(default=None, compare=False, repr=False)
    announces_silence: Callable[[bytes], bool] | None = field(default=None, compare=False, repr=False)
    require: Callable[[], object] | None = field(default=None, compare=False, repr=False)

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
        if self.encoder_for_fmtp is not None:
            return self.encoder_for_fmtp(self.peer_fmtp)
        return self.encoder_factory()

    def make_decoder(self) -> Decoder:
        """A fresh decoder for one incoming stream."""
        return self.decoder_factory()

    def bound_by(self, peer_fmtp: str) -> Self:
        """This codec as a peer wants it; the codec itself where it has no parameters of that kind."""
        return self if self.encoder_for_fmtp is None else replace(self, peer_fmtp=peer_fmtp)
