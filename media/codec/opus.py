"""Opus (RFC 6716) over RTP (RFC 7587), by libopus.

In SDP it is always opus/48000/2, whatever is really sent: the RTP clock is 48 kHz, and samples here are
mono at the rate of the settings, which libopus brings to and from the bandwidth on the wire. What the
peer's fmtp asks for (`OpusParameters`) binds the encoder; what ours says follows from `OpusSettings`.

Lost packets: each payload carries, when the peer can use it and loses packets, a coarse copy of the one
before it. `recover` gets that out of the packet after a gap; without one `conceal` lets libopus
continue the sound. The share of the bit rate that the copies take follows the loss that RTCP reports.
"""

import re
from dataclasses import dataclass

import numpy as np

from media.codec import libopus, registry
from media.codec.base import Codec
from media.errors import CodecError
from media.frame import Samples

_CLOCK_RATE_HZ = 48000
_MIN_BITRATE, _MAX_BITRATE = 6000, 510000
_DTX_PAYLOAD = 2
"""A payload of this size or less says that silence follows; libopus documents it as not worth sending."""


@dataclass(frozen=True, slots=True)
class OpusSettings:
    """How we speak Opus.

    `sample_rate_hz` is ours: 8000, 12000, 16000, 24000 or 48000; below 48000 it is announced as the
    highest rate of use to us. `bitrate` None is what RFC 7587 section 3.1.1 recommends for speech of the
    bandwidth, and half as much again where the peer takes forward error correction. `complexity` 0-10
    trades CPU for quality. `dtx` sends next to nothing in pauses and asks the peer to; a peer that says
    itself whether it wants that has its way. `expected_loss` is what the encoder assumes until RTCP
    reports. `max_receive_bitrate` is asked of the peer.
    """

    sample_rate_hz: int = 48000
    bitrate: int | None = None
    complexity: int = 9
    inband_fec: bool = True
    dtx: bool = False
    cbr: bool = False
    expected_loss: float = 0.05
    max_receive_bitrate: int | None = None

    def __post_init__(self) -> None:
        if self.sample_rate_hz not in libopus.BANDWIDTHS:
            rates = ", ".join(map(str, libopus.BANDWIDTHS))
            raise ValueError(f"opus has the sample rates {rates}, not {self.sample_rate_hz}")
        if not 0 <= self.complexity <= 10:
            raise ValueError(f"the complexity of opus is 0 to 10, not {self.complexity}")
        for bitrate in (self.bitrate, self.max_receive_bitrate):
            if bitrate is not None and not _MIN_BITRATE <= bitrate <= _MAX_BITRATE:
                raise ValueError(f"opus has bit rates of {_MIN_BITRATE} to {_MAX_BITRATE}, not {bitrate}")

    @property
    def fmtp(self) -> str:
        """What our SDP says (RFC 7587 section 6.1): what we can use, and what we send at most."""
        said = []
        if self.sample_rate_hz != _CLOCK_RATE_HZ:
            said += [f"maxplaybackrate={self.sample_rate_hz}", f"sprop-maxcapturerate={self.sample_rate_hz}"]
        if self.max_receive_bitrate is not None:
            said.append(f"maxaveragebitrate={self.max_receive_bitrate}")
        said += [f"useinbandfec={self.inband_fec:d}"]
        if self.dtx:
            said.append("usedtx=1")
        if self.cbr:
            said.append("cbr=1")
        return ";".join(said)


@dataclass(frozen=True, slots=True)
class OpusParameters:
    """What a peer's fmtp asks of our encoder, with the defaults of RFC 7587 section 6.1.

    `stereo` and `sprop_stereo` only tell: we send mono always and take stereo from everybody. `dtx`
    None: the peer did not say.
    """

    max_playback_rate_hz: int = 48000
    max_average_bitrate: int | None = None
    stereo: bool = False
    sprop_stereo: bool = False
    cbr: bool = False
    inband_fec: bool = False
    dtx: bool | None = None

    @classmethod
    def parse(cls, fmtp: str) -> "OpusParameters":
        """Read "name=value;..."; what is unknown or out of range counts as not said."""
        said: dict[str, int] = {}
        for part in re.split(r"[;\s]+", fmtp):
            name, _, value = part.partition("=")
            if value.isascii() and value.isdigit() and len(value) < 10:
                said.setdefault(name.lower(), int(value))
        bitrate = said.get("maxaveragebitrate", 0)
        return cls(
            max_playback_rate_hz=max(8000, min(said.get("maxplaybackrate", 48000), 48000)),
            max_average_bitrate=min(max(bitrate, _MIN_BITRATE), _MAX_BITRATE) if bitrate else None,
            stereo=said.get("stereo") == 1,
            sprop_stereo=said.get("sprop-stereo") == 1,
            cbr=said.get("cbr") == 1,
            inband_fec=said.get("useinbandfec") == 1,
            dtx=said["usedtx"] == 1 if "usedtx" in said else None,
        )


