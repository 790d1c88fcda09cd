"""Settings of the media manager and of one session, checked when they are made."""

import enum
import ipaddress
from dataclasses import dataclass
from typing import Literal

from media.audio.jitter_buffer import JitterBuffer
from media.errors import BadAddress, BadPortRange
from media.plan import MediaDirection

PTIMES_MS = (10, 20, 30, 40, 60)
"""The packet times we send; a peer's wish in between is rounded down to one of them."""


def check_address(host: str) -> str:
    """Return the IPv4 or IPv6 address `host` unchanged, or raise `BadAddress`."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise BadAddress(host) from None
    return host


class SessionState(enum.Enum):
    """Where a media session stands."""

    IDLE = "idle"
    """Made, nothing offered yet."""
    NEGOTIATING = "negotiating"
    """The first offer is out or in, the answer is missing."""
    ACTIVE = "active"
    """Negotiated; media may flow in at least one direction."""
    PAUSED = "paused"
    """Negotiated inactive (held by both sides); nothing flows."""
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class PortRange:
    """The UDP ports that sessions may take, both ends included.

    RTP takes an even port and RTCP the odd one after it, both inside the range; so `min` is even
    and there is room for at least one pair, otherwise `BadPortRange` is raised.
    """

    min: int
    max: int

    def __post_init__(self) -> None:
        if not (1 <= self.min <= 65535 and 1 <= self.max <= 65535):
            raise BadPortRange(self.min, self.max, "ports are between 1 and 65535")
        if self.min > self.max:
            raise BadPortRange(self.min, self.max, f"it is empty; did you mean {self.max}-{self.min}?")
        if self.min % 2:
            raise BadPortRange(
                self.min,
                self.max,
                f"it starts with an odd port, but RTP takes even ones: start with {self.min + 1}",
            )
        if self.min == self.max:
            raise BadPortRange(
                self.min, self.max, f"it has no room for the RTCP port: use {self.min}-{self.min + 1}"
            )

    def rtp_ports(self) -> range:
        """The even ports whose odd neighbour is in the range too."""
        return range(self.min, self.max, 2)

    def __str__(self) -> str:
        return f"{self.min}-{self.max}"


@dataclass(frozen=True, slots=True)
class JitterSettings:
    """How long received packets wait for others.

    "adaptive" (the default): from `delay_ms` on a clean network to `max_delay_ms` as it needs, changed by
    stretching sound. "fixed": always `delay_ms`, and what comes later is lost. "off": nothing waits; on
    any network with jitter that is heard. Every packet also waits for the next tick, up to 20 ms.
    """

    mode: Literal["adaptive", "fixed", "off"] = "adaptive"
    delay_ms: float = 12.0
    max_delay_ms: float = 200.0

    def __post_init__(self) -> None:
        if self.mode not in ("adaptive", "fixed", "off"):
            raise ValueError(f"the jitter buffer's mode is adaptive, fixed or off, not {self.mode!r}")
        if not 0 <= self.delay_ms <= self.max_delay_ms <= 2000:
            raise ValueError(
                f"the jitter buffer's delay {self.delay_ms} ms must be from 0 to its greatest delay "
                f"{self.max_delay_ms} ms, and that up to 2000 ms"
            )

    def make_buffer(self) -> JitterBuffer:
        """A buffer for one stream."""
        return JitterBuffer(
            8000,
            20,
            delay_ms=self.delay_ms,
            max_delay_ms=self.max_delay_ms,
            strict=self.mode == "fixed",
            hold=self.mode != "off",
        )


@dataclass(frozen=True, slots=True)
class ManagerConfig:
    """Settings of a `MediaManager`; addresses are IP literals, times are in the named unit.

    `default_local_ip` is where sessions listen and `advertised_ip` what their SDP says instead
    (None: the same). `default_audio_codecs` are in order of preference; an answer follows the
    order of the offer unless `prefer_own_codecs`, and names all common ones unless `answer_one_codec`.
    `rtcp_mux` offers and accepts RTCP on the RTP port (RFC 5761), `rtcp_reduced_size` RTCP without a leading
    report (RFC 5506), `rtcp_xr` VoIP metrics in RTCP (RFC 3611). `comfort_noise` offers and accepts CN
    (RFC 3389), with `silence_suppression` our pauses are sent as such. `idle` says what a session sends
    when there is nothing to send. `jitter_buffer` says how long received packets wait.
    `media_timeout_s`: so long without a packet, where both sides may send, and `media_lost` is emitted (None:
    never). `stun_server` (host or name, and port) is whom `session.gather()` asks for our address outside,
    for at most `stun_timeout_s`; `advertised_ip` makes that needless. `statistics_interval_s` is the period
    of the `statistics` event, made only while somebody listens for it.
    Raises `BadAddress` and `ValueError`.
    """

    default_local_ip: str = "127.0.0.1"
    advertised_ip: str | None = None
    rtp_port_range: PortRange = PortRange(10000, 20000)
    default_audio_codecs: tuple[str, ...] = ("PCMU", "PCMA", "G722")
    default_ptime: int = 20
    prefer_own_codecs: bool = False
    answer_one_codec: bool = False
    rtcp_mux: bool = False
    rtcp_reduced_size: bool = False
    rtcp_xr: bool = False
    comfort_noise: bool = False
    silence_suppression: bool = False
    idle: Literal["none", "silence"] = "none"
    jitter_buffer: JitterSettings = JitterSettings()
    media_timeout_s: float | None = None
    stun_server: tuple[str, int] | None = None
    stun_timeout_s: float = 3.0
    statistics_interval_s: float = 1.0
    session_name: str = "-"
    user_name: str = "-"

    def __post_init__(self) -> None:
        check_address(self.default_local_ip)
        if self.advertised_ip is not None:
            check_address(self.advertised_ip)
        object.__setattr__(self, "default_audio_codecs", tuple(self.default_audio_codecs))
        if not self.default_audio_codecs:
            raise ValueError("default_audio_codecs is empty: name at least one codec, for example 'PCMU'")
        check_ptime(self.default_ptime)
        check_media_timeout(self.media_timeout_s)
        if self.statistics_interval_s <= 0:
            raise ValueError(f"statistics_interval_s must be above 0, not {self.statistics_interval_s}")


def check_ptime(ptime_ms: int) -> int:
    """Return `ptime_ms` if we can send packets of that length, else raise `ValueError`."""
    if ptime_ms not in PTIMES_MS:
        raise ValueError(f"ptime {ptime_ms} ms is not one of {', '.join(map(str, PTIMES_MS))}")
    return ptime_ms


def check_media_timeout(timeout_s: float | None) -> float | None:
    """Return it if so short a silence can be told from a network's hiccup, else raise `ValueError`."""
    if timeout_s is not None and timeout_s < 1.0:
        raise ValueError(f"a media timeout must be at least 1 s, or None for no such limit, not {timeout_s}")
    return timeout_s


