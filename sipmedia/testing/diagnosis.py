"""Why something was not heard: the sound is followed from the clip to the ear.

    the clip  ->  said (before the encoder)  ->  on the wire (decoded by our own tables)  ->  heard

The first place where it is no more is named, and what stands before that is the suspect; statistics say
whether the network or the jitter buffer did it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from media import MediaStats
from media.frame import Samples
from sipmedia.testing.analysis import describe
from sipmedia.testing.likeness import Likeness, likeness
from sipmedia.testing.tape import Sound
from sipmedia.testing.witness import CallRecord

_KNOWN = 0.8
"""From this likeness on a sound arrived at a place, losses aside."""
_WORTH_A_WORD = 0.01
_HARM = 0.1
"""So much likeness lost between two places is more than concealment explains."""


def audio_of(record: CallRecord) -> MediaStats | None:
    """What the call's media counted at its ear; None when it had none."""
    statistics = record.call.statistics()
    return statistics.media.get("audio") if statistics is not None else None


def conditions(record: CallRecord) -> str:
    """What the network did to the packets on their way to this party, in one sentence."""
    audio = audio_of(record)
    if audio is None:
        return f"{record.name} had no media: the call is {record.call.state.value}"
    due = audio.packets_received + audio.packets_lost
    if not audio.packets_received:
        return f"not a packet of sound reached {record.name}"
    return (
        f"of {due} packets to {record.name} {audio.packets_lost} were lost on the way "
        f"({audio.packets_lost / due:.1%}), {audio.packets_late} came too late to be played "
        f"({audio.packets_late / due:.1%}); jitter {audio.jitter:.0f} ms, codec {audio.codec}"
    )


def culprit(record: CallRecord) -> str | None:
    """What makes this party's reception bad, if packets do; None when they came well."""
    audio = audio_of(record)
    if audio is None:
        return "no media was agreed upon"
    if not audio.packets_received:
        return _nothing_came(record)
    due = audio.packets_received + audio.packets_lost
    lost = audio.packets_lost / due
    if _buffer_at_fault(audio):
        late, made_up = audio.packets_late / due, audio.frames_concealed / due
        what = (
            f"{late:.0%} of the packets arrived, but after their turn"
            if late > _WORTH_A_WORD
            else f"{made_up:.0%} of the sound was made up, although only {lost:.0%} of the packets were lost"
        )
        return (
            f"{record.name}'s jitter buffer: {what}; it does not wait long enough for a jitter of "
            f"{audio.jitter:.0f} ms, or is off"
        )
    if audio.packets_discarded > due / 10:
        return (
            f"{audio.packets_discarded} packets were refused by {record.name}: from a stranger's address, or "
            "of a payload type that was never agreed upon"
        )
    if lost > _WORTH_A_WORD:
        return f"the network: it lost {lost:.1%} of the packets to {record.name}"
    return None


@dataclass(frozen=True, slots=True)
class _Place:
    where: str
    found: Likeness

    def __str__(self) -> str:
        return f"  {self.where:<44} likeness {self.found.score:.2f}"


def why_not_heard(clip: Sound, record: CallRecord) -> str:
    """Lines for a failed assertion: the places with what was found there, and the cause."""
    places: list[_Place] = []
    cause = _find_cause(clip, record, places)
    return "\n".join([*map(str, places), f"  {conditions(record)}", f"cause: {cause}"])


def _buffer_at_fault(audio: MediaStats) -> bool:
    """Whether more went missing between the socket and the decoder than on the network."""
    due = audio.packets_received + audio.packets_lost
    starved = max(audio.packets_late, audio.frames_concealed - audio.packets_lost)
    return starved > max(audio.packets_lost, _WORTH_A_WORD * due)


def why_no_keys(expected: str, record: CallRecord) -> str:
    """Lines for keys that were not heard: what was pressed, what is in the packets, and the cause."""
    peer = record.peer
    sent = audio_of(peer) if peer is not None else None
    lines = []
    if peer is not None and sent is not None:
        lines.append(f"  {peer.name} pressed {sent.dtmf_sent} keys")
    on_wire = _keys_on_wire(record)
    if on_wire is not None:
        lines.append(f"  the packets to {record.name} hold the keys {on_wire!r}")
    lines.append(f"  {conditions(record)}")
    cause: str | None
    if on_wire == expected:
        cause = (
            f"{record.name}'s receiver of keys (RFC 4733): the packets hold them, but it did not report them"
        )
    elif peer is not None and sent is not None and sent.dtmf_sent != len(expected):
        cause = f"{peer.name} was not told to press {expected!r}, or did not come to the end"
    else:
        cause = culprit(record)
    return "".join(f"\n{line}" for line in lines) + (f"\ncause: {cause}" if cause else "")


