"""What a session wants, with every default filled in: settings of the manager, changed by constraints."""

from dataclasses import dataclass, replace

from media.codec import registry
from media.codec.base import Codec
from media.config import ManagerConfig, SessionConstraints
from media.errors import BadAddress, UnknownCodec, Unsupported
from media.plan import Address, MediaDirection
from media.sdp.local_audio import LocalAudio
from media.stun.transaction import Mapped


@dataclass(frozen=True, slots=True)
class Wishes:
    """See `SessionConstraints` and `ManagerConfig` for the meaning of each field."""

    local_ip: str
    local_port: int | None
    advertised_ip: str | None
    audio_enabled: bool
    codecs: tuple[Codec, ...]
    direction: MediaDirection
    ptime_ms: int
    prefer_own: bool
    one_codec: bool
    rtcp_mux: bool
    rtcp_reduced_size: bool
    rtcp_xr: bool
    events_payload_type: int | None
    comfort_noise: bool
    silence_suppression: bool

    @classmethod
    def of(cls, config: ManagerConfig) -> "Wishes":
        """Those of a session without constraints; `UnknownCodec` for a name nobody registered."""
        return cls(
            local_ip=config.default_local_ip,
            local_port=None,
            advertised_ip=config.advertised_ip,
            audio_enabled=True,
            codecs=find_codecs(config.default_audio_codecs),
            direction=MediaDirection.SENDRECV,
            ptime_ms=config.default_ptime,
            prefer_own=config.prefer_own_codecs,
            one_codec=config.answer_one_codec,
            rtcp_mux=config.rtcp_mux,
            rtcp_reduced_size=config.rtcp_reduced_size,
            rtcp_xr=config.rtcp_xr,
            events_payload_type=101,
            comfort_noise=config.comfort_noise,
            silence_suppression=config.silence_suppression,
        )

    def changed(self, constraints: SessionConstraints | None) -> "Wishes":
        """With what the constraints say; where they are None, as before."""
        if constraints is None:
            return self
        if constraints.video_enabled:
            raise Unsupported("there is no video yet; leave video_enabled False")
        c = constraints
        return replace(
            self,
            local_ip=c.local_ip or self.local_ip,
            local_port=self.local_port if c.local_port is None else c.local_port,
            advertised_ip=c.advertised_ip or self.advertised_ip,
            audio_enabled=c.audio_enabled,
            codecs=self.codecs if c.audio_codecs is None else find_codecs(c.audio_codecs),
            direction=c.audio_direction,
            ptime_ms=c.audio_ptime or self.ptime_ms,
            prefer_own=self.prefer_own if c.prefer_own_codecs is None else c.prefer_own_codecs,
            events_payload_type=c.dtmf_payload_type if c.dtmf_enabled else None,
        )

    def local_audio(self, bound: Address, mapped: Mapped | None = None) -> LocalAudio:
        """The same for the negotiation, once RTP listens on `bound`, which is `mapped` seen from outside."""
        address, port = (self.advertised_ip or bound[0], bound[1]) if mapped is None else mapped.rtp
        return LocalAudio(
            address=address,
            port=port,
            rtcp_address=None if mapped is None else mapped.rtcp,
            codecs=self.codecs,
            direction=self.direction,
            ptime_ms=self.ptime_ms,
            events_payload_type=self.events_payload_type,
            prefer_own=self.prefer_own,
            one_codec=self.one_codec,
            rtcp_mux=self.rtcp_mux,
            rtcp_reduced_size=self.rtcp_reduced_size,
            rtcp_xr=self.rtcp_xr,
            comfort_noise=self.comfort_noise,
            silence_suppression=self.silence_suppression,
            enabled=self.audio_enabled,
        )

    def check_reachable(self) -> None:
        """Raise `BadAddress` if we listen everywhere and nobody said which address peers shall use."""
        if self.advertised_ip is None and self.local_ip in ("0.0.0.0", "::"):
            raise BadAddress(self.local_ip, "no peer can send there: set advertised_ip to the one it can")


def find_codecs(names: tuple[str, ...]) -> tuple[Codec, ...]:
    """Codecs by name, "PCMU" or with rate and channels "L16/8000"; each once, in order.

    Raises `UnknownCodec`, and `CodecUnavailable` for one whose library is not installed.
    """
    codecs: dict[Codec, None] = {}
    for name in names:
        encoding, *rest = name.split("/")
        if len(rest) > 2 or not all(part.isascii() and part.isdigit() for part in rest):
            raise UnknownCodec(name, registry.names())
        rate = int(rest[0]) if rest else None
        codec = registry.get(encoding, rate, int(rest[1]) if len(rest) == 2 else None)
        if codec.require is not None:
            codec.require()
        codecs[codec] = None
    return tuple(codecs)