@dataclass(frozen=True, slots=True)
class SessionConstraints:
    """What one session shall offer or accept; None means as the manager (or the session so far) has it.

    Given to `create_offer` in a running session they change it: `audio_direction=SENDONLY` holds,
    `SENDRECV` resumes, `audio_codecs` asks for another codec. `local_ip` and `local_port` (even) count only
    before the sockets are bound. `dtmf_enabled` puts `telephone-event` (RFC 4733) into the
    description, in an offer as `dtmf_payload_type`. `video_enabled` is refused with `Unsupported`.
    """

    local_ip: str | None = None
    local_port: int | None = None
    audio_enabled: bool = True
    audio_codecs: tuple[str, ...] | None = None
    audio_direction: MediaDirection = MediaDirection.SENDRECV
    audio_ptime: int | None = None
    dtmf_enabled: bool = True
    dtmf_payload_type: int = 101
    video_enabled: bool = False
    advertised_ip: str | None = None
    prefer_own_codecs: bool | None = None

    def __post_init__(self) -> None:
        if self.local_ip is not None:
            check_address(self.local_ip)
        if self.advertised_ip is not None:
            check_address(self.advertised_ip)
        if self.local_port is not None and (not 1 <= self.local_port <= 65534 or self.local_port % 2):
            raise BadPortRange(
                self.local_port, self.local_port + 1, "local_port must be even and between 2 and 65534"
            )
        if self.audio_codecs is not None:
            object.__setattr__(self, "audio_codecs", tuple(self.audio_codecs))
            if not self.audio_codecs:
                raise ValueError("audio_codecs is empty: name a codec, or leave it None for the manager's")
        if self.audio_ptime is not None:
            check_ptime(self.audio_ptime)
        if not 96 <= self.dtmf_payload_type <= 127:
            raise ValueError(f"dtmf_payload_type is between 96 and 127, not {self.dtmf_payload_type}")
