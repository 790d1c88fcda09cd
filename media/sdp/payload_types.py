"""Which payload types our codecs have in a session, and which formats an offer of ours lists.

Pure values: RFC 3264 sections 5.1 and 8.3.2.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from media.codec.base import Codec
from media.sdp.attributes import COMFORT_NOISE, TELEPHONE_EVENT, RtpMap
from media.sdp.local_audio import LocalAudio

EVENT_CLOCK_HZ = 8000
"""That of telephone-event in devices that offer no other, whatever the codec."""

CodecKey = tuple[str, int, int]

NOISE_KEY: CodecKey = (COMFORT_NOISE, 8000, 1)


def key_of(item: Codec | RtpMap) -> CodecKey:
    """What makes two descriptions of a codec the same: name in any case, clock rate, channels."""
    if isinstance(item, Codec):
        return (item.name.upper(), item.clock_rate_hz, item.channels)
    return (item.encoding.upper(), item.clock_rate_hz, item.channels)


@dataclass(frozen=True, slots=True)
class PayloadTypes:
    """Which payload type stands for which codec in a session, for as long as it lasts (RFC 3264 s8.3.2).

    `by_key` are the numbers of our codecs, `by_number` all that were ever seen in it.
    """

    by_key: Mapping[CodecKey, int] = field(default_factory=dict)
    by_number: Mapping[int, CodecKey] = field(default_factory=dict)

    def learn(self, agreed: Iterable[RtpMap], seen: Iterable[RtpMap] = ()) -> "PayloadTypes":
        """With what a peer's line says: `agreed` codecs that have no number yet keep the peer's.

        Unless it stands for another codec of ours: a peer that gives numbers a new meaning in mid-session
        (against section 8.3.2) would have us offer one number twice.
        """
        by_key, by_number = dict(self.by_key), dict(self.by_number)
        for entry in agreed:
            if entry.payload_type not in by_key.values():
                by_key.setdefault(key_of(entry), entry.payload_type)
            by_number.setdefault(entry.payload_type, key_of(entry))
        for entry in seen:
            by_number.setdefault(entry.payload_type, key_of(entry))
        return PayloadTypes(by_key, by_number)

    def assign(self, key: CodecKey, wish: int | None) -> tuple[int, "PayloadTypes"]:
        """The number for a codec: the one it has, else `wish` if that is free, else a free dynamic one."""
        known = self.by_key.get(key)
        if known is not None:
            return known, self
        dynamic = (*range(96, 128), *range(35, 64))
        wishes = dynamic if wish is None else (wish, *dynamic)
        ours = set(self.by_key.values())
        free = [number for number in wishes if self.by_number.get(number, key) == key and number not in ours]
        # A peer that used up every number of its own accord gets one of them in a second meaning.
        number = free[0] if free else next(number for number in dynamic if number not in ours)
        return number, PayloadTypes({**self.by_key, key: number}, {**self.by_number, number: key})


def offered_formats(local: LocalAudio, types: PayloadTypes) -> tuple[list[RtpMap], PayloadTypes]:
    """The formats of an offer: our codecs in order, comfort noise, telephone-event for each clock rate."""
    entries = []
    event_key = (TELEPHONE_EVENT.upper(), local.codecs[0].clock_rate_hz if local.codecs else 8000, 1)
    if local.events_payload_type is not None:  # first, so that no codec takes the number it wants
        _, types = types.assign(event_key, local.events_payload_type)
    for codec in local.codecs:
        number, types = types.assign(key_of(codec), codec.static_payload_type)
        entries.append(RtpMap(number, codec.name, codec.clock_rate_hz, codec.channels))
    if local.comfort_noise and any(codec.clock_rate_hz == NOISE_KEY[1] for codec in local.codecs):
        number, types = types.assign(NOISE_KEY, 13)
        entries.append(RtpMap(number, *NOISE_KEY))
    if local.events_payload_type is not None:
        rates = [codec.clock_rate_hz for codec in local.codecs]
        if max(rates, default=0) > 16000:  # Opus: many a device that has it sends events at 8000 all the same
            rates.append(EVENT_CLOCK_HZ)
        for rate in dict.fromkeys(rates):
            number, types = types.assign((TELEPHONE_EVENT.upper(), rate, 1), local.events_payload_type)
            entries.append(RtpMap(number, TELEPHONE_EVENT, rate))
    return entries, types