# RFC 7587 section 3.1.1: what it recommends for speech.
_RECOMMENDED_BITRATES = {8000: 12000, 12000: 16000, 16000: 20000, 24000: 28000, 48000: 32000}


class OpusEncoder:
    """Encoder of one outgoing stream, bound by the peer's parameters."""

    __slots__ = ("_in_dtx", "_loss", "_state")

    def __init__(self, settings: OpusSettings, peer: OpusParameters) -> None:
        self._state = state = libopus.EncoderState(settings.sample_rate_hz)
        useful = min(settings.sample_rate_hz, peer.max_playback_rate_hz)
        bandwidth = max(rate for rate in libopus.BANDWIDTHS if rate <= useful)
        inband_fec = settings.inband_fec and peer.inband_fec
        # The copies take a third: without more rate there are none at all, or the sound pays for them.
        recommended = _RECOMMENDED_BITRATES[bandwidth] * (3 if inband_fec else 2) // 2
        bitrate = settings.bitrate or recommended
        if peer.max_average_bitrate is not None:
            bitrate = min(bitrate, peer.max_average_bitrate)
        state.set(libopus.SET_MAX_BANDWIDTH, libopus.BANDWIDTHS[bandwidth])
        state.set(libopus.SET_BITRATE, bitrate)
        state.set(libopus.SET_COMPLEXITY, settings.complexity)
        state.set(libopus.SET_VBR, not (settings.cbr or peer.cbr))
        state.set(libopus.SET_INBAND_FEC, inband_fec)
        state.set(libopus.SET_DTX, settings.dtx if peer.dtx is None else peer.dtx)
        self._in_dtx = False
        self._loss = 0.0
        self.set_packet_loss(settings.expected_loss)

    def encode(self, samples: Samples) -> bytes:
        """The payload for 10, 20, 40 or 60 ms; empty while the peer already knows that there is silence."""
        payload = self._state.encode(samples)
        if len(payload) > _DTX_PAYLOAD:
            self._in_dtx = False
        elif self._in_dtx:
            return b""
        else:
            self._in_dtx = True
        return payload

    def set_packet_loss(self, fraction: float) -> None:
        """Protect against so much loss at once; forget it by halves, for losses come in spells."""
        self._loss = max(fraction, self._loss / 2)
        self._state.set(libopus.SET_PACKET_LOSS_PERC, min(100, round(self._loss * 100)))


class OpusDecoder:
    """Decoder of one incoming stream, with concealment of its own."""

    __slots__ = ("_quantum", "_state")

    def __init__(self, sample_rate_hz: int) -> None:
        self._state = libopus.DecoderState(sample_rate_hz)
        self._quantum = sample_rate_hz // 400

    def decode(self, payload: bytes | memoryview) -> Samples:
        """The samples of a payload, of any bandwidth, channels and length; `CodecError` for garbage."""
        if not payload:
            raise CodecError("opus payload of 0 bytes")
        return self._state.decode(bytes(payload))

    def conceal(self, n: int) -> Samples:
        """`n` samples that go on from the last ones and fade; after a pause announced by DTX, its noise."""
        whole = -(-n // self._quantum) * self._quantum
        step = 48 * self._quantum  # 120 ms
        parts = [self._state.conceal(min(step, whole - done)) for done in range(0, whole, step)]
        samples: Samples = parts[0] if len(parts) == 1 else np.concatenate((np.zeros(0, np.int16), *parts))
        return samples[:n]

    def recover(self, payload: bytes, n: int) -> Samples | None:
        """The `n` samples of a gap before `payload`: concealed, but for its last packet, which is known.

        None beyond 120 ms, and where `n` is no multiple of 2.5 ms.
        """
        if n % self._quantum or not 0 < n <= 48 * self._quantum:
            return None
        try:
            return self._state.recover(payload, n)
        except CodecError:
            return None


def announces_silence(payload: bytes) -> bool:
    """Whether the sender will say nothing for a while after this payload (DTX)."""
    return len(payload) <= _DTX_PAYLOAD


def opus(settings: OpusSettings = OpusSettings()) -> Codec:
    """Opus with these settings; hand it to `media.codec.register` to use it in place of the default."""

    def encoder(fmtp: str) -> OpusEncoder:
        return OpusEncoder(settings, OpusParameters.parse(fmtp))

    return Codec(
        "opus",
        _CLOCK_RATE_HZ,
        settings.sample_rate_hz,
        lambda: encoder(""),
        lambda: OpusDecoder(settings.sample_rate_hz),
        channels=2,
        fmtp=settings.fmtp,
        ptimes_ms=(60, 40, 20, 10),
        encoder_for_fmtp=encoder,
        announces_silence=announces_silence,
        require=libopus.load,
    )


OPUS = registry.register(opus())