def _keys_on_wire(record: CallRecord) -> str | None:
    wire = record.witness.world.wire
    if wire is None or record.local is None or record.key_type is None:
        return None
    return wire.keys(record.local, record.key_type)


def _find_cause(clip: Sound, record: CallRecord, places: list[_Place]) -> str:
    audio = audio_of(record)
    heard = record.heard.sound()
    at_ear = _Place(f"heard by {record.name}", likeness(clip, heard))
    peer = record.peer
    sender = peer.name if peer is not None else "the far end"
    if peer is not None:
        said = peer.said.sound()
        places.append(_Place(f"said by {sender}, before the encoder", likeness(clip, said)))
        if places[-1].found.score < _KNOWN:
            places.append(at_ear)
            return _not_said(clip, said, sender)
    if audio is None or not audio.packets_received:
        return _nothing_came(record)
    wire = _wire(record, audio)
    if wire is not None:
        places.append(_Place(f"on the wire, as {audio.codec} is defined", likeness(clip, wire)))
    places.append(at_ear)
    by_packets = culprit(record)
    if wire is None and at_ear.found.share > 0.5:
        return by_packets or (
            "not to be told: the packets came, and the sound is there, but changed on its way (another "
            "clock, or mixed with something)"
        )
    if wire is None:
        either = (
            f"the {audio.codec} encoder of {sender}, or {record.name}'s decoder; or {sender} did not say it"
        )
        return by_packets or _swapped_or(clip, heard, either)
    lost = audio.packets_lost / (audio.packets_received + audio.packets_lost)
    at_wire = places[-2].found.score
    # Of a sound of which a share is missing, the square root of the rest is what correlation finds.
    if at_wire < sqrt(1 - lost) - _HARM:
        return _bad_wire(clip, record, audio, sender)
    if by_packets is not None and (_buffer_at_fault(audio) or at_ear.found.score > at_wire - _HARM):
        return by_packets
    return _swapped_or(
        clip,
        heard,
        f"{record.name}'s {audio.codec} decoder: the packets hold the clip, but what it makes of them does "
        "not (a wrong decoding table?)",
    )


def _not_said(clip: Sound, said: Sound, sender: str) -> str:
    if _is_swapped(clip, said):
        return (
            f"the byte order of what {sender} was given: each sample has its two bytes swapped (samples are "
            "int16 little-endian)"
        )
    return f"{sender} did not say it. What {sender} said: {describe(said)}"


def _bad_wire(clip: Sound, record: CallRecord, audio: MediaStats, sender: str) -> str:
    swapped = _wire(record, audio, swapped=True)
    if audio.codec == "L16" and swapped is not None and likeness(clip, swapped).score >= _KNOWN:
        return (
            f"the byte order of {sender}'s L16 encoder: its samples go out little-endian, and L16 is "
            "big-endian (RFC 3551 section 4.5.11)"
        )
    return (
        f"{sender}'s {audio.codec} encoder: what it was given was the clip, what its packets hold is not "
        "(a wrong encoding table?)"
    )


def _swapped_or(clip: Sound, heard: Sound, otherwise: str) -> str:
    if _is_swapped(clip, heard):
        return "the byte order: what was heard is the clip with the two bytes of each sample swapped"
    return otherwise


def _nothing_came(record: CallRecord) -> str:
    peer = record.peer
    sent = audio_of(peer) if peer is not None else None
    if peer is None or sent is None:
        return f"no sound was ever sent to {record.name}"
    statistics = peer.call.statistics()
    target = statistics.network.remote if statistics is not None else None
    if not sent.packets_sent:
        return f"{peer.name} sent no packet"
    return (
        f"{peer.name} sent {sent.packets_sent} packets to {_address(target)}, and {record.name} listens at "
        f"{_address(record.local)}: the network lost them all, or the address is wrong"
    )


def _address(address: tuple[str, int] | None) -> str:
    return "nowhere" if address is None else f"{address[0]}:{address[1]}"


def _wire(record: CallRecord, audio: MediaStats, *, swapped: bool = False) -> Sound | None:
    wire = record.witness.world.wire
    codec = audio.codec or ""
    if wire is None or record.local is None or codec not in record.receives:
        return None
    return wire.sound(record.local, codec, record.receives[codec], swapped=swapped)


def _is_swapped(clip: Sound, sound: Sound) -> bool:
    """Whether `sound` is the clip with swapped bytes, also when a codec rounded them afterwards."""
    swapped = Sound(_byteswapped(clip.samples), clip.rate)
    back = Sound(_byteswapped(sound.samples), sound.rate)
    return likeness(swapped, sound).score >= _KNOWN or likeness(clip, back).score >= _KNOWN


def _byteswapped(samples: Samples) -> Samples:
    return np.ascontiguousarray(samples.byteswap())
